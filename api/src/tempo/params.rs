//! What requests may say: numbers, times and durations in the forms that Tempo takes.
//!
//! Of a repeated parameter the first counts, and unknown ones are passed over.

use throughline_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS, TimeRange};

use super::error::{Result, TempoError};
use super::messages::{
    QueryInstantRequest, QueryRangeRequest, SearchRequest, SearchTagValuesRequest,
    SearchTagsRequest,
};
use super::{logfmt, metrics, search};
use crate::native::duration::parse_duration_ns;
use crate::native::params::Params;
use crate::native::time::parse_time_ns;

const MILLISECOND_NS: i64 = 1_000_000;
/// How far back a query for numbers looks that names no start.
const SINCE_DEFAULT_NS: i64 = HOUR_NS;
/// Points that the default step aims at.
const POINTS: i64 = 240;
/// Of what the default step is a multiple, for ranges of a minute and more.
const GRANULARITIES_NS: [i64; 6] =
    [HOUR_NS, 5 * MINUTE_NS, MINUTE_NS, 15 * SECOND_NS, 5 * SECOND_NS, SECOND_NS];
/// The same for shorter ranges.
const GRANULARITY_FINE_NS: i64 = 50 * MILLISECOND_NS;

/// The first value of a parameter that is not empty.
pub fn first<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    params.all(name).next()
}

/// The parameters of a search.
pub fn search(params: &Params, now_ns: i64) -> Result<SearchRequest> {
    let (query, tags) = (first(params, "q"), first(params, "tags"));
    if let (Some(_), Some(tags)) = (query, tags) {
        let detail = "invalid request: can't specify tags and q in the same query";
        return Err(TempoError::invalid("tags", tags, detail));
    }
    let (start, end) = seconds(params, now_ns)?;
    Ok(SearchRequest {
        tags: tags.map(logfmt::parse).transpose()?.unwrap_or_default(),
        min_duration_ms: milliseconds(params, "minDuration")?,
        max_duration_ms: milliseconds(params, "maxDuration")?,
        limit: limit(params)?,
        start,
        end,
        query: query.unwrap_or_default().to_owned(),
        spans_per_span_set: number(params, "spss")?.unwrap_or(search::SPANS_DEFAULT),
    })
}

/// The parameters of a list of names.
pub fn tags(params: &Params, now_ns: i64) -> Result<SearchTagsRequest> {
    let (start, end) = seconds(params, now_ns)?;
    Ok(SearchTagsRequest {
        scope: first(params, "scope").unwrap_or_default().to_owned(),
        query: first(params, "q").unwrap_or_default().to_owned(),
        start,
        end,
        max_tags_per_scope: limit(params)?,
    })
}

/// The parameters of a list of values.
pub fn tag_values(params: &Params, tag: String, now_ns: i64) -> Result<SearchTagValuesRequest> {
    let (start, end) = seconds(params, now_ns)?;
    Ok(SearchTagValuesRequest {
        tag_name: tag,
        query: first(params, "q").unwrap_or_default().to_owned(),
        start,
        end,
        max_tag_values: limit(params)?,
    })
}

/// The parameters of a query for numbers over time.
pub fn query_range(params: &Params, now_ns: i64) -> Result<QueryRangeRequest> {
    let (start_ns, end_ns) = bounds(params, now_ns)?;
    let step_ns = first(params, "step").map(step).transpose()?.unwrap_or(0);
    // Tempo takes what is no number for none here, and clients rely on it.
    let lenient = |name| first(params, name).and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(QueryRangeRequest {
        query: query(params),
        start: start_ns.max(0) as u64,
        end: end_ns.max(0) as u64,
        step: step_ns as u64,
        exemplars: lenient("exemplars"),
        max_series: lenient("maxSeries"),
    })
}

/// The parameters of a query for one number a series.
pub fn query_instant(params: &Params, now_ns: i64) -> Result<QueryInstantRequest> {
    let (start_ns, end_ns) = bounds(params, now_ns)?;
    Ok(QueryInstantRequest {
        query: query(params),
        start: start_ns.max(0) as u64,
        end: end_ns.max(0) as u64,
    })
}

fn query(params: &Params) -> String {
    first(params, "q").or_else(|| first(params, "query")).unwrap_or_default().to_owned()
}

/// The range of seconds since the epoch, as messages hold it; none if both are zero.
pub fn range_of_seconds(start: u32, end: u32) -> Result<Option<TimeRange>> {
    if start == 0 && end == 0 {
        return Ok(None);
    }
    let range = TimeRange {
        start_ns: i64::from(start) * SECOND_NS,
        end_ns: if end == 0 { i64::MAX } else { i64::from(end) * SECOND_NS },
    };
    if range.start_ns >= range.end_ns {
        let detail =
            format!("http parameter start must be before end. received start={start} end={end}");
        return Err(TempoError::invalid("start", &start.to_string(), detail));
    }
    Ok(Some(range))
}

