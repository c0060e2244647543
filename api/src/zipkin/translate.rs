//! Spans as Zipkin shows them; the table is `docs/translation.md`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use throughline_model::Value;
use throughline_model::origin::{Event, SERVICE_NAME};
use throughline_model::span::Span;
use throughline_model::value::ValueRef;

use super::wire::{Annotation, Endpoint, SpanJson};
use crate::jaeger::translate::trace_id_text;

/// Attributes in which our receivers keep what Zipkin has fields for: they are no tags.
const FIELDS: [&str; 10] = [
    PEER_SERVICE,
    "net.host.ip",
    "net.host.port",
    "net.peer.ip",
    "net.peer.port",
    "zipkin.local.ipv6",
    "zipkin.remote.ipv6",
    "zipkin.shared",
    "zipkin.debug",
    NO_START,
];
/// The attribute that names the service on the other side.
pub const PEER_SERVICE: &str = "peer.service";
const NO_START: &str = "otel.zipkin.absentField.startTime";
/// Attributes that name the other side of a call where no `peer.service` does, in this order.
pub const REMOTE_HOSTS: [&str; 2] = ["server.address", "net.peer.name"];
const REMOTE_PORTS: [&str; 3] = ["server.port", "network.peer.port", "net.peer.port"];
/// Kinds of spans whose server is the other side: client and producer.
pub const CALLING_KINDS: [i32; 2] = [3, 4];
const ERROR: &str = "error";

/// A span as Zipkin shows it.
pub fn span_json(span: &Span) -> SpanJson<'_> {
    let absent_start = matches!(own(span, NO_START), Some(Value::Bool(true)));
    SpanJson {
        trace_id: trace_id_text(span.trace_id),
        parent_id: span.parent_span_id.map(|id| id.to_string()),
        id: span.span_id.to_string(),
        kind: kind(span.kind),
        name: &span.name,
        timestamp: (!absent_start).then(|| micros(span.start_time_ns)).filter(|at| *at > 0),
        duration: duration(span.duration_ns),
        local_endpoint: local(span),
        remote_endpoint: remote(span),
        annotations: span.events.iter().map(annotation).collect(),
        tags: tags(span),
        debug: matches!(own(span, "zipkin.debug"), Some(Value::Bool(true))),
        shared: matches!(own(span, "zipkin.shared"), Some(Value::Bool(true))),
    }
}

fn kind(kind: i32) -> Option<&'static str> {
    Some(match kind {
        2 => "SERVER",
        3 => "CLIENT",
        4 => "PRODUCER",
        5 => "CONSUMER",
        _ => return None,
    })
}

fn micros(ns: i64) -> u64 {
    u64::try_from(ns / 1000).unwrap_or_default()
}

// A duration that there is never becomes none.
fn duration(ns: i64) -> Option<u64> {
    (ns > 0).then(|| micros(ns).max(1))
}

fn own<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn own_text<'a>(span: &'a Span, key: &str) -> Option<&'a str> {
    match own(span, key) {
        Some(Value::String(text)) if !text.is_empty() => Some(text),
        _ => None,
    }
}

fn port(span: &Span, key: &str) -> Option<u16> {
    let port = match own(span, key)? {
        Value::Int(port) => u16::try_from(*port).ok()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    (port > 0).then_some(port)
}

fn endpoint<'a>(
    name: Option<&'a str>,
    address: Option<&'a str>,
    second: Option<&'a str>,
    port: Option<u16>,
) -> Endpoint<'a> {
    let is_v6 = |address: &&str| matches!(address.parse(), Ok(IpAddr::V6(_)));
    let is_v4 = |address: &&str| matches!(address.parse(), Ok(IpAddr::V4(_)));
    Endpoint {
        service_name: name,
        ipv4: address.filter(is_v4),
        ipv6: second.or(address).filter(is_v6),
        port,
    }
}

