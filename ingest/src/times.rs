//! Times as senders of logs write them.

use throughline_model::time::parse_rfc3339;

/// Decimals of a second that are kept.
const DECIMALS_MAX: usize = 9;

/// Nanoseconds of an ISO 8601 time: a date with or without a time of day, which has seconds and decimals
/// (further ones than nine are cut) or not, and a zone (`Z`, `+02`, `+0200`, `+02:00`) or is UTC.
pub fn iso8601(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let Some(rest) = rest.strip_prefix(['T', 't', ' ']) else {
        return rest.is_empty().then(|| parse_rfc3339(&format!("{date}T00:00:00Z")).ok())?;
    };
    let (clock, rest) = split_where(rest, |c| !c.is_ascii_digit() && c != ':');
    let seconds = match clock.len() {
        5 => ":00",
        8 => "",
        _ => return None,
    };
    let (decimals, zone) = match rest.strip_prefix(['.', ',']) {
        Some(rest) => split_where(rest, |c| !c.is_ascii_digit()),
        None => ("", rest),
    };
    let decimals = match decimals.get(..DECIMALS_MAX).unwrap_or(decimals) {
        "" => "0",
        some => some,
    };
    let zone = zone_of(zone.trim_start())?;
    parse_rfc3339(&format!("{date}T{clock}{seconds}.{decimals}{zone}")).ok()
}

fn split_where(text: &str, ends: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(ends).unwrap_or(text.len()))
}

/// A zone as RFC 3339 writes it.
fn zone_of(text: &str) -> Option<String> {
    if matches!(text, "" | "Z" | "z" | "UTC" | "GMT") {
        return Some("Z".to_owned());
    }
    let digits = text.strip_prefix(['+', '-'])?.replacen(':', "", 1);
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = if minutes.is_empty() { "00" } else { minutes };
    Some(format!("{}{hours}:{minutes}", &text[..1]))
}

/// Nanoseconds of milliseconds since the epoch.
pub fn from_millis(millis: i64) -> Option<i64> {
    millis.checked_mul(1_000_000)
}

// Whole numbers below the first are in units of the second nanoseconds; larger ones are nanoseconds.
const UNIX_UNITS: [(u64, i64); 3] = [
    (100_000_000_000, 1_000_000_000),
    (100_000_000_000_000, 1_000_000),
    (100_000_000_000_000_000, 1000),
];

/// Nanoseconds of a time since the epoch in seconds, milli-, micro- or nanoseconds, told apart by size.
pub fn from_unix(number: i64) -> Option<i64> {
    let unit = UNIX_UNITS.iter().find(|(below, _)| number.unsigned_abs() < *below);
    number.checked_mul(unit.map_or(1, |(_, unit)| *unit))
}

/// Nanoseconds of seconds since the epoch with decimals, to the microsecond: a double holds no more today.
pub fn from_seconds(seconds: f64) -> Option<i64> {
    // A cast keeps to the bounds.
    let fraction_ns = (seconds.fract() * 1e6).round() as i64 * 1000;
    (seconds.trunc() as i64).checked_mul(1_000_000_000)?.checked_add(fraction_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_times_by_their_size() {
        const NOON: i64 = 1_795_176_000;
        for (number, expected) in [
            (NOON, NOON * 1_000_000_000),
            (NOON * 1000 + 1, NOON * 1_000_000_000 + 1_000_000),
            (NOON * 1_000_000 + 1, NOON * 1_000_000_000 + 1000),
            (NOON * 1_000_000_000 + 1, NOON * 1_000_000_000 + 1),
            (0, 0),
            (-1, -1_000_000_000),
        ] {
            assert_eq!(from_unix(number), Some(expected), "{number}");
        }
        assert_eq!(from_seconds(1_795_176_000.25), Some(NOON * 1_000_000_000 + 250_000_000));
        assert_eq!(from_seconds(1e30), None);
    }

    #[test]
    fn iso8601_in_its_shapes() {
        const NOON: i64 = 1_795_176_000_000_000_000; // 2026-11-20T12:00:00Z
        for (text, expected) in [
            ("2026-11-20T12:00:00Z", Some(NOON)),
            ("2026-11-20T12:00:00z", Some(NOON)),
            (" 2026-11-20 12:00:00 UTC ", Some(NOON)),
            ("2026-11-20T12:00:00", Some(NOON)),
            ("2026-11-20T12:00Z", Some(NOON)),
            ("2026-11-20T12:00:00.Z", Some(NOON)),
            ("2026-11-20T12:00:00.5Z", Some(NOON + 500_000_000)),
            ("2026-11-20T12:00:00,005Z", Some(NOON + 5_000_000)),
            ("2026-11-20T12:00:00.1234567891234Z", Some(NOON + 123_456_789)),
            ("2026-11-20T14:00:00+02:00", Some(NOON)),
            ("2026-11-20T14:00:00.000+0200", Some(NOON)),
            ("2026-11-20T07:00:00-05", Some(NOON)),
            ("2026-11-20", Some(NOON - 12 * 3_600_000_000_000)),
            ("2026-11-20T12", None),
            ("2026-11-20T12:00:00+2", None),
            ("2026-11-20T12:00:00 noon", None),
            ("2026-13-20T12:00:00Z", None),
            ("20261120T120000Z", None),
            ("yesterday", None),
            ("", None),
            ("ééééééééééT12:00", None),
        ] {
            assert_eq!(iso8601(text), expected, "{text}");
        }
    }
}
