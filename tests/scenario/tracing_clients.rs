//! What Jaeger's and Zipkin's clients are told of a real run equals what SQL says of it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::shared::{gz_lines, shared};
use crate::harness::{Server, client::Client};

/// 2023-01-31T00:00:00Z, after the run, in milliseconds.
const END_MS: u64 = 1_675_123_200_000;
const DAY_MS: u64 = 86_400_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jaeger_and_zipkin_say_what_sql_says() {
    let Some(traces) = shared("data/trainticket/traces.jsonl.gz") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    for line in gz_lines(&traces) {
        server.client.accept("/v1/traces", "application/json", line.into_bytes()).await;
    }
    check(&server.client).await;
    server.settle().await;
    check(&server.client).await;
    assert!(server.stop().await, "it stops well");
}

async fn check(client: &Client) {
    let services = client.json("/jaeger/api/services").await;
    let names = client.sql("SELECT DISTINCT service_name AS k FROM spans ORDER BY 1").await;
    let names: Vec<&Value> = names.iter().map(|row| &row["k"]).collect();
    assert_eq!(services["data"].as_array().expect("a list").iter().collect::<Vec<_>>(), names);

    let edges = "SELECT p.service_name AS parent, c.service_name AS child, count(*) AS n \
        FROM spans c JOIN spans p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id \
        WHERE p.service_name <> c.service_name GROUP BY 1, 2";
    let expected =
        pairs(&client.sql(edges).await.into_iter().map(Value::Object).collect::<Vec<_>>(), "n");
    assert!(expected.len() > 20, "{} edges", expected.len());
    let range = format!("endTs={END_MS}&lookback={DAY_MS}");
    let jaeger = client.json(&format!("/jaeger/api/dependencies?{range}")).await;
    assert_eq!(pairs(jaeger["data"].as_array().expect("a list"), "callCount"), expected);
    let zipkin = client.json(&format!("/zipkin/api/v2/dependencies?{range}")).await;
    assert_eq!(pairs(zipkin.as_array().expect("a list"), "callCount"), expected);

    rates(client, &range).await;

    let found = client
        .json(
            "/jaeger/api/v3/trace-summaries?query.startTimeMin=2023-01-30T00:00:00Z\
             &query.startTimeMax=2023-01-31T00:00:00Z&query.searchDepth=5000",
        )
        .await;
    let summaries = found["summaries"].as_array().expect("a list");
    let sum = |field: &str| -> u64 { summaries.iter().filter_map(|one| one[field].as_u64()).sum() };
    let count = "SELECT count(DISTINCT trace_id) FROM spans";
    assert_eq!(summaries.len() as u64, client.count(count).await);
    assert_eq!(sum("spanCount"), client.count("SELECT count(*) FROM spans").await);
    let errors = "SELECT count(*) FROM spans WHERE status_code = 'ERROR'";
    assert_eq!(sum("errorSpanCount"), client.count(errors).await);
    let orphans = "SELECT count(*) FROM spans c LEFT JOIN spans p ON c.trace_id = p.trace_id \
        AND c.parent_span_id = p.span_id WHERE c.parent_span_id IS NOT NULL AND p.span_id IS NULL";
    assert_eq!(sum("orphanSpanCount"), client.count(orphans).await);
}

fn pairs(rows: &[Value], count: &str) -> BTreeMap<(String, String), u64> {
    let text = |row: &Value, name: &str| row[name].as_str().expect("a name").to_owned();
    let pair = |row: &Value| {
        ((text(row, "parent"), text(row, "child")), row[count].as_u64().expect("a count"))
    };
    rows.iter().map(pair).collect()
}

// One window over the whole day: its rates are the counts.
async fn rates(client: &Client, range: &str) {
    let counts = "SELECT service_name AS k, count(*) AS n, \
        count(*) FILTER (WHERE status_code = 'ERROR') AS e FROM spans WHERE kind = 'SERVER' GROUP BY 1";
    let rows = client.sql(counts).await;
    assert!(rows.len() > 10, "{} services", rows.len());
    for row in rows {
        let service = row["k"].as_str().expect("a name");
        let (calls, errors) = (row["n"].as_f64().expect("n"), row["e"].as_f64().expect("e"));
        let asked = format!("service={service}&{range}&step={DAY_MS}&ratePer={DAY_MS}");
        let last = |family: Value| {
            let points = family["metrics"][0]["metricPoints"].as_array().cloned().expect("points");
            points.last().and_then(|point| point["gaugeValue"]["doubleValue"].as_f64())
        };
        let rate = last(client.json(&format!("/jaeger/api/metrics/calls?{asked}")).await);
        let rate = rate.expect("a rate") * 86_400.0;
        assert!((rate - calls).abs() < 1e-6 * calls, "{service}: {rate} calls, expected {calls}");
        let share = last(client.json(&format!("/jaeger/api/metrics/errors?{asked}")).await);
        let share = share.expect("a share") * calls;
        assert!((share - errors).abs() < 1e-6 * calls, "{service}: {share} errors, not {errors}");
    }
}

/// Zipkin's own examples go in as Zipkin's senders send them and come out equal; what has no place in
/// OpenTelemetry's model is listed in docs/translation.md.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zipkin_spans_come_back_as_they_were_sent() {
    let Some(folder) = shared("data/zipkin") else { return };
    let store = tempfile::tempdir().expect("a folder");
    let server = Server::start(store.path()).await;
    let mut sent: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let spans: Value =
            serde_json::from_slice(&std::fs::read(path).expect("read")).expect("JSON");
        let spans = match spans {
            Value::Array(spans) => spans,
            one => vec![one],
        };
        let body = Value::Array(spans.clone()).to_string();
        let url = format!("http://{}/zipkin/api/v2/spans", server.client.api);
        let answer = reqwest::Client::new().post(url).body(body).send().await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 202);
        for span in spans {
            let trace = span["traceId"].as_str().expect("an id").to_owned();
            sent.entry(trace).or_default().push(span);
        }
    }
    assert_eq!(sent.values().map(Vec::len).sum::<usize>(), 63, "spans of the examples");
    for stage in ["fresh", "settled"] {
        for (id, sent) in &sent {
            let found = server.client.json(&format!("/zipkin/api/v2/trace/{id}")).await;
            let found = found.as_array().expect("a list").clone();
            assert_eq!(in_order(found), in_order(sent.clone()), "{stage}: {id}");
        }
        server.settle().await;
    }
    assert!(server.stop().await, "it stops well");
}

// The order of spans is no part of a trace.
fn in_order(mut spans: Vec<Value>) -> Vec<Value> {
    spans.sort_by_key(|span| {
        (
            span["id"].to_string(),
            span["kind"].to_string(),
            span["timestamp"].to_string(),
            span.to_string(),
        )
    });
    spans
}
