//! The demo: an hour of a simulated shop, then live traffic through the SDK, and `throughline query`.

use crate::harness::Server;
use crate::harness::client::Client;
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
    exceptions_and_changes(client).await;

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

// What fails alike is one group, and the one deployment of the past hour is one change.
async fn exceptions_and_changes(client: &Client) {
    let timeouts = client.json("/api/v1/exceptions?start=-2h&query=PaymentGatewayTimeout").await;
    assert_eq!(timeouts["total"], 1, "{timeouts}");
    let group = &timeouts["exceptions"][0];
    assert_eq!(group["services"], serde_json::json!(["payment"]));
    assert_eq!(group["culprit"]["function"], "shop.PaymentService.execute");
    assert!(group["count"].as_u64() > Some(10) && group["samples"][0]["trace_id"].is_string());
    let all = client.json("/api/v1/exceptions?start=-2h&limit=500").await;
    let groups = all["exceptions"].as_array().expect("groups");
    assert!((4..=100).contains(&groups.len()), "{} groups", groups.len());
    let changes = client.json("/api/v1/changes?start=-2h").await;
    let changes = changes["changes"].as_array().expect("changes");
    let found = changes.iter().map(|c| (&c["kind"], &c["service_name"], &c["service_version"]));
    let expected = serde_json::json!(["deployment", "search", "1.9.0"]);
    assert_eq!(found.collect::<Vec<_>>(), [(&expected[0], &expected[1], &expected[2])]);
}
