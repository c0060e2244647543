//! Zipkin's own example traces: posted, they come back through the API as OTLP; that, translated by the way
//! back of docs/translation.md, is what was posted. Fresh, after `kill -9`, and from merged segments.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::harness::Server;
use crate::harness::shared::shared;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn zipkins_traces_come_back() {
    let Some(files) = shared("data/zipkin") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), &[("THROUGHLINE_FLUSH_AGE", "1h")]).await;
    let mut sent = Vec::new();
    for entry in std::fs::read_dir(files).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("text");
        let url = format!("http://{}/zipkin/api/v2/spans", server.client.api);
        let posted = reqwest::Client::new().post(url).body(text.clone()).send().await;
        let posted = posted.expect("an answer");
        let status = posted.status().as_u16();
        let said = posted.text().await.expect("text");
        assert_eq!((status, said.as_str()), (202, ""), "{}", path.display());
        match serde_json::from_str(&text).expect("JSON") {
            Value::Array(spans) => sent.extend(spans),
            one => sent.push(one),
        }
    }
    // Two of the files hold the same span ids in the same trace, with other names and tags.
    let sent: BTreeSet<String> = sent.iter().map(normal).collect();
    assert!(sent.len() > 30, "{} spans", sent.len());
    compare(&server, &sent, "fresh").await;
    server.kill().await;
    let server = Server::start(folder.path()).await;
    compare(&server, &sent, "after kill -9").await;
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    server.settle().await;
    compare(&server, &sent, "settled").await;
}

async fn compare(server: &Server, sent: &BTreeSet<String>, when: &str) {
    let count = server.client.count("SELECT count(*) FROM spans").await;
    assert_eq!(count, sent.len() as u64, "{when}");
    let ids = server.client.sql("SELECT DISTINCT trace_id FROM spans").await;
    let mut back = BTreeSet::new();
    for row in ids {
        let id = row["trace_id"].as_str().expect("an id").to_owned();
        let document = server.client.json(&format!("/api/v1/traces/{id}")).await;
        back.extend(spans_of(&document).iter().map(normal));
    }
    let missing: Vec<_> = sent.difference(&back).collect();
    let unknown: Vec<_> = back.difference(sent).collect();
    assert!(
        missing.is_empty() && unknown.is_empty(),
        "{when}\nsent {missing:#?}\nback {unknown:#?}"
    );
}

/// A span without what says nothing, its keys in order.
fn normal(span: &Value) -> String {
    fn prune(value: &Value, out: &mut Map<String, Value>, key: &str) {
        let kept = match value {
            Value::Object(inner) => {
                let mut pruned = Map::new();
                inner.iter().for_each(|(key, value)| prune(value, &mut pruned, key));
                (!pruned.is_empty()).then_some(Value::Object(pruned))
            }
            Value::Bool(false) | Value::Null => None,
            Value::Array(items) if items.is_empty() => None,
            other => Some(other.clone()),
        };
        out.extend(kept.map(|kept| (key.to_owned(), kept)));
    }
    let mut out = Map::new();
    prune(span, &mut out, "span");
    let span = &mut out["span"];
    if let Some(annotations) = span.get_mut("annotations").and_then(Value::as_array_mut) {
        annotations.sort_by_key(|annotation| annotation["timestamp"].as_u64());
    }
    span.to_string()
}

fn list<'a>(json: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    json[key].as_array().into_iter().flatten()
}

/// The spans of an OTLP document as Zipkin has them.
fn spans_of(document: &Value) -> Vec<Value> {
    let mut spans = Vec::new();
    for group in list(document, "resourceSpans") {
        let service = list(&group["resource"], "attributes")
            .find(|attribute| attribute["key"] == "service.name")
            .map(|attribute| attribute["value"]["stringValue"].clone());
        for scope in list(group, "scopeSpans") {
            spans.extend(list(scope, "spans").map(|span| zipkin(span, service.as_ref())));
        }
    }
    spans
}

fn zipkin(span: &Value, service: Option<&Value>) -> Value {
    let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
    let micros =
        |text: &Value| text.as_str().expect("text").parse::<u64>().expect("a number") / 1_000;
    let (start, end) = (micros(&span["startTimeUnixNano"]), micros(&span["endTimeUnixNano"]));
    let trace_id = text("traceId");
    let trace_id = trace_id.strip_prefix(&"0".repeat(16)).unwrap_or(&trace_id);
    let mut out = json!({ "traceId": trace_id, "id": text("spanId"), "name": text("name") });
    let (mut local, mut remote, mut tags) = (Map::new(), Map::new(), Map::new());
    local.extend(service.map(|name| ("serviceName".to_owned(), name.clone())));
    let mut timed = true;
    for attribute in list(span, "attributes") {
        let key = attribute["key"].as_str().expect("a key");
        let value = attribute["value"].as_object().expect("a value");
        let inner = value.values().next().expect("one").clone();
        let port = || json!(inner.as_str().expect("an int").parse::<u64>().expect("a port"));
        let is_v6 = inner.as_str().is_some_and(|text| text.contains(':'));
        let ip = if is_v6 { "ipv6" } else { "ipv4" }.to_owned();
        match key {
            "net.host.ip" => drop(local.insert(ip, inner)),
            "net.host.port" => drop(local.insert("port".to_owned(), port())),
            "peer.service" => drop(remote.insert("serviceName".to_owned(), inner)),
            "net.peer.ip" => drop(remote.insert(ip, inner)),
            "net.peer.port" => drop(remote.insert("port".to_owned(), port())),
            "zipkin.local.ipv6" => drop(local.insert("ipv6".to_owned(), inner)),
            "zipkin.remote.ipv6" => drop(remote.insert("ipv6".to_owned(), inner)),
            "zipkin.shared" => out["shared"] = true.into(),
            "zipkin.debug" => out["debug"] = true.into(),
            "otel.zipkin.absentField.startTime" => timed = false,
            _ => drop(tags.insert(key.to_owned(), inner)),
        }
    }
    if span["status"]["code"] == 2 && !tags.contains_key("error") {
        let message = span["status"].get("message").cloned().unwrap_or_else(|| "".into());
        tags.insert("error".to_owned(), message);
    }
    if timed {
        out["timestamp"] = start.into();
    }
    if end > start {
        out["duration"] = (end - start).into();
    }
    if let kind @ 2..=5 = span["kind"].as_u64().unwrap_or_default() {
        out["kind"] = ["SERVER", "CLIENT", "PRODUCER", "CONSUMER"][kind as usize - 2].into();
    }
    if let Some(parent) = span["parentSpanId"].as_str().filter(|id| !id.is_empty()) {
        out["parentId"] = parent.into();
    }
    let events = list(span, "events");
    let events = events.map(
        |event| json!({ "timestamp": micros(&event["timeUnixNano"]), "value": event["name"] }),
    );
    out["annotations"] = events.collect();
    out["localEndpoint"] = local.into();
    out["remoteEndpoint"] = remote.into();
    out["tags"] = tags.into();
    out
}
