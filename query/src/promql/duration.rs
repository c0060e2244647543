//! Durations as Prometheus writes them: `1h30m`, `5m`, `250ms`.

const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 86_400_000, true),
    ("w", 7 * 86_400_000, true),
    ("d", 86_400_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1_000, false),
    ("ms", 1, false),
];

/// Milliseconds of a duration; the error says what is wrong.
pub fn parse_ms(text: &str) -> Result<i64, String> {
    let wrong = || format!("not a valid duration string: {text:?}");
    if text == "0" {
        return Ok(0);
    }
    if text.is_empty() {
        return Err("empty duration string".to_owned());
    }
    let (mut rest, mut units, mut total) = (text, &UNITS[..], 0i64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit());
        let end = letters.map_or(rest.len(), |letters| digits + letters);
        // Units stand from the longest to the shortest, each at most once.
        let place = units.iter().position(|(unit, ..)| *unit == &rest[digits..end]);
        let place = place.filter(|_| digits > 0).ok_or_else(wrong)?;
        let amount: i64 = rest[..digits].parse().map_err(|_| "duration out of range")?;
        let part = amount.checked_mul(units[place].1);
        // The bound is that of nanoseconds in 64 bits.
        total = part
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= i64::MAX / 1_000_000)
            .ok_or("duration out of range")?;
        (rest, units) = (&rest[end..], &units[place + 1..]);
    }
    Ok(total)
}

/// The shortest exact text of a duration of so many milliseconds, which are not negative.
pub fn format_ms(ms: i64) -> String {
    if ms == 0 {
        return "0s".to_owned();
    }
    let (mut rest, mut text) = (ms, String::new());
    for (unit, unit_ms, is_whole) in UNITS {
        if is_whole && rest % unit_ms != 0 {
            continue;
        }
        if rest / unit_ms > 0 {
            text.push_str(&format!("{}{unit}", rest / unit_ms));
            rest %= unit_ms;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        let cases = [
            ("5m", 300_000, "5m"),
            ("1h30m", 5_400_000, "1h30m"),
            ("90m", 5_400_000, "1h30m"),
            ("14d", 14 * 86_400_000, "2w"),
            ("10d", 10 * 86_400_000, "10d"),
            ("1s500ms", 1_500, "1s500ms"),
            ("0s", 0, "0s"),
        ];
        for (text, ms, written) in cases {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
            assert_eq!(format_ms(ms), written);
        }
        for wrong in ["", "5", "m", "5m5h", "1m1m", "1x", "400000000000000y"] {
            assert!(parse_ms(wrong).is_err(), "{wrong}");
        }
    }
}
