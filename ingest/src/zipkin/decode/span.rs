//! A span of Zipkin's second model, whatever it was encoded in.

use std::borrow::Cow;

use throughline_model::{SpanId, TraceId};

use crate::translate::Tag;

/// What a reader makes of one span: the span, or why it cannot be kept.
pub type Read<S> = Result<S, String>;

/// A span. Zero and the empty text mean absent.
#[derive(Clone, Debug, Default)]
pub struct Span<'a> {
    pub trace_id: [u8; 16],
    pub parent_id: [u8; 8],
    pub id: [u8; 8],
    /// `SpanKind` of OpenTelemetry.
    pub kind: i32,
    pub name: Cow<'a, str>,
    pub timestamp_us: i64,
    pub duration_us: i64,
    pub local: Endpoint<'a>,
    pub remote: Endpoint<'a>,
    pub annotations: Vec<Annotation<'a>>,
    pub tags: Vec<Tag<'a>>,
    pub debug: bool,
    pub shared: bool,
}

/// The network context of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Endpoint<'a> {
    pub service: Cow<'a, str>,
    pub ipv4: Cow<'a, str>,
    pub ipv6: Cow<'a, str>,
    pub port: u16,
}

/// What happened, and when.
#[derive(Clone, Debug)]
pub struct Annotation<'a> {
    pub timestamp_us: i64,
    pub value: Cow<'a, str>,
}

/// A trace id in hex, of 64 or 128 bits.
pub fn trace_id(text: &str) -> Read<[u8; 16]> {
    TraceId::parse(text).map(|id| id.0).map_err(|err| format!("traceId: {err}"))
}

/// A span id in hex; the field is named in errors.
pub fn span_id(field: &str, text: &str) -> Read<[u8; 8]> {
    SpanId::parse(text).map(|id| id.0).map_err(|err| format!("{field}: {err}"))
}

/// A port that is absent where it is 0.
pub fn port(field: &str, number: i64) -> Read<u16> {
    u16::try_from(number).map_err(|_| format!("{field} {number} is not within 0 to {}", u16::MAX))
}
