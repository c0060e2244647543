//! Parameters of the address, and with POST those of a form in the body.

use axum::extract::{FromRequest, Request};

use super::error::{LokiError, Result};
use crate::form::read_form;
use crate::native::params::Params;

/// The parameters of a request: of the body first, then of the address.
pub struct Form(pub Params);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = LokiError;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Ok(Self(read_form(request, state).await?))
    }
}
