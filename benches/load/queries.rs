//! The questions that the peers were asked (`../shared/reference/peers.md`), and their times.

use std::time::Instant;

use anyhow::{Result, ensure};

use crate::data::Truth;
use crate::server::Server;

/// How often each question is asked.
const ROUNDS: usize = 20;

/// A question: one or more requests of the same kind, asked in turn.
pub struct Question {
    pub name: &'static str,
    requests: Vec<Request>,
    /// What the first cell of the first row must be.
    expect: Option<u64>,
}

enum Request {
    Get { path: String, accept: &'static str },
    Sql(String),
}

/// Median and 95th percentile.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub first_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// The questions for a signal.
pub fn of(signal: &str, trace_ids: &[String], truth: &Truth) -> Vec<Question> {
    let sql = |name, text: &str, expect| Question {
        name,
        requests: vec![Request::Sql(text.to_owned())],
        expect,
    };
    match signal {
        "traces" => trace_questions(trace_ids, truth),
        "logs" => vec![
            sql("count of all", "SELECT count(*) FROM logs", truth.count("logs total")),
            sql(
                "severity ERROR, count",
                "SELECT count(*) FROM logs WHERE severity_text = 'ERROR'",
                truth.count("logs severity=ERROR"),
            ),
            sql(
                "common word, count (scan)",
                "SELECT count(*) FROM logs WHERE body LIKE '%completed%'",
                None,
            ),
            logs_of_a_trace(trace_ids),
        ],
        _ => vec![
            sql("series, count", "SELECT count(*) FROM series", None),
            sql("samples, count", "SELECT count(*) FROM samples", None),
        ],
    }
}

fn logs_of_a_trace(trace_ids: &[String]) -> Question {
    let paths = trace_ids.iter().filter_map(|line| line.split_whitespace().next());
    let get = |id: &str| Request::Get {
        path: format!("/api/v1/traces/{id}/logs"),
        accept: "application/json",
    };
    Question { name: "logs of a trace", requests: paths.map(get).collect(), expect: None }
}

fn trace_questions(trace_ids: &[String], truth: &Truth) -> Vec<Question> {
    let get = |path: String| Request::Get { path, accept: "application/json" };
    let by_id = |accept: &'static str| -> Vec<Request> {
        let ids = trace_ids.iter().filter_map(|line| line.split_whitespace().next());
        ids.map(|id| Request::Get { path: format!("/api/v1/traces/{id}"), accept }).collect()
    };
    let search = |name, query: &str| Question {
        name,
        requests: vec![get(format!(
            "/api/v1/traces?start=2026-11-20T11:00:00Z&end=2026-11-20T14:00:00Z&{query}"
        ))],
        expect: None,
    };
    let sql = |name, text: &str, expect| Question {
        name,
        requests: vec![Request::Sql(text.to_owned())],
        expect,
    };
    vec![
        Question {
            name: "trace by id, OTLP/JSON",
            requests: by_id("application/json"),
            expect: None,
        },
        Question {
            name: "trace by id, protobuf",
            requests: by_id("application/x-protobuf"),
            expect: None,
        },
        search(
            "service + status 500 + >100 ms",
            "service=payment&filter=http.response.status_code%3D500&min_duration=100ms",
        ),
        search(
            "service + db.system + >200 ms",
            "service=inventory&filter=db.system%3Dpostgresql&min_duration=200ms",
        ),
        search("service + user.id, limit 20", "service=frontend&filter=user.id%3Du100000&limit=20"),
        search("service + >50 ms, limit 20", "service=checkout&min_duration=50ms&limit=20"),
        search("errors, limit 20", "status=error&limit=20"),
        sql(
            "SQL: p99 duration by service",
            "SELECT service_name, approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99 FROM spans GROUP BY service_name ORDER BY p99 DESC",
            None,
        ),
        sql(
            "SQL: error spans by service",
            "SELECT service_name, count(*) AS n FROM spans WHERE status_code = 'ERROR' GROUP BY service_name ORDER BY n DESC",
            None,
        ),
        sql(
            "SQL: errors, count",
            "SELECT count(*) FROM spans WHERE status_code = 'ERROR'",
            truth.count("spans with status error"),
        ),
        sql("SQL: spans, count", "SELECT count(*) FROM spans", truth.count("spans total")),
        sql(
            "SQL: traces, count",
            "SELECT count(DISTINCT trace_id) FROM spans",
            truth.count("traces"),
        ),
        sql(
            "SQL: attribute filter, count",
            "SELECT count(*) FROM spans WHERE service_name = 'payment' AND attributes['http.response.status_code'] = '500'",
            truth.count("spans service=payment http.response.status_code=500"),
        ),
    ]
}

/// Asks every question [`ROUNDS`] times, the first of them counted apart.
pub async fn ask(server: &Server, questions: &[Question]) -> Result<Vec<Times>> {
    let mut all = Vec::new();
    for question in questions {
        let mut times = Vec::new();
        for round in 0..ROUNDS.max(question.requests.len()) {
            let started = Instant::now();
            let answer = send(server, &question.requests[round % question.requests.len()]).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            check(question, &answer)?;
        }
        let first_ms = times.remove(0);
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times[(q * (times.len() - 1) as f64).round() as usize];
        let one = Times { first_ms, p50_ms: at(0.5), p95_ms: at(0.95) };
        eprintln!("{}: {one:.1?}", question.name);
        all.push(one);
    }
    Ok(all)
}

async fn send(server: &Server, request: &Request) -> Result<Vec<u8>> {
    let request = match request {
        Request::Get { path, accept } => {
            server.client.get(format!("http://{}{path}", server.http)).header("accept", *accept)
        }
        Request::Sql(query) => {
            let url = format!("http://{}/api/v1/sql", server.http);
            server.client.post(url).json(&serde_json::json!({ "query": query }))
        }
    };
    let response = request.send().await?;
    let status = response.status();
    let body = response.bytes().await?.to_vec();
    ensure!(status.is_success(), "status {status}: {}", String::from_utf8_lossy(&body));
    Ok(body)
}

fn check(question: &Question, answer: &[u8]) -> Result<()> {
    let Some(expect) = question.expect.filter(|_| std::env::var_os("BENCH_FRAMES").is_none())
    else {
        return Ok(());
    };
    let json: serde_json::Value = serde_json::from_slice(answer)?;
    let got = json["rows"][0][0].as_u64();
    ensure!(got == Some(expect), "{}: {got:?}, the truth is {expect}", question.name);
    Ok(())
}
