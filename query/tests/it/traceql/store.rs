//! Spans in a store, in each of the places where a query may find them.

use throughline_model::span::{Span, SpanBatchBuilder, SpanFields};
use throughline_model::time::MINUTE_NS;
use throughline_model::{Batch, attrs, origin};

use crate::harness::Harness;

/// Where the spans of a store are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Layout {
    /// All in heads, of several requests.
    Heads,
    /// All in segments.
    Segments,
    /// Every second span in a segment, the others in heads: traces are cut in the middle.
    Both,
    /// In segments that were merged.
    Merged,
}

pub const LAYOUTS: [Layout; 4] = [Layout::Heads, Layout::Segments, Layout::Both, Layout::Merged];

/// A store that holds these spans.
pub async fn store(spans: &[Span], layout: Layout) -> Harness {
    let harness = Harness::new().await;
    let every =
        |nth: usize, of: usize| spans.iter().skip(nth).step_by(of).cloned().collect::<Vec<_>>();
    let parts = match layout {
        Layout::Segments => vec![spans.to_vec()],
        Layout::Both => vec![every(0, 2), every(1, 2)],
        Layout::Heads | Layout::Merged => vec![every(0, 3), every(1, 3), every(2, 3)],
    };
    for (nth, part) in parts.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
        harness.append(batch(part)).await;
        let is_flushed = match layout {
            Layout::Heads => false,
            Layout::Both => nth == 0,
            Layout::Segments | Layout::Merged => true,
        };
        if is_flushed {
            harness.store.flush().await.expect("flushes");
        }
    }
    if layout == Layout::Merged {
        harness.clock.advance_ns(MINUTE_NS);
        harness.store.compact().await.expect("compacts");
    }
    harness
}

/// The batch of some spans.
fn batch(spans: &[Span]) -> Batch {
    let set = |attributes: &[(String, throughline_model::Value)]| {
        attrs::encode(attributes.iter().map(|(key, value)| (key.as_str(), value)))
    };
    let mut builder = SpanBatchBuilder::default();
    for span in spans {
        builder.set_resource(&span.resource.encode()).expect("a resource");
        builder.set_scope(&span.scope.encode()).expect("a scope");
        for (key, value) in &span.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        for event in &span.events {
            let set = set(&event.attributes);
            origin::put_event(&mut builder.events.bytes, event.time_ns, &event.name, 0, &set);
        }
        for link in &span.links {
            let (trace, span) = (&link.trace_id.0, &link.span_id.0);
            let set = set(&link.attributes);
            origin::put_link(&mut builder.links.bytes, trace, span, "", 0, 0, &set);
        }
        builder
            .push(&SpanFields {
                trace_id: span.trace_id.0,
                span_id: span.span_id.0,
                parent_span_id: span.parent_span_id.map(|id| id.0),
                name: &span.name,
                kind: span.kind,
                start_time_ns: span.start_time_ns,
                duration_ns: span.duration_ns,
                status_code: span.status_code,
                status_message: &span.status_message,
                ..SpanFields::default()
            })
            .expect("a span");
    }
    Batch::Spans(builder.finish().expect("a batch"))
}
