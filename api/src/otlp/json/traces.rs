//! Spans: `{"resourceSpans":[…]}`.

use serde::Serialize;
use throughline_model::origin::{Event, Link};
use throughline_model::span::Span;

use super::{Attributes, Hex, Names, Nanos, document, is_unset, is_zero};
use crate::otlp::ResourceGroup;

const NAMES: Names = Names { resources: "resourceSpans", scopes: "scopeSpans", items: "spans" };

/// The JSON text of grouped spans.
pub fn write_spans(groups: &[ResourceGroup<'_, Span>]) -> serde_json::Result<Vec<u8>> {
    document(&NAMES, groups, |spans| spans.iter().map(|span| span_json(span)).collect())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SpanJson<'a> {
    trace_id: Hex<'a>,
    span_id: Hex<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: Nanos,
    end_time_unix_nano: Nanos,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    events: Vec<EventJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_events_count: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<LinkJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_links_count: u32,
    status: StatusJson<'a>,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    message: &'a str,
    #[serde(skip_serializing_if = "is_unset")]
    code: i32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EventJson<'a> {
    time_unix_nano: Nanos,
    name: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LinkJson<'a> {
    trace_id: Hex<'a>,
    span_id: Hex<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    trace_state: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

fn span_json(span: &Span) -> SpanJson<'_> {
    SpanJson {
        trace_id: Hex(&span.trace_id.0),
        span_id: Hex(&span.span_id.0),
        trace_state: &span.trace_state,
        parent_span_id: span.parent_span_id.as_ref().map(|id| Hex(&id.0)),
        flags: span.flags,
        name: &span.name,
        kind: span.kind,
        start_time_unix_nano: Nanos(span.start_time_ns),
        end_time_unix_nano: Nanos(span.start_time_ns.wrapping_add(span.duration_ns)),
        attributes: Attributes(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(event_json).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(link_json).collect(),
        dropped_links_count: span.dropped_links_count,
        status: StatusJson { message: &span.status_message, code: span.status_code },
    }
}

fn event_json(event: &Event) -> EventJson<'_> {
    EventJson {
        time_unix_nano: Nanos(event.time_ns),
        name: &event.name,
        attributes: Attributes(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn link_json(link: &Link) -> LinkJson<'_> {
    LinkJson {
        trace_id: Hex(&link.trace_id.0),
        span_id: Hex(&link.span_id.0),
        trace_state: &link.trace_state,
        attributes: Attributes(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}
