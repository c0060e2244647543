//! What is deleted stays deleted, through a kill, and leaves the disk.

use serde_json::json;

use crate::harness::{Server, otlp};

const BODIES: u64 = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_log_records_do_not_come_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let quick = [
        ("THROUGHLINE_FLUSH_AGE", "10ms"),
        (
            "THROUGHLINE_RETENTION_LOG_CLASSES",
            r#"[{"name": "none", "keep": "forever", "query": "body 7"}]"#,
        ),
    ];
    let server = Server::start_with(folder.path(), &quick).await;
    for body in 0..BODIES {
        server.client.send("/v1/logs", otlp::logs(body)).await;
    }
    let count = async |server: &Server, of: &str| {
        let query = format!("SELECT count(*) AS n FROM logs WHERE body LIKE '%{of}'");
        server.client.count(&query).await
    };
    let (all, doomed) = (count(&server, "").await, count(&server, "body 12").await);
    assert!(doomed > 0 && doomed < all);
    let request = json!({"query": "\"body 12\""});
    let deleted = server.client.post_json("/api/v1/logs/delete", &request).await;
    assert_eq!(deleted["records"], doomed, "{deleted}");
    assert_eq!(count(&server, "body 12").await, 0);
    server.kill().await;

    let server = Server::start_with(folder.path(), &quick).await;
    assert_eq!(count(&server, "body 12").await, 0);
    server.settle().await;
    let id = deleted["id"].as_str().expect("an id");
    let now = server.client.json(&format!("/api/v1/logs/delete/{id}")).await;
    assert_eq!(now["status"], "rewritten", "{now}");
    assert!(server.stop().await, "it stops well");
}
