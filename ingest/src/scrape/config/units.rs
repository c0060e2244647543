//! Durations and sizes in Prometheus' spelling.

use std::time::Duration;

use crate::records::Read;

/// `1d12h`, `30s`, `500ms`: units from the greatest to the least, each once; `0`.
pub fn duration(text: &str) -> Read<Duration> {
    const UNITS: [(&str, u64); 7] = [
        ("y", 365 * 86_400_000),
        ("w", 7 * 86_400_000),
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("m", 60_000),
        ("s", 1000),
        ("ms", 1),
    ];
    let wrong = || format!("'{text}' is no duration, expected one like 15s, 1m30s or 500ms");
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let (mut rest, mut total, mut units) = (text, 0u64, UNITS.as_slice());
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..digits].parse().map_err(|_| wrong())?;
        let end = rest[digits..].find(|c: char| c.is_ascii_digit());
        let unit = &rest[digits..end.map_or(rest.len(), |end| digits + end)];
        let place = units.iter().position(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let ms = number.checked_mul(units[place].1).and_then(|ms| total.checked_add(ms));
        total = ms.ok_or_else(wrong)?;
        units = &units[place + 1..];
        rest = &rest[digits + unit.len()..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(Duration::from_millis(total)) }
}

/// `512KB`, `10MB`, `1GiB`; a number alone is of bytes. All are of powers of 1024.
pub fn bytes(text: &str) -> Read<usize> {
    let wrong = || format!("'{text}' is no size, expected one like 512KB or 10MB");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize = text[..digits].parse().map_err(|_| wrong())?;
    let shift = match text[digits..].trim() {
        "" | "B" => 0,
        "KB" | "KiB" => 10,
        "MB" | "MiB" => 20,
        "GB" | "GiB" => 30,
        _ => return Err(wrong()),
    };
    number.checked_mul(1 << shift).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        for (text, ms) in
            [("0", 0), ("15s", 15_000), ("1m30s", 90_000), ("500ms", 500), ("1d", 86_400_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        for text in ["", "15", "1.5s", "s", "30s1m", "1s1s", "-1s", "99999999999y"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(bytes("10MB"), Ok(10 << 20));
        assert_eq!(bytes("7"), Ok(7));
        assert!(bytes("10 parsecs").is_err());
    }
}
