//! The parameters of log search.

use throughline_model::{Signal, SpanId, TraceId};
use throughline_query::logs::{LOGS_PAGE_MAX, LogOrder, LogSearch};
use utoipa::IntoParams;

use super::super::filter::parse_filters;
use super::super::params::Params;
use crate::error::{ApiError, Result};

const LIMIT_DEFAULT: usize = 100;

const SEVERITIES: [(&str, i32); 6] =
    [("trace", 1), ("debug", 5), ("info", 9), ("warn", 13), ("error", 17), ("fatal", 21)];

/// What a search may say; all conditions hold for a record.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)] // documentation for OpenAPI: `log_search` reads the parameters
pub struct LogsParams {
    /// Words that all occur in the body, in either case; `"a quoted phrase"` occurs as a whole,
    /// `prefix*` begins a word, `-word` must not occur.
    #[param(example = "payment \"card declined\" -test")]
    query: Option<String>,
    /// A condition on an attribute or field: `user.id=x`, `http.status_code>=500`, `body~regex`,
    /// `key`, `!key`; prefixes `resource.`, `log.`, `scope.`. Repeat it for several.
    #[param(example = json!(["user.id=x"]))]
    filter: Option<Vec<String>>,
    /// The record's service; repeat it for any of several.
    #[param(example = json!(["cart"]))]
    service: Option<Vec<String>>,
    /// The least severity: `trace`, `debug`, `info`, `warn`, `error`, `fatal`, or a number 1 to 24.
    #[param(example = "warn")]
    severity: Option<String>,
    /// The record belongs to this trace (not with a trace in the path).
    trace_id: Option<String>,
    /// The record belongs to this span.
    span_id: Option<String>,
    /// At or after this time: RFC 3339, Unix time in s, ms, µs or ns, `now`, `-1h`.
    #[param(example = "-1h")]
    start: Option<String>,
    /// Before this time.
    #[param(example = "now")]
    end: Option<String>,
    /// `newest` or `oldest` first. Default: newest; the logs of a trace come oldest first.
    #[param(example = "newest")]
    order: Option<String>,
    /// Records a page.
    #[param(default = 100, minimum = 1, maximum = 5000)]
    limit: Option<u64>,
    /// `next_cursor` of the page before, with the other parameters unchanged.
    cursor: Option<String>,
    /// `json` for the API's own JSON, `otlp` for OTLP: JSON, or protobuf by `Accept`.
    #[param(example = "otlp")]
    format: Option<String>,
}

/// The search that the parameters describe; `of_trace` is the trace of the path, if there is one.
pub fn log_search(params: &Params, of_trace: Option<TraceId>, now_ns: i64) -> Result<LogSearch> {
    let known = [
        "query", "filter", "service", "severity", "span_id", "start", "end", "order", "limit",
        "cursor", "format", "trace_id",
    ];
    let taken = if of_trace.is_some() { known.len() - 1 } else { known.len() };
    params.allow(&known[..taken])?;
    let default = if of_trace.is_some() { LogOrder::OldestFirst } else { LogOrder::NewestFirst };
    let search = search_of(params, now_ns)?;
    Ok(LogSearch {
        trace_id: search.trace_id.or(of_trace),
        order: params.one("order")?.map_or(Ok(default), order)?,
        limit: params.limit(LIMIT_DEFAULT, LOGS_PAGE_MAX)?,
        cursor: params.one("cursor")?.map(str::to_owned),
        ..search
    })
}

/// The conditions and the range of time of a search, newest first; which parameters there may be is
/// the caller's.
pub fn search_of(params: &Params, now_ns: i64) -> Result<LogSearch> {
    Ok(LogSearch {
        text: params.one("query")?.unwrap_or_default().to_owned(),
        services: params.list("service"),
        severity_min: params.one("severity")?.map(severity).transpose()?,
        severity_max: None,
        filters: parse_filters(Signal::Logs, params.all("filter"))?,
        trace_id: id(params, "trace_id", TraceId::parse)?,
        span_id: id(params, "span_id", SpanId::parse)?,
        time: params.range(now_ns)?,
        order: LogOrder::NewestFirst,
        limit: LIMIT_DEFAULT,
        cursor: None,
    })
}

fn id<T>(
    params: &Params,
    name: &str,
    parse: fn(&str) -> throughline_model::Result<T>,
) -> Result<Option<T>> {
    let parse = |text| parse(text).map_err(|err| ApiError::invalid(name, text, err.to_string()));
    params.one(name)?.map(parse).transpose()
}

/// A severity: a word, or a number from 1 to 24.
pub fn severity(text: &str) -> Result<i32> {
    let by_name = SEVERITIES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let number = by_name.map(|(_, number)| *number).or_else(|| text.parse().ok());
    number.filter(|number| (1..=24).contains(number)).ok_or_else(|| {
        let names = SEVERITIES.map(|(name, _)| name).join(", ");
        let detail = format!("severity '{text}' is none of {names}, nor a number from 1 to 24");
        ApiError::invalid("severity", text, detail)
    })
}

/// Which end of the time line comes first.
pub fn order(text: &str) -> Result<LogOrder> {
    match text {
        "newest" => Ok(LogOrder::NewestFirst),
        "oldest" => Ok(LogOrder::OldestFirst),
        _ => {
            let detail = format!("order '{text}' is none of newest, oldest");
            Err(ApiError::invalid("order", text, detail))
        }
    }
}
