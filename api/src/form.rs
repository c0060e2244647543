//! Parameters that may stand in the address, and with POST in a form in the body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::Method;
use http::header::CONTENT_TYPE;

use crate::error::{ApiError, Result};
use crate::native::params::Params;

const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a request: of the body first, then of the address.
pub async fn read_form<S: Send + Sync>(request: Request, state: &S) -> Result<Params> {
    let (mut parts, body) = request.into_parts();
    let of_address = Params::from_request_parts(&mut parts, state).await?;
    let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_form = media_type.is_some_and(|name| {
        name.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
    });
    if parts.method != Method::POST || !is_form {
        return Ok(of_address);
    }
    let request = Request::from_parts(parts, body);
    let body = Bytes::from_request(request, state)
        .await
        .map_err(|err| ApiError::invalid("body", "", format!("the form cannot be read: {err}")))?;
    Ok(Params::of_form(&body).and_also(of_address))
}
