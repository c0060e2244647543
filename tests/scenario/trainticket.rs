//! A real run of the TrainTicket benchmark, sent as OTLP/JSON: SQL must count what the manifest says,
//! at once, after compaction and after a restart.

use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::shared::{gz_lines, shared};
use crate::harness::{Server, client};

pub async fn send(client: &Client, path: &str, file: &str) -> bool {
    let Some(file) = shared(file) else { return false };
    for line in gz_lines(&file) {
        client.accept(path, "application/json", line.into_bytes()).await;
    }
    true
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_equal_the_manifest() {
    let Some(manifest) = shared("data/trainticket/manifest.json") else { return };
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(manifest).expect("read")).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    assert!(send(&server.client, "/v1/traces", "data/trainticket/traces.jsonl.gz").await);
    assert!(send(&server.client, "/v1/logs", "data/trainticket/logs.jsonl.gz").await);
    assert!(send(&server.client, "/v1/metrics", "data/trainticket/metrics.jsonl.gz").await);
    check(&server.client, &manifest).await;
    server.settle().await;
    check(&server.client, &manifest).await;
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    check(&server.client, &manifest).await;
    server.settle().await;
    check(&server.client, &manifest).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn span_metrics_equal_the_manifest() {
    let Some(manifest) = shared("data/trainticket/manifest.json") else { return };
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(manifest).expect("read")).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    assert!(send(&server.client, "/v1/metrics", "data/trainticket/spanmetrics.jsonl.gz").await);
    let expected = &manifest["spanmetrics"];
    for round in ["fresh", "settled"] {
        let numbers = server.client.count("SELECT count(*) FROM samples").await;
        let complex = server.client.count("SELECT count(*) FROM histograms").await;
        assert_eq!(Some(numbers + complex), expected["points"].as_u64(), "points, {round}");
        let series = server.client.count("SELECT count(*) FROM series").await;
        assert_eq!(Some(series), expected["series"].as_u64(), "series, {round}");
        assert!(
            server.client.count("SELECT count(*) FROM exemplars").await > 0,
            "exemplars, {round}"
        );
        server.settle().await;
    }
}

async fn check(client: &Client, manifest: &Value) {
    let traces = &manifest["traces"];
    let of = |table: &str, what: &str| format!("SELECT {what} FROM {table}");
    equal(client, &of("spans", "count(*)"), &traces["spans"]).await;
    equal(client, &of("spans", "count(DISTINCT trace_id)"), &traces["traces"]).await;
    equal(client, &of("traces", "count(*)"), &traces["traces"]).await;
    equal(client, &of("spans", "count(DISTINCT service_name)"), &traces["services"]).await;
    equal(client, "SELECT count(*) FROM spans WHERE status_code = 'ERROR'", &traces["error_spans"])
        .await;
    equal(client, "SELECT count(*) FROM spans WHERE parent_span_id IS NULL", &traces["root_spans"])
        .await;
    groups(
        client,
        "SELECT service_name AS k, count(*) AS n FROM spans GROUP BY 1",
        &traces["spans_per_service"],
    )
    .await;
    groups(
        client,
        "SELECT CAST(kind_number AS VARCHAR) AS k, count(*) AS n FROM spans GROUP BY 1",
        &traces["kinds"],
    )
    .await;

    let logs = &manifest["logs"];
    equal(client, &of("logs", "count(*)"), &logs["records"]).await;
    groups(
        client,
        "SELECT severity_text AS k, count(*) AS n FROM logs GROUP BY 1",
        &logs["severity"],
    )
    .await;
    groups(
        client,
        "SELECT service_name AS k, count(*) AS n FROM logs GROUP BY 1",
        &logs["records_per_service"],
    )
    .await;
    let joined = "SELECT count(*) FROM logs l JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id";
    equal(client, joined, &logs["records_whose_span_exists"]).await;

    let metrics = &manifest["metrics"];
    equal(client, &of("samples", "count(*)"), &metrics["points"]).await;
    equal(client, &of("series", "count(*)"), &metrics["series"]).await;
    groups(
        client,
        "SELECT metric_name AS k, count(*) AS n FROM metrics GROUP BY 1",
        &metrics["points_per_metric"],
    )
    .await;
    let sums = client.sql("SELECT metric_name AS k, sum(value) AS n FROM metrics GROUP BY 1").await;
    for row in &sums {
        let expected = metrics["value_sum_per_metric"][text(row)].as_f64().expect("a sum");
        let got = row["n"].as_f64().expect("a number");
        assert!(
            (got - expected).abs() <= 0.01 + expected.abs() * 1e-9,
            "{}: {got}, expected {expected}",
            text(row)
        );
    }
}

fn text(row: &client::Row) -> &str {
    row["k"].as_str().expect("a name")
}

async fn equal(client: &Client, query: &str, expected: &Value) {
    assert_eq!(Some(client.count(query).await), expected.as_u64(), "{query}");
}

async fn groups(client: &Client, query: &str, expected: &Value) {
    let rows = client.sql(query).await;
    let got: serde_json::Map<_, _> =
        rows.iter().map(|row| (text(row).to_owned(), row["n"].clone())).collect();
    assert_eq!(&Value::Object(got), expected, "{query}");
}
