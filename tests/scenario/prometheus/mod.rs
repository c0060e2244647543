//! A real Prometheus beside us: it scrapes a target of the test's and a node_exporter, sends what it scraped on to
//! us by remote write, and is asked the same questions. promtool asks us too. All from Debian's package, where it
//! is installed.

mod compare;
mod daemon;
mod questions;
mod reload;
mod scraped;
mod site;
mod target;

use std::path::Path;

use serde_json::json;

use crate::harness::Server;
use crate::harness::server::wait_until;
use compare::{Asked, Span};
use daemon::Daemon;
use target::Target;

/// Scrapes of each target before it goes away.
const SCRAPES: u64 = 50;
const SCRAPE_INTERVAL_MS: i64 = 200;
/// Questions of the compliance set, at least.
const QUESTIONS_MIN: usize = 500;

fn configuration(targets: &[Target], node: &Daemon, receiver: &str) -> String {
    let groups = targets.iter().map(
        |target| json!({ "targets": [target.address], "labels": { "instance": target.instance } }),
    );
    // YAML takes JSON.
    let configuration = json!({
        "global": { "scrape_interval": format!("{SCRAPE_INTERVAL_MS}ms"), "scrape_timeout": "200ms" },
        "scrape_configs": [
            { "job_name": "demo", "static_configs": groups.collect::<Vec<_>>() },
            {
                "job_name": "node", "scrape_interval": "1s", "scrape_timeout": "1s",
                "static_configs": [{ "targets": [node.address], "labels": { "instance": "node" } }],
            },
        ],
        // One shard keeps the order: who has the last sample has all.
        "remote_write": [{
            "url": format!("http://{receiver}/prometheus/api/v1/write"),
            "send_exemplars": true,
            "send_native_histograms": true,
            "queue_config": { "min_shards": 1, "max_shards": 1, "batch_send_deadline": "100ms" },
        }],
    });
    configuration.to_string()
}

async fn prometheus(folder: &Path, configuration: &str) -> Option<Daemon> {
    let file = folder.join("prometheus.yml");
    std::fs::write(&file, configuration).expect("written");
    let arguments = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", folder.join("prometheus").display()),
        "--enable-feature=native-histograms,exemplar-storage,promql-at-modifier".to_owned(),
        "--web.listen-address=127.0.0.1:0".to_owned(),
    ];
    let daemon = Daemon::start("prometheus", &arguments).await?;
    let ready = format!("http://{}/-/ready", daemon.address);
    wait_until("Prometheus ready", || async {
        reqwest::get(&ready).await.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    Some(daemon)
}

/// Waits until both have seen all targets go away, and says when that was.
async fn gone(asked: &Asked, targets: usize) -> i64 {
    let query = format!("count(up{{job=\"demo\"}} == 0) == {targets}");
    for base in [&asked.theirs, &asked.ours] {
        wait_until("all targets gone", || async {
            let (_, answer) = asked.ask(base, "query", &[("query", &query)]).await;
            answer["data"]["result"].as_array().is_some_and(|found| !found.is_empty())
        })
        .await;
    }
    let (_, answer) = asked.ask(&asked.ours, "query", &[("query", "time()")]).await;
    (answer["data"]["result"][0].as_f64().expect("a time") * 1e3) as i64
}

/// A range in whose steps no sample lies on the edge of a window: there 3.x and 2.42 differ by design.
async fn span(asked: &Asked, end_ms: i64) -> Span {
    let query =
        [("query", "timestamp(up offset 1s)"), ("time", &(end_ms as f64 / 1e3).to_string())];
    let (_, answer) = asked.ask(&asked.theirs, "query", &query).await;
    let found = answer["data"]["result"].as_array().expect("series");
    let residue = |at_ms: i64| at_ms.rem_euclid(SCRAPE_INTERVAL_MS);
    let taken: Vec<_> = found
        .iter()
        .map(|series| series["value"][1].as_str().expect("text").parse::<f64>().expect("seconds"))
        .map(|seconds| residue((seconds * 1e3).round() as i64))
        .collect();
    let distance = |residue: i64| {
        let one = |taken: &i64| {
            let apart = (residue - taken).abs();
            apart.min(SCRAPE_INTERVAL_MS - apart)
        };
        taken.iter().map(one).min()
    };
    let best = (0..SCRAPE_INTERVAL_MS).max_by_key(|residue| distance(*residue)).expect("some");
    let end_ms = end_ms - residue(end_ms) + best;
    Span { start_ms: end_ms - 12_000, end_ms, step_ms: 1_000 }
}

async fn promtool_asks(server: &Server, end_ms: i64) {
    let Some(promtool) = daemon::installed("promtool") else { return };
    let url = format!("http://{}/prometheus", server.client.api);
    let at = |ms: i64| format!("{:.3}", ms as f64 / 1e3);
    let (start, end) = (at(end_ms - 4_000), at(end_ms));
    let cases: [(&[&str], &str); 5] = [
        (
            &["instant", "--time", &end, &url, "count by (job) (up{job=\"demo\"})"],
            "{job=\"demo\"} => 3 @",
        ),
        (
            &["range", "--start", &start, "--end", &end, "--step=2s", &url, "vector(7)"],
            "{} =>\n7 @",
        ),
        (&["series", "--match=up{job=\"node\"}", &url], "job=\"node\""),
        (&["labels", &url, "job"], "demo\nnode\n"),
        (&["instant", &url, "sum("], "parse error"),
    ];
    for (arguments, expected) in cases {
        let output = tokio::process::Command::new(&promtool).arg("query").args(arguments).output();
        let output = output.await.expect("promtool runs");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains(expected), "promtool query {arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_and_we_answer_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = Daemon::node_exporter().await else { return };
    let server = Server::start(&folder.path().join("ours")).await;
    let mut targets = Vec::new();
    for number in 0..3 {
        targets.push(Target::start(number, SCRAPES).await);
    }
    let configuration = configuration(&targets, &node, &server.client.api);
    let Some(prometheus) = prometheus(folder.path(), &configuration).await else { return };
    let asked = Asked::new(&prometheus.address, &server.client.api);
    let end_ms = gone(&asked, targets.len()).await;
    let span = span(&asked, end_ms).await;

    promtool_asks(&server, end_ms).await;
    compare::labels(&asked).await;
    let mut differing = Vec::new();
    for query in questions::own() {
        differing.extend(compare::differing(&asked, &query, false, span).await);
    }
    let mut equal = 0;
    for question in questions::compliance().unwrap_or_default() {
        if questions::differs(&question.query).is_some() {
            continue;
        }
        match compare::differing(&asked, &question.query, question.should_fail, span).await {
            Some(how) => differing.push(how),
            None => equal += 1,
        }
    }
    assert!(differing.is_empty(), "{} differ: {differing:#?}", differing.len());
    assert!(equal >= QUESTIONS_MIN || equal == 0, "{equal} questions");
    eprintln!("{equal} questions of the compliance set are answered alike");
}
