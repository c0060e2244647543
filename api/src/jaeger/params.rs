//! The parameters of Jaeger's v1 API. Unknown ones are let through, as Jaeger does: its clients send more
//! than the server reads (`lookback`, for one).

use serde_json::Value as Json;
use throughline_model::TraceId;
use throughline_model::time::{DAY_NS, TimeRange};
use throughline_query::traces::TraceSearch;

use super::tags;
use crate::error::{ApiError, ErrorKind, Result};
use crate::native::duration::parse_duration_ns;
use crate::native::params::Params;

/// Traces of a search that names no limit.
pub const LIMIT_DEFAULT: usize = 100;
/// The most traces of a search.
pub const LIMIT_MAX: usize = 5000;
/// How far a search without `start` looks back.
const LOOKBACK_NS: i64 = 2 * DAY_NS;
/// The most ids of one request.
const IDS_MAX: usize = 1000;
const MICROSECOND_NS: i64 = 1000;
const MILLISECOND_NS: i64 = 1_000_000;

/// What a v1 search asks.
#[derive(Debug)]
pub enum Find {
    /// Traces that match.
    Search(Box<TraceSearch>),
    /// These traces.
    Ids(Vec<TraceId>, Option<TimeRange>),
}

/// How traces are answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shape {
    /// Whether traces stay as they were sent.
    pub raw: bool,
    /// Whether the answer is for people.
    pub pretty: bool,
}

/// `raw` and `prettyPrint`.
pub fn shape(params: &Params) -> Result<Shape> {
    let pretty = params.one("prettyPrint")?.is_some_and(|text| text != "false");
    Ok(Shape { raw: flag(params, "raw")?, pretty })
}

/// What `/api/traces` asks.
pub fn find(params: &Params, now_ns: i64) -> Result<Find> {
    let ids =
        params.all("traceID").map(|id| trace_id("traceID", id)).collect::<Result<Vec<_>>>()?;
    if ids.len() > IDS_MAX {
        let detail = format!("traceID stands {} times, the most are {IDS_MAX}", ids.len());
        let error = ApiError::new(ErrorKind::Invalid, detail);
        return Err(error.with_field("traceID").with_limit(IDS_MAX));
    }
    if !ids.is_empty() {
        return Ok(Find::Ids(ids, hint(params)?));
    }
    let end_ns = unix(params, "end", MICROSECOND_NS)?.unwrap_or(now_ns);
    let start_ns = unix(params, "start", MICROSECOND_NS)?
        .unwrap_or_else(|| end_ns.min(now_ns).saturating_sub(LOOKBACK_NS));
    let limit = params.number("limit", 1, LIMIT_MAX as i64)?;
    let mut search = TraceSearch {
        services: params.one("service")?.map(str::to_owned).into_iter().collect(),
        operations: params.one("operation")?.map(str::to_owned).into_iter().collect(),
        time: Some(closed("start", start_ns, end_ns)?),
        limit: limit.map_or(LIMIT_DEFAULT, |limit| limit as usize),
        ..TraceSearch::default()
    };
    durations(&mut search, params, "minDuration", "maxDuration")?;
    let mut pairs = params.all("tag").map(pair).collect::<Result<Vec<_>>>()?;
    for text in params.all("tags") {
        pairs.extend(tags_json("tags", text)?);
    }
    tags::add(&mut search, "tags", pairs)?;
    Ok(Find::Search(Box::new(search)))
}

/// Reads the bounds of durations; a bound of zero is none, as in Jaeger.
pub fn durations(search: &mut TraceSearch, params: &Params, min: &str, max: &str) -> Result<()> {
    let bound = |name: &str| -> Result<Option<i64>> {
        let ns = params.one(name)?.map(|text| duration_ns(name, text)).transpose()?;
        Ok(ns.filter(|ns| *ns != 0))
    };
    (search.min_duration_ns, search.max_duration_ns) = (bound(min)?, bound(max)?);
    if let (Some(least), Some(most)) = (search.min_duration_ns, search.max_duration_ns)
        && least > most
    {
        let text = params.one(max)?.unwrap_or_default();
        let detail = format!("'{max}' ({most} ns) should be greater than '{min}' ({least} ns)");
        return Err(ApiError::invalid(max, text, detail));
    }
    Ok(())
}

