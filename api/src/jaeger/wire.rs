//! What goes over the wire of Jaeger's v1 API.

use std::borrow::Cow;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use crate::render::non_finite;

/// The largest integer that JavaScript takes exactly; larger ones are strings.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// Every answer but that of metrics.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Envelope<T> {
    /// What was asked for; never null.
    pub data: T,
    /// How many names there are; 0 for traces.
    pub total: usize,
    /// Always 0: there are no pages.
    pub limit: usize,
    /// Always 0.
    pub offset: usize,
    /// What went wrong; null where nothing did.
    pub errors: Option<Vec<EnvelopeError>>,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize)]
pub struct EnvelopeError {
    /// The HTTP status, where the whole request failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// What went wrong.
    pub msg: String,
    /// The trace that is meant.
    #[serde(rename = "traceID", skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

/// A name and kind of spans.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OperationJson {
    /// The name.
    pub name: String,
    /// The kind; empty where there is none.
    pub span_kind: String,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyLink {
    /// Who calls.
    pub parent: String,
    /// Who is called.
    pub child: String,
    /// How often.
    pub call_count: u64,
}

/// A trace.
#[derive(Debug, Serialize)]
pub struct TraceJson<'a> {
    /// Its id.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Its spans.
    pub spans: Vec<SpanJson<'a>>,
    /// What produced them.
    pub processes: BTreeMap<String, ProcessJson<'a>>,
    /// What a reader must know about the whole; null where there is nothing.
    pub warnings: Option<Vec<String>>,
}

/// A span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpanJson<'a> {
    /// The trace's id.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Its id.
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// Jaeger's flags.
    #[serde(skip_serializing_if = "is_zero")]
    pub flags: u32,
    /// Its name.
    pub operation_name: &'a str,
    /// The parent first, then links.
    pub references: Vec<ReferenceJson>,
    /// Microseconds since the epoch.
    pub start_time: u64,
    /// Microseconds.
    pub duration: u64,
    /// Attributes, and the fields that Jaeger has no place for.
    pub tags: Vec<TagJson<'a>>,
    /// Events.
    pub logs: Vec<LogJson<'a>>,
    /// The key of its process.
    #[serde(rename = "processID")]
    pub process_id: String,
    /// What a reader must know; null where there is nothing.
    pub warnings: Option<Vec<String>>,
}

fn is_zero(flags: &u32) -> bool {
    *flags == 0
}

/// A reference to another span.
#[derive(Debug, Serialize)]
pub struct ReferenceJson {
    /// `CHILD_OF` or `FOLLOWS_FROM`.
    #[serde(rename = "refType")]
    pub ref_type: &'static str,
    /// The trace of the other span.
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// The other span.
    #[serde(rename = "spanID")]
    pub span_id: String,
}

/// An event.
#[derive(Debug, Serialize)]
pub struct LogJson<'a> {
    /// Microseconds since the epoch.
    pub timestamp: u64,
    /// Its name as `event`, then its attributes.
    pub fields: Vec<TagJson<'a>>,
}

/// What produced spans.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessJson<'a> {
    /// The service.
    pub service_name: &'a str,
    /// The other attributes of the resource.
    pub tags: Vec<TagJson<'a>>,
}

/// A key with a typed value.
#[derive(Clone, Debug, PartialEq)]
pub struct TagJson<'a> {
    /// The key.
    pub key: Cow<'a, str>,
    /// The value.
    pub value: TagValue<'a>,
}

/// The value of a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum TagValue<'a> {
    /// Text; lists and maps as JSON.
    String(Cow<'a, str>),
    /// True or false.
    Bool(bool),
    /// An integer.
    Int64(i64),
    /// A double.
    Float64(f64),
    /// Bytes, in base64.
    Binary(&'a [u8]),
}

impl Serialize for TagJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("key", &self.key)?;
        match &self.value {
            TagValue::String(text) => {
                map.serialize_entry("type", "string")?;
                map.serialize_entry("value", text)?;
            }
            TagValue::Bool(flag) => {
                map.serialize_entry("type", "bool")?;
                map.serialize_entry("value", flag)?;
            }
            TagValue::Int64(number) if number.unsigned_abs() > SAFE_INTEGER_MAX => {
                map.serialize_entry("type", "int64")?;
                map.serialize_entry("value", &number.to_string())?;
            }
            TagValue::Int64(number) => {
                map.serialize_entry("type", "int64")?;
                map.serialize_entry("value", number)?;
            }
            TagValue::Float64(number) => {
                map.serialize_entry("type", "float64")?;
                if number.is_finite() {
                    map.serialize_entry("value", number)?;
                } else {
                    map.serialize_entry("value", non_finite(*number))?;
                }
            }
            TagValue::Binary(bytes) => {
                map.serialize_entry("type", "binary")?;
                map.serialize_entry("value", &STANDARD.encode(bytes))?;
            }
        }
        map.end()
    }
}
