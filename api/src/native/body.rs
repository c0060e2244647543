//! JSON bodies, with errors that name the place.

use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use crate::error::{ApiError, ErrorKind, Result};

/// The largest body of a question.
pub const BODY_BYTES_MAX: usize = 2 << 20;

/// A JSON body.
#[derive(Clone, Copy, Debug)]
pub struct JsonBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        check_media_type(&request)?;
        let bytes = Bytes::from_request(request, state).await.map_err(unreadable)?;
        serde_json::from_slice(&bytes).map(JsonBody).map_err(|err| {
            ApiError::new(ErrorKind::Invalid, format!("the body is not as expected: {err}"))
                .with_field("body")
                .with_position(err.column().saturating_sub(1))
        })
    }
}

// Bodies that a browser may send across origins without asking are refused by their type.
fn check_media_type(request: &Request) -> Result<()> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    let detail = "the body must be application/json";
    Err(ApiError::new(ErrorKind::UnsupportedMediaType, detail)
        .with_field("content-type")
        .with_value(media_type))
}

fn unreadable(rejection: BytesRejection) -> ApiError {
    let detail = rejection.body_text();
    if rejection.into_response().status() == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = format!("the body has more than {BODY_BYTES_MAX} bytes");
        return ApiError::new(ErrorKind::TooLarge, detail)
            .with_field("body")
            .with_limit(BODY_BYTES_MAX);
    }
    ApiError::new(ErrorKind::Invalid, detail).with_field("body")
}
