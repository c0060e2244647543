//! Errors as Elasticsearch's clients read them.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde_json::{Value, json};
use throughline_query as query;

use crate::error::{ApiError, ErrorKind};

/// An [`ApiError`] in Elasticsearch's shape.
#[derive(Clone, Debug)]
pub struct ElasticError(ApiError);

/// The result of what answers Elasticsearch's clients.
pub type Result<T> = std::result::Result<T, ElasticError>;

impl ElasticError {
    /// A member of a request whose value breaks a rule.
    pub fn invalid(field: &str, value: &str, detail: impl Into<String>) -> Self {
        Self(ApiError::invalid(field, value, detail))
    }

    /// What Elasticsearch knows and is not offered here.
    pub fn unsupported(detail: impl Into<String>) -> Self {
        Self(ApiError::new(ErrorKind::Unsupported, detail))
    }

    /// More buckets than an answer may have.
    pub fn too_many_buckets(limit: usize) -> Self {
        let detail = format!("the answer has more than {limit} buckets: ask for a longer interval");
        Self(ApiError::new(ErrorKind::Limit, detail))
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.problem().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The body of an answer.
    pub fn body(&self) -> Value {
        let kind = match self.0.kind() {
            ErrorKind::Invalid => "parsing_exception",
            ErrorKind::Limit => "too_many_buckets_exception",
            ErrorKind::Busy => "es_rejected_execution_exception",
            ErrorKind::Deadline => "timeout_exception",
            ErrorKind::Cancelled => "task_cancelled_exception",
            ErrorKind::Internal => "search_phase_execution_exception",
            _ => "illegal_argument_exception",
        };
        let cause = json!({ "type": kind, "reason": self.0.problem().detail });
        json!({
            "error": { "root_cause": [cause], "type": kind, "reason": self.0.problem().detail },
            "status": self.status().as_u16(),
        })
    }

    /// Says in our log what only we may read.
    pub fn log(&self) {
        self.0.log();
    }
}

impl From<ApiError> for ElasticError {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for ElasticError {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for ElasticError {
    fn into_response(self) -> Response {
        self.log();
        (self.status(), Json(self.body())).into_response()
    }
}
