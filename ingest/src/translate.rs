//! From the spans of other systems to columns: the tags that OpenTelemetry has a place of its own for,
//! and the rows under construction. The tables are in docs/translation.md.

use std::borrow::Cow;

use throughline_model::batch::{Batch, Decoded};
use throughline_model::codec::put_bytes;
use throughline_model::origin::{SERVICE_NAME, put_resource, put_scope};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::value::{self, tag};
use throughline_model::{Result, attrs};

use crate::otlp::decode::{Refusals, check_items};

/// `StatusCode` as numbers.
const STATUS_OK: i32 = 1;
/// The status of what failed.
pub const STATUS_ERROR: i32 = 2;

/// `SpanKind` as numbers.
pub mod kind {
    #![allow(missing_docs)]
    pub const INTERNAL: i32 = 1;
    pub const SERVER: i32 = 2;
    pub const CLIENT: i32 = 3;
    pub const PRODUCER: i32 = 4;
    pub const CONSUMER: i32 = 5;
}

/// The value of a tag.
#[derive(Clone, Debug, PartialEq)]
pub enum TagValue<'a> {
    /// Text.
    Str(Cow<'a, str>),
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
}

impl TagValue<'_> {
    /// Appends the encoded value.
    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            TagValue::Str(text) => value::put_string(out, text),
            TagValue::Bool(flag) => value::put_bool(out, *flag),
            TagValue::Int(number) => value::put_int(out, *number),
            TagValue::Double(number) => value::put_double(out, *number),
            TagValue::Bytes(bytes) => {
                out.push(tag::BYTES);
                out.extend_from_slice(bytes);
            }
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            TagValue::Str(text) => Some(text),
            _ => None,
        }
    }
}

/// What Zipkin and Jaeger call an attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag<'a> {
    /// Its name.
    pub key: Cow<'a, str>,
    /// Its value.
    pub value: TagValue<'a>,
}

/// How a system marks a span that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorTag {
    /// The tag is there, whatever it says.
    Present,
    /// The tag says so.
    True,
}

/// The tags of one span that have a place of their own in OpenTelemetry; the first of each counts.
#[derive(Debug, Default)]
pub struct Marks<'a> {
    error: Option<&'a Tag<'a>>,
    status: Option<&'a Tag<'a>>,
    description: Option<&'a Tag<'a>>,
    scope: [Option<&'a Tag<'a>>; 2],
    library: [Option<&'a Tag<'a>>; 2],
    trace_state: Option<&'a Tag<'a>>,
    dropped: [Option<&'a Tag<'a>>; 3],
}

impl<'a> Marks<'a> {
    /// Takes a tag that has a place; `false` for an attribute like any other.
    pub fn take(&mut self, tag: &'a Tag<'a>) -> bool {
        let is_text = tag.value.text().is_some();
        let slot = match &*tag.key {
            "error" => &mut self.error,
            "otel.status_code" if status_code(tag).is_some() => &mut self.status,
            "otel.status_description" if is_text => &mut self.description,
            "otel.scope.name" if is_text => &mut self.scope[0],
            "otel.scope.version" if is_text => &mut self.scope[1],
            "otel.library.name" if is_text => &mut self.library[0],
            "otel.library.version" if is_text => &mut self.library[1],
            "w3c.tracestate" if is_text => &mut self.trace_state,
            "otel.dropped_attributes_count" if count(tag).is_some() => &mut self.dropped[0],
            "otel.dropped_events_count" if count(tag).is_some() => &mut self.dropped[1],
            "otel.dropped_links_count" if count(tag).is_some() => &mut self.dropped[2],
            _ => return false,
        };
        let free = slot.is_none();
        if free {
            *slot = Some(tag);
        }
        free
    }

    /// Fills a span's fields. What turns out to have no place is pushed as an attribute.
    pub fn settle<'f>(
        &'f self,
        error: ErrorTag,
        fields: &mut SpanFields<'f>,
        builder: &mut SpanBatchBuilder,
    ) -> Result<()> {
        self.settle_status(error, fields, builder)?;
        fields.trace_state = text(self.trace_state).unwrap_or_default();
        let dropped = self.dropped.map(|tag| tag.and_then(count).unwrap_or_default());
        fields.dropped_attributes_count = dropped[0];
        fields.dropped_events_count = dropped[1];
        fields.dropped_links_count = dropped[2];
        for (scope, library) in self.scope.iter().zip(self.library) {
            // Exporters write both, alike.
            if scope.is_some() && text(*scope) != text(library) {
                push_all(library, builder)?;
            }
        }
        Ok(())
    }

    fn settle_status<'f>(
        &'f self,
        rule: ErrorTag,
        fields: &mut SpanFields<'f>,
        builder: &mut SpanBatchBuilder,
    ) -> Result<()> {
        let said = self.status.and_then(status_code);
        let description = text(self.description);
        let failed = self.error.is_some_and(|tag| is_error(tag, rule));
        let code = said.unwrap_or(if failed { STATUS_ERROR } else { 0 });
        fields.status_code = code;
        fields.status_message = description.filter(|_| code != 0).unwrap_or_default();
        if code == 0 {
            push_all(self.description, builder)?;
        }
        let Some(error) = self.error else { return Ok(()) };
        let message = error.value.text().filter(|text| !matches!(*text, "" | "true" | "false"));
        if code != STATUS_ERROR || !failed {
            return push_all(self.error, builder);
        }
        match (message, description) {
            (Some(message), None) => fields.status_message = message,
            (Some(message), Some(description)) if message != description => {
                return push_all(self.error, builder);
            }
            // To Zipkin an error without a message is an empty text.
            (None, _) if rule == ErrorTag::Present && error.value.text() != Some("") => {
                return push_all(self.error, builder);
            }
            _ => {}
        }
        Ok(())
    }

    /// Name and version of the instrumentation scope.
    fn scope_parts(&self) -> [&str; 2] {
        std::array::from_fn(|i| text(self.scope[i].or(self.library[i])).unwrap_or_default())
    }
}

