//! Starting, stopping, and configuration that is wrong.

use std::process::Command;

use crate::harness::server::wait_until;
use crate::harness::{Server, otlp};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_keeps_everything_and_a_second_server_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    server.client.send("/v1/traces", otlp::spans(1)).await;
    let mut second = Command::new(env!("CARGO_BIN_EXE_throughline"));
    second.args([
        "serve",
        "--http",
        "127.0.0.1:0",
        "--otlp-http",
        "127.0.0.1:0",
        "--otlp-grpc",
        "127.0.0.1:0",
        "--data-dir",
    ]);
    for name in ["THROUGHLINE_SHARED", "THROUGHLINE_UI_DIST", "THROUGHLINE_SDK_PYTHON"] {
        second.env_remove(name);
    }
    let output = second.arg(folder.path()).output().expect("it runs");
    assert!(!output.status.success(), "two servers on one folder");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, otlp::ITEMS);
    assert_eq!(server.client.get("/-/healthy").await.expect("an answer").status().as_u16(), 200);
    let metrics =
        server.client.get("/metrics").await.expect("an answer").text().await.expect("text");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
}

#[test]
fn an_unknown_setting_names_the_nearest_known_one() {
    let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(["serve"])
        .env_remove("THROUGHLINE_SHARED")
        .env_remove("THROUGHLINE_UI_DIST")
        .env_remove("THROUGHLINE_SDK_PYTHON")
        .env("THROUGHLINE_FLUSH_AGGE", "1s")
        .output()
        .expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("THROUGHLINE_FLUSH_AGE"), "{error}");
}

#[test]
fn an_open_address_wants_tls_and_tokens() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env!("CARGO_BIN_EXE_throughline"))
        .args(["serve", "--http", "0.0.0.0:0", "--data-dir"])
        .arg(folder.path())
        .env_remove("THROUGHLINE_SHARED")
        .env_remove("THROUGHLINE_UI_DIST")
        .env_remove("THROUGHLINE_SDK_PYTHON")
        .output()
        .expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && error.contains("insecure"), "{error}");
}

/// One query runs at a time and none may wait, so whoever asks learns whether it is still running.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_ends_when_its_client_leaves() {
    use tokio::io::AsyncWriteExt as _;

    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_QUERY_CONCURRENT_MAX", "1"),
        ("THROUGHLINE_QUERY_WAITING_MAX", "0"),
        ("THROUGHLINE_QUERY_TIMEOUT", "1h"),
    ];
    let server = Server::start_with(folder.path(), &settings).await;
    for body in 0..30 {
        server.client.send("/v1/traces", otlp::spans(body)).await;
    }
    let is_free = || async {
        let answer = server.client.get("/api/v1/services").await.expect("an answer");
        answer.status().is_success()
    };
    // More pairs than could be counted in an hour.
    let tables = ["a", "b", "c", "d", "e", "f"].map(|name| format!("spans {name}")).join(", ");
    let body = format!(r#"{{"query": "SELECT count(*) FROM {tables}"}}"#);
    let head = format!(
        "POST /api/v1/sql HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let ask = || async {
        let mut client =
            tokio::net::TcpStream::connect(&server.client.api).await.expect("the server listens");
        client.write_all(format!("{head}{body}").as_bytes()).await.expect("sent");
        client
    };
    let client = tokio::sync::Mutex::new(ask().await);
    wait_until("the query runs", || async {
        let mut client = client.lock().await;
        // An answer can only be a refusal: the question whether the server is free came first.
        if client.try_read(&mut [0]).is_ok() {
            *client = ask().await;
        }
        !is_free().await
    })
    .await;
    drop(client);
    wait_until("the query has ended", is_free).await;
}
