//! Tokens of PromQL.
//!
//! Three contexts read differently: inside braces every word is a label name, inside brackets words
//! are durations and the few functions of duration expressions, and elsewhere a word may hold colons.

use super::ast::Span;
use super::error::ParseError;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    End,
    /// A word; keywords among them.
    Word,
    Number,
    Duration,
    Text,
    /// An operator or a bracket.
    Sign(&'static str),
}

/// A token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its place.
    pub span: Span,
}

/// All tokens of a text; the last is [`Kind::End`].
pub fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let mut lexer = Lexer { text, at: 0, parens: 0, is_in_braces: false, is_in_brackets: false };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.next()?;
        tokens.push(token);
        if token.kind == Kind::End {
            return Ok(tokens);
        }
    }
}

/// Signs outside braces, longer ones first.
const SIGNS: [&str; 26] = [
    "==", "!=", "<=", ">=", "</", ">/", "(", ")", "{", "}", "[", "]", ",", "+", "-", "*", "/", "%",
    "^", "<", ">", "=", "@", ":", "=~", "!~",
];
/// Signs inside braces.
const MATCH_SIGNS: [&str; 6] = ["=~", "!~", "!=", "=", ",", "}"];

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    parens: usize,
    is_in_braces: bool,
    is_in_brackets: bool,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn error(&self, start: usize, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, Span { start, end: self.text.len() }, message)
    }

    fn token(&self, kind: Kind, start: usize) -> Token {
        Token { kind, span: Span { start, end: self.at } }
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.peek() {
                Some(' ' | '\t' | '\n' | '\r') => self.at += 1,
                Some('#') => {
                    let len = self.rest().find(['\n', '\r']).unwrap_or(self.rest().len());
                    self.at += len;
                }
                _ => return,
            }
        }
    }

    fn next(&mut self) -> Result<Token, ParseError> {
        self.skip_blanks();
        let start = self.at;
        let Some(next) = self.peek() else { return self.end() };
        if matches!(next, '"' | '\'' | '`') {
            self.quoted(next)?;
            return Ok(self.token(Kind::Text, start));
        }
        let second = self.rest().chars().nth(1);
        let is_number = next.is_ascii_digit()
            || next == '.' && second.is_some_and(|second| second.is_ascii_digit());
        if is_number && !self.is_in_braces {
            return self.number(start);
        }
        let is_word = next.is_ascii_alphabetic() || next == '_';
        if is_word || next == ':' && !self.is_in_braces && !self.is_in_brackets {
            return Ok(self.word(start));
        }
        self.sign(start, next)
    }

    fn end(&self) -> Result<Token, ParseError> {
        if self.is_in_braces {
            return Err(self.error(self.at, "unexpected end of input inside braces"));
        }
        if self.is_in_brackets {
            return Err(self.error(self.at, "unclosed left bracket"));
        }
        if self.parens > 0 {
            return Err(self.error(self.at, "unclosed left parenthesis"));
        }
        Ok(self.token(Kind::End, self.at))
    }

    fn word(&mut self, start: usize) -> Token {
        let has_colons = !self.is_in_braces && !self.is_in_brackets;
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':' && has_colons;
        self.at += self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        let word = &self.text[start..self.at];
        let is_number = !self.is_in_braces
            && (word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("nan"));
        self.token(if is_number { Kind::Number } else { Kind::Word }, start)
    }

    fn sign(&mut self, start: usize, next: char) -> Result<Token, ParseError> {
        let signs = if self.is_in_braces { &MATCH_SIGNS[..] } else { &SIGNS[..] };
        let Some(sign) = signs.iter().find(|sign| self.rest().starts_with(**sign)) else {
            let place = if self.is_in_braces { " inside braces" } else { "" };
            return Err(self.error(start, format!("unexpected character{place}: {next:?}")));
        };
        self.at += sign.len();
        match *sign {
            "(" => self.parens += 1,
            ")" if self.parens == 0 => {
                return Err(self.error(start, "unexpected right parenthesis ')'"));
            }
            ")" => self.parens -= 1,
            "{" => self.is_in_braces = true,
            "}" if !self.is_in_braces => {
                return Err(self.error(start, "unexpected character: '}'"));
            }
            "}" => self.is_in_braces = false,
            "[" if self.is_in_brackets => {
                return Err(self.error(start, "unexpected left bracket '['"));
            }
            "[" => self.is_in_brackets = true,
            "]" if !self.is_in_brackets => {
                return Err(self.error(start, "unexpected right bracket ']'"));
            }
            "]" => self.is_in_brackets = false,
            "=" if !self.is_in_braces && self.peek() == Some('~') => {
                return Err(self.error(start, "unexpected character after '=': '~'"));
            }
            _ => {}
        }
        Ok(self.token(Kind::Sign(sign), start))
    }

    /// A quoted text; escapes are read by [`unquote`].
    fn quoted(&mut self, quote: char) -> Result<(), ParseError> {
        let start = self.at;
        self.at += 1;
        while let Some(next) = self.peek() {
            self.at += next.len_utf8();
            match next {
                _ if next == quote => return Ok(()),
                '\\' if quote != '`' => {
                    self.at += self.peek().map_or(0, char::len_utf8);
                }
                '\n' if quote != '`' => break,
                _ => {}
            }
        }
        Err(self.error(start, "unterminated quoted string"))
    }

    fn number(&mut self, start: usize) -> Result<Token, ParseError> {
        let rest = self.rest();
        let len = number_len(rest);
        let after = rest[len.unwrap_or(0)..].chars().next();
        let is_end = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        if let Some(len) = len
            && is_end(after)
        {
            self.at += len;
            return Ok(self.token(Kind::Number, start));
        }
        let len = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        if is_end(rest[len..].chars().next()) && is_duration(&rest[..len]) {
            self.at += len;
            return Ok(self.token(Kind::Duration, start));
        }
        let bad = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_');
        let bad = &rest[..bad.unwrap_or(rest.len())];
        Err(self.error(start, format!("bad number or duration syntax: {bad:?}")))
    }
}

