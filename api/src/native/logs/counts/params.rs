//! The parameters of counts.

use throughline_query::logs::{COUNT_GROUPS_MAX, LogCountsRequest};
use utoipa::IntoParams;

use super::super::super::params::Params;
use super::super::params::search_of;
use crate::error::{ApiError, Result};

const GROUPS_DEFAULT: usize = 100;

/// What counts may be asked: the conditions of a search, and what tells counts apart.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `counts` reads the parameters
pub struct CountsParams {
    /// Words that all occur in the body, as in log search.
    #[param(example = "payment \"card declined\" -test")]
    query: Option<String>,
    /// A condition on an attribute or field, as in log search. Repeat it for several.
    #[param(example = json!(["user.id=x"]))]
    filter: Option<Vec<String>>,
    /// The record's service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// The least severity: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, or a number 1 to 24.
    #[param(example = "warn")]
    severity: Option<String>,
    /// The record belongs to this trace.
    trace_id: Option<String>,
    /// The record belongs to this span.
    span_id: Option<String>,
    /// At or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// Also by step of time, each beginning at a multiple of it since the epoch: at most 2000 steps,
    /// between `start` and `end`.
    #[param(example = "1m")]
    step: Option<String>,
    /// What tells counts apart: `service`, `severity`, `template`. Repeat it for several.
    #[param(example = json!(["service"]))]
    by: Option<Vec<String>>,
    /// Groups at most, the largest first.
    #[param(default = 100, minimum = 1, maximum = 10000)]
    limit: Option<u64>,
}

/// The counts that the parameters ask for.
pub fn counts(params: &Params, now_ns: i64) -> Result<LogCountsRequest> {
    params.allow(&[
        "query", "filter", "service", "severity", "trace_id", "span_id", "start", "end", "step",
        "by", "limit",
    ])?;
    let mut request = LogCountsRequest {
        search: search_of(params, now_ns)?,
        step_ns: params.duration_ns("step")?,
        limit: params.limit(GROUPS_DEFAULT, COUNT_GROUPS_MAX)?,
        ..LogCountsRequest::default()
    };
    if let Some(time) = &mut request.search.time
        && request.step_ns.is_some()
        && params.one("end")?.is_none()
    {
        time.end_ns = now_ns.max(time.start_ns.saturating_add(1));
    }
    for by in params.all("by") {
        match by {
            "service" => request.by_service = true,
            "severity" => request.by_severity = true,
            "template" => request.by_template = true,
            other => {
                let detail = format!("by '{other}' is none of service, severity, template");
                return Err(ApiError::invalid("by", other, detail));
            }
        }
    }
    Ok(request)
}
