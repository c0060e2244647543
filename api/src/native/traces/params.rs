//! The parameters of trace search and of a trace by its id.

use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};
use throughline_query::traces::{Status, TRACES_PAGE_MAX, TraceSearch};
use utoipa::IntoParams;

use super::super::filter::parse_filters;
use super::super::params::{Params, nearest};
use crate::error::{ApiError, Result};

const LIMIT_DEFAULT: usize = 20;

/// What a search may say; all conditions hold for one span of the trace.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `trace_search` reads the parameters
pub struct TraceSearchParams {
    /// The span's service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// The span's name; repeat it for any of several.
    #[param(example = json!(["GET /cart"]))]
    operation: Option<Vec<String>>,
    /// A condition on an attribute or field: `http.route=/cart`, `http.status_code>=500`,
    /// `user.id!=x`, `name~regex`, `name!~regex`, `key` (exists), `!key` (is missing); prefixes
    /// `resource.`, `span.`, `scope.`; fields `name`, `kind`, `status`, `duration`, … Repeat it for
    /// several.
    #[param(example = json!(["http.status_code>=500"]))]
    filter: Option<Vec<String>>,
    /// The span lasts at least this long.
    #[param(example = "150ms")]
    min_duration: Option<String>,
    /// The span lasts at most this long.
    #[param(example = "2s")]
    max_duration: Option<String>,
    /// The span's status: `error`, `ok` or `unset`.
    #[param(example = "error")]
    status: Option<String>,
    /// The span starts at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// The span starts before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// Traces a page.
    #[param(default = 20, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the other parameters unchanged.
    cursor: Option<String>,
}

/// What a request for one trace may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct TraceParams {
    /// Where to look first. The look goes on for an hour around every span found, and everywhere where
    /// there is none: only a span that is further from all others of its trace can be missed.
    #[param(example = "-1h")]
    start: Option<String>,
    /// The end of that range.
    #[param(example = "now")]
    end: Option<String>,
    /// `otlp`, the only one here: JSON, or protobuf by `Accept`.
    #[param(example = "otlp")]
    format: Option<String>,
}

/// The search that the parameters describe.
pub fn trace_search(params: &Params, now_ns: i64) -> Result<TraceSearch> {
    params.allow(&[
        "service",
        "operation",
        "filter",
        "min_duration",
        "max_duration",
        "status",
        "start",
        "end",
        "limit",
        "cursor",
    ])?;
    let filters: Vec<Predicate> = parse_filters(Signal::Traces, params.all("filter"))?;
    Ok(TraceSearch {
        services: params.list("service"),
        operations: params.list("operation"),
        filters,
        min_duration_ns: params.duration_ns("min_duration")?,
        max_duration_ns: params.duration_ns("max_duration")?,
        status: params.one("status")?.map(status).transpose()?,
        time: params.range(now_ns)?,
        limit: params.limit(LIMIT_DEFAULT, TRACES_PAGE_MAX)?,
        cursor: params.one("cursor")?.map(str::to_owned),
        ..TraceSearch::default()
    })
}

/// The status of this name.
pub(super) fn status(text: &str) -> Result<Status> {
    match text.to_ascii_lowercase().as_str() {
        "unset" => Ok(Status::Unset),
        "ok" => Ok(Status::Ok),
        "error" => Ok(Status::Error),
        other => {
            let hint = nearest(other, &["unset", "ok", "error"])
                .map(|near| format!("; did you mean '{near}'?"))
                .unwrap_or_default();
            let detail = format!("status '{text}' is none of unset, ok, error{hint}");
            Err(ApiError::invalid("status", text, detail))
        }
    }
}

/// The id of a path.
pub fn trace_id(text: &str) -> Result<TraceId> {
    let id =
        TraceId::parse(text).map_err(|err| ApiError::invalid("trace_id", text, err.to_string()))?;
    if id.is_zero() {
        return Err(ApiError::invalid("trace_id", text, "a trace id of zeros is invalid"));
    }
    Ok(id)
}

/// Where to look first for a trace.
pub fn hint(params: &Params, now_ns: i64) -> Result<Option<TimeRange>> {
    params.allow(&["start", "end", "format"])?;
    params.range(now_ns)
}
