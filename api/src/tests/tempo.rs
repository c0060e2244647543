//! The requests of Grafana's Tempo source and of Traces Drilldown, recorded, over a small shop.
//!
//! Each file in `tempo/` has a request and its whole answer. Set `THROUGHLINE_UPDATE_GOLDEN` to write
//! the answers anew, and read what changed.

use std::path::{Path, PathBuf};

use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use serde_json::{Value as Json, json};
use throughline_model::origin::{Event, Link};

use super::*;

const UPDATE: &str = "THROUGHLINE_UPDATE_GOLDEN";
const FIRST: &str = "01010101010101010101010101010101";

/// Three traces, a minute apart: a failed purchase, a quick look, and a worker whose parent is not
/// stored and that links to the first.
async fn shop() -> Server {
    let server = Server::start().await;
    let mut root = span(1, 1, "frontend", "GET /cart");
    root.duration_ns = 200_000_000;
    root.attributes = attributes(&[
        ("http.status_code", Value::Int(500)),
        ("http.route", text("/cart")),
        ("cached", Value::Bool(false)),
    ]);
    let mut call = span(1, 2, "cart", "getCart");
    (call.kind, call.status_code, call.status_message) = (3, 2, "no stock".to_owned());
    let thrown = attributes(&[
        ("exception.type", text("OutOfStock")),
        ("exception.message", text("no stock of socks")),
        ("exception.stacktrace", text("at cart.rs:7")),
    ]);
    call.events = vec![Event {
        time_ns: call.start_time_ns + 5_000,
        name: "exception".to_owned(),
        attributes: thrown,
        dropped_attributes_count: 0,
    }];
    let mut select = span(1, 3, "db", "SELECT");
    select.parent_span_id = Some(SpanId([2; 8]));
    select.attributes = attributes(&[("db.rows", Value::Double(2.5))]);
    let mut look = span(2, 1, "frontend", "GET /");
    look.attributes = attributes(&[
        ("http.status_code", Value::Int(200)),
        ("http.route", text("/")),
        ("cached", Value::Bool(true)),
    ]);
    let mut work = span(3, 4, "worker", "send mail");
    work.kind = 5;
    work.links = vec![Link {
        trace_id: TraceId([1; 16]),
        span_id: SpanId([1; 8]),
        attributes: attributes(&[("link.reason", text("order"))]),
        ..Link::default()
    }];
    work.scope = Arc::new(Scope {
        name: "mailer".to_owned(),
        version: "1.4".to_owned(),
        attributes: attributes(&[("team", text("post"))]),
        ..Scope::default()
    });
    server.append_spans(&[root, call, select, look, work]).await;
    server
}

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/tempo");
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 25, "{}", files.len());
    files
}

/// What a recorded request gets: the status, and JSON or text.
async fn answered(server: &Server, request: &str) -> Json {
    let answer = server.get(request).await;
    let body = match answer.header("content-type") {
        "application/json" => answer.json(),
        _ => json!(answer.text()),
    };
    json!({ "request": request, "status": answer.status.as_u16(), "answer": body })
}

#[tokio::test]
async fn recorded_requests_have_their_answers() {
    let server = shop().await;
    for file in recorded() {
        let text = std::fs::read_to_string(&file).expect("readable");
        let expected: Json = serde_json::from_str(&text).expect("JSON");
        let found = answered(&server, expected["request"].as_str().expect("a request")).await;
        if std::env::var_os(UPDATE).is_some() {
            let mut text = serde_json::to_string_pretty(&found).expect("serialises");
            text.push('\n');
            std::fs::write(&file, text).expect("written");
        } else {
            assert_eq!(found, expected, "{}", file.display());
        }
    }
    server.stop().await;
}

// What a search cost depends on where the rows are, and nothing else does.
fn without_metrics(mut answer: Json) -> Json {
    if let Some(answer) = answer["answer"].as_object_mut() {
        answer.remove("metrics");
    }
    answer
}

