//! The questions about log records that the peers were asked, in SQL and by the native search.

use crate::data::Truth;
use crate::queries::{Expect, Question, Request};

/// SQL: name, query, and the truth's name of its one number.
const SQL: [(&str, &str, &str); 11] = [
    (
        "rare word, rows (25)",
        "SELECT time, service_name, body FROM logs WHERE has_word(body, 'quarantined')",
        "",
    ),
    (
        "rare word, count",
        "SELECT count(*) FROM logs WHERE has_word(body, 'quarantined')",
        "logs word quarantined",
    ),
    (
        "common word (16 %), count",
        "SELECT count(*) FROM logs WHERE has_word(body, 'completed')",
        "logs word completed",
    ),
    (
        "field + word, count (256)",
        "SELECT count(*) FROM logs WHERE service_name = 'payment' AND severity_number = 17 AND has_word(body, 'timeout')",
        "logs service=payment severity=ERROR word timeout",
    ),
    (
        "user.id, all rows (6 170)",
        "SELECT time, body FROM logs WHERE attributes['user.id'] = 'u100025' LIMIT 100000",
        "",
    ),
    (
        "histogram, all, 1 m",
        "SELECT date_trunc('minute', time) AS t, count(*) FROM logs GROUP BY t",
        "",
    ),
    (
        "histogram, common word, 1 m",
        "SELECT date_trunc('minute', time) AS t, count(*) FROM logs WHERE has_word(body, 'completed') GROUP BY t",
        "",
    ),
    (
        "histogram by severity, 1 m",
        "SELECT date_trunc('minute', time) AS t, severity_number, count(*) FROM logs GROUP BY t, severity_number",
        "",
    ),
    (
        "top 10 services by count",
        "SELECT service_name, count(*) AS n FROM logs GROUP BY service_name ORDER BY n DESC LIMIT 10",
        "",
    ),
    (
        "severity ERROR, count",
        "SELECT count(*) FROM logs WHERE severity_number = 17",
        "logs severity=ERROR",
    ),
    // Each is new to the server, so that no rows are remembered: see `of`.
    (
        "regex on the body",
        "SELECT count(*) FROM logs WHERE body ~ 'Read timed out after [0-9]{3,4}ms.*worker={}$'",
        "",
    ),
];
/// Workers that the generator names.
const WORKERS: usize = 40;

/// The thirteen questions, and the count of all.
pub fn of(trace_ids: &[String], truth: &Truth) -> Vec<Question> {
    let get = |path: String| Request::Get { path, accept: "application/json", spans: None };
    let ids = trace_ids.iter().filter_map(|line| line.split_whitespace().next());
    let mut all = vec![Question {
        name: "logs of a trace",
        requests: ids.map(|id| get(format!("/api/v1/traces/{id}/logs"))).collect(),
        expect: None,
    }];
    all.extend(SQL.map(|(name, query, count)| {
        let requests = match query.contains("{}") {
            true => {
                let one = |worker: usize| Request::Sql(query.replace("{}", &worker.to_string()));
                (0..WORKERS).map(one).collect()
            }
            false => vec![Request::Sql(query.to_owned())],
        };
        Question { name, requests, expect: truth.count(count).map(Expect::FirstCell) }
    }));
    all.push(Question {
        name: "common word, latest 100",
        requests: vec![get("/api/v1/logs?query=completed&limit=100".to_owned())],
        expect: None,
    });
    all.push(Question {
        name: "count of all",
        requests: vec![Request::Sql("SELECT count(*) FROM logs".to_owned())],
        expect: truth.count("logs total").map(Expect::FirstCell),
    });
    all
}
