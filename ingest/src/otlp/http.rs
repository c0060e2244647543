//! OTLP over HTTP: `POST /v1/traces`, `/v1/logs`, `/v1/metrics`, in protobuf and JSON.
//!
//! Every answer is in the request's own encoding; a refusal is a `google.rpc.Status`. Only 429 and 503
//! (with Retry-After, and RetryInfo in the status) ask for a repetition: anything that would be
//! refused again gets a status that OTLP senders do not repeat.

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use bytes::Bytes;
use http::header::{
    ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER,
};
use http::{Method, StatusCode, Uri};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format, Reply};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use super::body::BodyReader;
use super::reply::{self, Code};
use crate::admit::{Ingester, Permit, Request};
use crate::{Error, ErrorKind, Result};

/// How long browsers may remember a preflight.
const CORS_AGE: std::time::Duration = std::time::Duration::from_secs(3600);

/// The three paths, with CORS for browser exporters.
pub fn http_routes(ingester: Ingester) -> Router {
    let cors = cors(&ingester.limits().cors_origins);
    let export = |signal: Signal| {
        let handler = move |State(ingester): State<Ingester>, request: http::Request<Body>| {
            export(ingester, signal, request)
        };
        post(handler).fallback(wrong_method)
    };
    Router::new()
        .route("/v1/traces", export(Signal::Traces))
        .route("/v1/logs", export(Signal::Logs))
        .route("/v1/metrics", export(Signal::Metrics))
        .fallback(not_found)
        .layer(cors)
        .with_state(ingester)
}

/// What browsers of these origins may do: POST.
pub(crate) fn cors(origins: &[String]) -> CorsLayer {
    let origin = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        AllowOrigin::list(origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()))
    };
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([RETRY_AFTER])
        .max_age(CORS_AGE)
}

async fn export(ingester: Ingester, signal: Signal, request: http::Request<Body>) -> Response {
    let Some(format) = format(request.headers()) else {
        ingester.stats().refused(signal, ErrorKind::Unsupported);
        let got = header_text(request.headers(), &CONTENT_TYPE);
        return refuse(
            Format::OtlpJson,
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidArgument,
            &format!(
                "content-type '{got}' is not supported: application/x-protobuf or application/json"
            ),
        );
    };
    match take(&ingester, signal, format, request).await {
        Ok(reply) => {
            respond(StatusCode::OK, format, reply::export_response(format, signal, &reply))
        }
        Err(err) => {
            ingester.stats().refused(signal, err.kind());
            tracing::debug!(%signal, kind = err.kind().name(), %err, "export refused");
            refusal(format, &err)
        }
    }
}

/// Reads a body under a permit, and makes it durable.
pub(crate) async fn take(
    ingester: &Ingester,
    signal: Signal,
    format: Format,
    request: http::Request<Body>,
) -> Result<Reply> {
    let Received { encoding, body, permit } = read(ingester, request).await?;
    ingester.accept(Request { signal, format, encoding, body, permit }).await
}

/// The same for a body in a known encoding, behind a `preface` that is encoded likewise.
pub(crate) async fn take_behind(
    ingester: &Ingester,
    signal: Signal,
    format: Format,
    encoding: Encoding,
    preface: &[u8],
    request: http::Request<Body>,
) -> Result<Reply> {
    let Received { body, permit, .. } = read_behind(ingester, encoding, preface, request).await?;
    ingester.accept(Request { signal, format, encoding, body, permit }).await
}

/// A body that has been read.
pub(crate) struct Received {
    /// Its compression.
    pub encoding: Encoding,
    /// The body as received.
    pub body: Bytes,
    /// Room for it.
    pub permit: Permit,
}

/// Reads a body under a permit.
pub(crate) async fn read(ingester: &Ingester, request: http::Request<Body>) -> Result<Received> {
    let encoding = encoding(request.headers())?;
    read_behind(ingester, encoding, &[], request).await
}

/// The same in a known encoding, whatever the headers say.
pub(crate) async fn read_as(
    ingester: &Ingester,
    encoding: Encoding,
    request: http::Request<Body>,
) -> Result<Received> {
    read_behind(ingester, encoding, &[], request).await
}

async fn read_behind(
    ingester: &Ingester,
    encoding: Encoding,
    preface: &[u8],
    request: http::Request<Body>,
) -> Result<Received> {
    let (head, body) = request.into_parts();
    let announced =
        head.headers.get(CONTENT_LENGTH).and_then(|len| len.to_str().ok()?.parse::<usize>().ok());
    let mut reader = BodyReader::new(body, ingester.limits());
    let read = async {
        let mut permit = ingester.admit(announced, encoding).await?;
        let mut body = reader.read_all(&mut permit, ingester.limits().body_bytes_max).await?;
        if !preface.is_empty() && !body.is_empty() {
            permit.grow_to(preface.len() + body.len())?;
            body = [preface, &body].concat().into();
        }
        Ok::<_, Error>(Received { encoding, body, permit })
    };
    let read = read.await;
    if read.as_ref().is_err_and(|err| err.kind() == ErrorKind::TooLarge) {
        reader.drain().await;
    }
    read
}

/// The body's format, by its content type (parameters are of no account).
fn format(headers: &HeaderMap) -> Option<Format> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-protobuf") {
        Some(Format::OtlpProtobuf)
    } else if essence.eq_ignore_ascii_case("application/json") {
        Some(Format::OtlpJson)
    } else {
        None
    }
}

/// The body's compression.
pub(crate) fn encoding(headers: &HeaderMap) -> Result<Encoding> {
    let text = header_text(headers, &CONTENT_ENCODING);
    match text.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => Ok(Encoding::Identity),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        "zstd" => Ok(Encoding::Zstd),
        "deflate" => Ok(Encoding::Deflate),
        other => Err(Error::new(
            ErrorKind::Unsupported,
            format!("content-encoding '{other}' is not supported: gzip, zstd, deflate or identity"),
        )),
    }
}

/// All values of a header, as one text.
pub(crate) fn header_text(headers: &HeaderMap, name: &http::HeaderName) -> String {
    let values = headers.get_all(name).iter();
    values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect::<Vec<_>>().join(", ")
}

/// The status that says the same as an [`ErrorKind`].
pub(crate) fn http_status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Malformed => StatusCode::BAD_REQUEST,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Quota => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Overloaded | ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::Timeout => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn refusal(format: Format, err: &Error) -> Response {
    let status = http_status(err.kind());
    let retry_after_s = err.retry_after_s();
    let code = reply::code(err.kind());
    let body = reply::status(format, code, &err.to_string(), retry_after_s);
    let mut response = respond(status, format, body);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

async fn wrong_method(method: Method, headers: HeaderMap) -> Response {
    let message = format!("method {method} is not allowed: POST");
    let format = format(&headers).unwrap_or(Format::OtlpJson);
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response = refuse(format, status, Code::Unimplemented, &message);
    response.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, OPTIONS"));
    response
}

async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let message = format!("no such path: '{}' (/v1/traces, /v1/logs or /v1/metrics)", uri.path());
    let format = format(&headers).unwrap_or(Format::OtlpJson);
    refuse(format, StatusCode::NOT_FOUND, Code::NotFound, &message)
}

fn refuse(format: Format, status: StatusCode, code: Code, message: &str) -> Response {
    respond(status, format, reply::status(format, code, message, None))
}

fn respond(status: StatusCode, format: Format, body: Vec<u8>) -> Response {
    let content_type = match format {
        Format::OtlpProtobuf => "application/x-protobuf",
        _ => "application/json",
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}
