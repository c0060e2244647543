//! The examples of opentelemetry-proto come back as they were sent.

use crate::harness::Server;
use crate::harness::fields::Telemetry;
use crate::harness::shared::shared;

const EXAMPLES: [(&str, &str); 4] = [
    ("trace", "/v1/traces"),
    ("logs", "/v1/logs"),
    ("metrics", "/v1/metrics"),
    ("events", "/v1/logs"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn examples_round_trip() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut sent = Telemetry::default();
    for (name, path) in EXAMPLES {
        let Some(file) = shared(&format!("data/otlp-examples/examples/{name}.json")) else {
            return;
        };
        let document = std::fs::read(file).expect("read");
        sent.add(path, true, &document);
        server.client.accept(path, "application/json", document).await;
    }
    sent.assert_same(&sent.back(&server.client).await, "in the head");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    server.settle().await;
    sent.assert_same(&sent.back(&server.client).await, "restarted");
}
