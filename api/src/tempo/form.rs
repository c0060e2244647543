//! In which form an answer leaves: JSON, or protobuf if `Accept` names it. Anything else gets JSON, as
//! Tempo's clients expect.

use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderValue};
use prost::Message;
use serde::Serialize;

use super::error::Result;
use crate::error::ApiError;
use crate::native::form::{OtlpForm, PARTIAL};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";

/// The form that a request asks for.
pub fn form(headers: &HeaderMap) -> OtlpForm {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let named =
        |accept: &str| accept.contains(PROTOBUF) || accept.contains("application/x-protobuf");
    if accepts.into_iter().any(named) { OtlpForm::Protobuf(PROTOBUF) } else { OtlpForm::Json }
}

/// A message as an answer. `partial` are the segments whose items it lacks; where the message has no
/// place to say so, the header [`PARTIAL`] does.
pub fn respond<M: Message + Serialize>(
    headers: &HeaderMap,
    message: &M,
    partial: &[String],
) -> Result<Response> {
    let (media_type, body) = match form(headers) {
        OtlpForm::Protobuf(name) => (name, message.encode_to_vec()),
        OtlpForm::Json => {
            let body = serde_json::to_vec(message).map_err(|err| {
                ApiError::internal(format!("an answer cannot be written as JSON: {err}"))
            })?;
            (JSON, body)
        }
    };
    let mut response = ([(CONTENT_TYPE, media_type), (VARY, "accept")], body).into_response();
    if !partial.is_empty()
        && let Ok(value) = HeaderValue::from_str(&partial.join(","))
    {
        response.headers_mut().insert(PARTIAL, value);
    }
    Ok(response)
}