#[tokio::test]
async fn flushed_spans_have_the_same_answers() {
    let server = shop().await;
    server.store.flush().await.expect("flushed");
    for file in recorded() {
        let text = std::fs::read_to_string(&file).expect("readable");
        let expected: Json = serde_json::from_str(&text).expect("JSON");
        let found = answered(&server, expected["request"].as_str().expect("a request")).await;
        assert_eq!(without_metrics(found), without_metrics(expected), "{}", file.display());
    }
    server.stop().await;
}

/// `tempopb.TraceByIDResponse`, as a client reads it.
#[derive(Clone, PartialEq, Message)]
struct TraceById {
    #[prost(message, optional, tag = "1")]
    trace: Option<TracesData>,
    #[prost(int32, tag = "3")]
    status: i32,
    #[prost(string, tag = "4")]
    message: String,
}

fn names(trace: &TracesData) -> Vec<String> {
    let scopes = trace.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    let mut names: Vec<_> =
        scopes.flat_map(|scope| &scope.spans).map(|span| span.name.clone()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_trace_in_protobuf_as_grafana_asks() {
    let server = shop().await;
    let path = format!("/tempo/api/v2/traces/{FIRST}?start=1795175000&end=1795177000");
    let answer = server.get_as(&path, "application/protobuf").await;
    assert_eq!(answer.header("content-type"), "application/protobuf");
    let v2 = TraceById::decode(&answer.body[..]).expect("decodes");
    assert_eq!(names(&v2.trace.expect("a trace")), ["GET /cart", "SELECT", "getCart"]);
    assert_eq!((v2.status, v2.message.as_str()), (0, ""));

    let path = format!("/tempo/api/traces/{FIRST}");
    let v1 = server.get_as(&path, "application/protobuf").await;
    let v1 = TracesData::decode(&v1.body[..]).expect("decodes");
    assert_eq!(names(&v1), ["GET /cart", "SELECT", "getCart"]);
    for version in ["traces", "v2/traces"] {
        let path = format!("/tempo/api/{version}/ff");
        let answer = server.get_as(&path, "application/protobuf").await;
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (StatusCode::NOT_FOUND, "trace not found")
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_part_of_a_trace() {
    let server = shop().await;
    let cart = "%7B%20name%20%3D%20%22getCart%22%20%7D";
    for (more, expected) in [
        ("", vec!["getCart"]),
        ("&match_depth=1", vec!["SELECT", "getCart"]),
        ("&keep_hierarchy=true", vec!["GET /cart", "getCart"]),
        ("&keep_hierarchy=true&ancestor_depth=0", vec!["getCart"]),
        ("&keep_hierarchy=true&match_depth=-1", vec!["GET /cart", "SELECT", "getCart"]),
    ] {
        let path = format!("/tempo/api/v2/traces/{FIRST}?q={cart}{more}");
        let answer = server.get_as(&path, "application/protobuf").await;
        assert_eq!(answer.status, StatusCode::OK, "{more}: {}", answer.text());
        let v2 = TraceById::decode(&answer.body[..]).expect("decodes");
        let part = expected.len() < 3;
        assert_eq!(names(&v2.trace.expect("a trace")), expected, "{more}");
        assert_eq!((v2.status == 1, v2.message.contains("filtered")), (part, part), "{more}");
    }
    for bad in [
        format!("q={cart}&match_depth=-2"),
        format!("q={cart}&keep_hierarchy=true&ancestor_depth=x"),
        format!("q={cart}%20%7C%20count()%20%3E%201"),
        "q=%7B%20name%20%3D".to_owned(),
    ] {
        let answer = server.get(&format!("/tempo/api/v2/traces/{FIRST}?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{bad}: {}", answer.text());
    }
    server.stop().await;
}

#[tokio::test]
async fn the_tenant_header_and_protobuf_are_taken_everywhere() {
    let server = shop().await;
    let request = Request::get("/tempo/api/search?q=%7B%7D&limit=2")
        .header("x-scope-orgid", "anyone")
        .header("accept", "application/protobuf");
    let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
    assert_eq!(answer.header("content-type"), "application/protobuf");
    assert!(answer.body.windows(32).any(|id| id == FIRST.as_bytes()), "the newest trace");
    server.stop().await;
}
