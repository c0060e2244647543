//! The parameters of the service map and of rate, errors and durations.

use throughline_model::time::{HOUR_NS, TimeRange};
use throughline_query::services::{EdgesQuery, OperationsQuery, ROLLUP_NS};
use utoipa::IntoParams;

use super::super::params::Params;
use crate::error::{ApiError, Result};

/// How far back an answer looks where no start is named.
const RANGE_DEFAULT_NS: i64 = HOUR_NS;
/// `SpanKind`, by number.
const KINDS: [&str; 6] = ["unspecified", "internal", "server", "client", "producer", "consumer"];

/// What a request for the service map may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `edges_query` reads the parameters
pub struct ServiceMapParams {
    /// Calls at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`. Default: an
    /// hour before the end.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Calls before this time. Default: now.
    #[param(example = "now")]
    end: Option<String>,
    /// One edge for each step of this length, a multiple of 15 s; steps begin at its multiples.
    #[param(example = "1m")]
    step: Option<String>,
    /// Edges from or to this service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
}

/// What a request for rate, errors and durations may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `operations_query` reads the parameters
pub struct RedParams {
    /// Spans that start at or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    /// Default: an hour before the end.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Spans that start before this time. Default: now.
    #[param(example = "now")]
    end: Option<String>,
    /// One row for each step of this length, a multiple of 15 s; steps begin at its multiples.
    #[param(example = "1m")]
    step: Option<String>,
    /// Spans of this service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// Spans of this kind: `server`, `client`, `producer`, `consumer`, `internal`, `unspecified`;
    /// repeat it for any of several.
    #[param(example = json!(["server"]))]
    kind: Option<Vec<String>>,
    /// One row an `operation` or one a `service`.
    #[param(default = "operation", example = "service")]
    by: Option<String>,
}

/// The edges that the parameters describe.
pub fn edges_query(params: &Params, now_ns: i64) -> Result<EdgesQuery> {
    params.allow(&["start", "end", "step", "service"])?;
    Ok(EdgesQuery {
        time: range(params, now_ns)?,
        step_ns: step_ns(params)?,
        services: params.list("service"),
    })
}

/// The operations that the parameters describe.
pub fn operations_query(params: &Params, now_ns: i64) -> Result<OperationsQuery> {
    params.allow(&["start", "end", "step", "service", "kind", "by"])?;
    let by_name = match params.one("by")? {
        None | Some("operation") => true,
        Some("service") => false,
        Some(other) => {
            let detail = format!("by '{other}' is none of operation, service");
            return Err(ApiError::invalid("by", other, detail));
        }
    };
    let kinds = params.all("kind").map(kind).collect::<Result<Vec<_>>>()?;
    Ok(OperationsQuery {
        time: range(params, now_ns)?,
        step_ns: step_ns(params)?,
        services: params.list("service"),
        kinds,
        by_name,
        exemplars: true,
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

fn step_ns(params: &Params) -> Result<Option<i64>> {
    let Some(step_ns) = params.duration_ns("step")? else { return Ok(None) };
    if step_ns <= 0 || step_ns % ROLLUP_NS != 0 {
        let text = params.one("step")?.unwrap_or_default();
        let seconds = ROLLUP_NS / 1_000_000_000;
        let detail = format!("step '{text}' is no multiple of {seconds} s");
        return Err(ApiError::invalid("step", text, detail));
    }
    Ok(Some(step_ns))
}

fn kind(text: &str) -> Result<i32> {
    let number = KINDS.iter().position(|name| text.eq_ignore_ascii_case(name));
    number.map(|number| number as i32).ok_or_else(|| {
        let detail = format!("kind '{text}' is none of {}", KINDS.join(", "));
        ApiError::invalid("kind", text, detail)
    })
}

/// The name of a kind; digits where it has none.
pub fn kind_name(number: i32) -> String {
    let name = usize::try_from(number).ok().and_then(|number| KINDS.get(number));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}
