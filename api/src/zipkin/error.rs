//! Errors as Zipkin's server gives them: a line of text.

use axum::response::{IntoResponse, Response};
use throughline_query as query;

use crate::error::ApiError;

/// An error of the Zipkin API.
#[derive(Clone, Debug)]
pub struct ZipkinError(pub ApiError);

/// The result of a handler.
pub type Result<T> = std::result::Result<T, ZipkinError>;

impl From<ApiError> for ZipkinError {
    fn from(err: ApiError) -> Self {
        Self(err)
    }
}

impl From<query::Error> for ZipkinError {
    fn from(err: query::Error) -> Self {
        Self(err.into())
    }
}

impl IntoResponse for ZipkinError {
    fn into_response(self) -> Response {
        let body = self.0.problem().detail.clone().into_bytes();
        self.0.respond_as("text/plain; charset=utf-8", body)
    }
}
