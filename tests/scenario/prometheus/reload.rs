//! A configuration of scraping that changes under a running server, and one that does not read.

use serde_json::Value;

use super::site::Site;
use crate::harness::Server;
use crate::harness::server::{binary, wait_until};

const SETTING: &str = "THROUGHLINE_SCRAPE_CONFIG_FILE";

fn configuration(site: &Site, jobs: &[&str]) -> String {
    let jobs = jobs.iter().map(|job| {
        format!(
            "- job_name: {job}\n  scrape_interval: 200ms\n  metrics_path: /{job}\n  static_configs:\n    - targets: ['{}']\n",
            site.address
        )
    });
    format!("alerting: {{}}\nscrape_configs:\n{}", jobs.collect::<String>())
}

/// The jobs whose targets are up, by what the API says of targets.
async fn up(server: &Server) -> Vec<String> {
    let answer = server.client.json("/prometheus/api/v1/targets?state=active").await;
    let targets = answer["data"]["activeTargets"].as_array().expect("targets").iter();
    let up = targets.filter(|target| target["health"] == "up");
    up.filter_map(|target| target["scrapePool"].as_str().map(str::to_owned)).collect()
}

async fn newest(server: &Server, query: &str) -> Value {
    let path = format!("/prometheus/api/v1/query?query={query}");
    server.client.json(&path).await["data"]["result"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_configuration_is_taken_in_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let site = Site::start().await;
    for page in ["one", "two"] {
        site.put(
            &format!("/{page}"),
            "text/plain",
            &format!("# HELP {page} Says {page}.\n{page} 1\n"),
        );
    }
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, configuration(&site, &["one"])).expect("written");
    let settings = [(SETTING, file.to_str().expect("text"))];
    let server = Server::start_with(&folder.path().join("data"), &settings).await;
    wait_until("the first job", || async { up(&server).await == ["one"] }).await;
    let metadata = server.client.json("/prometheus/api/v1/targets/metadata?metric=one").await;
    assert_eq!(metadata["data"][0]["help"], "Says one.");

    std::fs::write(&file, "scrape_configs: [{job_name: one, sheme: http}]").expect("written");
    let says = |line: &'static str| {
        let server = &server;
        async move {
            let page = server.client.get("/metrics").await.expect("an answer").text().await;
            page.expect("text").lines().any(|own| own == line)
        }
    };
    wait_until("told of the broken file", || says("throughline_scrape_config_valid 0")).await;
    assert!(says("throughline_scrape_targets{health=\"up\"} 1").await);
    let broken_at = newest(&server, "max(timestamp(one))").await;
    std::fs::write(&file, configuration(&site, &["one", "two"])).expect("written");
    wait_until("the second job", || async { up(&server).await == ["one", "two"] }).await;
    assert_ne!(newest(&server, "max(timestamp(one))").await, broken_at, "the first goes on");

    std::fs::write(&file, configuration(&site, &["two"])).expect("written");
    wait_until("the end of the first job", || async {
        up(&server).await == ["two"]
            && newest(&server, "up{job=\"one\"}").await == Value::Array(vec![])
    })
    .await;
    let pools = server.client.json("/prometheus/api/v1/scrape_pools").await;
    assert_eq!(pools["data"]["scrapePools"], serde_json::json!(["two"]));
    assert!(server.stop().await, "scraping ends with the server");
}

#[tokio::test]
async fn a_server_does_not_start_with_a_configuration_that_does_not_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("prometheus.yml");
    std::fs::write(&file, "scrape_configs: [{job_name: shop, scrape_interval: never}]")
        .expect("written");
    let mut command = binary();
    command.args(["serve", "--http", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]);
    command.args(["--otlp-grpc", "127.0.0.1:0", "--data-dir"]).arg(folder.path().join("data"));
    let output = command.env(SETTING, &file).output().await.expect("runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(said.contains("job 'shop': scrape_interval: 'never' is no duration"), "{said}");
}
