//! Literals: text in quotes with escapes, raw text, numbers and numbers with a unit.

use super::super::error::{Error, Result};
use super::units::{bytes, duration};
use super::{Lexer, Token};

impl Lexer<'_> {
    /// Text between backquotes, as it is.
    pub(super) fn raw(&mut self) -> Result<String> {
        let start = self.at;
        let inner = &self.rest()[1..];
        let Some(end) = inner.find('`') else {
            return Err(Error::syntax(start, "unterminated string: its closing '`' is missing"));
        };
        self.at += end + 2;
        Ok(inner[..end].to_owned())
    }

    /// Text between double quotes, with the escapes of Go.
    pub(super) fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        let mut bytes = Vec::new();
        self.at += 1;
        loop {
            let piece = self.take_while(|c| c != '"' && c != '\\' && c != '\n');
            bytes.extend_from_slice(piece.as_bytes());
            match self.peek() {
                Some('"') => break,
                Some('\\') => self.escape(&mut bytes)?,
                _ => {
                    let message = "unterminated string: its closing '\"' is missing";
                    return Err(Error::syntax(start, message));
                }
            }
        }
        self.at += 1;
        String::from_utf8(bytes)
            .map_err(|_| Error::syntax(start, "escapes of the string do not give utf-8"))
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<()> {
        let start = self.at;
        self.at += 1;
        let Some(kind) = self.peek() else {
            return Err(Error::syntax(start, "unterminated string: it ends behind '\\'"));
        };
        if kind.is_digit(8) {
            let byte = u8::try_from(self.digits(start, 3, 8)?)
                .map_err(|_| Error::syntax(start, "an octal escape ends at '\\377'"))?;
            bytes.push(byte);
            return Ok(());
        }
        self.at += kind.len_utf8();
        let byte = match kind {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' | '"' | '\'' => kind as u8,
            'x' => self.digits(start, 2, 16)? as u8,
            'u' | 'U' => {
                let code = self.digits(start, if kind == 'u' { 4 } else { 8 }, 16)?;
                let c = char::from_u32(code).ok_or_else(|| {
                    Error::syntax(start, format!("{code:x} is no character of unicode"))
                })?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => {
                let message = format!(
                    "unknown escape '\\{kind}': write '\\\\{kind}', or put the text in backquotes"
                );
                return Err(Error::syntax(start, message));
            }
        };
        bytes.push(byte);
        Ok(())
    }

    fn digits(&mut self, start: usize, count: usize, radix: u32) -> Result<u32> {
        let digits = self.rest().get(..count);
        let is_digit = |c: char| c.is_digit(radix);
        let digits = digits.filter(|digits| digits.chars().all(is_digit));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
        self.at += count;
        value.ok_or_else(|| Error::syntax(start, format!("the escape needs {count} digits")))
    }

    /// A number, duration or amount of bytes; all of it that could belong together.
    pub(super) fn number(&mut self) -> Result<Token> {
        let start = self.at;
        let mut is_plain = true;
        while let Some(c) = self.peek() {
            let behind = self.rest().as_bytes().get(1).copied().unwrap_or_default();
            let is_exponent = is_plain && matches!(c, 'e' | 'E') && matches!(behind, b'+' | b'-');
            if !(c.is_alphanumeric() || c == '.' || c == '_') {
                break;
            }
            is_plain &= c.is_ascii_digit() || c == '.';
            self.at += c.len_utf8() + usize::from(is_exponent);
        }
        let text = &self.text[start..self.at];
        let is_number = !text.ends_with(['e', 'E']) && text.bytes().all(is_number_byte);
        if is_number && let Ok(number) = text.parse::<f64>() {
            return if number.is_finite() {
                Ok(Token::Number(number))
            } else {
                Err(Error::syntax(start, format!("'{text}' is out of range")))
            };
        }
        if let Some(hex) = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))
            && let Ok(number) = u32::from_str_radix(hex, 16)
        {
            return Ok(Token::Number(f64::from(number)));
        }
        if let Some(duration) = duration(text) {
            return Ok(Token::Duration(duration));
        }
        if let Some(bytes) = bytes(text) {
            return Ok(Token::Bytes(bytes));
        }
        let message = format!(
            "'{text}' is neither a number, nor a duration as 1h30m, nor an amount of bytes as 5MB"
        );
        Err(Error::syntax(start, message))
    }
}

fn is_number_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-')
}
