//! The parameters of a tail.

use throughline_query::logs::{LogSearch, TAIL_PAST_MAX};
use utoipa::IntoParams;

use super::super::super::params::Params;
use super::super::params::search_of;
use crate::error::Result;

/// What a tail may say: the conditions of a search, all of which hold for a record.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `log_tail` reads the parameters
pub struct TailParams {
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
    /// The record's own time is this or later: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// The record's own time is before this.
    end: Option<String>,
    /// How many records that are there already come first, the oldest of them first.
    #[param(default = 0, minimum = 0, maximum = 1000)]
    tail_from: Option<u64>,
}

/// The search that the parameters describe, and how many records of the past come first.
pub fn log_tail(params: &Params, now_ns: i64) -> Result<(LogSearch, usize)> {
    params.allow(&[
        "query",
        "filter",
        "service",
        "severity",
        "trace_id",
        "span_id",
        "start",
        "end",
        "tail_from",
    ])?;
    let past = params.number("tail_from", 0, TAIL_PAST_MAX as i64)?.unwrap_or(0);
    Ok((search_of(params, now_ns)?, past as usize))
}
