//! Parameters of the address, and with POST those of a form in the body.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::Method;
use http::header::CONTENT_TYPE;

use super::error::{LokiError, Result};
use crate::native::params::Params;

const FORM: &str = "application/x-www-form-urlencoded";

/// The parameters of a request: of the body first, then of the address.
pub struct Form(pub Params);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = LokiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let (mut parts, body) = request.into_parts();
        let of_address = Params::from_request_parts(&mut parts, state).await?;
        let media_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let is_form = media_type.is_some_and(|name| {
            name.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(FORM)
        });
        if parts.method != Method::POST || !is_form {
            return Ok(Self(of_address));
        }
        let request = Request::from_parts(parts, body);
        let body = Bytes::from_request(request, state).await.map_err(|err| {
            LokiError::invalid("body", "", format!("the form cannot be read: {err}"))
        })?;
        Ok(Self(Params::of_form(&body).and_also(of_address)))
    }
}
