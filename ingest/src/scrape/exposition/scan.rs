//! One line of a text, from left to right.

use crate::records::Read;

/// What is left of a line.
pub(super) struct Line<'a> {
    /// Counted from one.
    number: usize,
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Line<'a> {
    pub fn new(number: usize, text: &'a str) -> Self {
        Self { number, whole: text, rest: text }
    }

    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What is left.
    pub fn rest(&self) -> &'a str {
        self.rest
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    /// Takes a text that stands next.
    pub fn take(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Takes spaces and tabs; whether there were any.
    pub fn skip_blanks(&mut self) -> bool {
        let rest = self.rest.trim_start_matches([' ', '\t']);
        let has_any = rest.len() < self.rest.len();
        self.rest = rest;
        has_any
    }

    /// Takes characters as long as they are wanted.
    pub fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    /// Takes up to the next blank.
    pub fn word(&mut self) -> &'a str {
        self.take_while(|c| !matches!(c, ' ' | '\t'))
    }

    /// Takes a name without quotes.
    pub fn name(&mut self, allows_colons: bool) -> Read<&'a str> {
        let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || allows_colons && c == ':';
        let name = self.take_while(is_part);
        match name.starts_with(|c: char| c.is_ascii_digit()) || name.is_empty() {
            true => Err(self.wrong("expected a name")),
            false => Ok(name),
        }
    }

    /// Takes a text in double quotes, in which `\\`, `\"` and `\n` stand for one character.
    pub fn quoted(&mut self) -> Read<String> {
        if !self.take("\"") {
            return Err(self.wrong("expected '\"'"));
        }
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, c)) = characters.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => text.push(c),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => break,
                },
                c => text.push(c),
            }
        }
        Err(self.wrong("a text in quotes does not end"))
    }

    /// An error at this place.
    pub fn wrong(&self, what: &str) -> String {
        let column = self.whole.len() - self.rest.len() + 1;
        let shown = self.whole.chars().take(SHOWN_MAX).collect::<String>();
        format!("line {}, column {column}: {what}: {shown}", self.number)
    }
}

/// Characters of a line that an error shows.
const SHOWN_MAX: usize = 200;

/// A text of a HELP line: `\\` and `\n` stand for one character, in OpenMetrics `\"` too.
pub(super) fn unescaped(text: &str, is_openmetrics: bool) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match characters.next() {
            Some('n') => out.push('\n'),
            Some('\\') => out.push('\\'),
            Some('"') if is_openmetrics => out.push('"'),
            Some(other) => out.extend(['\\', other]),
            None => out.push('\\'),
        }
    }
    out
}
