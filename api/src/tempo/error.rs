//! Errors as Tempo's clients read them: plain text and a status.

use axum::response::{IntoResponse, Response};
use throughline_query as query;

use crate::error::{ApiError, ErrorKind};

/// An [`ApiError`] that leaves as plain text.
#[derive(Clone, Debug)]
pub struct TempoError(ApiError);

/// The result of what answers Tempo's clients.
pub type Result<T> = std::result::Result<T, TempoError>;

impl TempoError {
    /// A parameter whose value breaks a rule.
    pub fn invalid(field: &str, value: &str, detail: impl Into<String>) -> Self {
        Self(ApiError::invalid(field, value, detail))
    }

    /// An error of a query in TraceQL, with the line and column where it is.
    pub fn of_query(err: query::Error, text: &str) -> Self {
        let is_of_text =
            err.kind() == query::ErrorKind::Invalid || err.kind() == query::ErrorKind::Unsupported;
        match err.position().filter(|_| is_of_text) {
            Some(position) => {
                let (line, column) = line_and_column(text, position);
                let detail = format!(
                    "invalid TraceQL query: parse error at line {line}, col {column}: {err}"
                );
                Self(ApiError::invalid("q", text, detail).with_position(position))
            }
            None => Self(err.into()),
        }
    }

    /// What the client may read.
    pub fn message(&self) -> &str {
        &self.0.problem().detail
    }

    /// What the client should do.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind()
    }

    /// Writes what only our log may hold to it; for errors that leave in a stream.
    pub fn log(&self) {
        self.0.log();
    }
}

// Both from one, in characters.
fn line_and_column(text: &str, position: usize) -> (usize, usize) {
    let before = || text.chars().take(position);
    let line = before().filter(|c| *c == '\n').count() + 1;
    let column = before().collect::<Vec<_>>().into_iter().rev().take_while(|c| *c != '\n').count();
    (line, column + 1)
}

impl From<ApiError> for TempoError {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for TempoError {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for TempoError {
    fn into_response(self) -> Response {
        self.0.into_text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_lines_and_columns() {
        for (text, position, expected) in
            [("{a}", 0, (1, 1)), ("{a}", 2, (1, 3)), ("{é\n  b}", 5, (2, 3)), ("{", 9, (1, 2))]
        {
            assert_eq!(line_and_column(text, position), expected, "{text} {position}");
        }
    }
}
