//! Errors in the envelope of Jaeger's v3 API: `{"error":{"httpCode","message"}}`.

use axum::response::{IntoResponse, Response};
use serde_json::json;
use throughline_query as query;

use crate::error::ApiError;

/// An error of the v3 API.
#[derive(Clone, Debug)]
pub struct V3Error(pub ApiError);

/// The result of a v3 handler.
pub type Result<T> = std::result::Result<T, V3Error>;

impl From<ApiError> for V3Error {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for V3Error {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for V3Error {
    fn into_response(self) -> Response {
        let problem = self.0.problem();
        let body = json!({"error": {"httpCode": problem.status, "message": problem.detail}});
        self.0.respond_as("application/json", body.to_string().into_bytes())
    }
}
