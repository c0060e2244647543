//! The demo: an hour of a simulated shop, then live traffic through the SDK, and `throughline query`.

use crate::harness::Server;
use crate::harness::server::{binary, wait_until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_demo_fills_an_hour_and_goes_on() {
    let temporary = tempfile::tempdir().expect("a folder");
    let mut command = binary();
    command.arg("demo").env("TMPDIR", temporary.path());
    let server = Server::of(command);
    server.ready().await;
    let client = &server.client;
    let past =
        "SELECT count(*) FROM spans WHERE service_name = 'payment' AND status_code = 'ERROR'";
    wait_until("an hour is there", || async {
        client.count("SELECT count(*) FROM spans").await > 50_000
    })
    .await;
    assert!(client.count(past).await > 10, "payment fails in its burst");
    assert_eq!(client.count("SELECT count(DISTINCT service_name) FROM spans").await, 22);
    let linked = "SELECT count(*) FROM span_links";
    assert!(client.count(linked).await > 50, "consumers link to producers");
    let found = "SELECT count(*) FROM logs l JOIN spans s \
                 ON l.trace_id = s.trace_id AND l.span_id = s.span_id";
    let logs = client.count("SELECT count(*) FROM logs").await;
    assert!(logs > 5_000 && client.count(found).await > 5_000, "{logs} log records");
    // What comes from the SDK says so: only the live fleet is a single replica of the new version.
    let live = "SELECT count(*) FROM spans WHERE start_time > now() - interval '20 seconds'";
    wait_until("live traffic flows", || async { client.count(live).await > 100 }).await;

    let mut query = binary();
    query.args(["query", "SELECT count(DISTINCT service_name) AS services FROM spans"]);
    query.args(["--url", &format!("http://{}", client.api)]);
    let output = query.output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.starts_with("services") && text.contains("22"), "{text}");
    let mut wrong = binary();
    wrong.args(["query", "SELECT nothing FROM spans", "--url", &format!("http://{}", client.api)]);
    let output = wrong.output().await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("nothing"), "{text}");

    assert!(server.stop().await, "it stops well");
    let left = std::fs::read_dir(temporary.path()).expect("a folder").count();
    assert_eq!(left, 0, "the temporary folder is removed");
}
