//! Every field of every signal comes back equal through the API: fresh, replayed, flushed and merged,
//! restarted; as protobuf and as OTLP/JSON.

use crate::harness::fields::Telemetry;
use crate::harness::{Server, hard, random};

const LONG: [(&str, &str); 2] =
    [("THROUGHLINE_FLUSH_AGE", "1h"), ("THROUGHLINE_FLUSH_METRICS_AGE", "1h")];
const QUICK: [(&str, &str); 2] =
    [("THROUGHLINE_FLUSH_AGE", "10ms"), ("THROUGHLINE_FLUSH_METRICS_AGE", "10ms")];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_field_comes_back_wherever_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let sent = hard::telemetry();
    let server = Server::start_with(folder.path(), &LONG).await;
    sent.send(&server.client).await;
    sent.assert_same(&sent.back(&server.client).await, "in the head");
    server.kill().await;
    let server = Server::start_with(folder.path(), &QUICK).await;
    sent.assert_same(&sent.back(&server.client).await, "replayed");
    server.settle().await;
    sent.assert_same(&sent.back(&server.client).await, "settled");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    sent.assert_same(&sent.back(&server.client).await, "restarted");
}

// Several requests, so that segments of several windows are merged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_telemetry_comes_back_wherever_it_lies() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), &LONG).await;
    let mut sent = Telemetry::default();
    for seed in 0..4 {
        let one = random::telemetry(seed);
        one.send(&server.client).await;
        sent.extend(one);
    }
    sent.assert_same(&sent.back(&server.client).await, "in the head");
    assert!(server.stop().await, "it stops well");
    let server = Server::start_with(folder.path(), &QUICK).await;
    for seed in 4..8 {
        let one = random::telemetry(seed);
        one.send(&server.client).await;
        sent.extend(one);
    }
    server.settle().await;
    sent.assert_same(&sent.back(&server.client).await, "settled");
}

// The JSON of one server is sent to another, whose protobuf is compared.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn otlp_json_says_the_same_as_protobuf() {
    let folders = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let (first, second) =
        (Server::start(folders[0].path()).await, Server::start(folders[1].path()).await);
    let sent = hard::telemetry_with_one_nan();
    sent.send(&first.client).await;
    for (path, url) in sent.addresses() {
        let (_, body) = first.client.get_as(&url, "application/json").await;
        second.client.accept(path, "application/json", body).await;
    }
    sent.assert_same(&sent.back(&second.client).await, "through JSON");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_logs_of_a_trace_come_back_as_otlp() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let mut sent = Telemetry { logs: hard::telemetry().logs, ..Telemetry::default() };
    sent.send(&server.client).await;
    let of_trace = "01".repeat(16);
    let url = format!("/api/v1/traces/{of_trace}/logs");
    let (_, body) = server.client.get_as(&url, "application/x-protobuf").await;
    let mut back = Telemetry::default();
    back.add("/v1/logs", false, &body);
    for scope in sent.logs.iter_mut().flat_map(|resource| &mut resource.scope_logs) {
        scope.log_records.retain(|record| record.trace_id == [1; 16]);
    }
    sent.assert_same(&back, "of a trace");
}
