//! The Zipkin and Jaeger exporters of OpenTelemetry's SDK for Python, as older services run them, against the
//! real server's ports (`tests/sdk/python/older.py`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::Server;

/// The interpreter with these exporters stands beside the one with the SDK of today.
fn python() -> Option<PathBuf> {
    let today = PathBuf::from(std::env::var_os("THROUGHLINE_SDK_PYTHON")?);
    let folder = today.parent()?.parent()?.parent()?;
    Some(folder.join("sdk-python-older/bin/python")).filter(|path| path.exists())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn python_exporters_for_zipkin_and_jaeger_round_trip() {
    let Some(python) = python() else {
        eprintln!(
            "skipped: no sdk-python-older beside THROUGHLINE_SDK_PYTHON; `make setup` makes one"
        );
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_ZIPKIN_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_JAEGER_THRIFT_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_JAEGER_GRPC_ADDRESS", "127.0.0.1:0"),
    ];
    let server = Server::start_with(folder.path(), &settings).await;
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/python/older.py"));
    command.args(["--zipkin", &server.address("zipkin")]);
    command.args(["--jaeger-thrift", &server.address("jaeger_thrift")]);
    command.args(["--jaeger-grpc", &server.address("jaeger_grpc")]);
    command.args(["--api", &format!("http://{}", server.client.api)]);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .expect("no panic")
        .expect("the script runs");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, 15);
}
