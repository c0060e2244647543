use std::collections::BTreeMap;

use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, TracesData};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message;
use serde_json::json;

use super::*;
use crate::otlp;

const ID: &str = "/api/v1/traces/01010101010101010101010101010101";

#[tokio::test]
async fn a_trace_comes_back_field_by_field() {
    let server = Server::start().await;
    let mut runner = TestRunner::deterministic();
    let spans: Vec<Span> = (1..=20u8)
        .map(|number| {
            let any = otlp::tests::any_span().new_tree(&mut runner).expect("a span").current();
            let start_time_ns = NOW_NS + i64::from(number);
            Span {
                trace_id: TraceId([1; 16]),
                span_id: SpanId([number; 8]),
                start_time_ns,
                duration_ns: any.duration_ns % 1_000_000_000,
                parent_span_id: any.parent_span_id.filter(|id| !id.is_zero()),
                ..any
            }
        })
        .collect();
    server.append_spans(&spans).await;
    let expected = otlp::proto::traces_data(&otlp::group_spans(&spans));

    for media_type in ["application/x-protobuf", "application/protobuf"] {
        let answer = server.get_as(ID, media_type).await;
        assert_eq!(answer.header("content-type"), media_type);
        same(&TracesData::decode(&answer.body[..]).expect("decodes"), &expected);
    }
    let answer = server.get(ID).await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(!answer.headers.contains_key("throughline-partial"));
    same(&serde_json::from_slice(&answer.body).expect("reads"), &expected);

    server.store.flush().await.expect("flushed");
    let flushed = server.get_as(ID, "application/protobuf").await;
    same(&TracesData::decode(&flushed.body[..]).expect("decodes"), &expected);
    server.stop().await;
}

/// Spans by id, each with its resource and scope; attributes by key, since columns keep no order.
fn spans_by_id(data: &TracesData) -> BTreeMap<Vec<u8>, ResourceSpans> {
    let mut spans = BTreeMap::new();
    for resource in &data.resource_spans {
        for scope in &resource.scope_spans {
            for span in &scope.spans {
                let mut span = span.clone();
                span.attributes.sort_by(|a, b| a.key.cmp(&b.key));
                let id = span.span_id.clone();
                let alone = ScopeSpans { spans: vec![span], ..scope.clone() };
                spans.insert(id, ResourceSpans { scope_spans: vec![alone], ..resource.clone() });
            }
        }
    }
    spans
}

fn same(found: &TracesData, expected: &TracesData) {
    let (found, expected) = (spans_by_id(found), spans_by_id(expected));
    assert_eq!(found.len(), expected.len());
    for (id, span) in expected {
        assert_eq!(found[&id], span);
    }
}

#[tokio::test]
async fn a_wrong_or_unknown_id_is_said() {
    let server = Server::start().await;
    assert_eq!(server.problem(ID, 404).await["field"], "trace_id");
    for bad in ["xyz", "00000000000000000000000000000000", "010101010101010101010101010101010101"] {
        let problem = server.problem(&format!("/api/v1/traces/{bad}"), 400).await;
        assert_eq!((&problem["field"], &problem["value"]), (&json!("trace_id"), &json!(bad)));
    }
    // The format is known before the trace is looked for.
    assert_eq!(server.problem(&format!("{ID}?format=json"), 400).await["field"], "format");
    assert_eq!(server.problem(&format!("{ID}?format=otlp"), 404).await["field"], "trace_id");
    let answer = server.get_as(ID, "text/csv").await;
    answer.problem(406);
    server.stop().await;
}

async fn shop() -> Server {
    let server = Server::start().await;
    let mut spans = Vec::new();
    for trace in 1..=5u8 {
        let mut root = span(trace, 1, "frontend", "GET /cart");
        root.attributes = attributes(&[
            ("http.route", text("/cart")),
            ("http.status_code", Value::Int(if trace == 2 { 500 } else { 200 })),
        ]);
        let mut child = span(trace, 150, "db", "SELECT");
        child.status_code = if trace == 2 { 2 } else { 0 };
        spans.extend([root, child]);
    }
    server.append_spans(&spans).await;
    server
}

fn ids(page: &Json) -> Vec<String> {
    let traces = page["traces"].as_array().expect("traces").iter();
    traces.map(|trace| trace["trace_id"].as_str().expect("id")[..2].to_owned()).collect()
}

#[tokio::test]
async fn search_by_every_condition() {
    let server = shop().await;
    for (query, expected) in [
        ("", vec!["01", "02", "03", "04", "05"]),
        ("service=db", vec!["01", "02", "03", "04", "05"]),
        ("service=nobody", vec![]),
        ("operation=GET%20/cart&service=frontend", vec!["01", "02", "03", "04", "05"]),
        ("filter=http.status_code%3E%3D500", vec!["02"]),
        ("filter=http.route%3D/cart&filter=http.status_code!%3D500", vec!["01", "03", "04", "05"]),
        ("filter=!http.route&filter=kind=server&status=error", vec!["02"]),
        ("filter=resource.host.name~%5Eh&status=error", vec!["02"]),
        ("min_duration=100ms&limit=2", vec!["01", "02"]),
        ("max_duration=10ms&service=db", vec![]),
        ("start=-150s&end=now", vec!["01", "02"]),
        ("start=2026-11-20T11:55:00Z&end=2026-11-20T11:57:00Z", vec!["04", "05"]),
    ] {
        let page = server.json(&format!("/api/v1/traces?{query}")).await;
        assert_eq!(ids(&page), expected, "{query}");
    }
    let page = server.json("/api/v1/traces?status=error").await;
    let trace = &page["traces"][0];
    assert_eq!(trace["trace_id"], "02020202020202020202020202020202");
    assert_eq!(trace["root_service"], "frontend");
    assert_eq!(trace["root_operation"], "GET /cart");
    assert_eq!(trace["start_time"], "2026-11-20T11:58:00.000000001Z");
    assert_eq!(trace["duration_ns"], 150_000_149);
    let counts = ["span_count", "error_count", "matched_spans"].map(|name| trace[name].clone());
    assert_eq!(counts, [json!(2), json!(1), json!(1)]);
    assert_eq!(trace["services"].as_array().map(Vec::len), Some(2));
    server.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = shop().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.json(&format!("/api/v1/traces?limit=2&cursor={cursor}")).await;
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
        assert!(seen.len() < 10);
    }
    assert_eq!(seen, ["01", "02", "03", "04", "05"]);
    server.problem("/api/v1/traces?cursor=nonsense", 400).await;
    server.stop().await;
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::start().await;
    for (query, field, word) in [
        ("servce=x", "servce", "'service'"),
        ("limit=1001", "limit", "1000"),
        ("limit=0", "limit", "1"),
        ("min_duration=5", "min_duration", "units"),
        ("start=yesterday", "start", "RFC 3339"),
        ("start=now&end=-1h", "start", "before"),
        ("status=errr", "status", "'error'"),
        ("filter=a~(", "filter", "regular expression"),
        ("limit=1&limit=2", "limit", "more than once"),
    ] {
        let problem = server.problem(&format!("/api/v1/traces?{query}"), 400).await;
        assert_eq!(problem["field"], field, "{query}");
        assert!(problem["detail"].as_str().expect("text").contains(word), "{query}: {problem}");
    }
    server.stop().await;
}
