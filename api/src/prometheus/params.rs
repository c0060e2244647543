//! What requests may say: times, steps, durations and selectors in the forms that Prometheus takes.
//!
//! Of a repeated parameter the first counts, and unknown ones are passed over.

use throughline_model::time::parse_rfc3339;
use throughline_query::promql::discover::SeriesQuery;
use throughline_query::promql::duration::parse_ms;
use throughline_query::promql::matcher::Matcher;
use throughline_query::promql::{EvalOptions, Request, selector};

use super::error::{PromError, Result};
use crate::native::params::Params;

const NS_PER_MS: i64 = 1_000_000;
/// Points of a series in one answer, at most.
const POINTS_MAX: i64 = 11_000;
/// Seconds that fit milliseconds in 64 bits with room for arithmetic.
const SECONDS_MAX: f64 = 9e15;
/// The times that stand for the beginning and end of time, as client libraries write them.
const ENDLESS: [(&str, i64); 2] = [
    ("-292273086-05-16T16:47:06Z", i64::MIN / 4 / NS_PER_MS),
    ("292277025-08-18T07:12:54.999999999Z", i64::MAX / 4 / NS_PER_MS),
];
/// The whole time that can be asked for.
const EARLIEST_MS: i64 = i64::MIN / 4 / NS_PER_MS;
const LATEST_MS: i64 = i64::MAX / 4 / NS_PER_MS;

/// The first value of a parameter that is not empty.
pub fn first<'p>(params: &'p Params, name: &str) -> Option<&'p str> {
    params.all(name).next()
}

/// The query's text.
pub fn query(params: &Params) -> Result<&str> {
    // An empty query is one that says nothing, rather than none.
    first(params, "query").ok_or_else(|| {
        PromError::invalid("query", "unknown position: parse error: no expression found in input")
    })
}

/// A time in milliseconds: Unix seconds or RFC 3339.
pub fn time_ms(params: &Params, name: &str) -> Result<Option<i64>> {
    let Some(text) = first(params, name) else { return Ok(None) };
    let wrong = || PromError::invalid(name, format!("cannot parse {text:?} to a valid timestamp"));
    if let Some((_, ms)) = ENDLESS.iter().find(|(known, _)| *known == text) {
        return Ok(Some(*ms));
    }
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds.abs() < SECONDS_MAX => {
            Ok(Some(((seconds * 1e3).round() as i64).clamp(EARLIEST_MS, LATEST_MS)))
        }
        Ok(_) => Err(wrong()),
        Err(_) => {
            let ns = parse_rfc3339(text).map_err(|_| wrong())?;
            Ok(Some(ns.div_euclid(NS_PER_MS)))
        }
    }
}

/// A length of time in milliseconds: seconds, or a duration.
pub fn duration_ms(params: &Params, name: &str) -> Result<Option<i64>> {
    let Some(text) = first(params, name) else { return Ok(None) };
    let wrong = || PromError::invalid(name, format!("cannot parse {text:?} to a valid duration"));
    match text.parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds.abs() < SECONDS_MAX => {
            Ok(Some((seconds * 1e3) as i64))
        }
        Ok(_) => Err(wrong()),
        Err(_) => parse_ms(text).map(Some).map_err(|_| wrong()),
    }
}

/// A number of things at most; none, or zero, for all.
pub fn limit(params: &Params) -> Result<Option<usize>> {
    let Some(text) = first(params, "limit") else { return Ok(None) };
    let limit: i64 = text
        .parse()
        .map_err(|_| PromError::invalid("limit", format!("cannot parse {text:?} to an integer")))?;
    match usize::try_from(limit) {
        Ok(0) => Ok(None),
        Ok(limit) => Ok(Some(limit)),
        Err(_) => Err(PromError::invalid("limit", "limit must be non-negative")),
    }
}

fn options(params: &Params) -> Result<EvalOptions> {
    let mut options = EvalOptions::default();
    if let Some(lookback_ms) = duration_ms(params, "lookback_delta")? {
        options.lookback_ms = lookback_ms;
    }
    Ok(options)
}

/// A question about one time.
pub fn instant(params: &Params, now_ms: i64) -> Result<Request> {
    let time_ms = time_ms(params, "time")?.unwrap_or(now_ms);
    let query = query(params)?.to_owned();
    let options = options(params)?;
    Ok(Request { query, start_ms: time_ms, end_ms: time_ms, step_ms: None, options })
}

/// A question about a range of time.
pub fn range(params: &Params) -> Result<Request> {
    let required = |name: &str| {
        let missing = || PromError::invalid(name, "cannot parse \"\" to a valid timestamp");
        time_ms(params, name)?.ok_or_else(missing)
    };
    let (start_ms, end_ms) = (required("start")?, required("end")?);
    if end_ms < start_ms {
        return Err(PromError::invalid("end", "end timestamp must not be before start time"));
    }
    let step_ms = duration_ms(params, "step")?
        .ok_or_else(|| PromError::invalid("step", "cannot parse \"\" to a valid duration"))?;
    if step_ms <= 0 {
        let message = "zero or negative query resolution step widths are not accepted. Try a \
                       positive integer";
        return Err(PromError::invalid("step", message));
    }
    if (end_ms - start_ms) / step_ms > POINTS_MAX {
        return Err(PromError::bad_data(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query \
             resolution (?step=XX)",
        ));
    }
    let (query, options) = (query(params)?.to_owned(), options(params)?);
    Ok(Request { query, start_ms, end_ms, step_ms: Some(step_ms), options })
}

/// The selectors of `match[]`.
pub fn selectors(params: &Params) -> Result<Vec<Vec<Matcher>>> {
    let texts = params.all("match[]");
    texts.map(|text| selector(text).map_err(|err| PromError::invalid("match[]", err))).collect()
}

/// Which series a question about labels is about: all of all time, if it says nothing.
pub fn series(params: &Params) -> Result<SeriesQuery> {
    let start_ms = time_ms(params, "start")?.unwrap_or(EARLIEST_MS);
    let end_ms = time_ms(params, "end")?.unwrap_or(LATEST_MS);
    if end_ms < start_ms {
        return Err(PromError::invalid("end", "end timestamp must not be before start time"));
    }
    Ok(SeriesQuery { selectors: selectors(params)?, start_ms, end_ms, limit: limit(params)? })
}

/// A name in a path, from the escaped form in which clients write names that are no plain words:
/// `U__` before it, `__` for `_`, `_2e_` for a dot.
pub fn unescaped(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut plain = String::new();
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        plain.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('_') {
            plain.push('_');
            rest = after;
            continue;
        }
        let code = rest.find('_').map(|end| (&rest[..end], &rest[end + 1..]));
        let code = code.and_then(|(digits, after)| {
            let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            Some((c, after))
        });
        let Some((c, after)) = code else { return name.to_owned() };
        plain.push(c);
        rest = after;
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaped_names_are_read() {
        assert_eq!(unescaped("job"), "job");
        assert_eq!(unescaped("U__http_2e_route__x"), "http.route_x");
        assert_eq!(unescaped("U__bad_zz_"), "U__bad_zz_");
    }
}
