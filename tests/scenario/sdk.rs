//! The OpenTelemetry SDKs for Python and JavaScript against the real server (`tests/sdk/`). The one
//! for Rust feeds the demo, and is compared here through the same transport.

use std::path::Path;
use std::process::Command;

use crate::harness::Server;

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
    round_trip(Command::new(python), "tests/sdk/python/roundtrip.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn javascript_round_trips() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("tests/sdk/js/node_modules/@opentelemetry").exists() {
        eprintln!("skipped: tests/sdk/js has no node_modules; `make setup` installs them");
        return;
    }
    round_trip(Command::new("node"), "tests/sdk/js/roundtrip.mjs").await;
}

async fn round_trip(mut command: Command, script: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join(script));
    command.args(["--grpc", &server.otlp_grpc, "--http", &server.client.otlp]);
    command.args(["--api", &format!("http://{}", server.client.api)]);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("the script runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{out}\n{err}", output.status);
}
