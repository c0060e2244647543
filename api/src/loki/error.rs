//! Errors as Loki's clients read them: plain text and a status.

use axum::response::{IntoResponse, Response};
use throughline_query::{self as query, logql};

use crate::error::ApiError;

/// An [`ApiError`] that leaves as plain text.
#[derive(Clone, Debug)]
pub struct LokiError(ApiError);

/// The result of what answers Loki's clients.
pub type Result<T> = std::result::Result<T, LokiError>;

impl LokiError {
    /// A parameter whose value breaks a rule.
    pub fn invalid(field: &str, value: &str, detail: impl Into<String>) -> Self {
        Self(ApiError::invalid(field, value, detail))
    }

    /// A query that means nothing, with the line and column where it is wrong.
    pub fn of_query(err: &logql::Error, text: &str) -> Self {
        let detail = match err.place() {
            Some(place) => format!(
                "parse error at line {}, col {}: {}",
                place.line,
                place.column,
                err.message()
            ),
            None => err.message().to_owned(),
        };
        Self(ApiError::invalid("query", text, detail))
    }
}

impl From<ApiError> for LokiError {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for LokiError {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for LokiError {
    fn into_response(self) -> Response {
        self.0.into_text()
    }
}
