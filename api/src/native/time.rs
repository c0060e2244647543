//! Times as parameters: RFC 3339, a date, Unix time, or relative to now.

use throughline_model::time::{SECOND_NS, parse_rfc3339};

use super::duration::parse_signed_duration_ns;
use crate::error::{ApiError, Result};

// Numbers below the first are in units of the second nanoseconds; larger ones are nanoseconds.
const UNIX_UNITS: [(i64, i64); 3] = [
    (100_000_000_000, SECOND_NS),
    (100_000_000_000_000, 1_000_000),
    (100_000_000_000_000_000, 1_000),
];

/// Parses a time:
///
/// - RFC 3339: `2026-11-20T12:00:00.5Z`, or a date alone, which means its first moment in UTC
/// - Unix time in seconds, milli-, micro- or nanoseconds, told apart by size: below 10¹¹, 10¹⁴,
///   10¹⁷, and above; seconds may have decimals
/// - `now`, `-1h` (before now), `now-1h`, `now+5m`
pub fn parse_time_ns(field: &str, text: &str, now_ns: i64) -> Result<i64> {
    let wrong = || {
        let detail = format!(
            "{field} '{text}' is no time: expected RFC 3339, Unix time in s, ms, µs or ns, 'now', \
             or relative to now such as '-1h'"
        );
        ApiError::invalid(field, text, detail)
    };
    let trimmed = text.trim();
    let relative = trimmed.strip_prefix("now").unwrap_or(trimmed);
    if relative.is_empty() && !trimmed.is_empty() {
        return Ok(now_ns);
    }
    if let Some(unix_ns) = parse_unix_ns(trimmed) {
        return Ok(unix_ns);
    }
    if relative.starts_with(['-', '+']) {
        let offset_ns = parse_signed_duration_ns(relative).ok_or_else(wrong)?;
        return Ok(now_ns.saturating_add(offset_ns));
    }
    if trimmed.len() == "2026-11-20".len() {
        return parse_rfc3339(&format!("{trimmed}T00:00:00Z")).map_err(|_| wrong());
    }
    parse_rfc3339(trimmed).map_err(|_| wrong())
}

// A number alone; the whole part decides the unit, and only seconds may have decimals.
fn parse_unix_ns(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !whole.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i64 = whole.parse().ok()?;
    let scale = UNIX_UNITS.iter().find(|(below, _)| number < *below).map_or(1, |unit| unit.1);
    if decimals.is_empty() {
        return number.checked_mul(scale);
    }
    if scale != SECOND_NS || decimals.len() > 9 || !decimals.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{decimals:0<9}").parse().ok()?;
    number.checked_mul(scale)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_176_000_000_000_000; // 2026-11-20T12:00:00Z

    #[test]
    fn every_form_of_a_time() {
        for (text, expected) in [
            ("2026-11-20T12:00:00Z", NOW),
            ("2026-11-20T13:00:00.000000001+01:00", NOW + 1),
            ("2026-11-20", NOW - 12 * 3600 * SECOND_NS),
            ("1795176000", NOW),
            ("1795176000.5", NOW + 500_000_000),
            ("1795176000000", NOW),
            ("1795176000000000", NOW),
            ("1795176000000000001", NOW + 1),
            ("0", 0),
            ("now", NOW),
            ("-1h", NOW - 3600 * SECOND_NS),
            ("now-1h30m", NOW - 5400 * SECOND_NS),
            ("now+5m", NOW + 300 * SECOND_NS),
            ("+2d", NOW + 2 * 86_400 * SECOND_NS),
        ] {
            assert_eq!(parse_time_ns("start", text, NOW).expect(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_an_error_with_the_field() {
        for text in ["", "yesterday", "1h", "now1h", "-1", "-1x", "2026-13-01", "1.2.3", "1e9"] {
            let err = parse_time_ns("start", text, NOW).expect_err(text);
            assert_eq!(err.problem().field.as_deref(), Some("start"));
            assert_eq!(err.problem().value.as_deref(), Some(text));
        }
    }
}
