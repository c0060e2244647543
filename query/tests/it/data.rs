//! Spans and log records: a small shop to ask about, and random ones.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{self, Resource, Scope};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::time::{MINUTE_NS, SECOND_NS};
use throughline_model::{Batch, Value, attrs};

use crate::harness::NOW_NS;

/// An attribute list out of literals.
pub fn attributes(entries: &[(&str, Value)]) -> Vec<(String, Value)> {
    entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

pub fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

/// A span in a test.
#[derive(Clone, Debug, Default)]
pub struct TestSpan {
    pub service: String,
    pub trace: u8,
    pub span: u8,
    pub parent: Option<u8>,
    pub name: String,
    pub kind: i32,
    pub start_ns: i64,
    pub duration_ns: i64,
    pub status: i32,
    pub message: String,
    pub attributes: Vec<(String, Value)>,
    pub resource: Vec<(String, Value)>,
    pub events: Vec<(i64, String)>,
    pub links: Vec<(u8, u8)>,
}

pub fn trace_id(number: u8) -> [u8; 16] {
    let mut id = [0xab; 16];
    id[15] = number;
    id
}

pub fn span_id(number: u8) -> [u8; 8] {
    let mut id = [0xcd; 8];
    id[7] = number;
    id
}

/// The batch of some spans.
pub fn spans(spans: &[TestSpan]) -> Batch {
    let mut builder = SpanBatchBuilder::default();
    for span in spans {
        let resource = resource(&span.service, &span.resource);
        builder.set_resource(&resource).expect("a resource");
        builder.set_scope(&scope()).expect("a scope");
        for (key, value) in &span.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        let set = attrs::encode([("event.kind", &text("note"))]);
        for (time_ns, name) in &span.events {
            origin::put_event(&mut builder.events.bytes, *time_ns, name, 1, &set);
        }
        for (trace, span) in &span.links {
            let (trace, span) = (trace_id(*trace), span_id(*span));
            origin::put_link(&mut builder.links.bytes, &trace, &span, "a=b", 1, 0, &set);
        }
        let parent_span_id = span.parent.map(span_id);
        builder
            .push(&SpanFields {
                trace_id: trace_id(span.trace),
                span_id: span_id(span.span),
                parent_span_id,
                flags: 1,
                name: &span.name,
                kind: span.kind,
                start_time_ns: span.start_ns,
                duration_ns: span.duration_ns,
                status_code: span.status,
                status_message: &span.message,
                ..SpanFields::default()
            })
            .expect("a span");
    }
    Batch::Spans(builder.finish().expect("a batch"))
}

fn resource(service: &str, more: &[(String, Value)]) -> Vec<u8> {
    let mut all = attributes(&[("service.name", text(service))]);
    all.extend(more.iter().cloned());
    Resource { attributes: all, ..Resource::default() }.encode()
}

fn scope() -> Vec<u8> {
    Scope {
        name: "test".into(),
        version: "1.2".into(),
        attributes: attributes(&[("scope.kind", text("library"))]),
        ..Scope::default()
    }
    .encode()
}

/// A log record in a test.
#[derive(Clone, Debug, Default)]
pub struct TestLog {
    pub service: String,
    pub time_ns: i64,
    pub severity: i32,
    pub body: Option<Value>,
    pub trace: Option<u8>,
    pub span: Option<u8>,
    pub attributes: Vec<(String, Value)>,
}

/// The batch of some log records.
pub fn logs(records: &[TestLog]) -> Batch {
    let mut builder = LogBatchBuilder::default();
    for record in records {
        builder.set_resource(&resource(&record.service, &[])).expect("a resource");
        builder.set_scope(&scope()).expect("a scope");
        for (key, value) in &record.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        let body = record.body.as_ref().map(Value::to_bytes);
        builder
            .push(&LogFields {
                time_ns: record.time_ns,
                severity_number: record.severity,
                severity_text: if record.severity > 16 { "ERROR" } else { "INFO" },
                body: body.as_deref(),
                trace_id: record.trace.map(trace_id),
                span_id: record.span.map(span_id),
                ..LogFields::default()
            })
            .expect("a record");
    }
    Batch::Logs(builder.finish().expect("a batch"))
}

/// The texts that random values are taken from; conditions use the same.
pub const SERVICES: [&str; 4] = ["cart", "payment", "shop", "unknown_service"];
pub const NAMES: [&str; 4] = ["GET /", "charge", "query", ""];
pub const WORDS: [&str; 5] = ["alpha", "beta", "Alpha beta", "100%", "a_b"];

fn pick<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[rng.random_range(0..from.len())]
}

/// Times on a coarse grid in the two hours before now, so that many are equal.
pub fn random_time(rng: &mut StdRng) -> i64 {
    NOW_NS - rng.random_range(0..60) * 2 * MINUTE_NS
}

fn random_value(rng: &mut StdRng) -> Value {
    match rng.random_range(0..8) {
        0 => Value::Empty,
        1 => Value::Bool(rng.random()),
        2 => Value::Int(rng.random_range(-3..8)),
        3 => Value::Double(f64::from(rng.random_range(-6..16)) / 2.0),
        4 => Value::Bytes(vec![rng.random_range(0..3)]),
        5 => Value::Array(vec![Value::Int(1), text(pick(rng, &WORDS))]),
        _ => text(pick(rng, &WORDS)),
    }
}

fn random_attributes(rng: &mut StdRng) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    for key in ["k", "n", "rare"] {
        if rng.random_range(0..3) > 0 {
            all.push((key.to_owned(), random_value(rng)));
        }
    }
    all
}

/// Random spans; ids repeat, clocks run backwards at times.
pub fn random_spans(rng: &mut StdRng, count: usize) -> Vec<TestSpan> {
    (0..count)
        .map(|i| TestSpan {
            service: pick(rng, &SERVICES).to_owned(),
            trace: rng.random_range(0..12),
            span: i as u8,
            parent: rng.random_bool(0.7).then(|| rng.random_range(0..=255)),
            name: pick(rng, &NAMES).to_owned(),
            kind: rng.random_range(0..7),
            start_ns: random_time(rng),
            duration_ns: rng.random_range(-1..20) * 30 * SECOND_NS,
            status: rng.random_range(0..3),
            message: pick(rng, &WORDS).to_owned(),
            attributes: random_attributes(rng),
            resource: random_attributes(rng),
            events: (0..rng.random_range(0..3))
                .map(|_| (random_time(rng), pick(rng, &WORDS).to_owned()))
                .collect(),
            links: (0..rng.random_range(0..2)).map(|_| (rng.random(), rng.random())).collect(),
        })
        .collect()
}

/// Random log records, many of them at the same time.
pub fn random_logs(rng: &mut StdRng, count: usize) -> Vec<TestLog> {
    (0..count)
        .map(|_| TestLog {
            service: pick(rng, &SERVICES).to_owned(),
            time_ns: random_time(rng),
            severity: rng.random_range(0..25),
            body: rng.random_bool(0.9).then(|| random_value(rng)),
            trace: rng.random_bool(0.5).then(|| rng.random_range(0..12)),
            span: rng.random_bool(0.5).then(|| rng.random()),
            attributes: random_attributes(rng),
        })
        .collect()
}
