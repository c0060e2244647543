//! Grouped counts of log records: which are answered over runs, and that they are right.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::Value;
use throughline_model::time::{HOUR_NS, MINUTE_NS};

use crate::data::{self, TestLog, attributes, text};
use crate::harness::{Harness, NOW_NS};

// Conditions that the scan decides.
const CONDITIONS: [&str; 7] = [
    "",
    "service_name = 'cart'",
    "severity_number >= 13",
    "has_word(body, 'refused')",
    "time >= '2026-11-20T11:12:20Z' AND time < '2026-11-20T11:48:00Z'",
    "attributes['n'] = '3' AND time <= '2026-11-20T11:40:00Z'",
    "has_phrase(body, 'order shipped') AND service_name <> 'shop'",
];

// Groups, and what is selected, over runs.
const GROUPED: [&str; 12] = [
    "SELECT count(*) FROM logs",
    "SELECT service_name, count(*) AS n FROM logs GROUP BY 1",
    "SELECT severity_number, count(1) FROM logs GROUP BY 1",
    "SELECT date_trunc('minute', time) AS t, count(*) FROM logs GROUP BY 1",
    "SELECT date_trunc('hour', time), service_name, severity_number, count(*) FROM logs GROUP BY 1, 2, 3",
    "SELECT date_bin(INTERVAL '7 minutes', time) AS t, count(*) FROM logs GROUP BY 1",
    "SELECT date_bin(INTERVAL '40 seconds', time, TIMESTAMP '2026-11-20T11:00:13Z') AS t, count(*) FROM logs GROUP BY 1",
    "SELECT template, template_id, count(*) FROM logs GROUP BY 1, 2",
    "SELECT upper(service_name) AS s, count(*) FILTER (WHERE severity_number >= 17), count(*) FROM logs GROUP BY 1",
    "SELECT CASE WHEN severity_number >= 17 THEN 'bad' ELSE 'fine' END AS c, count(*) FROM logs GROUP BY 1",
    "SELECT l.service_name, count(*) + 1 FROM logs l GROUP BY l.service_name",
    "SELECT DISTINCT service_name FROM logs",
];

// What is answered out of rows.
const OTHERS: [&str; 8] = [
    "SELECT count(body) FROM logs",
    "SELECT count(DISTINCT service_name), count(*) FROM logs",
    "SELECT severity_text, count(*) FROM logs GROUP BY 1",
    "SELECT date_trunc('month', time), count(*) FROM logs GROUP BY 1",
    "SELECT date_trunc('minute', time), date_trunc('hour', time), count(*) FROM logs GROUP BY 1, 2",
    "SELECT count(*) FROM logs WHERE length(service_name) > 4",
    "SELECT service_name, max(time), count(*) FROM logs GROUP BY 1",
    "SELECT service_name, count(*) FROM spans GROUP BY 1",
];

fn random_logs(rng: &mut StdRng, count: usize) -> Vec<TestLog> {
    let one = |rng: &mut StdRng| {
        let mut time_ns = NOW_NS - rng.random_range(0..HOUR_NS);
        if rng.random_ratio(1, 5) {
            time_ns -= time_ns.rem_euclid(MINUTE_NS);
        }
        let n = rng.random_range(0..5);
        TestLog {
            service: ["cart", "shop", "mail"][rng.random_range(0..3)].into(),
            time_ns,
            severity: [0, 9, 13, 17, 21][rng.random_range(0..5)],
            body: Some(text(&match n {
                0 => format!("order shipped in {} ms", rng.random_range(0..100)),
                1 => format!("connection to 10.0.0.{} refused", rng.random_range(0..100)),
                _ => "ready".to_owned(),
            })),
            attributes: attributes(&[("n", Value::String(n.to_string()))]),
            ..TestLog::default()
        }
    };
    (0..count).map(|_| one(rng)).collect()
}

// A condition that always holds and that the scan cannot take.
const ALWAYS: &str = "length(service_name) >= 0";

fn with_condition(query: &str, condition: &str) -> String {
    match (condition, query.split_once(" GROUP BY ")) {
        ("", _) => query.to_owned(),
        (condition, Some((before, after))) => {
            format!("{before} WHERE {condition} GROUP BY {after}")
        }
        (condition, None) => format!("{query} WHERE {condition}"),
    }
}

async fn is_over_runs(harness: &Harness, query: &str) -> bool {
    let plan = harness.rows(&format!("EXPLAIN {query}")).await.join("\n");
    plan.contains("logs, counts by")
}

#[tokio::test]
async fn counts_over_runs_are_counts_of_rows() {
    let harness = Harness::new().await;
    let mut rng = StdRng::seed_from_u64(5);
    for stage in ["head", "flushed", "mixed", "compacted"] {
        if stage != "compacted" {
            harness.append(data::logs(&random_logs(&mut rng, 300))).await;
        }
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            _ => {}
        }
        for condition in CONDITIONS {
            for grouped in GROUPED {
                let query = with_condition(grouped, condition);
                assert!(is_over_runs(&harness, &query).await, "{query}");
                let more = match condition {
                    "" => ALWAYS.to_owned(),
                    condition => format!("{condition} AND {ALWAYS}"),
                };
                let rows = with_condition(grouped, &more);
                assert!(!is_over_runs(&harness, &rows).await, "{rows}");
                let (is, should) = (harness.multiset(&query).await, harness.multiset(&rows).await);
                assert_eq!(is, should, "{stage}: {query}");
                assert!(!should.is_empty(), "{query} has an answer");
            }
        }
    }
    for other in OTHERS {
        assert!(!is_over_runs(&harness, other).await, "{other}");
        harness.rows(other).await;
    }
    // Nothing to count is no row of a group, and zero of all.
    assert_eq!(harness.rows("SELECT count(*) FROM logs WHERE service_name = 'x'").await, ["0"]);
    let none = "SELECT service_name, count(*) FROM logs WHERE service_name = 'x' GROUP BY 1";
    assert!(harness.rows(none).await.is_empty());
}
