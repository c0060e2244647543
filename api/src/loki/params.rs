//! What requests may say: times, steps, selectors and directions in the forms that Loki takes.
//!
//! Of a repeated parameter the first counts, and unknown ones are passed over.

use throughline_model::time::{HOUR_NS, SECOND_NS, TimeRange};
use throughline_query::logql::ast::{Expr, LogExpr, Stage};
use throughline_query::logql::run::{LINES_MAX, LinesRequest, StreamsRequest};
use throughline_query::logql::{self, Grid};
use throughline_query::logs::LogOrder;

use super::error::{LokiError, Result};
use crate::native::duration::parse_duration_ns;
use crate::native::params::Params;
use crate::native::time::parse_time_ns;

/// How far back a question looks that names no start.
const SINCE_DEFAULT_NS: i64 = HOUR_NS;
/// Points that the default step aims at.
const POINTS: i64 = 250;
/// Lines, if a question names no limit.
const LIMIT_DEFAULT: usize = 100;

/// The first value of a parameter that is not empty.
pub fn first<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    params.all(name).next()
}

/// The query.
pub fn query(params: &Params) -> Result<Expr> {
    let text = first(params, "query")
        .ok_or_else(|| LokiError::invalid("query", "", "the parameter 'query' is missing"))?;
    logql::compile(text).map_err(|err| LokiError::of_query(&err, text))
}

/// A query for lines; `what` is asked in the words of an error.
pub fn log_query(params: &Params, what: &str) -> Result<LogExpr> {
    match query(params)? {
        Expr::Log(log) => Ok(log),
        Expr::Metric(_) => {
            let text = first(params, "query").unwrap_or_default();
            let detail = format!("{what} takes a selector and its stages, not a query for numbers");
            Err(LokiError::invalid("query", text, detail))
        }
    }
}

/// A selector and the line filters behind it; all records without a query.
pub fn selector(params: &Params, what: &str) -> Result<LogExpr> {
    if first(params, "query").is_none() {
        return Ok(LogExpr::default());
    }
    let mut log = match query(params)? {
        Expr::Log(log) => log,
        Expr::Metric(_) => log_query(params, what)?,
    };
    let front = log.stages.iter().take_while(|stage| matches!(stage, Stage::Line(_))).count();
    log.stages.truncate(front);
    Ok(log)
}

/// The range that `start`, `end` and `since` give.
pub fn range(params: &Params, now_ns: i64) -> Result<TimeRange> {
    let time = |name| {
        let text = first(params, name);
        text.map(|text| parse_time_ns(name, text, now_ns)).transpose()
    };
    let end_ns = time("end")?.unwrap_or(now_ns);
    let since_ns = match first(params, "since") {
        Some(text) => parse_duration_ns("since", text)?,
        None => SINCE_DEFAULT_NS,
    };
    let start_ns = time("start")?.unwrap_or_else(|| end_ns.saturating_sub(since_ns));
    if start_ns > end_ns {
        let text = first(params, "start").unwrap_or_default();
        return Err(LokiError::invalid(
            "start",
            text,
            "end timestamp must not be before start time",
        ));
    }
    Ok(TimeRange { start_ns, end_ns })
}

/// A step: seconds, or a duration.
pub fn step_ns(params: &Params, name: &str) -> Result<Option<i64>> {
    let Some(text) = first(params, name) else { return Ok(None) };
    let step_ns = match text.parse::<f64>() {
        Ok(seconds) => (seconds * SECOND_NS as f64) as i64,
        Err(_) => parse_duration_ns(name, text)?,
    };
    if step_ns <= 0 {
        let detail = format!("{name} '{text}': zero or negative steps are not accepted");
        return Err(LokiError::invalid(name, text, detail));
    }
    Ok(Some(step_ns))
}

/// The step of a range that names none.
pub fn default_step_ns(time: TimeRange) -> i64 {
    let seconds = time.end_ns.saturating_sub(time.start_ns) / POINTS / SECOND_NS;
    seconds.max(1).saturating_mul(SECOND_NS)
}

/// The grid of a range of numbers.
pub fn grid(params: &Params, now_ns: i64) -> Result<Grid> {
    let time = range(params, now_ns)?;
    let step_ns = step_ns(params, "step")?.unwrap_or_else(|| default_step_ns(time));
    Ok(Grid { start_ns: time.start_ns, end_ns: time.end_ns, step_ns })
}

/// A limit; `default` without one.
pub fn limit(params: &Params, name: &str, default: usize, max: usize) -> Result<usize> {
    let Some(text) = first(params, name) else { return Ok(default) };
    let wrong = |detail: String| LokiError::invalid(name, text, detail);
    let limit: i64 =
        text.parse().map_err(|_| wrong(format!("{name} '{text}' is no whole number")))?;
    match usize::try_from(limit) {
        Err(_) | Ok(0) => Err(wrong(format!("{name} must be a positive value, not {limit}"))),
        Ok(limit) if limit > max => {
            Err(wrong(format!("max entries limit per query exceeded, {name} > {max} ({limit})")))
        }
        Ok(limit) => Ok(limit),
    }
}

/// A question for lines, and the least distance of two of them.
pub fn lines(params: &Params, query: LogExpr, now_ns: i64) -> Result<(LinesRequest, i64)> {
    let order = match first(params, "direction").map(str::to_ascii_lowercase).as_deref() {
        None | Some("backward") => LogOrder::NewestFirst,
        Some("forward") => LogOrder::OldestFirst,
        Some(other) => {
            let detail = format!("direction '{other}' is neither forward nor backward");
            return Err(LokiError::invalid("direction", other, detail));
        }
    };
    let limit = limit(params, "limit", LIMIT_DEFAULT, LINES_MAX)?;
    let interval_ns = match first(params, "interval") {
        Some("0") | None => 0,
        Some(_) => step_ns(params, "interval")?.unwrap_or_default(),
    };
    Ok((LinesRequest { query, time: range(params, now_ns)?, order, limit }, interval_ns))
}

/// A question for streams: `match[]` or `query`, each any number of times.
pub fn streams(params: &Params, now_ns: i64) -> Result<StreamsRequest> {
    let texts = params.all("match[]").chain(params.all("match")).chain(params.all("query"));
    let mut selectors = Vec::new();
    for text in texts {
        let log = logql::parse_log(text).map_err(|err| LokiError::of_query(&err, text))?;
        if !log.stages.is_empty() {
            let detail = "only label matchers are supported here, and no stages behind them";
            return Err(LokiError::invalid("match[]", text, detail));
        }
        if !log.matchers.is_empty() {
            selectors.push(log);
        } else {
            return Ok(StreamsRequest { selectors: Vec::new(), time: range(params, now_ns)? });
        }
    }
    Ok(StreamsRequest { selectors, time: range(params, now_ns)? })
}

/// A list of names with commas between them.
pub fn names(params: &Params, name: &str) -> Vec<String> {
    let text = first(params, name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}
