//! A posted body, answered by a status and, where there is something to say, a line of text: what the
//! receivers of older services over HTTP share.

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode, Uri};
use throughline_model::Signal;
use throughline_storage::{Format, Reply};

use crate::admit::Ingester;
use crate::otlp::http::{header_text, http_status, take};
use crate::{Error, ErrorKind, Result};

/// The media type of a body, in lower case and without parameters; empty if none is said.
pub fn media_type(headers: &HeaderMap) -> String {
    let text = header_text(headers, &CONTENT_TYPE);
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The refusal of a body that is in none of the formats that a path takes.
pub fn unsupported(headers: &HeaderMap, supported: &str) -> Error {
    let got = header_text(headers, &CONTENT_TYPE);
    Error::new(
        ErrorKind::Unsupported,
        format!("content-type '{got}' is not supported: {supported}"),
    )
}

/// Takes spans in. What was refused of an accepted body is told in the answer's text, which senders may
/// read; if nothing could be kept, the body is refused.
pub async fn spans(
    ingester: Ingester,
    format: Result<Format>,
    request: http::Request<Body>,
) -> Response {
    let taken = match format {
        Ok(format) => take(&ingester, Signal::Traces, format, request).await,
        Err(err) => Err(err),
    };
    match counted(&ingester, Signal::Traces, taken) {
        Ok(reply) if reply.rejected == 0 => text(StatusCode::ACCEPTED, String::new()),
        Ok(reply) => {
            let told = format!("{} spans refused: {}", reply.rejected, reply.message);
            text(StatusCode::ACCEPTED, told)
        }
        Err(err) => refusal(&err),
    }
}

/// Takes log records in.
pub async fn logs(
    ingester: &Ingester,
    format: Format,
    request: http::Request<Body>,
) -> Result<Reply> {
    counted(ingester, Signal::Logs, take(ingester, Signal::Logs, format, request).await)
}

/// Counts and logs a refusal, on its way to the answer.
pub fn counted(ingester: &Ingester, signal: Signal, taken: Result<Reply>) -> Result<Reply> {
    taken.inspect_err(|err| {
        ingester.stats().refused(signal, err.kind());
        tracing::debug!(%signal, kind = err.kind().name(), %err, "a body refused");
    })
}

/// A refusal: its status, its message as text, and when to come back.
pub fn refusal(err: &Error) -> Response {
    let mut response = text(http_status(err.kind()), err.to_string());
    if let Some(seconds) = err.retry_after_s() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// The routes of a receiver that has a port of its own: other paths are told what they are.
pub fn own_port(routes: Router) -> Router {
    routes.fallback(nothing_here)
}

async fn nothing_here(method: Method, uri: Uri) -> Response {
    text(StatusCode::NOT_FOUND, format!("there is nothing at {method} '{}'", uri.path()))
}

/// An answer of text.
pub fn text(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
