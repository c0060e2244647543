//! One configuration, one set of targets, two who scrape: a real Prometheus and we know the same of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::compare::Asked;
use super::daemon::Daemon;
use super::prometheus;
use super::site::Site;
use crate::harness::Server;
use crate::harness::server::wait_until;

/// Series about a scrape whose values are of no use to compare.
const TIMED: &str = "scrape_duration_seconds|scrape_series_added";

const SHOP: &str = "# HELP orders_total Orders.\n# TYPE orders_total counter\n\
    orders_total{shop=\"a\",instance=\"own\",id=\"1\"} 3\norders_total{shop=\"b\",id=\"2\"} 4\n\
    go_threads 9\nwithout_type{text=\"a\\\\b\\\"c\\nd\"} -1.5e-3\nold 1 1000\nnothing NaN\nmuch +Inf\n";
const SHOP_LATER: &str = "# TYPE orders_total counter\norders_total{shop=\"b\",id=\"2\"} 6\n";
const OPEN: &str = "# TYPE jobs_seconds counter\n# UNIT jobs_seconds seconds\n\
    jobs_seconds_total{a=\"1\"} 5 # {trace_id=\"abc\"} 2\njobs_seconds_created{a=\"1\"} 17.5\n\
    # TYPE lag histogram\nlag_bucket{le=\"0.5\"} 1\nlag_bucket{le=\"+Inf\"} 2\nlag_count 2\nlag_sum 3\n# EOF\n";

/// The jobs that both are given; `folder` has the files that they name.
fn configuration(site: &str, node: &str) -> Value {
    let fixed = |labels: Value| json!([{ "targets": [site], "labels": labels }]);
    json!({
        "global": { "scrape_interval": "500ms", "scrape_timeout": "400ms" },
        "scrape_configs": [
            {
                "job_name": "shop", "metrics_path": "/shop", "static_configs": fixed(json!({ "zone": "z" })),
                "params": { "module": ["x y", "z"] },
                "relabel_configs": [
                    { "source_labels": ["__address__"], "regex": "([^:]+):(\\d+)", "target_label": "host", "replacement": "h-$1" },
                    { "source_labels": ["__param_module"], "target_label": "module", "action": "uppercase" },
                    { "target_label": "instance", "replacement": "shop" },
                    { "source_labels": ["zone"], "modulus": 7, "target_label": "shard", "action": "hashmod" },
                ],
                "metric_relabel_configs": [
                    { "source_labels": ["__name__"], "regex": "go_.*", "action": "drop" },
                    { "regex": "id", "action": "labeldrop" },
                    { "regex": "sho(.)", "replacement": "kind_$1", "action": "labelmap" },
                ],
            },
            { "job_name": "honest", "metrics_path": "/shop", "honor_labels": true, "honor_timestamps": false,
              "static_configs": fixed(json!({ "instance": "theirs" })) },
            { "job_name": "open", "metrics_path": "/open", "static_configs": fixed(json!({ "instance": "open" })) },
            { "job_name": "secret", "metrics_path": "/secret", "basic_auth": { "username": "me", "password": "word" },
              "static_configs": fixed(json!({ "instance": "secret" })) },
            { "job_name": "bearer", "metrics_path": "/bearer", "authorization": { "credentials": "token" },
              "static_configs": fixed(json!({ "instance": "bearer" })) },
            { "job_name": "files", "metrics_path": "/open", "file_sd_configs": [{ "files": ["targets-*.json"] }] },
            { "job_name": "asked", "metrics_path": "/open",
              "http_sd_configs": [{ "url": format!("http://{site}/targets"), "refresh_interval": "1s" }] },
            { "job_name": "named", "metrics_path": "/open",
              "static_configs": fixed(json!({ "instance": "named" })),
              "relabel_configs": [{ "source_labels": ["instance"], "regex": "named", "action": "drop" }] },
            { "job_name": "broken", "metrics_path": "/broken", "static_configs": fixed(json!({ "instance": "broken" })) },
            { "job_name": "limited", "metrics_path": "/shop", "sample_limit": 2, "static_configs": fixed(json!({ "instance": "limited" })) },
            { "job_name": "missing", "metrics_path": "/missing", "static_configs": fixed(json!({ "instance": "missing" })) },
            { "job_name": "closed", "static_configs": [{ "targets": ["127.0.0.1:1"] }] },
            { "job_name": "node", "static_configs": [{ "targets": [node], "labels": { "instance": "node" } }] },
        ],
    })
}

/// The newest values of all series, by labels.
async fn newest(asked: &Asked, base: &str, query: &str) -> BTreeMap<String, String> {
    let (status, answer) = asked.ask(base, "query", &[("query", query)]).await;
    assert_eq!(status, 200, "{query}: {answer}");
    let found = answer["data"]["result"].as_array().expect("series").iter();
    let value = |series: &Value| series["value"][1].as_str().unwrap_or_default().to_owned();
    found.map(|series| (series["metric"].to_string(), value(series))).collect()
}

