//! The parameters of questions about exceptions.

use throughline_model::exception::Fingerprint;
use throughline_model::time::{DAY_NS, TimeRange};
use throughline_query::exceptions::{
    ExceptionOrder, ExceptionSearch, ExceptionStatus, GROUPS_PAGE_MAX,
};
use utoipa::IntoParams;

use super::super::params::Params;
use crate::error::{ApiError, Result};

const LIMIT_DEFAULT: usize = 50;
/// What is looked at where no start is given.
const RANGE_DEFAULT_NS: i64 = DAY_NS;

/// What a search may say; all conditions hold for a group.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `exception_search` reads the parameters
pub struct ExceptionsParams {
    /// Words that all occur in its type or message, in either case.
    #[param(example = "timeout acquirer")]
    query: Option<String>,
    /// It occurred in this service, and occurrences in others do not count; repeat it for any of
    /// several.
    #[param(example = json!(["payment"]))]
    service: Option<Vec<String>>,
    /// How it stands: `new`, `resolved`, `ignored`, `regressed`; repeat it for any of several.
    #[param(example = json!(["new", "regressed"]))]
    state: Option<Vec<String>>,
    /// Which come first: `last_seen`, `first_seen` (the newest first), `count` (the most first).
    #[param(default = "last_seen", example = "count")]
    order: Option<String>,
    /// Groups a page.
    #[param(default = 50, minimum = 1, maximum = 500)]
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the other parameters unchanged.
    cursor: Option<String>,
}

/// The range and the steps of counts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `range` and `step_ns` read the parameters
pub struct RangeParams {
    /// It occurred at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    /// Occurrences are counted by minute: the range is widened to whole ones.
    #[param(default = "one day before the end", example = "-7d")]
    start: Option<String>,
    /// It occurred before this time.
    #[param(default = "now", example = "now")]
    end: Option<String>,
    /// Counts over time in steps of this length, whole minutes: `5m`, `1h`.
    #[param(example = "1h")]
    step: Option<String>,
}

const RANGE: [&str; 3] = ["start", "end", "step"];

/// The parameters of a list.
pub fn exception_search(params: &Params, now_ns: i64) -> Result<ExceptionSearch> {
    let [start, end, step] = RANGE;
    params.allow(&["query", "service", "state", "order", "limit", "cursor", start, end, step])?;
    Ok(ExceptionSearch {
        time: Some(range(params, now_ns)?),
        services: params.list("service"),
        statuses: params.all("state").map(status).collect::<Result<_>>()?,
        text: params.one("query")?.unwrap_or_default().to_owned(),
        step_ns: params.duration_ns("step")?,
        order: params.one("order")?.map_or(Ok(ExceptionOrder::default()), order)?,
        limit: params.limit(LIMIT_DEFAULT, GROUPS_PAGE_MAX)?,
        cursor: params.one("cursor")?.map(str::to_owned),
    })
}

/// The parameters of one group: range and steps.
pub fn exception_range(params: &Params, now_ns: i64) -> Result<(TimeRange, Option<i64>)> {
    params.allow(&RANGE)?;
    Ok((range(params, now_ns)?, params.duration_ns("step")?))
}

/// A fingerprint in a path.
pub fn fingerprint(text: &str) -> Result<Fingerprint> {
    Fingerprint::parse(text).map_err(|err| ApiError::invalid("fingerprint", text, err.to_string()))
}

/// The state with this name.
pub fn status(name: &str) -> Result<ExceptionStatus> {
    let known = ExceptionStatus::ALL.into_iter().find(|status| status.name() == name);
    known.ok_or_else(|| {
        let names = ExceptionStatus::ALL.map(ExceptionStatus::name).join(", ");
        ApiError::invalid("state", name, format!("state '{name}' is none of {names}"))
    })
}

fn range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    let end_ns = params.time_ns("end", now_ns)?.unwrap_or(now_ns);
    let start_ns = params.time_ns("start", now_ns)?;
    let start_ns = start_ns.unwrap_or(end_ns.saturating_sub(RANGE_DEFAULT_NS));
    if start_ns >= end_ns {
        let text = params.one("start")?.unwrap_or_default();
        return Err(ApiError::invalid("start", text, "start is not before end"));
    }
    Ok(TimeRange { start_ns, end_ns })
}

fn order(name: &str) -> Result<ExceptionOrder> {
    match name {
        "last_seen" => Ok(ExceptionOrder::LastSeen),
        "first_seen" => Ok(ExceptionOrder::FirstSeen),
        "count" => Ok(ExceptionOrder::Count),
        _ => {
            let detail = format!("order '{name}' is none of last_seen, first_seen, count");
            Err(ApiError::invalid("order", name, detail))
        }
    }
}
