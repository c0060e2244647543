//! The module's one error: what is wrong with a query, and where in its text.

use super::ast::Place;

/// A query that breaks a rule.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    message: String,
    place: Place,
}

/// The module's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error at a place of the query.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { message: message.into(), place }
    }

    /// An error at a byte of the query.
    pub fn at(offset: usize, message: impl Into<String>) -> Self {
        Self::new(Place { start: offset, end: offset }, message)
    }

    /// What is wrong and what was expected.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The wrong piece of the query, in bytes.
    pub fn place(&self) -> Place {
        self.place
    }

    /// Where the error is in `text`, in characters from zero.
    pub fn char_offset(&self, text: &str) -> usize {
        before(text, self.place.start).chars().count()
    }

    /// Line and column of the error in `text`, from one, in characters.
    pub fn line_column(&self, text: &str) -> (usize, usize) {
        let before = before(text, self.place.start);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (line, before[start..].chars().count() + 1)
    }
}

// What stands before a byte, which may lie past the end or inside a character.
fn before(text: &str, offset: usize) -> &str {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