fn local(span: &Span) -> Endpoint<'_> {
    let named = span.resource.attributes.iter().find(|(key, _)| key == SERVICE_NAME);
    let name = match named {
        Some((_, Value::String(name))) if !name.is_empty() => Some(name.as_str()),
        _ => None,
    };
    let second = own_text(span, "zipkin.local.ipv6");
    endpoint(name, own_text(span, "net.host.ip"), second, port(span, "net.host.port"))
}

fn remote(span: &Span) -> Endpoint<'_> {
    let second = own_text(span, "zipkin.remote.ipv6");
    let (address, at) = (own_text(span, "net.peer.ip"), port(span, "net.peer.port"));
    if address.is_some() || !CALLING_KINDS.contains(&span.kind) {
        return endpoint(remote_service(span), address, second, at);
    }
    let host = REMOTE_HOSTS.iter().find_map(|key| own_text(span, key));
    let address = own_text(span, "network.peer.address").or(host);
    let at = REMOTE_PORTS.iter().find_map(|key| port(span, key));
    endpoint(remote_service(span), address, second, at)
}

/// The service on the other side: `peer.service`, or the host that a call goes to if it has a name.
pub fn remote_service(span: &Span) -> Option<&str> {
    let host = || {
        let host = REMOTE_HOSTS.iter().find_map(|key| own_text(span, key))?;
        (CALLING_KINDS.contains(&span.kind) && is_name(host)).then_some(host)
    };
    own_text(span, PEER_SERVICE).or_else(host)
}

/// Whether a host is a name rather than an address.
pub fn is_name(host: &str) -> bool {
    host.parse::<IpAddr>().is_err()
}

// An event with attributes is written as OpenTelemetry's exporters write it.
fn annotation(event: &Event) -> Annotation {
    let value = if event.attributes.is_empty() {
        event.name.clone()
    } else {
        let attributes = Value::Kvlist(event.attributes.clone());
        Value::Kvlist(vec![(event.name.clone(), attributes)]).to_json().to_string()
    };
    Annotation { timestamp: micros(event.time_ns), value }
}

fn tags(span: &Span) -> BTreeMap<&str, String> {
    let mut tags = BTreeMap::new();
    let of_resource = span.resource.attributes.iter().filter(|(key, _)| key != SERVICE_NAME);
    tags.extend(of_resource.map(|(key, value)| (key.as_str(), text(value))));
    tags.extend(span.scope.attributes.iter().map(|(key, value)| (key.as_str(), text(value))));
    let tagged = span.attributes.iter().filter(|(key, _)| !FIELDS.contains(&key.as_str()));
    tags.extend(tagged.map(|(key, value)| (key.as_str(), text(value))));
    let texts = [
        ("otel.scope.name", &span.scope.name),
        ("otel.scope.version", &span.scope.version),
        ("w3c.tracestate", &span.trace_state),
    ];
    tags.extend(texts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| (k, v.clone())));
    let counts = [
        ("otel.dropped_attributes_count", span.dropped_attributes_count),
        ("otel.dropped_events_count", span.dropped_events_count),
        ("otel.dropped_links_count", span.dropped_links_count),
    ];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    tags.extend(counts.map(|(key, count)| (key, count.to_string())));
    match span.status_code {
        1 => {
            tags.insert("otel.status_code", "OK".to_owned());
            if !span.status_message.is_empty() {
                tags.insert("otel.status_description", span.status_message.clone());
            }
        }
        2 if own(span, ERROR).is_none() => {
            tags.insert(ERROR, span.status_message.clone());
        }
        2 if !span.status_message.is_empty() => {
            tags.insert("otel.status_description", span.status_message.clone());
        }
        _ => {}
    }
    tags
}

fn text(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::String(text) => text.clone(),
        other => {
            let bytes = other.to_bytes();
            let text = ValueRef::read(&bytes).and_then(|value| value.text());
            text.ok().flatten().map(|text| text.into_owned()).unwrap_or_default()
        }
    }
}

/// The texts by which an `error` tag with this value is found: its own, or the status's message.
pub fn has_error(span: &Span, wanted: &str) -> bool {
    match own(span, ERROR) {
        Some(value) => text(value) == wanted,
        None => span.status_code == 2 && span.status_message == wanted,
    }
}
