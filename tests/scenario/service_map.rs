//! The service map of a real run of TrainTicket: which edges it has, what rollups count, and that a
//! delayed service shows in it, at once, after compaction and after a restart.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use crate::harness::client::Client;
use crate::harness::shared::{gz_lines, shared};
use crate::harness::{Server, client};

const MINUTE_NS: i64 = 60_000_000_000;
/// How long a fault is looked at, from the minute of its injection.
const FAULT_MINUTES: i64 = 3;
/// How long after its injection a minute is not free of a fault.
const FAULT_AFTERMATH_MINUTES: i64 = 5;

/// Calls by client and server, counted in the file itself.
type Calls = BTreeMap<(String, String), u64>;

fn calls_in(lines: &[String]) -> Calls {
    let mut services: HashMap<(String, String), String> = HashMap::new();
    let mut children = Vec::new();
    for line in lines {
        let request: Value = serde_json::from_str(line).expect("JSON");
        for resource in array(&request["resourceSpans"]) {
            let attributes = array(&resource["resource"]["attributes"]);
            let name = attributes.iter().find(|entry| entry["key"] == "service.name");
            let service = text(&name.expect("a service")["value"]["stringValue"]);
            for span in array(&resource["scopeSpans"]).iter().flat_map(|s| array(&s["spans"])) {
                let trace = text(&span["traceId"]);
                services.insert((trace.clone(), text(&span["spanId"])), service.clone());
                if let Some(parent) = span["parentSpanId"].as_str().filter(|id| !id.is_empty()) {
                    children.push((trace, parent.to_owned(), service.clone()));
                }
            }
        }
    }
    let mut calls = Calls::new();
    for (trace, parent, server) in children {
        match services.get(&(trace, parent)) {
            Some(client) if *client != server => {
                *calls.entry((client.clone(), server)).or_default() += 1;
            }
            _ => {}
        }
    }
    calls
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_map_is_what_parents_and_children_say() {
    let Some(file) = shared("data/trainticket/traces.jsonl.gz") else { return };
    let Some(manifest) = shared("data/trainticket/manifest.json") else { return };
    let manifest: Value =
        serde_json::from_slice(&std::fs::read(manifest).expect("read")).expect("JSON");
    let lines = gz_lines(&file).into_iter().collect::<Vec<_>>();
    let calls = calls_in(&lines);
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    for line in lines {
        server.client.accept("/v1/traces", "application/json", line.into_bytes()).await;
    }
    check(&server.client, &manifest, &calls, "at once").await;
    server.settle().await;
    check(&server.client, &manifest, &calls, "settled").await;
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    check(&server.client, &manifest, &calls, "after a restart").await;
}

async fn check(client: &Client, manifest: &Value, calls: &Calls, when: &str) {
    edges(client, calls, when).await;
    operations(client, when).await;
    series(client, manifest, calls, when).await;
    delays(client, manifest, when).await;
}

async fn edges(client: &Client, calls: &Calls, when: &str) {
    let query = "SELECT client, server, connection_type, sum(calls) AS n FROM service_edges \
                 GROUP BY 1, 2, 3";
    let rows = client.sql(query).await;
    let mut found = Calls::new();
    for row in &rows {
        assert_eq!(row["connection_type"], "", "{when}: {row:?}");
        found.insert((text(&row["client"]), text(&row["server"])), number(row, "n") as u64);
    }
    assert_eq!(&found, calls, "{when}");
}

async fn operations(client: &Client, when: &str) {
    let columns = "service_name, name, kind_number, status_code_number";
    let rolled_up = format!(
        "SELECT {columns}, sum(spans) AS n, sum(sum_ns) AS ns FROM operations \
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    );
    let counted = format!(
        "SELECT {columns}, count(*) AS n, sum(duration_ns) AS ns FROM spans \
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4"
    );
    let (rolled_up, counted) = (client.sql(&rolled_up).await, client.sql(&counted).await);
    assert!(!counted.is_empty(), "{when}");
    assert_eq!(rolled_up, counted, "{when}");
}

/// The last points of the synthesised counters hold everything: the data lie in one day.
async fn series(client: &Client, manifest: &Value, calls: &Calls, when: &str) {
    let total = |name: &str| {
        format!(
            "SELECT sum(value) AS n FROM (SELECT series_id, max(value) AS value FROM metrics \
             WHERE metric_name = '{name}' GROUP BY 1)"
        )
    };
    let spans = client.sql(&total("traces_spanmetrics_calls_total")).await;
    let expected = manifest["traces"]["spans"].as_f64().expect("a count");
    assert_eq!(number(&spans[0], "n"), expected, "{when}");
    let requests = client.sql(&total("traces_service_graph_request_total")).await;
    assert_eq!(number(&requests[0], "n"), calls.values().sum::<u64>() as f64, "{when}");
}

fn number(row: &client::Row, column: &str) -> f64 {
    match &row[column] {
        Value::String(digits) => digits.parse().expect("a number"),
        other => other.as_f64().expect("a number"),
    }
}

/// Mean time that calls spent on the way, by minute and called service: what a network delay grows.
async fn delays(client: &Client, manifest: &Value, when: &str) {
    let query = "SELECT CAST(date_trunc('minute', time) AS BIGINT) AS minute, server, \
                 sum(client_sum_ns) AS client_ns, sum(server_sum_ns) AS server_ns, \
                 sum(calls) AS calls FROM service_edges GROUP BY 1, 2";
    let rows = client.sql(query).await;
    let mut by_minute: Vec<(i64, String, f64, f64)> = Vec::new();
    for row in &rows {
        let minute = number(row, "minute") as i64 / MINUTE_NS;
        let on_the_way = number(row, "client_ns") - number(row, "server_ns");
        by_minute.push((minute, text(&row["server"]), on_the_way, number(row, "calls")));
    }
    let faults = array(&manifest["faults"]);
    let injected =
        |fault: &Value| fault["inject_unix_ns_in_output"].as_i64().expect("a time") / MINUTE_NS;
    let is_free = |minute: i64| {
        let is_hit =
            |fault: &Value| (0..=FAULT_AFTERMATH_MINUTES).contains(&(minute - injected(fault)));
        !faults.iter().any(is_hit)
    };
    let usual = means(&by_minute, is_free);
    let mut seen = 0;
    for fault in faults.iter().filter(|fault| fault["type"] == "network_delay") {
        let from = injected(fault);
        let during = means(&by_minute, |minute| (from..from + FAULT_MINUTES).contains(&minute));
        let growth = |(server, mean): (&String, &f64)| {
            (mean - usual.get(server).copied().unwrap_or_default(), server.clone())
        };
        let mut ranked = during.iter().map(growth).collect::<Vec<_>>();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(ranked[0].1, text(&fault["service"]), "{when}: {fault}: {ranked:?}");
        seen += 1;
    }
    assert!(seen > 0, "{when}: no network delay in the manifest");
}

fn means(
    by_minute: &[(i64, String, f64, f64)],
    is_wanted: impl Fn(i64) -> bool,
) -> BTreeMap<String, f64> {
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for (_, server, ns, calls) in by_minute.iter().filter(|row| is_wanted(row.0)) {
        let sum = sums.entry(server.clone()).or_default();
        *sum = (sum.0 + ns, sum.1 + calls);
    }
    sums.into_iter().map(|(server, (ns, calls))| (server, ns / calls)).collect()
}