/// A duration as Go writes it; the number 0 needs no unit.
fn duration_ns(name: &str, text: &str) -> Result<i64> {
    if text == "0" { Ok(0) } else { parse_duration_ns(name, text) }
}

// Jaeger's ranges hold their end.
fn closed(name: &str, start_ns: i64, end_ns: i64) -> Result<TimeRange> {
    if start_ns > end_ns {
        let detail = format!("{name} ({start_ns} ns) is after the end of the range ({end_ns} ns)");
        return Err(ApiError::invalid(name, &start_ns.to_string(), detail));
    }
    Ok(TimeRange { start_ns, end_ns: end_ns.saturating_add(1) })
}

fn pair(text: &str) -> Result<(String, String)> {
    match text.split_once(':') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => {
            let detail =
                format!("malformed 'tag' parameter, expecting key:value, received: {text}");
            Err(ApiError::invalid("tag", text, detail))
        }
    }
}

/// The tags of a JSON object; numbers and flags count as their text.
pub fn tags_json(name: &str, text: &str) -> Result<Vec<(String, String)>> {
    let wrong = |why: String| {
        ApiError::invalid(name, text, format!("malformed '{name}' parameter '{text}': {why}"))
    };
    let object: serde_json::Map<String, Json> = serde_json::from_str(text)
        .map_err(|err| wrong(format!("expected a JSON object of texts: {err}")))?;
    object
        .into_iter()
        .map(|(key, value)| match value {
            Json::String(text) => Ok((key, text)),
            Json::Number(_) | Json::Bool(_) => Ok((key, value.to_string())),
            other => Err(wrong(format!("the value of '{key}' is no text: {other}"))),
        })
        .collect()
}

/// The id of a path or parameter: up to 32 hex digits, or base64 as clients of protobuf write it.
pub fn trace_id(name: &str, text: &str) -> Result<TraceId> {
    let id = TraceId::parse(text).or_else(|err| from_base64(text).ok_or(err));
    let id = id.map_err(|err| ApiError::invalid(name, text, err.to_string()))?;
    if id.is_zero() {
        return Err(ApiError::invalid(name, text, format!("{name} '{text}' is all zeros")));
    }
    Ok(id)
}

fn from_base64(text: &str) -> Option<TraceId> {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

    let bare = text.trim_end_matches('=');
    let bytes = STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok()?;
    TraceId::from_slice(&bytes).ok()
}

/// Where to look first for a trace, if `start` or `end` say.
pub fn hint(params: &Params) -> Result<Option<TimeRange>> {
    let (start, end) =
        (unix(params, "start", MICROSECOND_NS)?, unix(params, "end", MICROSECOND_NS)?);
    if start.is_none() && end.is_none() {
        return Ok(None);
    }
    let (start, end) = (start.unwrap_or(i64::MIN), end.unwrap_or(i64::MAX));
    closed("start", start, end).map(Some)
}

/// The range that `endTs` and `lookback` give, in milliseconds; its end is the last moment inside.
pub fn back_from_end(params: &Params, now_ns: i64, lookback_ns: i64) -> Result<(i64, i64)> {
    let end_ns = unix(params, "endTs", MILLISECOND_NS)?.unwrap_or(now_ns);
    let lookback_ns = millis(params, "lookback")?.unwrap_or(lookback_ns);
    Ok((end_ns.saturating_sub(lookback_ns), end_ns))
}

/// A positive duration in milliseconds.
pub fn millis(params: &Params, name: &str) -> Result<Option<i64>> {
    const MILLIS_MAX: i64 = i64::MAX / MILLISECOND_NS;
    Ok(params.number(name, 1, MILLIS_MAX)?.map(|number| number * MILLISECOND_NS))
}

// A time in units since the epoch.
fn unix(params: &Params, name: &str, unit_ns: i64) -> Result<Option<i64>> {
    let most = i64::MAX / unit_ns;
    Ok(params.number(name, -most, most)?.map(|number| number * unit_ns))
}

/// A flag in the words that Go takes; false where it is absent.
pub fn flag(params: &Params, name: &str) -> Result<bool> {
    let Some(text) = params.one(name)? else { return Ok(false) };
    tags::boolean(text).ok_or_else(|| {
        ApiError::invalid(name, text, format!("{name} '{text}' is neither true nor false"))
    })
}
