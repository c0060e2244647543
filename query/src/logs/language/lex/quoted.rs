//! Texts in quotes.

use super::{Error, Result, Scanner};

impl Scanner<'_> {
    /// Whether a text in quotes is next.
    pub fn is_quoted(&self) -> bool {
        matches!(self.peek(), Some('"' | '`'))
    }

    /// Reads a text in quotes: `"…"` with escapes, or `` `…` `` as it is.
    pub fn quoted(&mut self) -> Result<String> {
        let start = self.at;
        if self.eat("`") {
            return self.raw(start);
        }
        self.bump();
        let mut text = String::new();
        while let Some(char) = self.bump() {
            match char {
                '"' => return Ok(text),
                '\\' => text.push(self.escape()?),
                other => text.push(other),
            }
        }
        Err(Error::at(start, "the text has no end: its closing '\"' is missing"))
    }

    fn escape(&mut self) -> Result<char> {
        let at = self.at - 1;
        match self.bump() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some(char) if !char.is_alphanumeric() => Ok(char),
            Some(char) => Err(Error::at(
                at,
                format!(
                    "unknown escape '\\{char}': write '\\\\{char}', or put the text in backquotes"
                ),
            )),
            None => Err(Error::at(at, "a character was expected behind '\\', found the end")),
        }
    }

    fn raw(&mut self, start: usize) -> Result<String> {
        let rest = self.rest();
        let Some(end) = rest.find('`') else {
            return Err(Error::at(start, "the text has no end: its closing '`' is missing"));
        };
        self.at += end + 1;
        Ok(rest[..end].to_owned())
    }

    /// Reads a regular expression in quotes. Its escapes are its own, but `\"` is `"`.
    pub fn quoted_regex(&mut self) -> Result<String> {
        let start = self.at;
        if self.eat("`") {
            return self.raw(start).map(|raw| plain_quotes(&raw));
        }
        self.bump();
        let mut escaped = false;
        let rest = self.rest();
        for (at, char) in rest.char_indices() {
            match char {
                '"' if !escaped => {
                    self.at += at + 1;
                    return Ok(plain_quotes(&rest[..at]));
                }
                '\\' => escaped = !escaped,
                _ => escaped = false,
            }
        }
        Err(Error::at(start, "the regular expression has no end: its closing '\"' is missing"))
    }
}

// `\"` means `"` to a regular expression: one spelling of both is kept.
fn plain_quotes(regex: &str) -> String {
    let mut plain = String::with_capacity(regex.len());
    let mut chars = regex.chars();
    while let Some(char) = chars.next() {
        match (char, chars.clone().next()) {
            ('\\', Some('"')) => {}
            ('\\', Some(next)) => {
                plain.extend([char, next]);
                chars.next();
            }
            _ => plain.push(char),
        }
    }
    plain
}