/// The range of a query for numbers, as messages hold it.
pub fn range_of_nanos(start: u64, end: u64, now_ns: i64) -> Result<TimeRange> {
    let signed = |ns: u64| i64::try_from(ns).unwrap_or(i64::MAX);
    let end_ns = if end == 0 { now_ns } else { signed(end) };
    let start_ns = if start == 0 {
        end_ns.min(now_ns).saturating_sub(SINCE_DEFAULT_NS)
    } else {
        signed(start)
    };
    if start_ns >= end_ns {
        let detail = format!("start {start_ns} must be before end {end_ns} (in nanoseconds)");
        return Err(TempoError::invalid("start", &start_ns.to_string(), detail));
    }
    Ok(TimeRange { start_ns, end_ns })
}

/// The step for a range that comes without one.
pub fn default_step_ns(range: TimeRange) -> i64 {
    let length_ns = range.end_ns.saturating_sub(range.start_ns);
    let aim_ns = length_ns / POINTS;
    if length_ns < MINUTE_NS {
        return (aim_ns / GRANULARITY_FINE_NS * GRANULARITY_FINE_NS).max(GRANULARITY_FINE_NS);
    }
    let granularity = GRANULARITIES_NS.into_iter().find(|granularity| aim_ns > *granularity);
    granularity.map_or(SECOND_NS, |granularity| aim_ns / granularity * granularity)
}

// Tempo's searches know seconds only; the end takes a begun second whole.
fn seconds(params: &Params, now_ns: i64) -> Result<(u32, u32)> {
    let time = |name| -> Result<Option<i64>> {
        Ok(first(params, name).map(|text| parse_time_ns(name, text, now_ns)).transpose()?)
    };
    let whole = |ns: i64| u32::try_from(ns / SECOND_NS).unwrap_or(u32::MAX);
    let start = time("start")?.map_or(0, |ns| whole(ns.max(0)));
    let end = time("end")?.map_or(0, |ns| whole(ns.max(0).saturating_add(SECOND_NS - 1)));
    Ok((start, end))
}

fn bounds(params: &Params, now_ns: i64) -> Result<(i64, i64)> {
    let time = |name| -> Result<Option<i64>> {
        Ok(first(params, name).map(|text| parse_time_ns(name, text, now_ns)).transpose()?)
    };
    let since = first(params, "since").map(|text| parse_duration_ns("since", text)).transpose()?;
    let end_ns = time("end")?.unwrap_or(now_ns);
    let start_ns = time("start")?
        .unwrap_or_else(|| end_ns.min(now_ns).saturating_sub(since.unwrap_or(SINCE_DEFAULT_NS)));
    Ok((start_ns, end_ns))
}

// Seconds, perhaps with decimals, or a duration.
fn step(text: &str) -> Result<i64> {
    let step_ns = match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds * 1e9 < i64::MAX as f64 => {
            (seconds * 1e9).round() as i64
        }
        _ => parse_duration_ns("step", text)?,
    };
    if step_ns <= 0 {
        let detail = format!("step '{text}' must be positive");
        return Err(TempoError::invalid("step", text, detail));
    }
    Ok(step_ns)
}

fn milliseconds(params: &Params, name: &str) -> Result<u32> {
    let Some(text) = first(params, name) else { return Ok(0) };
    let ms = parse_duration_ns(name, text)? / MILLISECOND_NS;
    u32::try_from(ms).map_err(|_| {
        TempoError::invalid(name, text, format!("{name} '{text}' is above {} ms", u32::MAX))
    })
}

fn number(params: &Params, name: &str) -> Result<Option<u32>> {
    let parse = |text: &str| {
        text.parse().map_err(|_| {
            TempoError::invalid(name, text, format!("invalid {name}: '{text}' is no whole number"))
        })
    };
    first(params, name).map(parse).transpose()
}

// 0 where none is named.
fn limit(params: &Params) -> Result<u32> {
    match number(params, "limit")? {
        Some(0) => {
            Err(TempoError::invalid("limit", "0", "invalid limit: must be a positive number"))
        }
        limit => Ok(limit.unwrap_or(0)),
    }
}

/// Exemplars that a query asks for: none named means the most.
pub fn exemplars(asked: u32) -> usize {
    let most = metrics::EXEMPLARS_MAX;
    if asked == 0 { most } else { most.min(asked as usize) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_fit_their_range() {
        for (length_ns, step_ns) in [
            (10 * SECOND_NS, GRANULARITY_FINE_NS),
            (30 * SECOND_NS, 2 * GRANULARITY_FINE_NS),
            (HOUR_NS, 15 * SECOND_NS),
            (HOUR_NS + 4 * MINUTE_NS, 15 * SECOND_NS),
            (2 * MINUTE_NS, SECOND_NS),
            (24 * HOUR_NS, 6 * MINUTE_NS - MINUTE_NS),
            (31 * 24 * HOUR_NS, 3 * HOUR_NS),
        ] {
            let range = TimeRange { start_ns: 0, end_ns: length_ns };
            assert_eq!(default_step_ns(range), step_ns, "{length_ns}");
        }
    }

    #[test]
    fn a_step_is_seconds_or_a_duration() {
        for (text, expected) in
            [("15", 15 * SECOND_NS), ("0.5", SECOND_NS / 2), ("15s", 15 * SECOND_NS)]
        {
            assert_eq!(step(text).expect(text), expected);
        }
        for bad in ["0", "-1", "x", "inf", "1e300"] {
            assert!(step(bad).is_err(), "{bad}");
        }
    }
}
