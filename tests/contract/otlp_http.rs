//! Statuses of OTLP over HTTP, and that the server goes on after each.

use std::io::Write;

use serde_json::Value;

use crate::harness::server::wait_until;
use crate::harness::{Server, otlp};

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

/// What it is, path, headers, body, expected status.
type Case = (&'static str, &'static str, Vec<(&'static str, &'static str)>, Vec<u8>, u16);

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).expect("memory");
    encoder.finish().expect("memory")
}

/// A JSON body whose attribute nests arrays so deep.
fn nested(depth: usize) -> Vec<u8> {
    let (open, close) = (r#"{"arrayValue":{"values":["#.repeat(depth), "]}}".repeat(depth));
    let value = format!(r#"{open}{{"intValue":"1"}}{close}"#);
    format!(
        r#"{{"resourceSpans":[{{"resource":{{"attributes":[{{"key":"a","value":{value}}}]}}}}]}}"#
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_request_gets_its_status_and_the_server_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let small = [("THROUGHLINE_OTLP_REQUEST_BYTES_MAX", "1MiB")];
    let server = Server::start_with(folder.path(), &small).await;
    let good = otlp::spans(1);
    let truncated = good[..good.len() - 3].to_vec();
    let bomb = gzip(&vec![0u8; 64 << 20]);
    let cases: Vec<Case> = vec![
        ("malformed", "/v1/traces", vec![PROTOBUF], vec![0xff; 32], 400),
        ("truncated", "/v1/traces", vec![PROTOBUF], truncated, 400),
        ("malformed JSON", "/v1/traces", vec![JSON], b"{\"resourceSpans\": [".to_vec(), 400),
        ("wrong JSON type", "/v1/logs", vec![JSON], br#"{"resourceLogs": 5}"#.to_vec(), 400),
        ("deeply nested", "/v1/traces", vec![JSON], nested(5_000), 400),
        ("too large", "/v1/traces", vec![PROTOBUF], vec![0; 3 << 20], 413),
        ("bomb", "/v1/traces", vec![PROTOBUF, ("content-encoding", "gzip")], bomb, 413),
        ("no gzip", "/v1/traces", vec![PROTOBUF, ("content-encoding", "gzip")], good.clone(), 400),
        (
            "unknown encoding",
            "/v1/traces",
            vec![PROTOBUF, ("content-encoding", "br")],
            good.clone(),
            415,
        ),
        ("unknown type", "/v1/traces", vec![("content-type", "text/plain")], good.clone(), 415),
        ("unknown path", "/v1/profiles", vec![PROTOBUF], good.clone(), 404),
    ];
    for (what, path, headers, body, status) in cases {
        let answer = server.client.post(path, &headers, body).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), status, "{what}");
        let kind =
            answer.headers().get("content-type").map(|v| v.to_str().expect("text").to_owned());
        let bytes = answer.bytes().await.expect("a body");
        if kind.as_deref() == Some("application/json") {
            let status: Value = serde_json::from_slice(&bytes).expect("a JSON status");
            assert!(status["message"].as_str().is_some_and(|m| !m.is_empty()), "{what}: {status}");
        } else {
            assert!(!bytes.is_empty(), "{what}: no status message");
        }
        server.client.send("/v1/traces", Vec::new()).await;
    }
    let get =
        reqwest::get(format!("http://{}/v1/traces", server.client.otlp)).await.expect("an answer");
    assert_eq!((get.status().as_u16(), get.headers().get("allow").is_some()), (405, true));
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, 0);
    for (number, (name, body)) in [
        ("identity", otlp::spans(10)),
        ("gzip", gzip(&otlp::spans(11))),
        ("deflate", zlib(&otlp::spans(12))),
        ("zstd", zstd::encode_all(&otlp::spans(13)[..], 3).expect("memory")),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = server
            .client
            .post("/v1/traces", &[PROTOBUF, ("content-encoding", name)], body)
            .await
            .expect("an answer");
        assert_eq!(answer.status().as_u16(), 200, "{name}");
        let spans = server.client.count("SELECT count(*) FROM spans").await;
        assert_eq!(spans, (number as u64 + 1) * otlp::ITEMS, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_items_are_refused_alone_and_a_retry_gets_the_same_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"00000000000000000000000000000001","spanId":"0000000000000001","name":"good","startTimeUnixNano":"1","endTimeUnixNano":2},
        {"traceId":"00","spanId":"0000000000000002","name":"bad"}]}]}]}"#;
    for round in 0..2 {
        let answer =
            server.client.post("/v1/traces", &[JSON], body.to_vec()).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        let json: Value = answer.json().await.expect("JSON");
        let partial = &json["partialSuccess"];
        assert_eq!(partial["rejectedSpans"], Value::from("1"), "round {round}: {json}");
        assert!(partial["errorMessage"].as_str().is_some_and(|m| m.contains("trace")), "{json}");
        assert_eq!(server.client.count("SELECT count(*) FROM spans").await, 1, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sender_that_leaves_in_the_middle_leaves_nothing() {
    use tokio::io::AsyncWriteExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let in_flight = || async {
        let page = server.client.get("/metrics").await.expect("an answer").text().await;
        let page = page.expect("text");
        let line = page.lines().find_map(|line| line.strip_prefix("throughline_in_flight_bytes "));
        line.and_then(|bytes| bytes.parse::<f64>().ok()).expect("a gauge")
    };
    let body = otlp::spans(1);
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut sender =
        tokio::net::TcpStream::connect(&server.client.otlp).await.expect("the server listens");
    sender.write_all(head.as_bytes()).await.expect("sent");
    sender.write_all(&body[..body.len() - 1]).await.expect("sent");
    wait_until("in flight", || async { in_flight().await > 0.0 }).await;
    drop(sender);
    wait_until("given back", || async { in_flight().await == 0.0 }).await;
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, 0);
    server.client.send("/v1/traces", body).await;
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, otlp::ITEMS);
}
