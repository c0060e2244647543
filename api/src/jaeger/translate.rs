//! Spans as Jaeger shows them; the table is `docs/translation.md`.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use throughline_model::origin::{Event, Link, Resource, SERVICE_NAME, Scope};
use throughline_model::span::Span;
use throughline_model::{SpanId, TraceId, Value};

use super::wire::{LogJson, ProcessJson, ReferenceJson, SpanJson, TagJson, TagValue, TraceJson};

/// Where our receivers keep flags beyond `sampled`.
const FLAGS: &str = "jaeger.flags";
/// Where they keep what a Jaeger client warned of.
const WARNINGS: &str = "@jaeger@warnings";
/// On a link: which reference it was.
const REF_TYPE: &str = "opentracing.ref_type";
const CHILD_OF: &str = "CHILD_OF";
const FOLLOWS_FROM: &str = "FOLLOWS_FROM";
const SAMPLED: u32 = 1;
/// The bits of an OTLP span's flags that are the trace's.
const TRACE_FLAGS: u32 = 0xff;

/// The kinds of spans in Jaeger's words, by number; none for the first.
pub const KINDS: [&str; 6] = ["", "internal", "server", "client", "producer", "consumer"];

/// The kind in Jaeger's words; empty where there is none.
pub fn kind_text(kind: i32) -> &'static str {
    usize::try_from(kind).ok().and_then(|kind| KINDS.get(kind).copied()).unwrap_or_default()
}

/// An id as Jaeger's v1 API writes it: 16 digits where the first 16 of 32 are zeros.
pub fn trace_id_text(id: TraceId) -> String {
    let text = id.to_string();
    match text.strip_prefix("0000000000000000") {
        Some(short) => short.to_owned(),
        None => text,
    }
}

/// A trace out of its spans.
pub fn trace_json(spans: &[Span], warnings: Vec<String>) -> TraceJson<'_> {
    let trace_id = spans.first().map(|span| trace_id_text(span.trace_id)).unwrap_or_default();
    let mut processes = Processes::default();
    let spans = spans.iter().map(|span| span_json(span, processes.key(span))).collect();
    TraceJson {
        trace_id,
        spans,
        processes: processes.by_key,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

// Equal processes have one key; spans of one batch share their resource, so most are known by it.
#[derive(Default)]
struct Processes<'a> {
    by_key: BTreeMap<String, ProcessJson<'a>>,
    by_address: HashMap<usize, String>,
    in_order: Vec<ProcessJson<'a>>,
}

impl<'a> Processes<'a> {
    fn key(&mut self, span: &'a Span) -> String {
        let address = Arc::as_ptr(&span.resource) as usize;
        if let Some(key) = self.by_address.get(&address) {
            return key.clone();
        }
        let process = process_json(&span.resource, &span.service_name);
        let known = self.in_order.iter().position(|other| *other == process);
        let number = known.unwrap_or(self.in_order.len());
        let key = format!("p{}", number + 1);
        if known.is_none() {
            self.in_order.push(process.clone());
            self.by_key.insert(key.clone(), process);
        }
        self.by_address.insert(address, key.clone());
        key
    }
}

fn process_json<'a>(resource: &'a Resource, service_name: &'a str) -> ProcessJson<'a> {
    let others = resource.attributes.iter().filter(|(key, _)| key != SERVICE_NAME);
    ProcessJson { service_name, tags: others.map(|(key, value)| tag(key, value)).collect() }
}

fn span_json(span: &Span, process_id: String) -> SpanJson<'_> {
    let mut warnings = own_warnings(span);
    if span.duration_ns < 0 {
        let text = format!("the span ends {} ns before it starts", span.duration_ns.unsigned_abs());
        warnings.push(text);
    }
    SpanJson {
        trace_id: trace_id_text(span.trace_id),
        span_id: span.span_id.to_string(),
        flags: flags(span),
        operation_name: &span.name,
        references: references(span),
        start_time: micros(span.start_time_ns),
        duration: micros(span.duration_ns),
        tags: tags(span),
        logs: span.events.iter().map(log_json).collect(),
        process_id,
        warnings: (!warnings.is_empty()).then_some(warnings),
    }
}

fn micros(ns: i64) -> u64 {
    u64::try_from(ns / 1000).unwrap_or_default()
}

fn flags(span: &Span) -> u32 {
    match span.attributes.iter().find(|(key, _)| key == FLAGS) {
        Some((_, Value::Int(flags))) => u32::try_from(*flags).unwrap_or_default(),
        _ => span.flags & TRACE_FLAGS & SAMPLED,
    }
}

fn own_warnings(span: &Span) -> Vec<String> {
    match span.attributes.iter().find(|(key, _)| key == WARNINGS) {
        Some((_, Value::Array(texts))) => texts.iter().map(text).collect(),
        _ => Vec::new(),
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_json().to_string(),
    }
}

