//! Errors as Prometheus's clients read them: a type, a message and a status.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::json;
use throughline_query::{self as query, promql};

use crate::error::{ApiError, ErrorKind};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The status of a query whose asker went away (nginx's; there is none in HTTP).
const CLIENT_CLOSED: u16 = 499;

/// An error of a question in PromQL.
#[derive(Clone, Debug)]
pub struct PromError {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

/// The result of what answers Prometheus's clients.
pub type Result<T> = std::result::Result<T, PromError>;

impl PromError {
    /// A request that breaks a rule.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_data", message: message.into() }
    }

    /// A parameter whose value breaks a rule.
    pub fn invalid(name: &str, message: impl std::fmt::Display) -> Self {
        Self::bad_data(format!("invalid parameter {name:?}: {message}"))
    }

    fn of(kind: ErrorKind, message: String) -> Self {
        let closed = StatusCode::from_u16(CLIENT_CLOSED).unwrap_or(StatusCode::BAD_REQUEST);
        let (status, kind) = match kind {
            ErrorKind::Invalid | ErrorKind::Unsupported => (StatusCode::BAD_REQUEST, "bad_data"),
            ErrorKind::NotFound | ErrorKind::MethodNotAllowed => {
                (StatusCode::NOT_FOUND, "not_found")
            }
            ErrorKind::NotAcceptable | ErrorKind::UnsupportedMediaType => {
                (StatusCode::NOT_ACCEPTABLE, "not_acceptable")
            }
            ErrorKind::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "bad_data"),
            ErrorKind::Limit => (StatusCode::UNPROCESSABLE_ENTITY, "execution"),
            ErrorKind::Busy => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            ErrorKind::Deadline => (StatusCode::SERVICE_UNAVAILABLE, "timeout"),
            ErrorKind::Cancelled => (closed, "canceled"),
            ErrorKind::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal"),
        };
        Self { status, kind, message }
    }
}

impl From<ApiError> for PromError {
    fn from(err: ApiError) -> Self {
        err.log();
        let kind = err.kind();
        Self::of(kind, err.problem().detail.clone())
    }
}

impl From<query::Error> for PromError {
    fn from(err: query::Error) -> Self {
        if err.kind() == query::ErrorKind::Evaluation {
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            return Self { status, kind: "execution", message: err.to_string() };
        }
        let is_of_query = err.field() == Some("query");
        let mut told = Self::from(ApiError::from(err));
        if is_of_query {
            told.message = format!("invalid parameter \"query\": {}", told.message);
        }
        told
    }
}

impl From<promql::ParseError> for PromError {
    fn from(err: promql::ParseError) -> Self {
        Self::invalid("query", err)
    }
}

impl IntoResponse for PromError {
    fn into_response(self) -> Response {
        let body = json!({"status": "error", "errorType": self.kind, "error": self.message});
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        if self.kind == "unavailable" {
            headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}
