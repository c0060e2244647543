//! The parameters of searches, of queries for numbers and of completion.

use throughline_model::time::TimeRange;
use throughline_query::traceql::{MetricsRequest, SearchRequest};
use throughline_query::traces::TRACES_PAGE_MAX;
use utoipa::IntoParams;

use super::super::params::Params;
use crate::error::{ApiError, Result};
use crate::tempo::params::default_step_ns;

const TRACES_DEFAULT: usize = 20;
const SPANS_DEFAULT: usize = 3;
const SPANS_MAX: i64 = 1000;
const SERIES_MAX: i64 = 10_000;
const SERIES_DEFAULT: usize = 1000;
const EXEMPLARS_MAX: i64 = 1000;
const EXEMPLARS_DEFAULT: usize = 100;
const NAMES_DEFAULT: usize = 100;
const NAMES_MAX: usize = 1000;

/// What a search may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `search` reads the parameters
pub struct SearchParams {
    /// The query.
    #[param(example = "{ status = error } | count() > 2")]
    q: String,
    /// Spans that start at or after this time are looked at: RFC 3339, Unix time in s, ms, µs or ns,
    /// `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Spans that start before this time are looked at.
    #[param(example = "now")]
    end: Option<String>,
    /// Traces a page.
    #[param(default = 20, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
    /// Spans that each spanset lists.
    #[param(default = 3, minimum = 1, maximum = 1000)]
    spans: Option<u64>,
    /// `next_cursor` of the page before, with the other parameters unchanged.
    cursor: Option<String>,
}

/// What a query for numbers may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `metrics` reads the parameters
pub struct MetricsParams {
    /// The query.
    #[param(example = "{} | rate() by(resource.service.name)")]
    q: String,
    /// Start of the range; an hour before its end unless given.
    #[param(example = "-1h")]
    start: Option<String>,
    /// End of the range; now unless given.
    #[param(example = "now")]
    end: Option<String>,
    /// Distance of points, or `none` for one point over the whole range; one that fits the range unless
    /// given.
    #[param(example = "15s")]
    step: Option<String>,
    /// Exemplars at most, over all series.
    #[param(default = 100, minimum = 0, maximum = 1000)]
    exemplars: Option<u64>,
    /// Series at most.
    #[param(default = 1000, minimum = 1, maximum = 10000)]
    limit: Option<u64>,
}

/// What completion may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `complete` reads the parameters
pub struct CompleteParams {
    /// The query as far as it is written.
    #[param(example = "{ resource.service.name = ")]
    q: String,
    /// Where the cursor is, in characters from zero; at the end unless given.
    #[param(example = 26)]
    cursor: Option<u64>,
    /// Names and values seen at or after this time.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Names and values seen before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// Proposals in the answer.
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: Option<u64>,
}

/// What completion is asked.
#[derive(Debug)]
pub struct CompleteLook {
    /// The query as far as it is written.
    pub text: String,
    /// The cursor, in characters.
    pub cursor: usize,
    /// When names and values were seen.
    pub time: Option<TimeRange>,
    /// Proposals in the answer.
    pub limit: usize,
}

/// The search that the parameters describe.
pub fn search(params: &Params, now_ns: i64) -> Result<SearchRequest> {
    params.allow(&["q", "start", "end", "limit", "spans", "cursor"])?;
    Ok(SearchRequest {
        query: query(params)?,
        time: params.range(now_ns)?,
        limit: params.limit(TRACES_DEFAULT, TRACES_PAGE_MAX)?,
        spans_per_spanset: at_most(params, "spans", 1, SPANS_MAX, SPANS_DEFAULT)?,
        cursor: params.one("cursor")?.map(str::to_owned),
    })
}

/// The query for numbers that the parameters describe.
pub fn metrics(params: &Params, now_ns: i64) -> Result<MetricsRequest> {
    params.allow(&["q", "start", "end", "step", "exemplars", "limit"])?;
    let time = params.last_hour(now_ns)?;
    let step_ns = match params.one("step")? {
        None => Some(default_step_ns(time)),
        Some("none") => None,
        Some(text) => match params.duration_ns("step")? {
            Some(0) => return Err(ApiError::invalid("step", text, "step must be above zero")),
            step_ns => step_ns,
        },
    };
    Ok(MetricsRequest {
        query: query(params)?,
        time,
        step_ns,
        exemplars_max: at_most(params, "exemplars", 0, EXEMPLARS_MAX, EXEMPLARS_DEFAULT)?,
        series_max: at_most(params, "limit", 1, SERIES_MAX, SERIES_DEFAULT)?,
    })
}

/// What completion is asked by the parameters.
pub fn complete(params: &Params, now_ns: i64) -> Result<CompleteLook> {
    params.allow(&["q", "cursor", "start", "end", "limit"])?;
    let text = params.one("q")?.unwrap_or_default().to_owned();
    let length = text.chars().count();
    Ok(CompleteLook {
        cursor: at_most(params, "cursor", 0, length as i64, length)?,
        text,
        time: params.range(now_ns)?,
        limit: params.limit(NAMES_DEFAULT, NAMES_MAX)?,
    })
}

fn at_most(params: &Params, name: &str, min: i64, max: i64, default: usize) -> Result<usize> {
    Ok(params.number(name, min, max)?.map_or(default, |number| number as usize))
}

fn query(params: &Params) -> Result<String> {
    let query =
        params.one("q")?.ok_or_else(|| ApiError::invalid("q", "", "q, the query, is missing"))?;
    Ok(query.to_owned())
}
