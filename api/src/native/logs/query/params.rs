//! The parameters of the log language.

use throughline_model::time::TimeRange;
use throughline_query::logs::LogOrder;
use throughline_query::logs::language::Bounds;
use utoipa::IntoParams;

use super::super::super::params::Params;
use super::super::params::order;
use crate::error::{ApiError, Result};

const ROWS_DEFAULT: usize = 100;
/// Rows of an answer at most.
pub const ROWS_MAX: usize = 100_000;
const PROPOSALS_DEFAULT: usize = 100;
const PROPOSALS_MAX: usize = 1000;

/// What a query may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `ask` reads the parameters
pub struct QueryParams {
    /// The query, a filter and pipes; all records unless given.
    #[param(example = "level:>=error | stats by (service, 1m) count() as n")]
    query: Option<String>,
    /// Start of the range: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`; an hour before its end
    /// unless given.
    #[param(example = "-1h")]
    start: Option<String>,
    /// End of the range; now unless given.
    #[param(example = "now")]
    end: Option<String>,
    /// Rows at most; `truncated` says whether there are more.
    #[param(default = 100, minimum = 1, maximum = 100_000)]
    limit: Option<u64>,
    /// `newest` or `oldest` records first, where the query does not sort.
    #[param(example = "newest")]
    order: Option<String>,
    /// `json`, `ndjson`, `csv` or `arrow`; by `Accept` unless given.
    #[param(example = "csv")]
    format: Option<String>,
    /// With `true`, the SQL that the query means instead of its answer.
    #[param(example = true)]
    explain: Option<bool>,
}

/// A query to answer.
#[derive(Debug)]
pub struct Ask {
    /// The query.
    pub query: String,
    /// Range, order, and rows at most.
    pub bounds: Bounds,
    /// Whether to show the SQL alone.
    pub explain: bool,
}

/// What completion may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `complete` reads the parameters
pub struct CompleteParams {
    /// The query as far as it is written.
    #[param(example = "service:")]
    query: Option<String>,
    /// Where the cursor is, in characters from zero; at the end unless given.
    #[param(example = 8)]
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

/// What formatting may say.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI
pub struct FormatParams {
    /// The query.
    #[param(example = "level:error|limit 5")]
    query: String,
}

/// The query that the parameters describe.
pub fn ask(params: &Params, now_ns: i64) -> Result<Ask> {
    params.allow(&["query", "start", "end", "limit", "order", "format", "explain"])?;
    let TimeRange { start_ns, end_ns } = params.last_hour(now_ns)?;
    let order = params.one("order")?.map_or(Ok(LogOrder::NewestFirst), order)?;
    let limit = params.limit(ROWS_DEFAULT, ROWS_MAX)? as u64;
    let newest_first = order == LogOrder::NewestFirst;
    Ok(Ask {
        query: text(params)?,
        bounds: Bounds { start_ns, end_ns, now_ns, limit, newest_first },
        explain: params.flag("explain")?,
    })
}

/// What completion is asked by the parameters.
pub fn complete(params: &Params, now_ns: i64) -> Result<CompleteLook> {
    params.allow(&["query", "cursor", "start", "end", "limit"])?;
    let text = text(params)?;
    let length = text.chars().count();
    let cursor = params.number("cursor", 0, length as i64)?;
    Ok(CompleteLook {
        cursor: cursor.map_or(length, |cursor| cursor as usize),
        text,
        time: params.range(now_ns)?,
        limit: params.limit(PROPOSALS_DEFAULT, PROPOSALS_MAX)?,
    })
}

/// The query to format.
pub fn format(params: &Params) -> Result<String> {
    params.allow(&["query"])?;
    match params.one("query")? {
        Some(query) => Ok(query.to_owned()),
        None => Err(ApiError::invalid("query", "", "query is missing")),
    }
}

fn text(params: &Params) -> Result<String> {
    Ok(params.one("query")?.unwrap_or_default().to_owned())
}
