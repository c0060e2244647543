//! The form of an answer that has two: the API's own JSON, and OTLP as it was sent.
//!
//! | `format` | `Accept` | answer |
//! |---|---|---|
//! | absent or `json` | JSON, anything, or none | the API's own JSON |
//! | absent | protobuf | OTLP protobuf |
//! | `otlp` | JSON, anything, or none | OTLP/JSON |
//! | `otlp` | protobuf | OTLP protobuf |
//!
//! An OTLP answer is what an Export request holds and nothing else, so what the API's own JSON says
//! beside the items stands in headers: [`NEXT_CURSOR`] and [`PARTIAL`].

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message;
use tokio_util::task::TaskTracker;

use super::accept::negotiate;
use super::params::Params;
use crate::error::{ApiError, Result};

/// Names segments whose items the answer lacks.
pub const PARTIAL: HeaderName = HeaderName::from_static("throughline-partial");
/// The cursor of the next page, where there is one.
pub const NEXT_CURSOR: HeaderName = HeaderName::from_static("throughline-next-cursor");
/// Answers of up to this many items are written where they are; larger ones off the async workers.
const INLINE_ITEMS_MAX: usize = 200;

const JSON: &str = "application/json";
const X_PROTOBUF: &str = "application/x-protobuf";
const PROTOBUF: &str = "application/protobuf";

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The API's own JSON.
    Json,
    /// As OTLP.
    Otlp(OtlpForm),
}

/// How OTLP is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtlpForm {
    /// In the JSON mapping of the specification.
    Json,
    /// As protobuf, under this media type.
    Protobuf(&'static str),
}

const OTLP: [(&str, OtlpForm); 3] = [
    (JSON, OtlpForm::Json),
    (X_PROTOBUF, OtlpForm::Protobuf(X_PROTOBUF)),
    (PROTOBUF, OtlpForm::Protobuf(PROTOBUF)),
];

/// The form that a request asks for where only OTLP is offered; `format` may say so.
pub fn otlp_form(headers: &HeaderMap, params: &Params) -> Result<OtlpForm> {
    match params.one("format")? {
        None | Some("otlp") => negotiate(headers, &OTLP),
        Some(other) => {
            let detail = format!("format '{other}' is not offered here, only otlp");
            Err(ApiError::invalid("format", other, detail))
        }
    }
}

/// The form that a request asks for by `format` and `Accept`.
pub fn form(headers: &HeaderMap, params: &Params) -> Result<Form> {
    match params.one("format")? {
        None => Ok(match negotiate(headers, &OTLP)? {
            OtlpForm::Json => Form::Json,
            protobuf => Form::Otlp(protobuf),
        }),
        Some("json") => negotiate(headers, &[(JSON, Form::Json)]),
        Some("otlp") => negotiate(headers, &OTLP).map(Form::Otlp),
        Some(other) => {
            let detail = format!("format '{other}' is none of json, otlp");
            Err(ApiError::invalid("format", other, detail))
        }
    }
}

/// An answer of OTLP.
#[derive(Debug, Default)]
pub struct OtlpAnswer {
    /// How many items it has.
    pub items: usize,
    /// Segments that could not be read.
    pub partial: Vec<String>,
    /// The cursor of the next page.
    pub next_cursor: Option<String>,
}

/// Writes an answer of OTLP: `write` makes the text or the bytes.
pub async fn respond(
    tracker: &TaskTracker,
    form: OtlpForm,
    answer: OtlpAnswer,
    write: impl FnOnce(OtlpForm) -> serde_json::Result<Vec<u8>> + Send + 'static,
) -> Result<Response> {
    let failed = |err: &dyn std::fmt::Display| {
        ApiError::internal(format!("an answer cannot be written as OTLP: {err}"))
    };
    let written = if answer.items <= INLINE_ITEMS_MAX {
        write(form)
    } else {
        let task = tracker.spawn_blocking(move || write(form));
        task.await.map_err(|err| failed(&err))?
    };
    let body = written.map_err(|err| failed(&err))?;
    let media_type = match form {
        OtlpForm::Json => JSON,
        OtlpForm::Protobuf(name) => name,
    };
    let mut response = ([(CONTENT_TYPE, media_type), (VARY, "accept")], body).into_response();
    let partial = answer.partial.join(",");
    let texts = [(PARTIAL, Some(partial)), (NEXT_CURSOR, answer.next_cursor)];
    for (name, text) in texts {
        let text = text.filter(|text| !text.is_empty());
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

/// Writes the one or the other, depending on the form.
pub fn write_as(
    form: OtlpForm,
    json: impl FnOnce() -> serde_json::Result<Vec<u8>>,
    message: impl FnOnce() -> Vec<u8>,
) -> serde_json::Result<Vec<u8>> {
    match form {
        OtlpForm::Json => json(),
        OtlpForm::Protobuf(_) => Ok(message()),
    }
}

/// The bytes of a message.
pub fn bytes(message: &impl Message) -> Vec<u8> {
    message.encode_to_vec()
}

#[cfg(test)]
mod tests {
    use axum::extract::FromRequestParts;
    use http::Request;
    use http::header::ACCEPT;

    use super::*;

    #[tokio::test]
    async fn format_and_accept_choose_the_form() {
        let protobuf = OtlpForm::Protobuf(X_PROTOBUF);
        for (query, accept, expected) in [
            ("", None, Ok(Form::Json)),
            ("", Some("*/*"), Ok(Form::Json)),
            ("", Some(JSON), Ok(Form::Json)),
            ("", Some(X_PROTOBUF), Ok(Form::Otlp(protobuf))),
            ("", Some(PROTOBUF), Ok(Form::Otlp(OtlpForm::Protobuf(PROTOBUF)))),
            ("", Some("application/json;q=0.5, application/x-protobuf"), Ok(Form::Otlp(protobuf))),
            ("", Some("text/html"), Err(406)),
            ("format=json", None, Ok(Form::Json)),
            ("format=json", Some(X_PROTOBUF), Err(406)),
            ("format=otlp", None, Ok(Form::Otlp(OtlpForm::Json))),
            ("format=otlp", Some(JSON), Ok(Form::Otlp(OtlpForm::Json))),
            ("format=otlp", Some(X_PROTOBUF), Ok(Form::Otlp(protobuf))),
            ("format=xml", None, Err(400)),
            ("format=otlp&format=json", None, Err(400)),
        ] {
            let mut request = Request::get(format!("/x?{query}"));
            if let Some(accept) = accept {
                request = request.header(ACCEPT, accept);
            }
            let (mut parts, ()) = request.body(()).expect("valid").into_parts();
            let params = Params::from_request_parts(&mut parts, &()).await.expect("pairs");
            let chosen = form(&parts.headers, &params).map_err(|err| err.problem().status);
            assert_eq!(chosen, expected, "{query} {accept:?}");
        }
    }
}
