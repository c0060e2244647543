//! Jaeger's spans to [`throughline_model::schema::spans`], by docs/translation.md.

use throughline_model::Result;
use throughline_model::batch::Decoded;
use throughline_model::codec::put_nested;
use throughline_model::origin::{put_event, put_link};
use throughline_model::span::SpanFields;
use throughline_model::value::{self, tag};

use super::span::{Log, Process, Read, Reference, Span};
use crate::translate::{ErrorTag, Marks, Rows, TagValue, kind_number, put_tag, put_text};

const REF_TYPE: &str = "opentracing.ref_type";
const WARNINGS: &str = "@jaeger@warnings";
const FLAGS: &str = "jaeger.flags";
/// The flag that OpenTelemetry has too.
const SAMPLED: u32 = 1;

/// The columns of a request.
#[derive(Default)]
pub struct Columns {
    rows: Rows,
    set: Vec<u8>,
}

impl Columns {
    /// Sets who made the spans that follow.
    pub fn set_process(&mut self, process: &Process<'_>) -> Result<()> {
        self.rows.set_resource(process.service_name, &process.tags)
    }

    /// Adds a span, or counts it as refused.
    pub fn item(&mut self, read: Read<Span<'_>>) -> Result<()> {
        self.rows.begin()?;
        match read.and_then(checked) {
            Ok(span) => self.span(&span),
            Err(reason) => {
                self.rows.refuse(&reason);
                Ok(())
            }
        }
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }

    fn span(&mut self, span: &Span<'_>) -> Result<()> {
        let mut marks = Marks::default();
        let mut kind = None;
        let attributes = &mut self.rows.builder.attributes;
        for tag in &span.tags {
            match &tag.value {
                TagValue::Str(text) if tag.key == "span.kind" && kind.is_none() => {
                    kind = kind_number(text);
                    if kind.is_some() {
                        continue;
                    }
                }
                _ if marks.take(tag) => continue,
                _ => {}
            }
            attributes.push(&tag.key, |out| tag.value.put(out))?;
        }
        if span.flags & !SAMPLED != 0 {
            attributes.push(FLAGS, |out| value::put_int(out, i64::from(span.flags)))?;
        }
        if !span.warnings.is_empty() {
            attributes.push(WARNINGS, |out| {
                out.push(tag::ARRAY);
                for warning in &span.warnings {
                    put_nested(out, |out| value::put_string(out, warning));
                }
            })?;
        }
        span.logs.iter().for_each(|log| self.event(log));
        let parent = self.references(span);
        let mut fields = SpanFields {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: parent,
            flags: span.flags & SAMPLED,
            name: span.operation_name,
            kind: kind.unwrap_or_default(),
            start_time_ns: span.start_ns,
            duration_ns: span.duration_ns,
            ..SpanFields::default()
        };
        marks.settle(ErrorTag::True, &mut fields, &mut self.rows.builder)?;
        self.rows.push(&fields, &marks)
    }

    /// The parent. Every reference that does not name it as such becomes a link.
    fn references(&mut self, span: &Span<'_>) -> Option<[u8; 8]> {
        let same_trace = |reference: &&Reference| reference.trace_id == span.trace_id;
        let child_of = |reference: &Reference| {
            !reference.follows_from
                && reference.trace_id == span.trace_id
                && (span.parent_span_id == [0; 8] || reference.span_id == span.parent_span_id)
        };
        let first = span.references.iter().position(child_of);
        let parent = match first {
            Some(at) => span.references[at].span_id,
            None if span.parent_span_id != [0; 8] => span.parent_span_id,
            None => span.references.iter().find(same_trace).map_or([0; 8], |r| r.span_id),
        };
        for (at, reference) in span.references.iter().enumerate() {
            if Some(at) != first {
                self.link(reference);
            }
        }
        Some(parent).filter(|id| *id != [0; 8])
    }

    fn link(&mut self, reference: &Reference) {
        self.set.clear();
        let kind = if reference.follows_from { "follows_from" } else { "child_of" };
        put_text(&mut self.set, REF_TYPE, kind);
        let links = &mut self.rows.builder.links.bytes;
        put_link(links, &reference.trace_id, &reference.span_id, "", 0, 0, &self.set);
    }

    fn event(&mut self, log: &Log<'_>) {
        self.set.clear();
        let mut name = None;
        for field in &log.fields {
            match &field.value {
                TagValue::Str(text) if field.key == "event" && name.is_none() => name = Some(text),
                _ => put_tag(&mut self.set, field),
            }
        }
        let name = name.map_or("", |name| name);
        put_event(&mut self.rows.builder.events.bytes, log.time_ns, name, 0, &self.set);
    }
}

/// A span whose ids and times can be kept.
fn checked(span: Span<'_>) -> Read<Span<'_>> {
    if span.trace_id == [0; 16] {
        return Err("the trace id is absent or all zero".to_owned());
    }
    if span.span_id == [0; 8] {
        return Err("the span id is absent or all zero".to_owned());
    }
    if span.start_ns.checked_add(span.duration_ns).is_none() {
        let (start_ns, duration_ns) = (span.start_ns, span.duration_ns);
        return Err(format!(
            "start {start_ns} ns and duration {duration_ns} ns exceed {}",
            i64::MAX
        ));
    }
    Ok(span)
}
