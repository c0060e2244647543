//! One answer, wherever the rows are: in the head, in L0, merged, and after a restart.

use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::{Server, otlp};

const BODIES: u64 = 30;
const QUERIES: &[&str] = &[
    "SELECT count(*) AS n FROM spans",
    "SELECT service_name, name, kind, count(*) AS n, min(start_time) AS first, max(duration_ns) AS longest FROM spans GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    "SELECT span_id, parent_span_id, trace_id, attr_int(attributes, 'item') AS item FROM spans WHERE attributes['body'] = '7' ORDER BY span_id",
    "SELECT * FROM spans WHERE attr_int(attributes, 'item') = 3 ORDER BY span_id",
    "SELECT body, trace_id, severity_text, time FROM logs WHERE body LIKE '%body 12' ORDER BY body",
    "SELECT s.name, l.body FROM spans s JOIN logs l ON s.trace_id = l.trace_id AND s.span_id = l.span_id WHERE s.attributes['body'] = '3' ORDER BY l.body",
    "SELECT series_id, time, value FROM samples ORDER BY series_id, time",
    "SELECT trace_id, span_count, error_count, duration_ns FROM traces ORDER BY trace_id",
];

async fn answers(client: &Client) -> Vec<Value> {
    let mut all = Vec::new();
    for query in QUERIES {
        let rows = client.sql(query).await;
        assert!(!rows.is_empty(), "{query}");
        all.push(Value::Array(rows.into_iter().map(Value::Object).collect()));
    }
    for path in [
        "/api/v1/services",
        "/api/v1/traces?limit=50&start=2026-11-20T00:00:00Z&end=2026-11-21T00:00:00Z",
    ] {
        let mut answer = client.json(path).await;
        // What a query cost may change; what it says may not.
        answer.as_object_mut().expect("an object").remove("stats");
        all.push(answer);
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_do_not_change_with_the_place_of_the_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = [("THROUGHLINE_FLUSH_AGE", "1h"), ("THROUGHLINE_FLUSH_METRICS_AGE", "1h")];
    let server = Server::start_with(folder.path(), &long).await;
    for body in 0..BODIES {
        server.client.send("/v1/traces", otlp::spans(body)).await;
        server.client.send("/v1/logs", otlp::logs(body)).await;
        server.client.send("/v1/metrics", otlp::metrics(body)).await;
    }
    let fresh = answers(&server.client).await;
    server.kill().await;
    let quick = [("THROUGHLINE_FLUSH_AGE", "10ms"), ("THROUGHLINE_FLUSH_METRICS_AGE", "10ms")];
    let server = Server::start_with(folder.path(), &quick).await;
    compare(&fresh, &answers(&server.client).await, "replayed");
    server.settle().await;
    compare(&fresh, &answers(&server.client).await, "settled");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    compare(&fresh, &answers(&server.client).await, "restarted");
}

fn compare(fresh: &[Value], now: &[Value], when: &str) {
    for (i, (fresh, now)) in fresh.iter().zip(now).enumerate() {
        assert_eq!(fresh, now, "answer {i} {when}");
    }
}
