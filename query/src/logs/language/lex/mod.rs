//! Characters into words, texts and symbols. What ends a word depends on where it stands (`a-b` is a
//! word of the filter bar and a difference in `math`), so the parser asks for what it wants to read.

mod quoted;

use super::ast::{Part, Place};
use super::error::{Error, Result};
use super::grammar::QUERY_BYTES_MAX;

/// What a bare word is read for, and so what ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// A term of the filter bar, or the name before a colon.
    Term,
    /// The same in a pipe, where `=`, `<`, `>` and `!` compare.
    PipeTerm,
    /// A value behind a colon.
    Value,
    /// An end of a range.
    End,
    /// The name of a field in a pipe.
    Name,
    /// The name of a field in an expression.
    MathName,
}

impl Mode {
    fn ends(self, char: char) -> bool {
        if char.is_whitespace() || matches!(char, '"' | '`' | '(' | ')' | '|') {
            return true;
        }
        match self {
            Self::Term => char == ':',
            Self::PipeTerm => matches!(char, ':' | '=' | '<' | '>' | '!'),
            Self::Value => false,
            Self::End => matches!(char, ']' | '}' | ','),
            Self::Name => !is_name(char) && char != '-' && char != '/',
            Self::MathName => !is_name(char),
        }
    }
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || matches!(char, '_' | '.' | '@' | '$')
}

/// Reads a query from left to right.
#[derive(Clone, Debug)]
pub(super) struct Scanner<'t> {
    text: &'t str,
    /// The next byte.
    pub at: usize,
}

impl<'t> Scanner<'t> {
    /// A scanner at the start.
    pub fn new(text: &'t str) -> Result<Self> {
        if text.len() > QUERY_BYTES_MAX {
            let length = text.len();
            let message = format!("the query has {length} bytes, the limit is {QUERY_BYTES_MAX}");
            return Err(Error::at(0, message));
        }
        Ok(Self { text, at: 0 })
    }

    /// What is not read yet.
    pub fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// The next character.
    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// The character behind the next.
    pub fn peek_second(&self) -> Option<char> {
        self.rest().chars().nth(1)
    }

    /// Whether all is read.
    pub fn is_end(&self) -> bool {
        self.at >= self.text.len()
    }

    /// Reads one character.
    pub fn bump(&mut self) -> Option<char> {
        let char = self.peek()?;
        self.at += char.len_utf8();
        Some(char)
    }

    /// Reads white space.
    pub fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Reads this symbol, if it is next.
    pub fn eat(&mut self, symbol: &str) -> bool {
        let found = self.rest().starts_with(symbol);
        if found {
            self.at += symbol.len();
        }
        found
    }

    /// Reads this word after white space, in any case, if it is next and ends here.
    pub fn eat_word(&mut self, word: &str) -> bool {
        let mut ahead = self.clone();
        ahead.skip_space();
        let is_same = ahead.identifier().eq_ignore_ascii_case(word) && !word.is_empty();
        let goes_on = ahead.peek().is_some_and(|char| !Mode::Name.ends(char));
        let found = is_same && !goes_on;
        if found {
            self.at = ahead.at;
        }
        found
    }

    /// Reads ASCII letters, digits and underscores.
    pub fn identifier(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The place from a byte up to here.
    pub fn place_from(&self, start: usize) -> Place {
        Place { start, end: self.at }
    }

    /// Whether nothing that could go on a bare word follows.
    pub fn is_stop(&self) -> bool {
        self.peek().is_none_or(|char| Mode::Value.ends(char))
    }

    /// Reads a bare word: texts, with `*` between them. It is empty where none is next.
    pub fn bare(&mut self, mode: Mode) -> Result<Vec<Part>> {
        let (mut parts, mut text) = (Vec::new(), String::new());
        while let Some(char) = self.peek().filter(|char| !mode.ends(*char)) {
            let start = self.at;
            self.bump();
            match char {
                '\\' => match self.bump() {
                    Some(escaped) => text.push(escaped),
                    None => {
                        let message = "a character was expected behind '\\', found the end";
                        return Err(Error::at(start, message));
                    }
                },
                '*' => {
                    if !text.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut text)));
                    }
                    if parts.last() != Some(&Part::Any) {
                        parts.push(Part::Any);
                    }
                }
                other => text.push(other),
            }
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        Ok(parts)
    }

    /// Reads a bare word in which `*` has no meaning.
    pub fn plain(&mut self, mode: Mode) -> Result<String> {
        let parts = self.bare(mode)?;
        let text = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Any => "*".to_owned(),
        };
        Ok(parts.iter().map(text).collect())
    }

    /// What stands here, for a message.
    pub fn found(&self) -> String {
        const FOUND_CHARS_MAX: usize = 30;
        let rest = self.rest().trim_start();
        let mut end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        if let Some(first) = rest.chars().next()
            && !is_name(first)
        {
            end = first.len_utf8();
        }
        let word = rest[..end].chars().take(FOUND_CHARS_MAX).collect::<String>();
        if word.is_empty() { "the end".to_owned() } else { format!("'{word}'") }
    }
}
