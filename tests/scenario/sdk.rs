//! The OpenTelemetry SDKs for Python and JavaScript against the real server (`tests/sdk/`). Each
//! exports through a proxy that keeps what it sends, so that every field is compared.

use std::path::Path;
use std::process::Command;

use crate::harness::Server;
use crate::harness::fields::Telemetry;
use crate::harness::tee::Tee;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_round_trips() {
    let Some(python) =
        std::env::var_os("THROUGHLINE_SDK_PYTHON").filter(|path| Path::new(path).exists())
    else {
        eprintln!(
            "skipped: THROUGHLINE_SDK_PYTHON names no interpreter with the SDK; `make setup` makes one"
        );
        return;
    };
    // Four transports, each with three spans, eleven log records and eleven points.
    round_trip(Command::new(python), "tests/sdk/python/roundtrip.py", [12, 44, 44]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn javascript_round_trips() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("tests/sdk/js/node_modules/@opentelemetry").exists() {
        eprintln!("skipped: tests/sdk/js has no node_modules; `make setup` installs them");
        return;
    }
    // Six transports, each with three spans, ten log records and nine points.
    round_trip(Command::new("node"), "tests/sdk/js/roundtrip.mjs", [18, 60, 54]).await;
}

async fn round_trip(mut command: Command, script: &str, counts: [usize; 3]) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let grpc = Tee::before(&server.otlp_grpc).await;
    let http = Tee::before(&server.client.otlp).await;
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script));
    command.args(["--grpc", &grpc.address, "--http", &http.address]);
    command.args(["--api", &format!("http://{}", server.client.api)]);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("the script runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{out}\n{err}", output.status);
    // The script compared what it meant to send; this compares what its exporters did send.
    let mut sent = grpc.take();
    sent.extend(http.take());
    assert_eq!(sent.counts(), counts, "{script}\n{out}\n{err}");
    compare_everywhere(server, folder.path(), &sent).await;
}

/// Compares what was sent with what comes back: fresh, flushed and after a restart.
pub async fn compare_everywhere(server: Server, folder: &Path, sent: &Telemetry) {
    sent.assert_same(&sent.back(&server.client).await, "fresh");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder).await;
    sent.assert_same(&sent.back(&server.client).await, "restarted");
    server.settle().await;
    sent.assert_same(&sent.back(&server.client).await, "settled");
}
