//! Numbers and texts as Go prints them, since clients compare the answers of Prometheus by text.

/// The shortest decimal without an exponent (`strconv.FormatFloat` with `'f'`, -1).
pub fn plain(value: f64) -> String {
    match special(value) {
        Some(text) => text.to_owned(),
        None => format!("{value}"),
    }
}

/// The shortest decimal, with an exponent where it is below -4 or at least 6 (`%v`, `%g`).
pub fn general(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&exponent) {
        return with_exponent(digits, exponent);
    }
    format!("{value}")
}

/// `1.5e+06`: at least two digits of exponent.
fn with_exponent(digits: &str, exponent: i32) -> String {
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

fn special(value: f64) -> Option<&'static str> {
    match value {
        _ if value.is_nan() => Some("NaN"),
        f64::INFINITY => Some("+Inf"),
        f64::NEG_INFINITY => Some("-Inf"),
        _ => None,
    }
}

/// `%.2g`: two significant digits.
pub fn two_digits(value: f64) -> String {
    if let Some(text) = special(value) {
        return text.to_owned();
    }
    let scientific = format!("{value:.1e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let trimmed = match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.'),
        false => digits,
    };
    if value != 0.0 && !(-4..2).contains(&exponent) {
        return with_exponent(trimmed, exponent);
    }
    format!("{}", scientific.parse::<f64>().unwrap_or(value))
}

/// The text of a sample's value in an answer: an exponent below 1e-6 and from 1e21.
pub fn sample(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !size.is_finite() || (1e-6..1e21).contains(&size) {
        return plain(value);
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    with_exponent(digits, exponent.parse().unwrap_or(0))
}

/// A number as a label value of OpenMetrics: whole numbers have a fraction.
pub fn open_metrics(value: f64) -> String {
    let text = general(value);
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    if is_whole { format!("{text}.0") } else { text }
}

/// A text in double quotes, with Go's escapes (`strconv.Quote`).
pub fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => {
                quoted.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_as_go_prints_them() {
        let cases = [
            (0.0, "0", "0"),
            (1.5, "1.5", "1.5"),
            (1e6, "1000000", "1e+06"),
            (1e21, "1000000000000000000000", "1e+21"),
            (1e-5, "0.00001", "1e-05"),
            (0.001, "0.001", "0.001"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NAN, "NaN", "NaN"),
        ];
        for (value, fixed, short) in cases {
            assert_eq!(plain(value), fixed);
            assert_eq!(general(value), short, "{value}");
        }
        assert_eq!(two_digits(0.000_123_4), "0.00012");
        assert_eq!(two_digits(1234.0), "1.2e+03");
        assert_eq!(two_digits(2.0), "2");
    }
}
