//! Spans as `TracesData`.

use opentelemetry_proto::tonic::trace::v1::span::{Event as ProtoEvent, Link as ProtoLink};
use opentelemetry_proto::tonic::trace::v1::{
    ResourceSpans, ScopeSpans, Span as ProtoSpan, Status, TracesData,
};
use throughline_model::origin::{Event, Link};
use throughline_model::span::Span;

use super::{instrumentation_scope, key_values, nanos, resource};
use crate::otlp::{ResourceGroup, ScopeGroup};

/// Grouped spans as the generated message.
pub fn traces_data(groups: &[ResourceGroup<'_, Span>]) -> TracesData {
    let resource_spans = |group: &ResourceGroup<'_, Span>| ResourceSpans {
        resource: resource(group.resource),
        scope_spans: group.scopes.iter().map(scope_spans).collect(),
        schema_url: group.resource.schema_url.clone(),
    };
    TracesData { resource_spans: groups.iter().map(resource_spans).collect() }
}

fn scope_spans(group: &ScopeGroup<'_, Span>) -> ScopeSpans {
    ScopeSpans {
        scope: instrumentation_scope(group.scope),
        spans: group.items.iter().map(|span| proto_span(span)).collect(),
        schema_url: group.scope.schema_url.clone(),
    }
}

fn proto_span(span: &Span) -> ProtoSpan {
    ProtoSpan {
        trace_id: span.trace_id.0.to_vec(),
        span_id: span.span_id.0.to_vec(),
        trace_state: span.trace_state.clone(),
        parent_span_id: span.parent_span_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        flags: span.flags,
        name: span.name.clone(),
        kind: span.kind,
        start_time_unix_nano: nanos(span.start_time_ns),
        end_time_unix_nano: nanos(span.start_time_ns.wrapping_add(span.duration_ns)),
        attributes: key_values(&span.attributes),
        dropped_attributes_count: span.dropped_attributes_count,
        events: span.events.iter().map(proto_event).collect(),
        dropped_events_count: span.dropped_events_count,
        links: span.links.iter().map(proto_link).collect(),
        dropped_links_count: span.dropped_links_count,
        status: Some(Status { message: span.status_message.clone(), code: span.status_code }),
    }
}

fn proto_event(event: &Event) -> ProtoEvent {
    ProtoEvent {
        time_unix_nano: nanos(event.time_ns),
        name: event.name.clone(),
        attributes: key_values(&event.attributes),
        dropped_attributes_count: event.dropped_attributes_count,
    }
}

fn proto_link(link: &Link) -> ProtoLink {
    ProtoLink {
        trace_id: link.trace_id.0.to_vec(),
        span_id: link.span_id.0.to_vec(),
        trace_state: link.trace_state.clone(),
        attributes: key_values(&link.attributes),
        dropped_attributes_count: link.dropped_attributes_count,
        flags: link.flags,
    }
}
