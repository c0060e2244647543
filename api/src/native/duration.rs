//! Durations as parameters: `150ms`, `2s`, `1.5s`, `1h30m`.

use crate::error::{ApiError, Result};

const UNITS: [(&str, i64); 10] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
];

/// Parses a duration of one or more numbers with units.
pub fn parse_duration_ns(field: &str, text: &str) -> Result<i64> {
    unsigned_ns(text.trim()).ok_or_else(|| {
        let detail = format!(
            "{field} '{text}' is no duration: expected numbers with units (ns, us, ms, s, m, h, \
             d, w) such as '150ms' or '1h30m'"
        );
        ApiError::invalid(field, text, detail)
    })
}

/// Parses a duration after a sign: `-1h`, `+5m`.
pub fn parse_signed_duration_ns(text: &str) -> Option<i64> {
    match text.split_at_checked(1)? {
        ("-", rest) => unsigned_ns(rest).map(|ns| -ns),
        ("+", rest) => unsigned_ns(rest),
        _ => None,
    }
}

fn unsigned_ns(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total_ns = 0i64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(number_end);
        let unit_end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total_ns = total_ns.checked_add(scaled(number, *scale)?)?;
        rest = next;
    }
    Some(total_ns)
}

fn scaled(number: &str, scale: i64) -> Option<i64> {
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(scale);
    }
    let product = number.parse::<f64>().ok()? * scale as f64;
    (product < i64::MAX as f64).then_some(product.round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_parse() {
        for (text, expected) in [
            ("150ms", 150_000_000),
            ("2s", 2_000_000_000),
            ("1.5s", 1_500_000_000),
            ("1h30m", 5_400_000_000_000),
            ("100us", 100_000),
            ("100µs", 100_000),
            ("7ns", 7),
            ("0s", 0),
        ] {
            assert_eq!(parse_duration_ns("min_duration", text).expect(text), expected, "{text}");
        }
        for bad in ["", "5", "ms", "-5ms", "5 ms", "5mss", "1.2.3s", "99999999999w"] {
            assert!(parse_duration_ns("min_duration", bad).is_err(), "{bad}");
        }
        assert_eq!(parse_signed_duration_ns("-1s"), Some(-1_000_000_000));
        assert_eq!(parse_signed_duration_ns("1s"), None);
        assert_eq!(parse_signed_duration_ns(""), None);
    }
}
