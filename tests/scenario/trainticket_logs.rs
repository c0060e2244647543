//! The logs of a real run of the TrainTicket benchmark: found by their traces, counted by level, and told apart by
//! patterns, each way of asking equal to SQL's, from the heads, after compaction and after a restart.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

use super::trainticket::send;
use crate::harness::Server;
use crate::harness::client::Client;
use crate::harness::shared::shared;

/// The range of the records, in seconds since the epoch, with some room.
const RUN: (i64, i64) = (1_675_079_400, 1_675_083_780);
/// Traces that are looked at one by one.
const TRACES: usize = 60;
/// Pairs of windows.
const PAIRS: usize = 12;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_asking_equals_sql() {
    if shared("data/trainticket/logs.jsonl.gz").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    assert!(send(&server.client, "/v1/logs", "data/trainticket/logs.jsonl.gz").await);
    check(&server.client).await;
    server.settle().await;
    check(&server.client).await;
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    check(&server.client).await;
}

async fn check(client: &Client) {
    logs_of_traces(client).await;
    errors_by_minute_and_service(client).await;
    patterns_of_two_windows(client).await;
}

async fn ask(client: &Client, query: &str) -> Value {
    let (start, end) = RUN;
    let body = json!({ "query": query, "start": start, "end": end, "limit": 10_000 });
    let answer = client.post_json("/api/v1/logs/query", &body).await;
    assert_eq!(answer["truncated"], false, "{query}");
    answer
}

async fn logs_of_traces(client: &Client) {
    let rows = client.sql("SELECT trace_id, count(*) AS n FROM logs GROUP BY 1 ORDER BY 1").await;
    let step = (rows.len() / TRACES).max(1);
    assert!(rows.len() > TRACES, "{}", rows.len());
    for row in rows.iter().step_by(step) {
        let trace_id = row["trace_id"].as_str().expect("an id");
        let answer = ask(client, &format!("trace_id:{trace_id}")).await;
        let records = answer["records"].as_array().expect("records");
        assert_eq!(Some(records.len() as u64), row["n"].as_u64(), "{trace_id}");
        for record in records {
            assert_eq!(record["trace_id"], trace_id, "{record}");
        }
    }
    let all =
        ask(client, "* | stats by (trace_id) count() as n | stats count() as traces, sum(n) as n")
            .await;
    let records: u64 = rows.iter().map(|row| row["n"].as_u64().expect("a number")).sum();
    assert_eq!(all["rows"][0], json!([rows.len(), records]));
}

async fn errors_by_minute_and_service(client: &Client) {
    let query = "SELECT date_bin(INTERVAL '1 minute', time) AS t, service_name AS s, count(*) AS n FROM logs \
                 WHERE severity_number BETWEEN 17 AND 20 GROUP BY 1, 2 ORDER BY 1, 2";
    let expected: Vec<Value> =
        client.sql(query).await.iter().map(|row| json!([row["t"], row["s"], row["n"]])).collect();
    assert!(expected.len() > 10, "{}", expected.len());
    let answer =
        ask(client, "level:error | stats by (1m, service) count() as n | sort by (time, service)")
            .await;
    assert_eq!(answer["rows"], json!(expected));
    let services: BTreeMap<&str, u64> = expected.iter().fold(BTreeMap::new(), |mut sums, row| {
        let service = row[1].as_str().expect("a service");
        *sums.entry(service).or_default() += row[2].as_u64().expect("a number");
        sums
    });
    let (start, end) = RUN;
    let query = format!(
        "sum by (service_name) (count_over_time({{detected_level=\"error\"}}[{}s]))",
        end - start
    );
    let path = format!("/loki/api/v1/query?query={}&time={end}", urlencoded(&query));
    let answer = client.json(&path).await;
    let found = answer["data"]["result"].as_array().expect("series").iter().map(|series| {
        let count = series["value"][1].as_str().and_then(|text| text.parse().ok());
        (series["metric"]["service_name"].as_str().expect("a label"), count.expect("a number"))
    });
    assert_eq!(found.collect::<BTreeMap<&str, u64>>(), services);
    let body = json!({
        "size": 0,
        "query": { "term": { "level": "error" } },
        "aggs": { "by": { "terms": { "field": "service.name", "size": 100 } } },
    });
    let answer = client.post_json("/elasticsearch/logs/_search", &body).await;
    let buckets = answer["aggregations"]["by"]["buckets"].as_array().expect("buckets").iter();
    let found = buckets.map(|bucket| {
        let count = bucket["doc_count"].as_u64().expect("a number");
        (bucket["key"].as_str().expect("a service"), count)
    });
    assert_eq!(found.collect::<BTreeMap<&str, u64>>(), services);
}

fn urlencoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn patterns_of_two_windows(client: &Client) {
    let mut rng = SmallRng::seed_from_u64(7);
    let (mut new, mut gone) = (0, 0);
    for pair in 0..PAIRS {
        // Some lie side by side, some overlap, some are of minutes and most are not.
        let mut window = || {
            let start = rng.random_range(RUN.0..RUN.1 - 60);
            let start = if pair % 3 == 0 { start - start % 60 } else { start };
            (start, (start + rng.random_range(30..900)).min(RUN.1))
        };
        let (before, after) = (window(), window());
        let in_window = async |(start, end): (i64, i64)| -> BTreeSet<String> {
            let query = format!(
                "SELECT template_id AS k, count(*) AS n FROM logs WHERE time >= to_timestamp_seconds({start}) \
                 AND time < to_timestamp_seconds({end}) GROUP BY 1"
            );
            let rows = client.sql(&query).await;
            rows.iter().map(|row| row["k"].as_str().expect("an id").to_owned()).collect()
        };
        let (had, has) = (in_window(before).await, in_window(after).await);
        let path = format!(
            "/api/v1/logs/patterns/diff?start={}&end={}&before_start={}&before_end={}&limit=1000",
            after.0, after.1, before.0, before.1
        );
        let answer = client.json(&path).await;
        assert_eq!(answer["truncated"], false, "{path}");
        let patterns = answer["patterns"].as_array().expect("patterns");
        let of = |change: &str| -> BTreeSet<String> {
            let found = patterns.iter().filter(|pattern| pattern["change"] == change);
            found
                .map(|pattern| pattern["template_id"].as_str().expect("an id").to_owned())
                .collect()
        };
        assert_eq!(of("new"), &has - &had, "{path}");
        assert_eq!(of("vanished"), &had - &has, "{path}");
        assert_eq!(patterns.len(), of("new").len() + of("vanished").len(), "{path}");
        let first_gone = patterns.iter().position(|pattern| pattern["change"] != "new");
        assert_eq!(
            first_gone.unwrap_or(patterns.len()),
            of("new").len(),
            "new ones come first: {path}"
        );
        (new, gone) = (new + of("new").len(), gone + of("vanished").len());
    }
    assert!(new > 0 && gone > 0, "{new} new, {gone} vanished");
}
