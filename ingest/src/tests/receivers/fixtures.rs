//! Jaeger's own pairs of a thrift batch and the spans it is (`../shared/data/jaeger`): ours are the same.

use base64::Engine;
use serde_json::Value as Json;
use throughline_model::span::Span;
use throughline_model::{Signal, SpanId, TraceId, Value};
use throughline_storage::Format;

use super::spans;
use super::thrift::Thrift;
use crate::decode::decode_inflated;
use crate::tests::shared;
use crate::thrift::Protocol;

const FOLDER: &str = "data/jaeger/internal/converter/thrift/jaeger/fixtures";

#[test]
fn jaegers_thrift_fixtures_are_the_spans_that_jaeger_makes_of_them() {
    let Some(folder) = shared(FOLDER) else {
        eprintln!("skipped: {FOLDER} is absent");
        return;
    };
    let read = |name: String| -> Json {
        let text = std::fs::read_to_string(folder.join(name)).expect("text");
        serde_json::from_str(&text).expect("JSON")
    };
    for number in ["01", "02"] {
        let batch = read(format!("thrift_batch_{number}.json"));
        let body = thrift_batch(&batch).encode(Protocol::Binary);
        let decoded = decode_inflated(Signal::Traces, Format::JaegerThrift, &body, 0);
        let spans = spans(&decoded.expect("well-formed"));
        let domain = read(format!("domain_{number}.json"));
        let expected: Vec<_> = list(&domain["spans"]).collect();
        assert_eq!(spans.len(), expected.len(), "{number}");
        spans.iter().zip(expected).for_each(|(span, expected)| compare(span, expected));
    }
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn thrift_batch(json: &Json) -> Thrift {
    let process = &json["process"];
    let name = process["serviceName"].as_str().expect("a name");
    let process = Thrift::Struct(vec![(1, Thrift::text(name)), (2, thrift_tags(&process["tags"]))]);
    let spans = list(&json["spans"]).map(thrift_span).collect();
    Thrift::Struct(vec![(1, process), (2, Thrift::List(spans))])
}

fn long(json: &Json) -> Thrift {
    Thrift::I64(json.as_i64().unwrap_or_default())
}

fn thrift_span(json: &Json) -> Thrift {
    let references = list(&json["references"]).map(|reference| {
        let kind = i32::from(reference["refType"] == "FOLLOWS_FROM");
        Thrift::Struct(vec![
            (1, Thrift::I32(kind)),
            (2, long(&reference["traceIdLow"])),
            (3, long(&reference["traceIdHigh"])),
            (4, long(&reference["spanId"])),
        ])
    });
    let logs = list(&json["logs"]).map(|log| {
        Thrift::Struct(vec![(1, long(&log["timestamp"])), (2, thrift_tags(&log["fields"]))])
    });
    Thrift::Struct(vec![
        (1, long(&json["traceIdLow"])),
        (2, long(&json["traceIdHigh"])),
        (3, long(&json["spanId"])),
        (4, long(&json["parentSpanId"])),
        (5, Thrift::text(json["operationName"].as_str().expect("a name"))),
        (6, Thrift::List(references.collect())),
        (7, Thrift::I32(json["flags"].as_i64().unwrap_or_default() as i32)),
        (8, long(&json["startTime"])),
        (9, long(&json["duration"])),
        (10, thrift_tags(&json["tags"])),
        (11, Thrift::List(logs.collect())),
    ])
}

fn thrift_tags(json: &Json) -> Thrift {
    let tag = |json: &Json| {
        let (kind, value) = match json["vType"].as_str().expect("a type") {
            "STRING" => (0, (3, Thrift::text(json["vStr"].as_str().unwrap_or_default()))),
            "DOUBLE" => (1, (4, Thrift::Double(json["vDouble"].as_f64().unwrap_or_default()))),
            "BOOL" => (2, (5, Thrift::Bool(json["vBool"].as_bool().unwrap_or_default()))),
            "LONG" => (3, (6, long(&json["vLong"]))),
            _ => (4, (7, Thrift::Bytes(bytes(&json["vBinary"])))),
        };
        let key = Thrift::text(json["key"].as_str().expect("a key"));
        Thrift::Struct(vec![(1, key), (2, Thrift::I32(kind)), value])
    };
    Thrift::List(list(json).map(tag).collect())
}

fn bytes(json: &Json) -> Vec<u8> {
    let text = json.as_str().unwrap_or_default();
    base64::engine::general_purpose::STANDARD.decode(text).expect("base64")
}

fn compare(span: &Span, expected: &Json) {
    let trace_id = |json: &Json| TraceId::from_slice(&bytes(json)).expect("16 bytes");
    let span_id = |json: &Json| SpanId::from_slice(&bytes(json)).expect("8 bytes");
    assert_eq!(span.trace_id, trace_id(&expected["traceId"]));
    assert_eq!(span.span_id, span_id(&expected["spanId"]));
    assert_eq!(span.name, expected["operationName"].as_str().expect("a name"));
    assert_eq!(format!("{}ns", span.duration_ns), expected["duration"].as_str().expect("text"));
    assert_eq!(span.service_name, expected["process"]["serviceName"].as_str().expect("a name"));
    // A parent is a CHILD_OF, unless a link says what it is.
    let parent = span.parent_span_id.filter(|id| span.links.iter().all(|link| link.span_id != *id));
    let mut references: Vec<_> =
        parent.map(|id| ("CHILD_OF".to_owned(), span.trace_id, id)).into_iter().collect();
    for link in &span.links {
        let Value::String(kind) = &link.attributes[0].1 else { panic!("no type of reference") };
        references.push((kind.to_uppercase(), link.trace_id, link.span_id));
    }
    let expected_references: Vec<_> = list(&expected["references"])
        .map(|json| {
            let kind = json["refType"].as_str().expect("a type").to_owned();
            (kind, trace_id(&json["traceId"]), span_id(&json["spanId"]))
        })
        .collect();
    assert_eq!(references, expected_references);
    let tags = span.attributes.iter().map(|(key, value)| (key.clone(), value.clone()));
    let expected_tags =
        tags_of(&expected["tags"]).into_iter().filter(|(key, _)| key != "span.kind");
    assert_eq!(tags.collect::<Vec<_>>(), expected_tags.collect::<Vec<_>>());
    for (event, log) in span.events.iter().zip(list(&expected["logs"])) {
        let mut fields = event.attributes.clone();
        if !event.name.is_empty() {
            fields.insert(0, ("event".to_owned(), Value::String(event.name.clone())));
        }
        assert_eq!(fields, tags_of(&log["fields"]));
    }
    assert_eq!(span.events.len(), list(&expected["logs"]).count());
}

/// Tags of Jaeger's model in JSON.
fn tags_of(json: &Json) -> Vec<(String, Value)> {
    let value = |json: &Json| match json["vType"].as_str().unwrap_or("STRING") {
        "BOOL" => Value::Bool(json["vBool"].as_bool().unwrap_or_default()),
        "INT64" => {
            let text = json["vInt64"].as_str().map(|text| text.parse().expect("a number"));
            Value::Int(text.or(json["vInt64"].as_i64()).unwrap_or_default())
        }
        "FLOAT64" => Value::Double(json["vFloat64"].as_f64().unwrap_or_default()),
        "BINARY" => Value::Bytes(bytes(&json["vBinary"])),
        _ => Value::String(json["vStr"].as_str().unwrap_or_default().to_owned()),
    };
    list(json).map(|json| (json["key"].as_str().expect("a key").to_owned(), value(json))).collect()
}
