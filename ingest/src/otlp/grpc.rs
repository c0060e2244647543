//! OTLP over gRPC: `Export` of the three services, and `grpc.health.v1`.
//!
//! The messages are framed by hand, over the same HTTP/2 server as everything else: the permit must be
//! taken before a message is inflated, the limits must answer in OTLP's words, and the bodies go to the
//! log as they came (docs/adr/0004-grpc-framing.md).
//!
//! ```text
//! request body := message of one    message := u8 compressed? | u32 BE length | bytes
//! ```

use std::future::ready;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use base64::Engine;
use bytes::{BufMut, Bytes, BytesMut};
use futures::FutureExt;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, StatusCode};
use http_body_util::{BodyExt, Full};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format, Reply};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use super::body::BodyReader;
use super::reply;
use crate::admit::{Ingester, Request};
use crate::{Error, ErrorKind, Result};

const PREFIX_BYTES: usize = 5;
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
/// Hours, minutes, seconds, milli-, micro- and nanoseconds.
const TIMEOUT_UNITS_NS: [(&str, u64); 6] = [
    ("H", 3_600_000_000_000),
    ("M", 60_000_000_000),
    ("S", 1_000_000_000),
    ("m", 1_000_000),
    ("u", 1_000),
    ("n", 1),
];
const ENCODINGS: HeaderValue = HeaderValue::from_static("identity,gzip,zstd,deflate");

fn service(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "opentelemetry.proto.collector.trace.v1.TraceService",
        Signal::Logs => "opentelemetry.proto.collector.logs.v1.LogsService",
        Signal::Metrics => "opentelemetry.proto.collector.metrics.v1.MetricsService",
    }
}

/// The three Export methods, those of Jaeger and Zipkin, and the health service. Other methods are UNIMPLEMENTED.
pub fn grpc_routes(ingester: Ingester) -> Router {
    let health = HealthService::from_health_reporter(ingester.health().reporter.clone());
    let mut exports = Router::new();
    for signal in Signal::ALL {
        let handler = move |State(ingester): State<Ingester>, request: http::Request<Body>| {
            receive(ingester, signal, Format::OtlpProtobuf, request)
        };
        exports = exports.route(&format!("/{}/Export", service(signal)), post(handler));
    }
    let exports = exports.merge(crate::jaeger::grpc::routes()).merge(crate::zipkin::grpc::routes());
    // tonic's router answers UNIMPLEMENTED to everything else.
    Routes::new(HealthServer::new(health)).into_axum_router().merge(exports.with_state(ingester))
}

/// What `grpc.health.v1` says of the server as a whole and of each Export service.
pub struct Health {
    reporter: HealthReporter,
}

impl Health {
    /// A health service that says SERVING.
    pub fn serving() -> Self {
        let health = Self { reporter: HealthReporter::new() };
        // Nobody else has the reporter yet, so its lock is free and this is done at once.
        let _ = health.set(true).now_or_never();
        health
    }

    /// Changes what is said; watchers are told.
    pub async fn set(&self, serving: bool) {
        let status = if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        self.reporter.set_service_status("", status).await;
        for signal in Signal::ALL {
            self.reporter.set_service_status(service(signal), status).await;
        }
    }
}

/// Takes the one message of a request in.
pub(crate) async fn receive(
    ingester: Ingester,
    signal: Signal,
    format: Format,
    request: http::Request<Body>,
) -> Response {
    if !is_grpc(request.headers()) {
        return not_grpc();
    }
    match take_in_time(&ingester, signal, format, request).await {
        Ok(reply) => success(&reply::export_response(format, signal, &reply)),
        Err(err) => {
            ingester.stats().refused(signal, err.kind());
            tracing::debug!(%signal, kind = err.kind().name(), %err, "export refused");
            refusal(&err)
        }
    }
}

/// The answer to what is no gRPC.
pub(crate) fn not_grpc() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let rest = content_type.unwrap_or_default().strip_prefix("application/grpc");
    match rest.map(|rest| rest.split(';').next().unwrap_or_default().trim()) {
        Some("" | "+proto") => true,
        Some(_) | None => false,
    }
}

/// Takes a request within the time that its sender gives it. What was begun by then is finished, and the
/// request's repetition gets its answer.
async fn take_in_time(
    ingester: &Ingester,
    signal: Signal,
    format: Format,
    request: http::Request<Body>,
) -> Result<Reply> {
    let Some(wait) = timeout(request.headers())? else {
        return take(ingester, signal, format, request).await;
    };
    match tokio::time::timeout(wait, take(ingester, signal, format, request)).await {
        Ok(taken) => taken,
        Err(_) => Err(Error::new(
            ErrorKind::Timeout,
            format!("the request's own grpc-timeout of {} ms passed", wait.as_millis()),
        )),
    }
}

