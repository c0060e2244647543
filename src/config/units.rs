//! Sizes and durations as people write them: `64MiB`, `10s`, `1h30m`, `80%`.

use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

const SIZE_UNITS: [(&str, u64); 8] = [
    ("b", 1),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
];

const DURATION_UNITS_NS: [(&str, u64); 7] = [
    ("ns", 1),
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];

/// Parses `64MiB`, `1GB`, `4096` (bytes).
pub fn parse_size(text: &str) -> Result<ByteSize, String> {
    let wrong = || format!("'{text}' is no size such as 64MiB, 1GB or 4096");
    let (number, unit) = split_number(text).ok_or_else(wrong)?;
    let unit = if unit.is_empty() { "b" } else { unit };
    let factor = SIZE_UNITS
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(unit))
        .map(|(_, factor)| *factor)
        .ok_or_else(wrong)?;
    scale(number, factor).map(ByteSize).ok_or_else(wrong)
}

/// Parses `10s`, `250ms`, `1h30m`, `7d`. A bare `0` is allowed, any other bare number is not.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no duration such as 250ms, 10s, 1h30m or 7d");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total_ns = 0u64;
    while !rest.is_empty() {
        let (number, tail) = split_number(rest).ok_or_else(wrong)?;
        let unit_length = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, after) = tail.split_at(unit_length);
        let factor_ns = DURATION_UNITS_NS
            .iter()
            .find(|(name, _)| *name == unit)
            .map(|(_, factor)| *factor)
            .ok_or_else(wrong)?;
        let part_ns = scale(number, factor_ns).ok_or_else(wrong)?;
        total_ns = total_ns.checked_add(part_ns).ok_or_else(wrong)?;
        rest = after;
    }
    Ok(Duration::from_nanos(total_ns))
}

/// Parses `80%` or `0.8` into a share between 0 and 1.
pub fn parse_share(text: &str) -> Result<f64, String> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => text.parse::<f64>(),
    };
    share
        .ok()
        .filter(|share| (0.0..=1.0).contains(share))
        .ok_or_else(|| format!("'{text}' is no share such as 90% or 0.9"))
}

// The number in front and what follows it.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(end);
    (!number.is_empty()).then_some((number, rest.trim_start()))
}

// Whole numbers stay exact; decimals such as 1.5 go through a float.
fn scale(number: &str, factor: u64) -> Option<u64> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor);
    }
    let scaled = number.parse::<f64>().ok()? * factor as f64;
    (scaled.is_finite() && scaled < u64::MAX as f64).then_some(scaled.round() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", 0),
            ("4096", 4096),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("1.5GiB", 3 << 29),
            ("1GB", 1_000_000_000),
            ("12b", 12),
        ] {
            assert_eq!(parse_size(text), Ok(ByteSize(bytes)), "{text}");
        }
        for bad in ["", "MiB", "-1", "1.2.3kb", "64 parsecs", "99999999999TiB"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations() {
        for (text, duration_ms) in
            [("0", 0), ("250ms", 250), ("10s", 10_000), ("1h30m", 5_400_000), ("7d", 604_800_000)]
        {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(duration_ms)), "{text}");
        }
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1_500)));
        for bad in ["", "10", "s", "10 fortnights", "-1s", "1h30", "999999999999d"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn shares() {
        assert_eq!(parse_share("90%"), Ok(0.9));
        assert_eq!(parse_share("0.25"), Ok(0.25));
        for bad in ["", "101%", "-1%", "much"] {
            assert!(parse_share(bad).is_err(), "{bad}");
        }
    }
}