fn text<'a>(tag: Option<&'a Tag<'a>>) -> Option<&'a str> {
    tag.and_then(|tag| tag.value.text())
}

fn push_all(tag: Option<&Tag<'_>>, builder: &mut SpanBatchBuilder) -> Result<()> {
    match tag {
        Some(tag) => builder.attributes.push(&tag.key, |out| tag.value.put(out)),
        None => Ok(()),
    }
}

fn status_code(tag: &Tag<'_>) -> Option<i32> {
    match tag.value.text()? {
        "OK" => Some(STATUS_OK),
        "ERROR" => Some(STATUS_ERROR),
        _ => None,
    }
}

fn count(tag: &Tag<'_>) -> Option<u32> {
    match &tag.value {
        TagValue::Int(number) => u32::try_from(*number).ok(),
        TagValue::Str(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn is_error(tag: &Tag<'_>, rule: ErrorTag) -> bool {
    match &tag.value {
        TagValue::Bool(flag) => *flag,
        TagValue::Str(text) if text.is_empty() => rule == ErrorTag::Present,
        TagValue::Str(text) => text != "false",
        _ => false,
    }
}

/// The number of a span kind as tags spell it.
pub fn kind_number(text: &str) -> Option<i32> {
    Some(match text {
        "internal" => kind::INTERNAL,
        "server" => kind::SERVER,
        "client" => kind::CLIENT,
        "producer" => kind::PRODUCER,
        "consumer" => kind::CONSUMER,
        _ => return None,
    })
}

/// Microseconds of other systems in nanoseconds; the error names the field, the value and the limit.
pub fn nanoseconds(name: &str, time_us: i64) -> std::result::Result<i64, String> {
    if time_us < 0 {
        return Err(format!("{name} {time_us} is below 0"));
    }
    time_us
        .checked_mul(1_000)
        .ok_or_else(|| format!("{name} {time_us} exceeds {} microseconds", i64::MAX / 1_000))
}

/// The columns of a request under construction.
#[derive(Default)]
pub struct Rows {
    /// The spans so far, and the open one.
    pub builder: SpanBatchBuilder,
    refusals: Refusals,
    position: u64,
    set: Vec<u8>,
    origin: Vec<u8>,
}

impl Rows {
    /// Sets the resource of the spans that follow.
    pub fn set_resource<'a>(
        &mut self,
        service: &str,
        tags: impl IntoIterator<Item = &'a Tag<'a>>,
    ) -> Result<()> {
        self.set.clear();
        if !service.is_empty() {
            put_bytes(&mut self.set, SERVICE_NAME.as_bytes());
            throughline_model::codec::put_nested(&mut self.set, |out| {
                value::put_string(out, service);
            });
        }
        tags.into_iter().for_each(|tag| put_tag(&mut self.set, tag));
        self.origin.clear();
        put_resource(&mut self.origin, 0, "", &[tag::EMPTY], &self.set);
        self.builder.set_resource(&self.origin)
    }

    /// Begins the next span of the request. Fails once there are more than a request may have.
    pub fn begin(&mut self) -> Result<()> {
        self.position += 1;
        check_items(self.position)
    }

    /// Closes the open span.
    pub fn push(&mut self, fields: &SpanFields<'_>, marks: &Marks<'_>) -> Result<()> {
        let [name, version] = marks.scope_parts();
        self.origin.clear();
        put_scope(&mut self.origin, name, version, 0, "", &[]);
        self.builder.set_scope(&self.origin)?;
        self.builder.push(fields)
    }

    /// Refuses the open span.
    pub fn refuse(&mut self, reason: &str) {
        self.builder.abandon();
        self.refusals.add("spans", self.position - 1, reason);
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        Ok(Decoded {
            batch: Batch::Spans(self.builder.finish()?),
            rejected: self.refusals.count,
            message: self.refusals.message(),
        })
    }
}

/// Appends a tag to an encoded attribute set.
pub fn put_tag(set: &mut Vec<u8>, tag: &Tag<'_>) {
    put_bytes(set, tag.key.as_bytes());
    throughline_model::codec::put_nested(set, |out| tag.value.put(out));
}

/// Appends an attribute of text to an encoded attribute set.
pub fn put_text(set: &mut Vec<u8>, key: &str, text: &str) {
    attrs::put_encoded(set, key, &[&[tag::STRING], text.as_bytes()].concat());
}
