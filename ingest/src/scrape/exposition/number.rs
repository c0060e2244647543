//! Numbers as Go reads and writes them.

/// A number, with what Prometheus' format allows beside digits.
pub fn parse(text: &str) -> Result<f64, ()> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_negative = text.starts_with('-');
    match unsigned.to_ascii_lowercase().as_str() {
        "nan" => return Ok(f64::NAN),
        "inf" | "infinity" => {
            return Ok(if is_negative { f64::NEG_INFINITY } else { f64::INFINITY });
        }
        _ => {}
    }
    if let Some(digits) = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X")) {
        let value = hexadecimal(digits).ok_or(())?;
        return Ok(if is_negative { -value } else { value });
    }
    // What only Rust reads.
    if !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E')) {
        return Err(());
    }
    text.parse().map_err(|_| ())
}

/// `1a.8p3`: the exponent is of two.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P']).unwrap_or((text, "0"));
    let (whole, part) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && part.is_empty() {
        return None;
    }
    let mut value = 0.0f64;
    for digit in whole.chars().chain(part.chars()) {
        value = value * 16.0 + f64::from(digit.to_digit(16)?);
    }
    let exponent: i32 = exponent.parse().ok()?;
    Some(value * 2f64.powi(exponent.checked_sub(4 * part.len() as i32)?))
}

/// The shortest text that is read as the number; large and small ones with an exponent.
pub fn format(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    match exponent.parse::<i32>() {
        Ok(exponent) if (-4..21).contains(&exponent) => format!("{value}"),
        Ok(exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{mantissa}e{sign}{:02}", exponent.abs())
        }
        Err(_) => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_written_as_go_does() {
        for (text, wanted) in [
            ("1", 1.0),
            ("+1.5e3", 1500.0),
            ("0x1p-2", 0.25),
            (".5", 0.5),
            ("-Inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(parse(text), Ok(wanted), "{text}");
        }
        assert!(parse("NaN").is_ok_and(f64::is_nan));
        for text in ["", "1_000", "one", "0x", "1 2", "--1", "infinit"] {
            assert!(parse(text).is_err(), "{text}");
        }
        for (value, wanted) in
            [(1.0, "1"), (0.00001, "1e-05"), (1e21, "1e+21"), (123456.5, "123456.5")]
        {
            assert_eq!(format(value), wanted);
        }
    }
}