fn is_duration(word: &str) -> bool {
    let mut chars = word.chars().peekable();
    let mut parts = 0;
    while chars.peek().is_some() {
        let mut digits = 0;
        while chars.next_if(char::is_ascii_digit).is_some() {
            digits += 1;
        }
        let Some(unit) = chars.next() else { return false };
        if digits == 0 || !"smhdwy".contains(unit) {
            return false;
        }
        chars.next_if_eq(&'s');
        parts += 1;
    }
    parts > 0
}

/// The length of the number that a text begins with, as far as its form goes.
fn number_len(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_hex = bytes.len() > 2 && bytes[0] == b'0' && bytes[1].eq_ignore_ascii_case(&b'x');
    if is_hex {
        let digits = &bytes[2..];
        let len = digits.iter().take_while(|b| b.is_ascii_hexdigit() || **b == b'_').count();
        return (len > 0 && digits[len - 1] != b'_').then_some(len + 2);
    }
    let (mut at, mut has_dot, mut has_exponent) = (0, false, false);
    let mut last = 0u8;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'0'..=b'9' => {}
            b'_' if last.is_ascii_digit() => {}
            b'.' if !has_dot && !has_exponent && last != b'_' => has_dot = true,
            b'e' | b'E' if !has_exponent && (last.is_ascii_digit() || last == b'.') => {
                has_exponent = true;
                if matches!(bytes.get(at + 1), Some(b'+' | b'-')) {
                    at += 1;
                }
            }
            _ => break,
        }
        last = bytes[at];
        at += 1;
    }
    // A dot may end a number; nothing else but a digit may.
    (at > 0 && (last.is_ascii_digit() || last == b'.' && at > 1)).then_some(at)
}

/// The value of a number's text.
pub fn number_value(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    if plain.eq_ignore_ascii_case("inf") {
        return Some(f64::INFINITY);
    }
    if plain.eq_ignore_ascii_case("nan") {
        return Some(f64::NAN);
    }
    if let Some(hex) = plain.strip_prefix("0x").or_else(|| plain.strip_prefix("0X")) {
        return i64::from_str_radix(hex, 16).ok().map(|n| n as f64);
    }
    let is_octal = plain.len() > 1 && plain.starts_with('0');
    if is_octal && plain.bytes().all(|b| (b'0'..=b'7').contains(&b)) {
        return i64::from_str_radix(&plain, 8).ok().map(|n| n as f64);
    }
    plain.parse().ok()
}

/// The text between quotes, with Go's escapes replaced.
pub fn unquote(quoted: &str) -> Result<String, String> {
    let quote = quoted.chars().next().unwrap_or('"');
    let inner = &quoted[1..quoted.len() - 1];
    if quote == '`' {
        return Ok(inner.to_owned());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let escape = chars.next().ok_or("escape sequence not terminated")?;
        let plain = match escape {
            'a' => 7,
            'b' => 8,
            'f' => 12,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 11,
            '\\' => b'\\',
            _ if escape == quote => quote as u8,
            'x' => digits(&mut chars, None, 2, 16)? as u8,
            '0'..='7' => {
                let value = digits(&mut chars, Some(escape), 3, 8)?;
                u8::try_from(value).map_err(|_| "octal escape is above 255".to_owned())?
            }
            'u' | 'U' => {
                let len = if escape == 'u' { 4 } else { 8 };
                let code = digits(&mut chars, None, len, 16)?;
                let c = char::from_u32(code)
                    .ok_or("escape sequence is an invalid Unicode code point")?;
                bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            other => return Err(format!("unknown escape sequence {other:?}")),
        };
        bytes.push(plain);
    }
    String::from_utf8(bytes).map_err(|_| "the text is not UTF-8".to_owned())
}

fn digits(
    chars: &mut std::str::Chars<'_>,
    first: Option<char>,
    len: usize,
    radix: u32,
) -> Result<u32, String> {
    let mut value = 0u32;
    let mut next = first;
    for _ in 0..len {
        let c = next.take().or_else(|| chars.next()).ok_or("escape sequence not terminated")?;
        let digit = c.to_digit(radix);
        let digit = digit.ok_or_else(|| format!("illegal character {c:?} in escape sequence"))?;
        value = value.wrapping_mul(radix).wrapping_add(digit);
    }
    Ok(value)
}
