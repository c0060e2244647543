//! The one place that says how an error becomes HTTP.
//!
//! An [`ApiError`] carries what the asker may read (`detail`, `field`, `value`, `limit`,
//! `position`) apart from what only our log may (`inside`). Outside it is a document of RFC 9457,
//! `application/problem+json`.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use throughline_query as query;
use utoipa::ToSchema;

/// Media type of an error.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// How long a client that came too early or to a busy server should wait.
const RETRY_AFTER_SECONDS: &str = "1";

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What the asker should do about an [`ApiError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Correct the request.
    Invalid,
    /// Ask for something that exists.
    NotFound,
    /// Use another method.
    MethodNotAllowed,
    /// Accept a media type that is offered.
    NotAcceptable,
    /// Send less.
    TooLarge,
    /// Send another media type.
    UnsupportedMediaType,
    /// Ask for something that is offered.
    Unsupported,
    /// Ask for less: a limit was reached.
    Limit,
    /// Come back.
    Busy,
    /// Ask for less, or allow more time.
    Deadline,
    /// Nothing: the asker went away.
    Cancelled,
    /// Tell the operator.
    Internal,
}

impl ErrorKind {
    /// Status, name in the problem's type, and title.
    fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Invalid => (StatusCode::BAD_REQUEST, "invalid", "The request is not valid"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not-found", "Not found"),
            Self::MethodNotAllowed => (
                StatusCode::METHOD_NOT_ALLOWED,
                "method-not-allowed",
                "The method is not allowed here",
            ),
            Self::NotAcceptable => (
                StatusCode::NOT_ACCEPTABLE,
                "not-acceptable",
                "No accepted media type is offered here",
            ),
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The request is too large")
            }
            Self::UnsupportedMediaType => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported-media-type",
                "The media type of the request is not understood",
            ),
            Self::Unsupported => (StatusCode::BAD_REQUEST, "unsupported", "Not supported"),
            Self::Limit => (StatusCode::UNPROCESSABLE_ENTITY, "limit", "A limit was reached"),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "The server is busy"),
            Self::Deadline => (StatusCode::GATEWAY_TIMEOUT, "deadline", "The deadline passed"),
            Self::Cancelled => {
                (StatusCode::SERVICE_UNAVAILABLE, "cancelled", "The query was cancelled")
            }
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "The server failed"),
        }
    }
}

/// An error of a request.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", self.inside.as_deref().unwrap_or(&self.problem.detail))]
pub struct ApiError {
    kind: ErrorKind,
    problem: Box<Problem>,
    inside: Option<String>,
}

/// The crate's result.
pub type Result<T> = std::result::Result<T, ApiError>;

/// An error as the client reads it (RFC 9457).
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of error: `urn:throughline:problem:<kind>`.
    #[serde(rename = "type")]
    #[schema(example = "urn:throughline:problem:invalid")]
    pub kind: String,
    /// The kind of error in words.
    #[schema(example = "The request is not valid")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 400)]
    pub status: u16,
    /// What is wrong with this request.
    #[schema(example = "limit '5000' is above the most traces a page, 1000")]
    pub detail: String,
    /// The parameter or field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "limit")]
    pub field: Option<String>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5000")]
    pub value: Option<String>,
    /// The limit that was reached or broken, with its unit where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1000")]
    pub limit: Option<String>,
    /// Where in the value the error is, in characters from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
}

impl ApiError {
    /// An error of any kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        let (status, name, title) = kind.parts();
        let problem = Problem {
            kind: format!("urn:throughline:problem:{name}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: detail.into(),
            ..Problem::default()
        };
        Self { kind, problem: Box::new(problem), inside: None }
    }

    /// The error as plain text, for clients that read no problems.
    pub fn into_text(self) -> Response {
        self.log();
        let status =
            StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, self.problem.detail.clone()).into_response();
        response.headers_mut().insert(CONTENT_TYPE, TEXT);
        if self.kind == ErrorKind::Busy {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }

    /// A parameter whose value breaks a rule.
    pub fn invalid(field: &str, value: &str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, detail).with_field(field).with_value(value)
    }

    /// A thing that does not exist.
    pub fn not_found(field: &str, value: &str, detail: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, detail).with_field(field).with_value(value)
    }

    /// A failure of ours; `inside` goes to the log and nowhere else.
    pub fn internal(inside: impl Into<String>) -> Self {
        let mut error =
            Self::new(ErrorKind::Internal, "the server could not answer; its log says why");
        error.inside = Some(inside.into());
        error
    }

    /// Names the parameter at fault.
    pub fn with_field(mut self, field: &str) -> Self {
        self.problem.field = Some(field.to_owned());
        self
    }

    /// Gives the value at fault, shortened if it is long.
    pub fn with_value(mut self, value: &str) -> Self {
        const VALUE_CHARS_MAX: usize = 200;
        let mut shown: String = value.chars().take(VALUE_CHARS_MAX).collect();
        if shown.len() < value.len() {
            shown.push('…');
        }
        self.problem.value = Some(shown);
        self
    }

    /// Gives the limit that was reached or broken.
    pub fn with_limit(mut self, limit: impl ToString) -> Self {
        self.problem.limit = Some(limit.to_string());
        self
    }

    /// Gives the place of the error inside the value.
    pub fn with_position(mut self, position: usize) -> Self {
        self.problem.position = Some(position as u64);
        self
    }

    /// What the asker should do.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What the client reads.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// The response of this error in another format than ours; status and headers are the same.
    pub fn respond_as(self, content_type: &'static str, body: Vec<u8>) -> Response {
        self.log();
        let (status, _, _) = self.kind.parts();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        if self.kind == ErrorKind::Busy {
            headers.insert(RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }

    /// Writes the inside message to the log, once; for errors that leave in a stream.
    pub fn log(&self) {
        if let Some(inside) = &self.inside {
            tracing::error!(error = %inside, "a request failed");
        }
    }
}

impl From<query::Error> for ApiError {
    fn from(err: query::Error) -> Self {
        let kind = match err.kind() {
            query::ErrorKind::Invalid | query::ErrorKind::Evaluation => ErrorKind::Invalid,
            query::ErrorKind::NotFound => ErrorKind::NotFound,
            query::ErrorKind::Unsupported => ErrorKind::Unsupported,
            query::ErrorKind::Deadline => ErrorKind::Deadline,
            query::ErrorKind::Limit => ErrorKind::Limit,
            query::ErrorKind::Busy => ErrorKind::Busy,
            query::ErrorKind::Cancelled => ErrorKind::Cancelled,
            query::ErrorKind::Storage | query::ErrorKind::Internal => {
                return Self::internal(err.to_string());
            }
        };
        let mut error = Self::new(kind, err.to_string());
        if let Some(field) = err.field() {
            error = error.with_field(field);
        }
        match err.position() {
            Some(position) => error.with_position(position),
            None => error,
        }
    }
}

impl From<arrow::error::ArrowError> for ApiError {
    fn from(err: arrow::error::ArrowError) -> Self {
        Self::internal(format!("a result cannot be written: {err}"))
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self.problem).unwrap_or_default();
        self.respond_as(PROBLEM_JSON, body)
    }
}
