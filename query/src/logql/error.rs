//! What can go wrong with a query: one type, with where in the text and what kind of fault it is.

use std::fmt;

/// A result of this module.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of fault an [`Error`] is, by what the caller should do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is no query: the user must correct it.
    Syntax,
    /// The text is a query that cannot mean anything: the user must correct it.
    Meaning,
    /// A limit was reached: a narrower query, or a larger limit.
    Limit,
    /// A line could not be parsed or converted where a number was asked of it.
    Pipeline,
    /// Series of two sides do not match one to one.
    Matching,
}

/// Where in a query something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Bytes before it.
    pub offset: usize,
    /// Line, from one.
    pub line: usize,
    /// Column in characters, from one.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a text.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            offset,
            line: 1 + before.matches('\n').count(),
            column: 1 + before[line_start..].chars().count(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A query that cannot be answered, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    kind: ErrorKind,
    message: String,
    offset: Option<usize>,
    place: Option<Place>,
}

impl Error {
    /// An error of this kind that stands nowhere in particular.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), offset: None, place: None }
    }

    /// The text breaks the grammar at this byte.
    pub(super) fn syntax(offset: usize, message: impl Into<String>) -> Self {
        Self { offset: Some(offset), ..Self::new(ErrorKind::Syntax, message) }
    }

    /// What stands at this byte cannot mean anything.
    pub(super) fn meaning(offset: usize, message: impl Into<String>) -> Self {
        Self { offset: Some(offset), ..Self::new(ErrorKind::Meaning, message) }
    }

    /// A limit was reached.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Limit, message)
    }

    /// The same error, with line and column in the text that it is about.
    #[must_use]
    pub fn located(mut self, text: &str) -> Self {
        self.place = self.offset.map(|offset| Place::of(text, offset));
        self
    }

    /// What kind of fault it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The message without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Bytes of the query before what is wrong.
    pub fn offset(&self) -> Option<usize> {
        self.offset
    }

    /// Line and column; known after [`Error::located`], and from [`super::parse`] on.
    pub fn place(&self) -> Option<Place> {
        self.place
    }
}
