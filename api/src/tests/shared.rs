//! Conformance data beside the repository, spans out of OTLP/JSON, and golden conversations.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::*;
use crate::jaeger::transform;

/// Set it to write the golden files anew.
const UPDATE: &str = "THROUGHLINE_UPDATE_GOLDEN";

/// A file or folder of `../shared`; says what is skipped where it is absent.
pub(super) fn shared(path: &str) -> Option<PathBuf> {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared").join(path);
    if !found.exists() {
        println!("skipped: there is no ../shared/{path}");
        return None;
    }
    Some(found)
}

pub(super) fn read_json(path: &Path) -> Json {
    let text = std::fs::read_to_string(path).unwrap_or_else(|err| panic!("{path:?}: {err}"));
    serde_json::from_str(&text).unwrap_or_else(|err| panic!("{path:?}: {err}"))
}

/// The spans of an OTLP/JSON document.
pub(super) fn spans_of(document: &Json) -> Vec<Span> {
    let traces = transform::read(document.to_string().as_bytes()).expect("OTLP/JSON");
    traces.into_iter().flatten().collect()
}

/// One exchange of a conversation with a client.
#[derive(Debug, Deserialize, Serialize)]
struct Exchange {
    /// What the client does there.
    what: String,
    /// Path and query, as the client sends them.
    get: String,
    /// The status of the answer.
    status: u16,
    /// The answer; text where it is no JSON.
    answer: Json,
}

/// Checks that a client's requests, which a golden file lists, are answered as it says.
pub(super) async fn converse(server: &Server, name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/golden").join(name);
    let golden: Vec<Exchange> =
        serde_json::from_value(read_json(&path)).unwrap_or_else(|err| panic!("{name}: {err}"));
    let mut found = Vec::new();
    for Exchange { what, get, .. } in &golden {
        let answer = server.get(get).await;
        let text = answer.text();
        found.push(Exchange {
            what: what.clone(),
            get: get.clone(),
            status: answer.status.as_u16(),
            answer: serde_json::from_str(&text).unwrap_or(Json::String(text)),
        });
    }
    if std::env::var_os(UPDATE).is_some() {
        let mut text = serde_json::to_string_pretty(&found).expect("serialises");
        text.push('\n');
        std::fs::write(&path, text).expect("written");
        return;
    }
    for (found, golden) in found.iter().zip(&golden) {
        assert_eq!(found.status, golden.status, "{name}: {} {}", golden.get, found.answer);
        assert_eq!(found.answer, golden.answer, "{name}: {}", golden.get);
    }
}

/// Two traces with everything that the clients' formats have a place for.
pub(super) async fn shop() -> Server {
    let server = Server::start().await;
    let mut spans = Vec::new();
    for trace in 1..=2u8 {
        let mut root = span(trace, 1, "frontend", "GET /cart");
        root.attributes = attributes(&[
            ("http.route", text("/cart")),
            ("http.status_code", Value::Int(if trace == 2 { 500 } else { 200 })),
        ]);
        root.trace_state = "vendor=1".to_owned();
        root.flags = 0x101;
        let mut client = span(trace, 2, "frontend", "call cart");
        client.kind = 3;
        client.attributes =
            attributes(&[("server.address", text("cart.shop")), ("server.port", Value::Int(8080))]);
        let mut child = span(trace, 3, "cart", "GetCart");
        child.parent_span_id = Some(SpanId([2; 8]));
        child.attributes = attributes(&[
            ("sizes", Value::Array(vec![Value::Int(1), text("x")])),
            ("big", Value::Int(9_007_199_254_740_993)),
            ("ratio", Value::Double(0.5)),
            ("key", Value::Bytes(vec![0, 0, 48, 57])),
        ]);
        child.links = vec![origin::Link {
            trace_id: TraceId([9; 16]),
            span_id: SpanId([9; 8]),
            ..origin::Link::default()
        }];
        let mut query = span(trace, 4, "cart", "SELECT");
        query.parent_span_id = Some(SpanId([3; 8]));
        query.kind = 3;
        query.attributes = attributes(&[("peer.service", text("postgres"))]);
        if trace == 2 {
            query.status_code = 2;
            query.status_message = "connection lost".to_owned();
            query.events = vec![origin::Event {
                time_ns: query.start_time_ns + 1_000_000,
                name: "exception".to_owned(),
                attributes: attributes(&[("exception.type", text("IoError"))]),
                ..origin::Event::default()
            }];
        }
        spans.extend([root, client, child, query]);
    }
    server.append_spans(&spans).await;
    server
}

/// A parameter's value as it stands in an address.
pub(super) fn encoded(text: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    text.as_bytes()
        .iter()
        .map(
            |byte| {
                if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}
