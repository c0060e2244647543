//! What Jaeger's query service does to a trace before it shows it, unless `raw` is asked for: ids that a
//! client and a server share are told apart, links to nowhere go, packed addresses become readable,
//! attributes and events are in an order that stays.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use throughline_model::span::Span;
use throughline_model::{SpanId, Value};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;
/// Attributes that old clients fill with an address packed into an integer.
const ADDRESSES: [&str; 2] = ["ip", "peer.ipv4"];

/// Adjusts the spans of one trace.
pub fn adjust(spans: &mut [Span]) {
    separate_shared_ids(spans);
    for span in spans {
        span.links.retain(|link| !link.trace_id.is_zero() || !link.span_id.is_zero());
        span.attributes.iter_mut().for_each(readable_address);
        span.attributes.sort_by(|a, b| a.0.cmp(&b.0));
        span.events.sort_by_key(|event| event.time_ns);
        if span.resource.attributes.iter().any(is_packed) {
            let mut resource = (*span.resource).clone();
            resource.attributes.iter_mut().for_each(readable_address);
            span.resource = Arc::new(resource);
        }
    }
}

// Zipkin's clients give both halves of a call one id: the server's half gets one of its own and becomes
// the client's child; whoever named the shared id as parent works for the server.
fn separate_shared_ids(spans: &mut [Span]) {
    let mut used: HashSet<SpanId> = spans.iter().map(|span| span.span_id).collect();
    let clients: HashSet<SpanId> =
        spans.iter().filter(|span| span.kind == CLIENT).map(|span| span.span_id).collect();
    let mut renamed = HashMap::new();
    for span in spans.iter_mut().filter(|span| span.kind == SERVER) {
        let shared = span.span_id;
        if !clients.contains(&shared) {
            continue;
        }
        let mut number = u64::from_be_bytes(shared.0);
        while number == 0 || used.contains(&SpanId(number.to_be_bytes())) {
            number = number.wrapping_add(1);
        }
        let own = SpanId(number.to_be_bytes());
        used.insert(own);
        renamed.insert(shared, own);
        span.span_id = own;
        span.parent_span_id = Some(shared);
    }
    for span in spans.iter_mut() {
        let Some(own) = span.parent_span_id.and_then(|parent| renamed.get(&parent)) else {
            continue;
        };
        let is_half = span.kind == SERVER && renamed.values().any(|id| *id == span.span_id);
        if !is_half {
            span.parent_span_id = Some(*own);
        }
    }
}

fn is_packed((key, value): &(String, Value)) -> bool {
    ADDRESSES.contains(&key.as_str()) && matches!(value, Value::Int(_) | Value::Double(_))
}

fn readable_address(entry: &mut (String, Value)) {
    if !is_packed(entry) {
        return;
    }
    let packed = match entry.1 {
        Value::Int(number) => number as u32,
        Value::Double(number) => number as u32,
        _ => return,
    };
    entry.1 = Value::String(std::net::Ipv4Addr::from(packed).to_string());
}
