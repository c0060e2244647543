//! The parameters of Jaeger's v3 API: camelCase, or the older snake_case.

use throughline_model::time::{TimeRange, parse_rfc3339};
use throughline_query::traces::TraceSearch;

use super::super::params::{LIMIT_DEFAULT, LIMIT_MAX, durations, flag, tags_json};
use super::super::tags;
use super::filter;
use crate::error::{ApiError, ErrorKind, Result};
use crate::native::params::Params;

/// A parameter's two names, the first of which counts before the second.
type Names = [&'static str; 2];

const START_MIN: Names = ["query.startTimeMin", "query.start_time_min"];
const START_MAX: Names = ["query.startTimeMax", "query.start_time_max"];
const DURATION_MIN: Names = ["query.durationMin", "query.duration_min"];
const DURATION_MAX: Names = ["query.durationMax", "query.duration_max"];
const DEPTH: [&str; 3] = ["query.searchDepth", "query.search_depth", "query.num_traces"];
const ATTRIBUTES: &str = "query.attributes";
const FILTER: &str = "query.filter";

/// The name and value of the first of the names that is there.
pub fn first<'a>(
    params: &'a Params,
    names: &[&'static str],
) -> Result<Option<(&'static str, &'a str)>> {
    for name in names {
        if let Some(text) = params.one(name)? {
            return Ok(Some((*name, text)));
        }
    }
    Ok(None)
}

/// What `/api/v3/traces` and `/api/v3/trace-summaries` search, and whether traces stay raw.
pub fn search(params: &Params) -> Result<(TraceSearch, bool)> {
    let text = |names: Names| -> Result<Vec<String>> {
        Ok(first(params, &names)?.map(|(_, text)| text.to_owned()).into_iter().collect())
    };
    let mut search = TraceSearch {
        services: text(["query.serviceName", "query.service_name"])?,
        operations: text(["query.operationName", "query.operation_name"])?,
        time: Some(range(params)?),
        limit: depth(params)?,
        ..TraceSearch::default()
    };
    let named = |names: Names| -> Result<&'static str> {
        Ok(first(params, &names)?.map_or(names[0], |(name, _)| name))
    };
    durations(&mut search, params, named(DURATION_MIN)?, named(DURATION_MAX)?)?;
    if let Some(json) = params.one(ATTRIBUTES)? {
        tags::add(&mut search, ATTRIBUTES, tags_json(ATTRIBUTES, json)?)?;
    }
    if let Some(json) = params.one(FILTER)? {
        search.test = Some(filter::parse(FILTER, json)?);
    }
    let raw = match first(params, &["query.rawTraces", "query.raw_traces"])? {
        Some((name, _)) => flag(params, name)?,
        None => false,
    };
    Ok((search, raw))
}

fn range(params: &Params) -> Result<TimeRange> {
    let (min, max) = (first(params, &START_MIN)?, first(params, &START_MAX)?);
    let (Some(min), Some(max)) = (min, max) else {
        let missing = if min.is_none() { START_MIN[0] } else { START_MAX[0] };
        let detail = format!("{} and {} are required", START_MIN[0], START_MAX[0]);
        return Err(ApiError::new(ErrorKind::Invalid, detail).with_field(missing));
    };
    let (start_ns, end_ns) = (time_ns(min.0, min.1)?, time_ns(max.0, max.1)?);
    if start_ns >= end_ns {
        let detail = format!("{} '{}' must be before {} '{}'", min.0, min.1, max.0, max.1);
        return Err(ApiError::invalid(min.0, min.1, detail));
    }
    Ok(TimeRange { start_ns, end_ns: end_ns.saturating_add(1) })
}

fn depth(params: &Params) -> Result<usize> {
    let Some((name, _)) = first(params, &DEPTH)? else { return Ok(LIMIT_DEFAULT) };
    let depth = params.number(name, 1, LIMIT_MAX as i64)?;
    Ok(depth.map_or(LIMIT_DEFAULT, |depth| depth as usize))
}

/// A time in RFC 3339. A `+` that was sent without its escape arrives as a space.
pub fn time_ns(name: &str, text: &str) -> Result<i64> {
    let mended = || text.rsplit_once(' ').map(|(time, zone)| format!("{time}+{zone}"));
    let parsed = parse_rfc3339(text).or_else(|err| match mended() {
        Some(mended) => parse_rfc3339(&mended).map_err(|_| err),
        None => Err(err),
    });
    parsed
        .map_err(|err| ApiError::invalid(name, text, format!("malformed parameter {name}: {err}")))
}

/// Where to look first for a trace, if the times are there.
pub fn hint(params: &Params) -> Result<Option<TimeRange>> {
    let time = |names: Names| -> Result<Option<i64>> {
        first(params, &names)?.map(|(name, text)| time_ns(name, text)).transpose()
    };
    let (start, end) = (time(["startTime", "start_time"])?, time(["endTime", "end_time"])?);
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let range = TimeRange {
        start_ns: start.unwrap_or(TimeRange::ALL.start_ns),
        end_ns: end.map_or(TimeRange::ALL.end_ns, |end| end.saturating_add(1)),
    };
    if range.is_empty() {
        let detail = format!("startTime ({} ns) is after endTime", range.start_ns);
        return Err(ApiError::new(ErrorKind::Invalid, detail).with_field("startTime"));
    }
    Ok(Some(range))
}
