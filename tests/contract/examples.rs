//! The examples of opentelemetry-proto come back as they were sent.

use serde_json::Value;

use crate::harness::Server;
use crate::harness::shared::shared;

fn example(name: &str) -> Option<Value> {
    let path = shared(&format!("data/otlp-examples/examples/{name}.json"))?;
    Some(serde_json::from_slice(&std::fs::read(path).expect("read")).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_round_trip() {
    let (Some(trace), Some(logs), Some(metrics), Some(events)) =
        (example("trace"), example("logs"), example("metrics"), example("events"))
    else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    for (path, document) in [
        ("/v1/traces", &trace),
        ("/v1/logs", &logs),
        ("/v1/metrics", &metrics),
        ("/v1/logs", &events),
    ] {
        server.client.accept(path, "application/json", document.to_string().into_bytes()).await;
    }
    let sent = &trace["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    let id = sent["traceId"].as_str().expect("an id").to_lowercase();
    let back = server.client.json(&format!("/api/v1/traces/{id}")).await;
    let got = &back["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
    for field in ["name", "startTimeUnixNano", "endTimeUnixNano", "kind", "attributes"] {
        assert_eq!(got[field], sent[field], "{field}");
    }
    for field in ["traceId", "spanId", "parentSpanId"] {
        let lower = |value: &Value| value.as_str().map(str::to_lowercase);
        assert_eq!(lower(&got[field]), lower(&sent[field]), "{field}");
    }
    assert_eq!(back["resourceSpans"][0]["resource"], trace["resourceSpans"][0]["resource"]);
    assert_eq!(
        back["resourceSpans"][0]["scopeSpans"][0]["scope"],
        trace["resourceSpans"][0]["scopeSpans"][0]["scope"]
    );

    let records = |document: &Value| {
        let scopes = document["resourceLogs"]
            .as_array()
            .into_iter()
            .flatten()
            .flat_map(|r| r["scopeLogs"].as_array().into_iter().flatten());
        scopes.map(|scope| scope["logRecords"].as_array().map_or(0, Vec::len)).sum::<usize>() as u64
    };
    let sent = records(&logs) + records(&events);
    assert_eq!(server.client.count("SELECT count(*) FROM logs").await, sent);
    let record = &logs["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0];
    let rows =
        server.client.sql("SELECT body, attributes FROM logs WHERE body LIKE 'Example%'").await;
    assert_eq!(rows[0]["body"], record["body"]["stringValue"]);
    assert_eq!(
        rows[0]["attributes"]["map.attribute"],
        serde_json::json!({"some.map.key": "some value"})
    );

    let names = server.client.sql("SELECT metric_name, kind FROM series ORDER BY 1").await;
    let sent: Vec<_> = metrics["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        .as_array()
        .expect("metrics")
        .iter()
        .map(|m| m["name"].clone())
        .collect();
    assert_eq!(names.len(), sent.len(), "{names:?}");
    assert!(names.iter().all(|row| sent.contains(&row["metric_name"])), "{names:?}");
}
