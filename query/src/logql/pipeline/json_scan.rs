//! Reads JSON without building it: what nobody wants is only passed over.

use memchr::memchr2;

/// Where a text is no JSON, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The byte.
    pub at: usize,
    /// What was expected there.
    pub expected: &'static str,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)
    }
}

/// Text between quotes.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    inner: &'a str,
    is_escaped: bool,
}

impl<'a> Raw<'a> {
    /// The text, which may need a buffer.
    pub fn text<'b>(&self, buffer: &'b mut String) -> &'b str
    where
        'a: 'b,
    {
        if !self.is_escaped {
            return self.inner;
        }
        buffer.clear();
        unescape(self.inner, buffer);
        buffer
    }
}

/// A value whose inside has not been looked at yet, if it has one.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// Text.
    String(Raw<'a>),
    /// A number or truth value as it is written.
    Plain(&'a str),
    /// `null`
    Null,
    /// An object; its `{` is next.
    Object,
    /// An array; its `[` is next.
    Array,
}

/// Reads a text from the front.
#[derive(Clone)]
pub struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// At the front of a text.
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    fn fail<T>(&self, expected: &'static str) -> Result<T, Fault> {
        Err(Fault { at: self.at, expected })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    /// Into an object.
    pub fn open_object(&mut self) -> Result<(), Fault> {
        if self.take(b'{') { Ok(()) } else { self.fail("'{'") }
    }

    /// Into an array.
    pub fn open_array(&mut self) -> Result<(), Fault> {
        if self.take(b'[') { Ok(()) } else { self.fail("'['") }
    }

    /// The next key of an object; none behind the last, and then its `}` is passed.
    pub fn key(&mut self, is_first: bool) -> Result<Option<Raw<'a>>, Fault> {
        if self.take(b'}') {
            return Ok(None);
        }
        if !is_first && !self.take(b',') {
            return self.fail("',' or '}'");
        }
        self.skip_space();
        let key = self.string()?;
        if self.take(b':') { Ok(Some(key)) } else { self.fail("':'") }
    }

    /// Whether an array has another element; behind the last its `]` is passed.
    pub fn element(&mut self, is_first: bool) -> Result<bool, Fault> {
        if self.take(b']') {
            return Ok(false);
        }
        if !is_first && !self.take(b',') {
            return self.fail("',' or ']'");
        }
        Ok(true)
    }

    fn string(&mut self) -> Result<Raw<'a>, Fault> {
        if self.peek() != Some(b'"') {
            return self.fail("a string");
        }
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        let mut is_escaped = false;
        loop {
            let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) else {
                return self.fail("the end of a string");
            };
            at += found;
            if bytes[at] == b'"' {
                break;
            }
            is_escaped = true;
            at += 2;
        }
        self.at = at + 1;
        match self.text.get(start..at) {
            Some(inner) => Ok(Raw { inner, is_escaped }),
            None => self.fail("a string"),
        }
    }

    /// The next value; objects and arrays are not entered.
    pub fn value(&mut self) -> Result<Value<'a>, Fault> {
        self.skip_space();
        match self.peek() {
            Some(b'"') => self.string().map(Value::String),
            Some(b'{') => Ok(Value::Object),
            Some(b'[') => Ok(Value::Array),
            _ => {
                let rest = &self.text[self.at..];
                let is_end = |c: char| matches!(c, ',' | '}' | ']') || c.is_ascii_whitespace();
                let plain = &rest[..rest.find(is_end).unwrap_or(rest.len())];
                if !is_plain(plain) {
                    return self.fail("a value");
                }
                self.at += plain.len();
                Ok(if plain == "null" { Value::Null } else { Value::Plain(plain) })
            }
        }
    }

    /// Passes an object or array and gives its text. Only its brackets and strings are looked at.
    pub fn skip(&mut self) -> Result<&'a str, Fault> {
        self.skip_space();
        let (start, mut depth) = (self.at, 0usize);
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                None => return self.fail("the end of an object or array"),
                Some(b'"') => {
                    self.string()?;
                    continue;
                }
                Some(b'{' | b'[') => depth += 1,
                Some(b'}' | b']') => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return Ok(self.text.get(start..self.at).unwrap_or_default());
            }
        }
    }
}

fn is_plain(text: &str) -> bool {
    match text.as_bytes() {
        b"true" | b"false" | b"null" => true,
        [b'-' | b'0'..=b'9', rest @ ..] => {
            let is = |b: &u8| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-');
            rest.iter().all(is) && text != "-"
        }
        _ => false,
    }
}

// Escapes that are wrong stand for themselves.
fn unescape(inner: &str, out: &mut String) {
    let mut rest = inner;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(kind) = rest.chars().next() else { return out.push('\\') };
        rest = &rest[kind.len_utf8()..];
        match kind {
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => rest = unescape_unicode(rest, out),
            _ => out.push(kind),
        }
    }
    out.push_str(rest);
}

fn unescape_unicode<'a>(rest: &'a str, out: &mut String) -> &'a str {
    let code = |text: &str| text.get(..4).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    let Some(first) = code(rest) else {
        out.push_str("\\u");
        return rest;
    };
    let rest = &rest[4..];
    if (0xd800..0xdc00).contains(&first)
        && let Some(second) = rest.strip_prefix("\\u").and_then(code)
        && (0xdc00..0xe000).contains(&second)
    {
        let joined = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        out.push(char::from_u32(joined).unwrap_or(char::REPLACEMENT_CHARACTER));
        return &rest[6..];
    }
    out.push(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
    rest
}
