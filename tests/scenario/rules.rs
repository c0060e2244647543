//! Rules that log records go through: what is redacted or dropped is nowhere on disk, and stays so over a kill.

use std::path::Path;

use serde_json::json;

use crate::harness::Server;

const RULES: &str = r#"[
    {"name": "cards", "service": ["checkout"], "redact": ["card", "token"]},
    {"name": "health", "query": "healthz", "drop": true},
    {"name": "fields", "filter": ["kind=access"], "parse": "grok",
     "pattern": "%{WORD:http.method} %{URIPATH:url.path} %{INT:http.status:int}", "set": {"class": "access"}}]"#;

/// Whether any file below a folder has these bytes.
fn is_on_disk(folder: &Path, secret: &[u8]) -> bool {
    std::fs::read_dir(folder).expect("a folder").any(|entry| {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => is_on_disk(&path, secret),
            false => {
                let bytes = std::fs::read(&path).expect("readable");
                bytes.windows(secret.len()).any(|window| window == secret)
            }
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_never_reach_the_disk() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_LOGS_RULES", RULES),
        ("THROUGHLINE_FLUSH_AGE", "1h"),
        ("THROUGHLINE_WAL_FILE_BYTES", "1MiB"),
    ];
    let server = Server::start_with(folder.path(), &settings).await;
    let lines = json!({"streams": [
        {"stream": {"service_name": "checkout"}, "values": [
            ["1795176000000000000", "paid with 4111 1111 1111 1111"],
            ["1795176000000000001", "Authorization: Bearer sekrit-sekrit-42"],
            ["1795176000000000002", "nothing to hide"]]},
        {"stream": {"service_name": "gateway"}, "values": [
            ["1795176000000000003", "GET /healthz-unheard 200"],
            ["1795176000000000004", "GET /cart 503", {"kind": "access"}]]}]});
    let http = reqwest::Client::new();
    let push = http.post(format!("http://{}/loki/api/v1/push", server.client.api));
    let answer = push.json(&lines).send().await.expect("an answer");
    assert_eq!(answer.status(), 204);
    let query = "SELECT body, attributes['http.method'] AS method, attr_int(attributes, 'http.status') AS \
                 status, attributes['class'] AS class FROM logs ORDER BY time";
    let row = |body: &str, of: [serde_json::Value; 3]| {
        let [method, status, class] = of;
        json!({"body": body, "method": method, "status": status, "class": class})
    };
    let none = || [json!(null), json!(null), json!(null)];
    let expected = [
        row("paid with [redacted]", none()),
        row("Authorization: Bearer [redacted]", none()),
        row("nothing to hide", none()),
        row("GET /cart 503", [json!("GET"), json!(503), json!("access")]),
    ];
    let rows = |rows: Vec<crate::harness::client::Row>| {
        rows.into_iter().map(serde_json::Value::Object).collect::<Vec<_>>()
    };
    assert_eq!(rows(server.client.sql(query).await), expected);
    let page = server.client.get("/metrics").await.expect("an answer").text().await.expect("text");
    assert!(page.contains(r#"throughline_rules_redacted_total{rule="cards"} 2"#), "{page}");
    assert!(page.contains(r#"throughline_rules_dropped_total{rule="health"} 1"#), "{page}");
    server.kill().await;
    let secrets = ["4111 1111", "sekrit-sekrit", "healthz-unheard"];
    for secret in secrets {
        assert!(!is_on_disk(folder.path(), secret.as_bytes()), "{secret} is on disk");
    }

    // What is logged is what the rules have left, whatever the rules are now.
    let server = Server::start_with(folder.path(), &[]).await;
    assert_eq!(rows(server.client.sql(query).await), expected, "out of the log");
    server.settle().await;
    assert_eq!(rows(server.client.sql(query).await), expected, "out of segments");
    assert!(server.stop().await, "it stops well");
}
