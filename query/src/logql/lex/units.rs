//! Durations and amounts of bytes as text, of queries and of log lines alike.

/// Units of a duration in nanoseconds; where one is the start of another, the longer comes first.
const DURATIONS: &[(&str, f64)] = &[
    ("ns", 1.0),
    ("us", 1e3),
    ("µs", 1e3),
    ("μs", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
    ("d", 86_400e9),
    ("w", 604_800e9),
    ("y", 31_536_000e9),
];

/// Units of an amount of bytes, in lower case.
const BYTES: &[(&str, f64)] = &[
    ("", 1.0),
    ("b", 1.0),
    ("k", 1e3),
    ("kb", 1e3),
    ("ki", 1024.0),
    ("kib", 1024.0),
    ("m", 1e6),
    ("mb", 1e6),
    ("mi", 1_048_576.0),
    ("mib", 1_048_576.0),
    ("g", 1e9),
    ("gb", 1e9),
    ("gi", 1_073_741_824.0),
    ("gib", 1_073_741_824.0),
    ("t", 1e12),
    ("tb", 1e12),
    ("ti", 1_099_511_627_776.0),
    ("tib", 1_099_511_627_776.0),
    ("p", 1e15),
    ("pb", 1e15),
    ("pi", 1_125_899_906_842_624.0),
    ("pib", 1_125_899_906_842_624.0),
    ("e", 1e18),
    ("eb", 1e18),
    ("ei", 1_152_921_504_606_846_976.0),
    ("eib", 1_152_921_504_606_846_976.0),
];

/// The longest unit of bytes.
const BYTES_UNIT_LEN_MAX: usize = 3;

/// Nanoseconds of a text such as `1h30m`, `1.5h`, `-2s` or `0`; none if it is no duration.
pub fn duration(text: &str) -> Option<i64> {
    let (text, sign) = match text.strip_prefix('-') {
        Some(text) => (text, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    if text == "0" {
        return Some(0);
    }
    if text.is_empty() {
        return None;
    }
    let mut rest = text;
    let mut sum: i64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (number, behind) = rest.split_at(end);
        let unit_len =
            behind.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_len);
        let (_, factor) = DURATIONS.iter().find(|(text, _)| *text == unit)?;
        sum = sum.checked_add(part(number, *factor)?)?;
        rest = behind;
    }
    Some(sign * sum)
}

// A number of units in nanoseconds; whole numbers stay exact.
fn part(number: &str, factor: f64) -> Option<i64> {
    if let Ok(whole) = number.parse::<i64>() {
        return whole.checked_mul(factor as i64);
    }
    let value = number.parse::<f64>().ok()? * factor;
    (value.abs() < i64::MAX as f64).then_some(value as i64)
}

/// Bytes of a text such as `5KB`, `1 MiB` or `42`; none if it is no amount of bytes.
pub fn bytes(text: &str) -> Option<u64> {
    let is_number = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    let end = text.find(|c: char| !is_number(c)).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.trim();
    if unit.len() > BYTES_UNIT_LEN_MAX || !unit.is_ascii() {
        return None;
    }
    let (_, factor) = BYTES.iter().find(|(text, _)| text.eq_ignore_ascii_case(unit))?;
    let value = match number.contains(',') {
        true => number.replace(',', "").parse::<f64>(),
        false => number.parse::<f64>(),
    };
    let value = value.ok()? * factor;
    (value.is_finite() && value < u64::MAX as f64).then_some(value as u64)
}

/// A duration as the shortest text that [`duration`] reads as the same.
pub fn duration_text(ns: i64) -> String {
    const UNITS: &[(&str, u64)] = &[
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
        ("ns", 1),
    ];
    if ns == 0 {
        return "0s".to_owned();
    }
    let mut text = if ns < 0 { "-".to_owned() } else { String::new() };
    let mut rest = ns.unsigned_abs();
    for (unit, size) in UNITS {
        if rest >= *size {
            text.push_str(&format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    text
}
