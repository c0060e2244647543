//! One line of the protocol, from left to right.
//!
//! In names, tags and keys a backslash takes its meaning from a comma, a space and an equals sign, in texts from
//! a quote and a backslash; before anything else it stands for itself.

use std::borrow::Cow;

use crate::records::Read;

/// Fields and tags of a line, at most.
const PARTS_MAX: usize = 10_000;
/// Characters that an error shows.
const SHOWN_MAX: usize = 60;

/// A line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Line<'a> {
    /// What was measured.
    pub measurement: Cow<'a, str>,
    /// Tags.
    pub tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// Fields, at least one.
    pub fields: Vec<(Cow<'a, str>, Field)>,
    /// When, in the unit of the request.
    pub time: Option<i64>,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Field {
    /// A number or truth.
    Number(f64),
    /// A text.
    Text,
}

/// The lines of a text, each with its number from one; those that are empty or comments are left out.
pub struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { rest: text, number: 0 }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, Read<Line<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            let (line, rest) = split_line(self.rest);
            self.number += 1;
            let number = self.number;
            // A text may hold the end of a line.
            self.number += line.matches('\n').count();
            self.rest = rest;
            let line = line.strip_suffix('\r').unwrap_or(line).trim_start_matches(' ');
            if !line.is_empty() && !line.starts_with('#') {
                return Some((number, Parser { whole: line, rest: line }.line()));
            }
        }
        None
    }
}

/// The first line and what follows it. A quote opens a text where a value of a field begins.
fn split_line(text: &str) -> (&str, &str) {
    let mut is_text = false;
    let mut before = 0u8;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' if is_text || before == b'=' => is_text = !is_text,
            b'\n' if !is_text => return (&text[..at], &text[at + 1..]),
            _ => {}
        }
        before = byte;
    }
    if is_text && let Some((line, rest)) = text.split_once('\n') {
        // A text that does not end is a fault of its own line alone.
        return (line, rest);
    }
    (text, "")
}

struct Parser<'a> {
    whole: &'a str,
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn line(mut self) -> Read<Line<'a>> {
        let mut line = Line { measurement: self.word(&[',', ' '])?, ..Line::default() };
        if line.measurement.is_empty() {
            return Err(self.wrong("expected a measurement"));
        }
        while self.take(',') {
            let pair = self.key()?;
            let value = self.word(&[',', ' '])?;
            if line.tags.len() == PARTS_MAX {
                return Err(self.wrong("too many tags"));
            }
            line.tags.push((pair, value));
        }
        if !self.take(' ') {
            return Err(self.wrong("expected a space and fields"));
        }
        self.rest = self.rest.trim_start_matches(' ');
        loop {
            let key = self.key()?;
            let value = self.value()?;
            if line.fields.len() == PARTS_MAX {
                return Err(self.wrong("too many fields"));
            }
            line.fields.push((key, value));
            if !self.take(',') {
                break;
            }
        }
        let time = self.rest.trim_matches(' ');
        if !time.is_empty() {
            let parsed = time.parse().map_err(|_| self.wrong(&format!("'{time}' is no time")))?;
            line.time = Some(parsed);
        }
        Ok(line)
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// A key and its equals sign.
    fn key(&mut self) -> Read<Cow<'a, str>> {
        let key = self.word(&[',', ' ', '='])?;
        if key.is_empty() {
            return Err(self.wrong("expected a key"));
        }
        if !self.take('=') {
            return Err(self.wrong("expected '=' after a key"));
        }
        Ok(key)
    }

    /// Up to one of some characters.
    fn word(&mut self, ends: &[char]) -> Read<Cow<'a, str>> {
        let mut unescaped: Option<String> = None;
        let mut characters = self.rest.char_indices().peekable();
        let mut end = self.rest.len();
        while let Some((at, c)) = characters.next() {
            if ends.contains(&c) {
                end = at;
                break;
            }
            let next = characters.peek().map(|(_, c)| *c);
            match next.filter(|next| c == '\\' && matches!(next, ',' | ' ' | '=')) {
                Some(next) => {
                    unescaped.get_or_insert_with(|| self.rest[..at].to_owned()).push(next);
                    characters.next();
                }
                None => {
                    if let Some(text) = &mut unescaped {
                        text.push(c);
                    }
                }
            }
        }
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        Ok(unescaped.map_or(Cow::Borrowed(word), Cow::Owned))
    }

    fn value(&mut self) -> Read<Field> {
        if self.take('"') {
            let mut characters = self.rest.char_indices();
            while let Some((at, c)) = characters.next() {
                match c {
                    '\\' => {
                        characters.next();
                    }
                    '"' => {
                        self.rest = &self.rest[at + 1..];
                        return Ok(Field::Text);
                    }
                    _ => {}
                }
            }
            return Err(self.wrong("a text does not end"));
        }
        let end = self.rest.find([',', ' ']).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = match word {
            "t" | "T" | "true" | "True" | "TRUE" => Some(1.0),
            "f" | "F" | "false" | "False" | "FALSE" => Some(0.0),
            word => match word.strip_suffix('i') {
                Some(digits) => digits.parse::<i64>().ok().map(|n| n as f64),
                None => match word.strip_suffix('u') {
                    Some(digits) => digits.parse::<u64>().ok().map(|n| n as f64),
                    None => float(word),
                },
            },
        };
        number.map(Field::Number).ok_or_else(|| self.wrong(&format!("'{word}' is no value")))
    }

    fn wrong(&self, what: &str) -> String {
        let column = self.whole.len() - self.rest.len() + 1;
        let shown = self.whole.chars().take(SHOWN_MAX).collect::<String>();
        format!("column {column}: {what}: {shown}")
    }
}

/// A number of digits; what is none or infinite has no place in the protocol.
fn float(word: &str) -> Option<f64> {
    let is_number = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'+' | b'-' | b'e' | b'E');
    word.bytes().all(is_number).then(|| word.parse().ok()).flatten()
}