/// Waits until both have the same newest values; the difference is told if they never do.
async fn alike(asked: &Asked, query: &str) -> BTreeMap<String, String> {
    for attempt in 0.. {
        let theirs = newest(asked, &asked.theirs, query).await;
        let ours = newest(asked, &asked.ours, query).await;
        if theirs == ours && !ours.is_empty() {
            return ours;
        }
        let missing = theirs.iter().filter(|pair| ours.get(pair.0) != Some(pair.1));
        let more = ours.iter().filter(|pair| theirs.get(pair.0) != Some(pair.1));
        let (missing, more) = (missing.collect::<Vec<_>>(), more.collect::<Vec<_>>());
        assert!(attempt < 40, "{query}: theirs alone {missing:#?}, ours alone {more:#?}");
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    BTreeMap::new()
}

/// Job, labels, health and whether there is an error, of each target.
async fn targets(base: &str) -> BTreeSet<String> {
    let url = format!("{base}/targets");
    let answer: Value = reqwest::get(&url).await.expect("an answer").json().await.expect("JSON");
    let active = answer["data"]["activeTargets"].as_array().expect("targets").iter();
    let told = |target: &Value| {
        let has_error = target["lastError"].as_str().is_some_and(|error| !error.is_empty());
        format!(
            "{} {} {} {} {} {} error={has_error}",
            target["scrapePool"],
            target["labels"],
            target["health"],
            target["scrapeUrl"],
            target["scrapeInterval"],
            target["scrapeTimeout"],
        )
    };
    let dropped = answer["data"]["droppedTargets"].as_array().expect("targets").iter();
    let dropped = dropped.map(|target| format!("dropped {}", target["discoveredLabels"]["job"]));
    active.map(told).chain(dropped).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_prometheus_and_we_scrape_alike() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(node) = Daemon::node_exporter().await else { return };
    let site = Site::start().await;
    site.put("/shop", "text/plain; version=0.0.4", SHOP);
    site.put("/open", "application/openmetrics-text; version=1.0.0; charset=utf-8", OPEN);
    site.put("/secret", "text/plain", "secret 1\n");
    site.put("/bearer", "text/plain", "bearer 1\n");
    site.put("/broken", "text/plain", "fine 1\nbroken{ 2\n");
    let group = json!([{ "targets": [site.address], "labels": { "instance": "of-file" } }]);
    let groups = json!([{ "targets": [site.address], "labels": { "instance": "of-http" } }]);
    std::fs::write(folder.path().join("targets-1.json"), group.to_string()).expect("written");
    site.put("/targets", "application/json", &groups.to_string());
    let configuration = configuration(&site.address, &node.address).to_string();
    let file = folder.path().join("prometheus.yml");
    let Some(theirs) = prometheus(folder.path(), &configuration).await else { return };
    let settings = [("THROUGHLINE_SCRAPE_CONFIG_FILE", file.to_str().expect("text"))];
    let server = Server::start_with(&folder.path().join("ours"), &settings).await;
    let asked = Asked::new(&theirs.address, &server.client.api);

    // Of a text that is refused, what came before the fault is counted by one of us.
    let all = format!("{{__name__!~\"{TIMED}\",job!~\"node|broken\",job=~\".+\"}}");
    let before = alike(&asked, &all).await;
    let has = |what: &str| before.keys().any(|labels| labels.contains(what));
    for wanted in ["exported_instance", "kind_p", "\"shard\"", "h-127.0.0.1", "X Y"] {
        assert!(has(wanted), "{wanted}: {before:#?}");
    }
    // Values of a machine change between two looks; which series there are does not, but for a few.
    alike(
        &asked,
        "count by (__name__) ({job=\"node\",__name__=~\"node_(filesystem|network|memory|cpu).*\"})",
    )
    .await;
    alike(&asked, "min by (job) (up)").await;
    let mut known = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..40 {
        known = (targets(&asked.theirs).await, targets(&asked.ours).await);
        if known.0 == known.1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    assert_eq!(known.0, known.1);

    // What is no longer exposed ends at once, with those who go away.
    site.put("/shop", "text/plain; version=0.0.4", SHOP_LATER);
    site.remove("/open");
    std::fs::write(folder.path().join("targets-1.json"), "[]").expect("written");
    let gone = |base: String| {
        let asked = &asked;
        async move {
            let left =
                newest(asked, &base, "{job=\"files\"} or jobs_seconds_total or nothing").await;
            left.is_empty()
        }
    };
    wait_until("ends of series at theirs", || gone(asked.theirs.clone())).await;
    wait_until("ends of series at ours", || gone(asked.ours.clone())).await;
    let after = alike(&asked, &all).await;
    assert!(after.len() < before.len());
}
