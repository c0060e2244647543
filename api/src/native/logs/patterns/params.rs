//! The parameters of patterns.

use throughline_model::time::{SECOND_NS, TimeRange};
use throughline_query::logs::{PATTERNS_MAX, PatternsDiffRequest, PatternsRequest};
use utoipa::IntoParams;

use super::super::super::params::Params;
use crate::error::{ApiError, Result};

const PATTERNS_DEFAULT: usize = 50;
/// Steps of a range, where the request does not say how long they are.
const STEPS_WANTED: i64 = 60;

/// What patterns may be asked.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `patterns` reads the parameters
pub struct PatternsParams {
    /// A filter of the log language, without pipes; all records unless given.
    #[param(example = "service:cart level:>=warn")]
    query: Option<String>,
    /// Start of the range; an hour before its end unless given.
    #[param(example = "-1h")]
    start: Option<String>,
    /// End of the range; now unless given.
    #[param(example = "now")]
    end: Option<String>,
    /// The step of `counts`; a sixtieth of the range unless given.
    #[param(example = "1m")]
    step: Option<String>,
    /// Patterns at most.
    #[param(default = 50, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// What a difference may be asked.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `diff` reads the parameters
pub struct PatternsDiffParams {
    /// A filter of the log language, without pipes; all records unless given.
    #[param(example = "service:cart")]
    query: Option<String>,
    /// Start of the range that is looked at; an hour before its end unless given.
    #[param(example = "-1h")]
    start: Option<String>,
    /// End of that range; now unless given.
    #[param(example = "now")]
    end: Option<String>,
    /// Start of the range that is compared with; as long before its end as the other range is unless
    /// given.
    #[param(example = "-2h")]
    before_start: Option<String>,
    /// End of that range; where the other starts unless given.
    #[param(example = "-1h")]
    before_end: Option<String>,
    /// Patterns at most.
    #[param(default = 50, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// The patterns that the parameters ask for.
pub fn patterns(params: &Params, now_ns: i64) -> Result<PatternsRequest> {
    params.allow(&["query", "start", "end", "step", "limit"])?;
    let time = params.last_hour(now_ns)?;
    let fitting = || {
        let seconds = time.end_ns.saturating_sub(time.start_ns) / SECOND_NS;
        (seconds / STEPS_WANTED + i64::from(seconds % STEPS_WANTED != 0)).max(1) * SECOND_NS
    };
    Ok(PatternsRequest {
        filter: filter(params)?,
        time,
        now_ns,
        step_ns: params.duration_ns("step")?.unwrap_or_else(fitting),
        limit: params.limit(PATTERNS_DEFAULT, PATTERNS_MAX)?,
    })
}

/// The difference that the parameters ask for.
pub fn diff(params: &Params, now_ns: i64) -> Result<PatternsDiffRequest> {
    params.allow(&["query", "start", "end", "before_start", "before_end", "limit"])?;
    let after = params.last_hour(now_ns)?;
    let length = after.end_ns.saturating_sub(after.start_ns);
    let end_ns = params.time_ns("before_end", now_ns)?.unwrap_or(after.start_ns);
    let start_ns = params.time_ns("before_start", now_ns)?;
    let start_ns = start_ns.unwrap_or_else(|| end_ns.saturating_sub(length));
    if start_ns >= end_ns {
        let text = params.one("before_start")?.unwrap_or_default();
        let detail = "before_start is not before before_end";
        return Err(ApiError::invalid("before_start", text, detail));
    }
    Ok(PatternsDiffRequest {
        filter: filter(params)?,
        before: TimeRange { start_ns, end_ns },
        after,
        now_ns,
        limit: params.limit(PATTERNS_DEFAULT, PATTERNS_MAX)?,
    })
}

fn filter(params: &Params) -> Result<String> {
    Ok(params.one("query")?.unwrap_or_default().to_owned())
}