/// How long the sender waits, if it says: at most eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit_ns = TIMEOUT_UNITS_NS.iter().find(|(name, _)| *name == unit)?.1;
        let plain = digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| digits.parse::<u64>().ok())??;
        Some(Duration::from_nanos(number.saturating_mul(unit_ns)))
    });
    parsed.map(Some).ok_or_else(|| {
        let text = String::from_utf8_lossy(value.as_bytes());
        Error::malformed(format!("grpc-timeout '{text}' is no number with a unit"))
    })
}

async fn take(
    ingester: &Ingester,
    signal: Signal,
    format: Format,
    request: http::Request<Body>,
) -> Result<Reply> {
    let (head, body) = request.into_parts();
    let declared = encoding(&head.headers)?;
    let mut reader = BodyReader::new(body, ingester.limits());
    let mut buffer = BytesMut::new();
    let (compressed, len) = read_prefix(&mut reader, &mut buffer).await?;
    let encoding = match (compressed, declared) {
        (0, _) => Encoding::Identity,
        (1, Encoding::Identity) => {
            return Err(Error::malformed("a compressed message without grpc-encoding"));
        }
        (1, declared) => declared,
        (flag, _) => return Err(Error::malformed(format!("compression flag {flag} is unknown"))),
    };
    let permit = match ingester.admit(Some(len), encoding).await {
        Ok(permit) => permit,
        Err(err) => {
            if err.kind() == ErrorKind::TooLarge {
                reader.drain().await;
            }
            return Err(err);
        }
    };
    let body = read_message(&mut reader, buffer, len).await?;
    ingester.accept(Request { signal, format, encoding, body, permit }).await
}

/// Reads until the prefix of the message is in `buffer`: its compression flag and its length.
async fn read_prefix(reader: &mut BodyReader, buffer: &mut BytesMut) -> Result<(u8, usize)> {
    loop {
        if let Some((prefix, _)) = buffer.split_first_chunk::<PREFIX_BYTES>() {
            let [compressed, len @ ..] = *prefix;
            return Ok((compressed, u32::from_be_bytes(len) as usize));
        }
        match reader.chunk().await? {
            Some(chunk) => buffer.extend_from_slice(&chunk),
            None => return Err(Error::malformed("the request ends before its message")),
        }
    }
}

/// The one small message of a request that is a question, without compression.
pub(crate) async fn read_question(
    ingester: &Ingester,
    body: Body,
    bytes_max: usize,
) -> Result<Bytes> {
    let mut reader = BodyReader::new(body, ingester.limits());
    let mut buffer = BytesMut::new();
    let (compressed, len) = read_prefix(&mut reader, &mut buffer).await?;
    if compressed != 0 {
        return Err(Error::new(ErrorKind::Unsupported, "a compressed question is not supported"));
    }
    if len > bytes_max {
        return Err(Error::too_large(format!(
            "the message has {len} bytes, the limit is {bytes_max}"
        )));
    }
    read_message(&mut reader, buffer, len).await
}

/// The message of `len` bytes whose prefix, and perhaps more, is in `buffer`.
async fn read_message(reader: &mut BodyReader, mut buffer: BytesMut, len: usize) -> Result<Bytes> {
    let whole = PREFIX_BYTES + len;
    buffer.reserve(whole.saturating_sub(buffer.len()));
    loop {
        if buffer.len() > whole {
            return Err(Error::malformed("more than one message in a request of one"));
        }
        match reader.chunk().await? {
            Some(chunk) => buffer.extend_from_slice(&chunk),
            None => break,
        }
    }
    if buffer.len() != whole {
        return Err(Error::malformed(format!(
            "a message of {len} bytes was announced, {} came",
            buffer.len() - PREFIX_BYTES
        )));
    }
    Ok(buffer.freeze().slice(PREFIX_BYTES..))
}

fn encoding(headers: &HeaderMap) -> Result<Encoding> {
    match headers.get(GRPC_ENCODING).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Encoding::Identity),
        Some(b"gzip") => Ok(Encoding::Gzip),
        Some(b"zstd") => Ok(Encoding::Zstd),
        Some(b"deflate") => Ok(Encoding::Deflate),
        Some(other) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("grpc-encoding '{}' is not supported", String::from_utf8_lossy(other)),
        )),
    }
}

/// An answer of one message.
pub(crate) fn success(message: &[u8]) -> Response {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from_static("0"));
    let body = Full::new(framed.freeze()).with_trailers(ready(Some(Ok(trailers))));
    grpc_response(Body::new(body))
}

/// A refusal is a response of headers only.
pub(crate) fn refusal(err: &Error) -> Response {
    let mut response = grpc_response(Body::empty());
    let headers = response.headers_mut();
    headers.insert(GRPC_STATUS, HeaderValue::from(reply::code(err.kind()) as i32));
    let message = percent_encode(&err.to_string());
    let details =
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(reply::status_details(err));
    for (name, value) in [(GRPC_MESSAGE, message), (GRPC_STATUS_DETAILS, details)] {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
    response
}

fn grpc_response(body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(GRPC_ACCEPT_ENCODING, ENCODINGS);
    response
}

/// `grpc-message` is percent-encoded: printable ASCII but `%` stands for itself.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(byte as char),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
