//! A span of Jaeger's model, whatever it was encoded in.

use crate::translate::{Tag, TagValue};

/// What a reader makes of one span: the span, or why it cannot be kept.
pub type Read<S> = Result<S, String>;

/// A span. Zero and the empty text mean absent.
#[derive(Debug, Default)]
pub struct Span<'a> {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub parent_span_id: [u8; 8],
    pub operation_name: &'a str,
    pub references: Vec<Reference>,
    pub flags: u32,
    pub start_ns: i64,
    pub duration_ns: i64,
    pub tags: Vec<Tag<'a>>,
    pub logs: Vec<Log<'a>>,
    pub warnings: Vec<&'a str>,
}

/// A relation to another span.
#[derive(Debug, Default)]
pub struct Reference {
    pub trace_id: [u8; 16],
    pub span_id: [u8; 8],
    pub follows_from: bool,
}

/// What happened, and when.
#[derive(Debug, Default)]
pub struct Log<'a> {
    pub time_ns: i64,
    pub fields: Vec<Tag<'a>>,
}

/// Who made spans.
#[derive(Debug, Default)]
pub struct Process<'a> {
    pub service_name: &'a str,
    pub tags: Vec<Tag<'a>>,
}

/// The candidates for a tag's value, of which its type picks one.
#[derive(Debug, Default)]
pub struct Values<'a> {
    pub text: &'a str,
    pub flag: bool,
    pub int: i64,
    pub double: f64,
    pub bytes: &'a [u8],
}

/// The types of tags.
#[derive(Clone, Copy, Debug)]
pub enum TagType {
    Str,
    Bool,
    Int,
    Double,
    Bytes,
}

impl<'a> Values<'a> {
    /// The tag.
    pub fn tag(self, key: &'a str, kind: TagType) -> Tag<'a> {
        let value = match kind {
            TagType::Str => TagValue::Str(self.text.into()),
            TagType::Bool => TagValue::Bool(self.flag),
            TagType::Int => TagValue::Int(self.int),
            TagType::Double => TagValue::Double(self.double),
            TagType::Bytes => TagValue::Bytes(self.bytes),
        };
        Tag { key: key.into(), value }
    }
}
