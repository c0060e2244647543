//! Times as Elasticsearch's ranges write them: milliseconds since the epoch, ISO 8601, and `now-1h/d`.

use throughline_model::time::{DAY_NS, HOUR_NS, MINUTE_NS, SECOND_NS};

use super::error::{ElasticError, Result};
use crate::native::time::parse_time_ns;

const MILLI_NS: i64 = 1_000_000;
/// Formats in which a number counts seconds.
const SECONDS: &str = "epoch_second";

/// A time, and the time behind what it names: `2026-11-20` is a day, milliseconds are one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Its first nanosecond.
    pub start_ns: i64,
    /// The first behind it.
    pub end_ns: i64,
}

/// Reads a time of the member `field`.
pub fn moment(field: &str, text: &str, format: &str, now_ns: i64) -> Result<Moment> {
    let of = |start_ns: i64, length_ns: i64| Moment {
        start_ns,
        end_ns: start_ns.saturating_add(length_ns),
    };
    if let Ok(number) = text.parse::<i64>() {
        let unit_ns = if format.contains(SECONDS) { SECOND_NS } else { MILLI_NS };
        return Ok(of(number.saturating_mul(unit_ns), unit_ns));
    }
    if text.starts_with("now") {
        return relative(field, text, now_ns);
    }
    if text.contains("||") {
        let detail = format!("{field} '{text}': arithmetic behind || is not supported");
        return Err(ElasticError::unsupported(detail));
    }
    let has_zone = text.ends_with('Z') || text.rfind(['+', '-']).is_some_and(|at| at > 10);
    let whole = match text.contains('T') && !has_zone {
        true => format!("{text}Z"),
        false => text.to_owned(),
    };
    let start_ns = parse_time_ns(field, &whole, now_ns)?;
    let decimals = whole
        .split_once('.')
        .map_or(0, |(_, behind)| behind.bytes().take_while(u8::is_ascii_digit).count());
    let length_ns = match (text.contains('T'), decimals) {
        (false, _) => DAY_NS,
        (true, 0) => SECOND_NS,
        (true, 1..=3) => MILLI_NS,
        (true, _) => 1,
    };
    Ok(of(start_ns, length_ns))
}

// `now`, `now-1h`, `now/d`, `now-1d/d`.
fn relative(field: &str, text: &str, now_ns: i64) -> Result<Moment> {
    let (when, unit) = text.split_once('/').unwrap_or((text, ""));
    let at_ns = parse_time_ns(field, when, now_ns)?;
    let length_ns = match unit {
        "" => return Ok(Moment { start_ns: at_ns, end_ns: at_ns.saturating_add(1) }),
        "s" => SECOND_NS,
        "m" => MINUTE_NS,
        "h" | "H" => HOUR_NS,
        "d" => DAY_NS,
        _ => {
            let detail = format!("{field} '{text}' is rounded to none of s, m, h, d");
            return Err(ElasticError::unsupported(detail));
        }
    };
    let start_ns = at_ns.div_euclid(length_ns) * length_ns;
    Ok(Moment { start_ns, end_ns: start_ns.saturating_add(length_ns) })
}

/// The nanoseconds of an interval: `30s`, `500ms`, `1d`, or `minute`, `hour`, `day`.
pub fn interval_ns(field: &str, text: &str) -> Result<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = text.split_at(digits);
    let count = if count.is_empty() { Some(1) } else { count.parse::<i64>().ok() };
    let unit_ns = match unit {
        "ms" => MILLI_NS,
        "s" | "second" => SECOND_NS,
        "m" | "minute" => MINUTE_NS,
        "h" | "hour" => HOUR_NS,
        "d" | "day" => DAY_NS,
        "w" | "M" | "q" | "y" | "week" | "month" | "quarter" | "year" => {
            let detail = format!("{field} '{text}': days are the longest of what is supported");
            return Err(ElasticError::unsupported(detail));
        }
        _ => 0,
    };
    let length_ns = count.and_then(|count| count.checked_mul(unit_ns)).filter(|ns| *ns > 0);
    length_ns.ok_or_else(|| {
        ElasticError::invalid(field, text, format!("{field} '{text}' is no interval such as 30s"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_as_long_as_they_are_written() {
        const NOW: i64 = 1_795_176_000_000_000_000;
        for (text, format, start_ns, length_ns) in [
            ("1795176000123", "epoch_millis", NOW + 123_000_000, MILLI_NS),
            ("1795176000", "epoch_second", NOW, SECOND_NS),
            ("2026-11-20", "", NOW - 12 * HOUR_NS, DAY_NS),
            ("2026-11-20T12:00:00Z", "", NOW, SECOND_NS),
            ("2026-11-20T12:00:00.5", "", NOW + SECOND_NS / 2, MILLI_NS),
            ("2026-11-20T13:00:00.000000001+01:00", "", NOW + 1, 1),
            ("now", "", NOW, 1),
            ("now-1h/d", "", NOW - 12 * HOUR_NS, DAY_NS),
        ] {
            let read = moment("gte", text, format, NOW).expect(text);
            assert_eq!(read, Moment { start_ns, end_ns: start_ns + length_ns }, "{text}");
        }
        assert!(moment("gte", "soon", "", NOW).is_err());
        assert_eq!(interval_ns("fixed_interval", "30s").expect("an interval"), 30 * SECOND_NS);
        assert_eq!(interval_ns("calendar_interval", "hour").expect("an interval"), HOUR_NS);
        assert!(interval_ns("fixed_interval", "0s").is_err());
        assert!(interval_ns("calendar_interval", "month").is_err());
    }
}
