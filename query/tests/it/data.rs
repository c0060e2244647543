//! Spans and log records: a small shop to ask about, and random ones.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{self, Resource, Scope};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::time::MINUTE_NS;
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

/// Times on a coarse grid in the two hours before now, so that many are equal.
pub fn random_time(rng: &mut StdRng) -> i64 {
    NOW_NS - rng.random_range(0..60) * 2 * MINUTE_NS
}