// The parent comes first: the UI takes the first CHILD_OF for it.
fn references(span: &Span) -> Vec<ReferenceJson> {
    let is_parent =
        |link: &Link| link.trace_id == span.trace_id && Some(link.span_id) == span.parent_span_id;
    // A parent that is only followed from came as that reference, and goes out as it.
    let followed = span
        .links
        .iter()
        .any(|link| is_parent(link) && ref_type(link) == FOLLOWS_FROM && has_ref_type(link));
    let parent = span.parent_span_id.filter(|_| !followed);
    let mut references = Vec::with_capacity(span.links.len() + 1);
    references.extend(parent.map(|parent| reference(CHILD_OF, span.trace_id, parent)));
    let links =
        span.links.iter().map(|link| reference(ref_type(link), link.trace_id, link.span_id));
    references.extend(links);
    references
}

fn reference(ref_type: &'static str, trace_id: TraceId, span_id: SpanId) -> ReferenceJson {
    ReferenceJson { ref_type, trace_id: trace_id_text(trace_id), span_id: span_id.to_string() }
}

fn has_ref_type(link: &Link) -> bool {
    link.attributes.iter().any(|(key, _)| key == REF_TYPE)
}

fn ref_type(link: &Link) -> &'static str {
    let said = link.attributes.iter().find(|(key, _)| key == REF_TYPE);
    match said {
        Some((_, Value::String(text))) if text == "child_of" => CHILD_OF,
        _ => FOLLOWS_FROM,
    }
}

fn log_json(event: &Event) -> LogJson<'_> {
    let named = event.attributes.iter().any(|(key, _)| key == "event");
    let name = (!event.name.is_empty() && !named).then(|| string("event", &event.name));
    let fields = event.attributes.iter().map(|(key, value)| tag(key, value));
    LogJson { timestamp: micros(event.time_ns), fields: name.into_iter().chain(fields).collect() }
}

fn tags(span: &Span) -> Vec<TagJson<'_>> {
    let mut tags = scope_tags(&span.scope);
    let hidden = |key: &str| key == FLAGS || key == WARNINGS;
    let own = span.attributes.iter().filter(|(key, _)| !hidden(key));
    tags.extend(own.map(|(key, value)| tag(key, value)));
    // What the span says of itself counts before an attribute of the same name.
    let mut field = |key: &'static str, value: TagValue<'static>| {
        tags.retain(|tag| tag.key != key);
        tags.push(TagJson { key: Cow::Borrowed(key), value });
    };
    let kind = kind_text(span.kind);
    if !kind.is_empty() {
        field("span.kind", TagValue::String(Cow::Borrowed(kind)));
    }
    match span.status_code {
        1 => field("otel.status_code", TagValue::String(Cow::Borrowed("OK"))),
        2 => {
            field("otel.status_code", TagValue::String(Cow::Borrowed("ERROR")));
            field("error", TagValue::Bool(true));
        }
        _ => {}
    }
    let texts =
        [("otel.status_description", &span.status_message), ("w3c.tracestate", &span.trace_state)];
    tags.extend(texts.into_iter().filter(|(_, v)| !v.is_empty()).map(|(k, v)| string(k, v)));
    let counts = [
        ("otel.dropped_attributes_count", span.dropped_attributes_count),
        ("otel.dropped_events_count", span.dropped_events_count),
        ("otel.dropped_links_count", span.dropped_links_count),
    ];
    tags.extend(counts.into_iter().filter(|(_, count)| *count > 0).map(|(key, count)| TagJson {
        key: Cow::Borrowed(key),
        value: TagValue::Int64(i64::from(count)),
    }));
    tags
}

fn scope_tags(scope: &Scope) -> Vec<TagJson<'_>> {
    let texts = [("otel.scope.name", &scope.name), ("otel.scope.version", &scope.version)];
    let named = texts.into_iter().filter(|(_, text)| !text.is_empty());
    let named = named.map(|(key, text)| string(key, text));
    named.chain(scope.attributes.iter().map(|(key, value)| tag(key, value))).collect()
}

fn string<'a>(key: &'a str, text: &'a str) -> TagJson<'a> {
    TagJson { key: Cow::Borrowed(key), value: TagValue::String(Cow::Borrowed(text)) }
}

fn tag<'a>(key: &'a str, value: &'a Value) -> TagJson<'a> {
    let value = match value {
        Value::Empty => TagValue::String(Cow::Borrowed("")),
        Value::String(text) => TagValue::String(Cow::Borrowed(text)),
        Value::Bool(flag) => TagValue::Bool(*flag),
        Value::Int(number) => TagValue::Int64(*number),
        Value::Double(number) => TagValue::Float64(*number),
        Value::Bytes(bytes) => TagValue::Binary(bytes),
        Value::Array(_) | Value::Kvlist(_) => {
            TagValue::String(Cow::Owned(value.to_json().to_string()))
        }
    };
    TagJson { key: Cow::Borrowed(key), value }
}
