//! Errors in the envelope of Jaeger's v1 API: `{"data":[],…,"errors":[{"code","msg"}]}`.

use axum::response::{IntoResponse, Response};
use throughline_query as query;

use super::wire::{Envelope, EnvelopeError};
use crate::error::ApiError;

const JSON: &str = "application/json";

/// An error of the v1 API.
#[derive(Clone, Debug)]
pub struct JaegerError(pub ApiError);

/// The result of a v1 handler.
pub type Result<T> = std::result::Result<T, JaegerError>;

impl From<ApiError> for JaegerError {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for JaegerError {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for JaegerError {
    fn into_response(self) -> Response {
        let problem = self.0.problem();
        let error = EnvelopeError {
            code: Some(problem.status),
            msg: problem.detail.clone(),
            trace_id: None,
        };
        // A list even here: clients look at `data` before they look at `errors`.
        let body = Envelope::<[(); 0]> { errors: Some(vec![error]), ..Envelope::default() };
        let body = serde_json::to_vec(&body).unwrap_or_default();
        self.0.respond_as(JSON, body)
    }
}
