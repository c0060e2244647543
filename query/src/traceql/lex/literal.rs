//! Strings, numbers and durations.

use super::super::Result;
use super::{Lexer, Token, error};

/// Units with their nanoseconds.
const UNITS: &[(&str, u64)] = &[
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
    ("y", 365 * 86_400 * 1_000_000_000),
];

/// Decimals of a duration that count.
const DECIMALS_MAX: usize = 18;

/// A sign is no part of a literal here: the largest magnitude is that of the smallest number.
const MAGNITUDE_MAX: u64 = i64::MIN.unsigned_abs();

impl Lexer {
    /// `"…"` with escapes.
    pub(super) fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        while let Some(next) = self.peek() {
            self.at += 1;
            match next {
                '"' => {
                    let message = "escapes of the string do not give UTF-8";
                    return String::from_utf8(bytes).map_err(|_| error(start, message));
                }
                '\\' => self.escape(&mut bytes)?,
                _ => bytes.extend(next.encode_utf8(&mut [0; 4]).as_bytes()),
            }
        }
        Err(error(start, "unterminated string: its closing '\"' is missing"))
    }

    /// Without escapes, between backquotes.
    pub(super) fn raw(&mut self) -> Result<String> {
        let start = self.at;
        self.at += 1;
        let text = self.take_while(|c| c != '`');
        if self.peek().is_none() {
            return Err(error(start, "unterminated string: its closing '`' is missing"));
        }
        self.at += 1;
        Ok(text)
    }

    // Behind a backslash.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = self.at - 1;
        let Some(which) = self.peek() else { return Ok(()) };
        self.at += 1;
        let byte = match which {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            '\\' | '\'' | '"' => which as u8,
            'x' => self.code(start, 2, 16)? as u8,
            '0'..='7' => {
                self.at -= 1;
                let code = self.code(start, 3, 8)?;
                u8::try_from(code).map_err(|_| error(start, "an octal escape ends at '\\377'"))?
            }
            'u' | 'U' => {
                let code = self.code(start, if which == 'u' { 4 } else { 8 }, 16)?;
                let Some(c) = char::from_u32(code) else {
                    return Err(error(start, format!("{code:x} is no character of Unicode")));
                };
                bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => {
                let message = format!(
                    "unknown escape '\\{which}': write '\\\\{which}', or put the text in backquotes"
                );
                return Err(error(start, message));
            }
        };
        bytes.push(byte);
        Ok(())
    }

    fn code(&mut self, start: usize, digits: usize, radix: u32) -> Result<u32> {
        let mut code = 0u32;
        for _ in 0..digits {
            let digit = self.peek().and_then(|c| c.to_digit(radix));
            let message = || format!("the escape needs {digits} digits");
            let digit = digit.ok_or_else(|| error(start, message()))?;
            code = code.wrapping_mul(radix).wrapping_add(digit);
            self.at += 1;
        }
        Ok(code)
    }

    /// An integer, a double or a duration.
    pub(super) fn number(&mut self) -> Result<Token> {
        let start = self.at;
        let mut text = self.take_while(is_number);
        if text.ends_with(['e', 'E'])
            && matches!(self.peek(), Some('+' | '-'))
            && self.peek_at(1).is_some_and(|c| c.is_ascii_digit())
        {
            text.extend(self.peek());
            self.at += 1;
            text += &self.take_while(is_number);
        }
        let out_of_range = || error(start, format!("'{text}' is out of range"));
        if text.bytes().all(|b| b.is_ascii_digit()) {
            let number = text.parse::<u64>().ok().filter(|number| *number <= MAGNITUDE_MAX);
            return number.map(Token::Int).ok_or_else(out_of_range);
        }
        if text.ends_with(|c: char| c.is_ascii_digit() || c == '.')
            && let Ok(number) = text.parse::<f64>()
        {
            return if number.is_finite() { Ok(Token::Float(number)) } else { Err(out_of_range()) };
        }
        match duration_ns(&text) {
            Some(Some(ns)) => Ok(Token::Duration(ns)),
            Some(None) => Err(out_of_range()),
            None => {
                Err(error(start, format!("'{text}' is neither a number nor a duration as 1h30m")))
            }
        }
    }
}

fn is_number(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | 'µ' | 'μ')
}

/// Nanoseconds of `1h30m`, `1.5s`, `100µs`; none if it is no duration, none inside if it is too long.
pub(super) fn duration_ns(text: &str) -> Option<Option<u64>> {
    let mut rest = text;
    let mut total = Some(0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).filter(|digits| *digits > 0)?;
        let (whole, behind) = rest.split_at(digits);
        let (fraction, behind) = match behind.strip_prefix('.') {
            Some(behind) => behind.split_at(behind.find(|c: char| !c.is_ascii_digit())?),
            None => ("", behind),
        };
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let (_, unit_ns) = UNITS.iter().find(|(name, _)| *name == unit)?;
        total = total.and_then(|total| total.checked_add(part_ns(whole, fraction, *unit_ns)?));
        rest = behind;
    }
    Some(total.filter(|total| *total <= MAGNITUDE_MAX))
}

// A part of a nanosecond is cut off.
fn part_ns(whole: &str, fraction: &str, unit_ns: u64) -> Option<u64> {
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit_ns)?;
    let fraction = &fraction[..fraction.len().min(DECIMALS_MAX)];
    if fraction.is_empty() {
        return Some(whole);
    }
    let part = fraction.parse::<u128>().ok()? * u128::from(unit_ns)
        / 10u128.checked_pow(fraction.len() as u32)?;
    whole.checked_add(u64::try_from(part).ok()?)
}
