//! gRPC by hand, as the receivers do it (docs/adr/0004-grpc-framing.md): one message in, a stream of
//! messages out, over the same HTTP/2 server as everything else.
//!
//! ```text
//! body := message*    message := u8 compressed? | u32 BE length | bytes    trailers: grpc-status
//! ```

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{HeaderName, Request, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;

use super::error::TempoError;
use crate::error::ErrorKind;
use crate::native::form::PARTIAL;

const PREFIX_BYTES: usize = 5;
/// A question is a query and a few numbers.
const REQUEST_BYTES_MAX: usize = 2 << 20;
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Hours, minutes, seconds, milli-, micro- and nanoseconds.
const TIMEOUT_UNITS_NS: [(&str, u64); 6] = [
    ("H", 3_600_000_000_000),
    ("M", 60_000_000_000),
    ("S", 1_000_000_000),
    ("m", 1_000_000),
    ("u", 1_000),
    ("n", 1),
];

/// How a call ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The number of gRPC.
    pub code: u8,
    /// In words.
    pub message: String,
}

impl Status {
    /// A call that ended well.
    pub fn ok() -> Self {
        Self { code: 0, message: String::new() }
    }

    /// A request that cannot be read.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self { code: 3, message: message.into() }
    }

    /// Something that is not offered.
    pub fn unimplemented(message: impl Into<String>) -> Self {
        Self { code: 12, message: message.into() }
    }
}

impl From<TempoError> for Status {
    fn from(err: TempoError) -> Self {
        err.log();
        let code = match err.kind() {
            ErrorKind::Invalid | ErrorKind::NotAcceptable | ErrorKind::UnsupportedMediaType => 3,
            ErrorKind::NotFound => 5,
            ErrorKind::TooLarge | ErrorKind::Limit => 8,
            ErrorKind::Unsupported | ErrorKind::MethodNotAllowed => 12,
            ErrorKind::Busy => 14,
            ErrorKind::Deadline => 4,
            ErrorKind::Cancelled => 1,
            ErrorKind::Internal => 13,
        };
        Self { code, message: err.message().to_owned() }
    }
}

/// Whether a request is one of gRPC.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let rest = content_type.unwrap_or_default().strip_prefix("application/grpc");
    let rest = rest.map(|rest| rest.split(';').next().unwrap_or_default().trim());
    matches!(rest, Some("" | "+proto"))
}

/// How long the client waits, if it says.
pub fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get(GRPC_TIMEOUT) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| {
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit_ns = TIMEOUT_UNITS_NS.iter().find(|(name, _)| *name == unit)?.1;
        let plain = digits.len() <= 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = plain.then(|| digits.parse::<u64>().ok())??;
        Some(Duration::from_nanos(number.saturating_mul(unit_ns)))
    });
    let text = || String::from_utf8_lossy(value.as_bytes()).into_owned();
    parsed.map(Some).ok_or_else(|| {
        Status::invalid(format!("grpc-timeout '{}' is no number with a unit", text()))
    })
}

/// The one message of a request.
pub async fn read<M: Message + Default>(request: Request<Body>) -> Result<M, Status> {
    let body = axum::body::to_bytes(request.into_body(), REQUEST_BYTES_MAX).await;
    let body = body.map_err(|err| {
        let message = format!("a request of at most {REQUEST_BYTES_MAX} bytes was expected: {err}");
        Status { code: 8, message }
    })?;
    let Some((prefix, message)) = body.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(Status::invalid("the request ends before its message"));
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        return Err(Status::unimplemented("compressed requests are not taken: send identity"));
    }
    let length = u32::from_be_bytes(length) as usize;
    if message.len() != length {
        let came = message.len();
        return Err(Status::invalid(format!(
            "a message of {length} bytes was announced, {came} came"
        )));
    }
    M::decode(message).map_err(|err| Status::invalid(format!("the message cannot be read: {err}")))
}

/// A message of an answer.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The message, encoded.
    pub message: Vec<u8>,
    /// Segments that could not be read: the answer lacks their spans.
    pub partial: Vec<String>,
}

/// The messages of an answer up to the first error.
pub type Parts = BoxStream<'static, Result<Part, Status>>;

/// A stream of messages as a response. Segments that the answer lacks are named in the trailers.
pub fn respond(parts: Parts) -> Response {
    let under_way = Some((parts, Vec::new()));
    let frames = stream::unfold(under_way, |under_way| async {
        let (mut parts, mut partial) = under_way?;
        Some(match parts.next().await {
            Some(Ok(part)) => {
                partial.extend(part.partial);
                (Frame::data(framed(&part.message)), Some((parts, partial)))
            }
            Some(Err(status)) => (Frame::trailers(trailers(&status)), None),
            None => {
                let mut trailers = trailers(&Status::ok());
                partial.sort();
                partial.dedup();
                if let Ok(value) = HeaderValue::try_from(partial.join(","))
                    && !partial.is_empty()
                {
                    trailers.insert(PARTIAL, value);
                }
                (Frame::trailers(trailers), None)
            }
        })
    });
    let frames = frames.map(Ok::<_, Infallible>);
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// A call that ends before its first message.
pub fn refuse(status: &Status) -> Response {
    let mut response = Response::new(Body::empty());
    *response.headers_mut() = trailers(status);
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(CONTENT_TYPE, grpc);
    response
}

/// An answer to what is no gRPC.
pub fn not_grpc() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    out.put_u8(0);
    out.put_u32(message.len() as u32);
    out.extend_from_slice(message);
    out.freeze()
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert(GRPC_STATUS, HeaderValue::from(u16::from(status.code)));
    if let Ok(message) = HeaderValue::try_from(percent_encode(&status.message))
        && !status.message.is_empty()
    {
        trailers.insert(GRPC_MESSAGE, message);
    }
    trailers
}

// Printable ASCII but `%` stands for itself.
fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' => out.push_str("%25"),
            b' '..=b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}
