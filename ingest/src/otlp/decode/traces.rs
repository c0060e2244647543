//! `ExportTraceServiceRequest` to [`throughline_model::schema::spans`].

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::origin::{put_event, put_link};
use throughline_model::span::{SpanBatchBuilder, SpanFields};

use super::common::{AttributePusher, Part, Refusals, Verdict, check_items, put_attribute, walk};
use super::wire::Fields;

/// Decodes a request.
pub fn decode(request: &[u8]) -> Result<Decoded> {
    let mut decoder = Decoder::default();
    walk(request, |part| match part {
        Part::Resource(resource) => decoder.builder.set_resource(resource),
        Part::Scope(scope, items) => {
            decoder.builder.reserve(items);
            decoder.builder.set_scope(scope)
        }
        Part::Item(message, refused) => decoder.span(message, Verdict::new(refused)),
    })?;
    Ok(Decoded {
        batch: Batch::Spans(decoder.builder.finish()?),
        rejected: decoder.refusals.count,
        message: decoder.refusals.message(),
    })
}

#[derive(Default)]
struct Decoder {
    builder: SpanBatchBuilder,
    pusher: AttributePusher,
    refusals: Refusals,
    position: u64,
    set: Vec<u8>,
}

/// A span as it stands on the wire, before ids and times are checked.
#[derive(Default)]
struct RawSpan<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    parent_span_id: &'a [u8],
    start_time: u64,
    end_time: u64,
    fields: SpanFields<'a>,
}

impl Decoder {
    fn span(&mut self, message: &[u8], mut verdict: Verdict) -> Result<()> {
        let position = self.position;
        self.position += 1;
        check_items(self.position)?;
        let mut raw = self.read(message, &mut verdict)?;
        raw.fields.trace_id = verdict.required_id("trace_id", raw.trace_id);
        raw.fields.span_id = verdict.required_id("span_id", raw.span_id);
        raw.fields.parent_span_id = verdict.optional_id("parent_span_id", raw.parent_span_id);
        let start = verdict.time("start_time_unix_nano", raw.start_time);
        raw.fields.start_time_ns = start;
        raw.fields.duration_ns = verdict.time("end_time_unix_nano", raw.end_time) - start;
        if let Some(reason) = verdict.reason() {
            self.builder.abandon();
            self.refusals.add("spans", position, &reason);
            return Ok(());
        }
        self.builder.push(&raw.fields)
    }

    fn read<'a>(&mut self, message: &'a [u8], verdict: &mut Verdict) -> Result<RawSpan<'a>> {
        let mut raw = RawSpan::default();
        let span = &mut raw.fields;
        self.pusher.open_item();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => raw.trace_id = field.bytes("Span.trace_id")?,
                2 => raw.span_id = field.bytes("Span.span_id")?,
                3 => span.trace_state = field.str("Span.trace_state")?,
                4 => raw.parent_span_id = field.bytes("Span.parent_span_id")?,
                5 => span.name = field.str("Span.name")?,
                6 => span.kind = field.varint("Span.kind")? as i32,
                7 => raw.start_time = field.fixed64("Span.start_time_unix_nano")?,
                8 => raw.end_time = field.fixed64("Span.end_time_unix_nano")?,
                9 => {
                    let attribute = field.bytes("Span.attributes")?;
                    self.pusher.push(&mut self.builder.attributes, attribute, verdict)?;
                }
                10 => {
                    let count = field.varint("Span.dropped_attributes_count")?;
                    span.dropped_attributes_count = count as u32;
                }
                11 => self.event(field.bytes("Span.events")?, verdict)?,
                12 => {
                    span.dropped_events_count = field.varint("Span.dropped_events_count")? as u32;
                }
                13 => self.link(field.bytes("Span.links")?, verdict)?,
                14 => span.dropped_links_count = field.varint("Span.dropped_links_count")? as u32,
                15 => status(field.bytes("Span.status")?, span)?,
                16 => span.flags = field.fixed32("Span.flags")?,
                _ => {}
            }
        }
        Ok(raw)
    }

    fn event(&mut self, message: &[u8], verdict: &mut Verdict) -> Result<()> {
        self.set.clear();
        let (mut time, mut name, mut dropped) = (0, "", 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => time = field.fixed64("Event.time_unix_nano")?,
                2 => name = field.str("Event.name")?,
                3 => put_attribute(&mut self.set, field.bytes("Event.attributes")?, verdict)?,
                4 => dropped = field.varint("Event.dropped_attributes_count")? as u32,
                _ => {}
            }
        }
        let time_ns = verdict.time("events.time_unix_nano", time);
        put_event(&mut self.builder.events.bytes, time_ns, name, dropped, &self.set);
        Ok(())
    }

    fn link(&mut self, message: &[u8], verdict: &mut Verdict) -> Result<()> {
        self.set.clear();
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let (mut trace_state, mut dropped, mut flags) = ("", 0, 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => trace_id = field.bytes("Link.trace_id")?,
                2 => span_id = field.bytes("Link.span_id")?,
                3 => trace_state = field.str("Link.trace_state")?,
                4 => put_attribute(&mut self.set, field.bytes("Link.attributes")?, verdict)?,
                5 => dropped = field.varint("Link.dropped_attributes_count")? as u32,
                6 => flags = field.fixed32("Link.flags")?,
                _ => {}
            }
        }
        // A link without ids is kept as all zeros: its attributes may still say something.
        let trace_id = verdict.optional_id("links.trace_id", trace_id).unwrap_or_default();
        let span_id = verdict.optional_id("links.span_id", span_id).unwrap_or_default();
        let links = &mut self.builder.links.bytes;
        put_link(links, &trace_id, &span_id, trace_state, flags, dropped, &self.set);
        Ok(())
    }
}

fn status<'a>(message: &'a [u8], span: &mut SpanFields<'a>) -> Result<()> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            2 => span.status_message = field.str("Status.message")?,
            3 => span.status_code = field.varint("Status.code")? as i32,
            _ => {}
        }
    }
    Ok(())
}
