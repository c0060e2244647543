//! The questions that the peers were asked (`../shared/reference/peers.md`), and their times.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::data::Truth;
use crate::server::Server;
use crate::yardstick::Yardstick;

/// How often each question is asked.
const ROUNDS: usize = 20;

/// A question: one or more requests of the same kind, asked in turn.
pub struct Question {
    pub name: &'static str,
    pub requests: Vec<Request>,
    pub expect: Option<Expect>,
}

/// A count that the generator knows.
#[derive(Clone, Copy, Debug)]
pub enum Expect {
    /// The first cell of the first row.
    FirstCell(u64),
    /// The spans that meet the search, over all traces of the answer.
    Matched(u64),
}

impl Expect {
    pub fn count(self) -> u64 {
        match self {
            Self::FirstCell(count) | Self::Matched(count) => count,
        }
    }
}

/// One request.
#[derive(Debug)]
pub enum Request {
    Get {
        path: String,
        accept: &'static str,
        /// Spans that the trace in the answer has.
        spans: Option<u64>,
    },
    Sql(String),
}

/// Median and 95th percentile.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub first_ms: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

/// The times of one question.
#[derive(Clone, Copy, Debug)]
pub struct Answered {
    pub server: Times,
    pub duckdb: Option<Times>,
}

/// The questions for a signal.
pub fn of(signal: &str, trace_ids: &[String], truth: &Truth) -> Vec<Question> {
    let sql = |name, text: &str, expect: Option<u64>| Question {
        name,
        requests: vec![Request::Sql(text.to_owned())],
        expect: expect.map(Expect::FirstCell),
    };
    match signal {
        "traces" => trace_questions(trace_ids, truth),
        "logs" => crate::log_queries::of(trace_ids, truth),
        of_metrics => {
            let mut all = match of_metrics {
                "metrics" => crate::metric_queries::of("job", "shop/payment"),
                _ => crate::metric_queries::of("service_name", "payment"),
            };
            all.push(sql("series, count", "SELECT count(*) FROM series", None));
            all.push(sql("samples, count", "SELECT count(*) FROM samples", None));
            all
        }
    }
}

/// Searches: name, conditions, and the truth's name of how many spans match.
const SEARCHES: [(&str, &str, &str); 5] = [
    (
        "service + status 500 + >100 ms",
        "service=payment&filter=http.response.status_code%3D500&min_duration=100ms",
        "spans service=payment http.response.status_code=500 duration>100ms",
    ),
    (
        "service + db.system + >200 ms",
        "service=inventory&filter=db.system%3Dpostgresql&min_duration=200ms",
        "spans service=inventory db.system=postgresql duration>200ms",
    ),
    ("service + user.id, limit 20", "service=frontend&filter=user.id%3Du100000&limit=20", ""),
    ("service + >50 ms, limit 20", "service=checkout&min_duration=50ms&limit=20", ""),
    ("errors, limit 20", "status=error&limit=20", ""),
];

/// The range of the load, however many hours of it were sent.
const RANGE: &str = "start=2026-11-20T11:00:00Z&end=2026-11-21T02:00:00Z";

/// Searches in TraceQL: name, query, traces, and the truth's name of how many spans match.
const TRACEQL_SEARCHES: [(&str, &str, usize, &str); 7] = [
    (
        "TraceQL: service + status 500 + >100 ms",
        r#"{ resource.service.name = "payment" && span.http.response.status_code = 500 && duration > 100ms }"#,
        1000,
        "spans service=payment http.response.status_code=500 duration>100ms",
    ),
    (
        "TraceQL: service + db.system + >200 ms",
        r#"{ resource.service.name = "inventory" && span.db.system = "postgresql" && duration > 200ms }"#,
        1000,
        "spans service=inventory db.system=postgresql duration>200ms",
    ),
    (
        "TraceQL: service + user.id, limit 20",
        r#"{ resource.service.name = "frontend" && span.user.id = "u100000" }"#,
        20,
        "",
    ),
    (
        "TraceQL: service + >50 ms, limit 20",
        r#"{ resource.service.name = "checkout" && duration > 50ms }"#,
        20,
        "",
    ),
    ("TraceQL: errors, limit 20", "{ status = error }", 20, ""),
    (
        "TraceQL: error below frontend, limit 20",
        r#"{ resource.service.name = "frontend" } >> { status = error }"#,
        20,
        "",
    ),
    (
        "TraceQL: rare structure, limit 20",
        r#"{ resource.service.name = "frontend" } >> { resource.service.name = "payment" && span.http.response.status_code = 500 && duration > 100ms }"#,
        20,
        "",
    ),
];

/// Numbers in TraceQL: name, query, step.
const TRACEQL_METRICS: [(&str, &str, &str); 5] = [
    ("TraceQL: rate by service, 15 s", "{} | rate() by(resource.service.name)", "15s"),
    (
        "TraceQL: p99 duration by service",
        "{} | quantile_over_time(duration, .99) by(resource.service.name)",
        "none",
    ),
    (
        "TraceQL: error spans by service",
        "{ status = error } | count_over_time() by(resource.service.name)",
        "none",
    ),
    (
        "TraceQL: p99 by service and method (spans are read)",
        "{} | quantile_over_time(duration, .99) by(resource.service.name, span.http.request.method)",
        "none",
    ),
    (
        "TraceQL: errors below frontend, rate (all traces)",
        r#"{ resource.service.name = "frontend" } >> { status = error } | rate()"#,
        "60s",
    ),
];

/// A text as it stands in an address.
pub fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => out.push(byte as char),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
        out
    })
}

fn traceql_questions(truth: &Truth) -> Vec<Question> {
    let get = |path: String| Request::Get { path, accept: "application/json", spans: None };
    let mut all = Vec::new();
    all.extend(TRACEQL_SEARCHES.map(|(name, query, limit, matched)| {
        let q = escaped(query);
        let request = get(format!("/api/v1/traceql/search?{RANGE}&limit={limit}&q={q}"));
        let expect = truth.count(matched).map(Expect::Matched);
        Question { name, requests: vec![request], expect }
    }));
    all.extend(TRACEQL_METRICS.map(|(name, query, step)| {
        let q = escaped(query);
        let request = get(format!("/api/v1/traceql/metrics?{RANGE}&step={step}&exemplars=0&q={q}"));
        Question { name, requests: vec![request], expect: None }
    }));
    all
}

/// SQL: name, query, and the truth's name of its one number.
const SPANS_SQL: [(&str, &str, &str); 6] = [
    (
        "SQL: p99 duration by service",
        "SELECT service_name, approx_percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ns) AS p99 FROM spans GROUP BY service_name ORDER BY p99 DESC",
        "",
    ),
    (
        "SQL: error spans by service",
        "SELECT service_name, count(*) AS n FROM spans WHERE status_code = 'ERROR' GROUP BY service_name ORDER BY n DESC",
        "",
    ),
    (
        "SQL: errors, count",
        "SELECT count(*) FROM spans WHERE status_code = 'ERROR'",
        "spans with status error",
    ),
    ("SQL: spans, count", "SELECT count(*) FROM spans", "spans total"),
    ("SQL: traces, count", "SELECT count(DISTINCT trace_id) FROM spans", "traces"),
    (
        "SQL: attribute filter, count",
        "SELECT count(*) FROM spans WHERE service_name = 'payment' AND attributes['http.response.status_code'] = '500'",
        "spans service=payment http.response.status_code=500",
    ),
];

fn skeletons(trace_ids: &[String]) -> Question {
    let paths = trace_ids.iter().filter_map(|line| line.split_whitespace().next());
    let get = |id: &str| Request::Get {
        path: format!("/api/v1/traces/{id}/skeleton"),
        accept: "application/vnd.throughline.skeleton",
        spans: None,
    };
    Question { name: "trace by id, skeleton", requests: paths.map(get).collect(), expect: None }
}

fn trace_questions(trace_ids: &[String], truth: &Truth) -> Vec<Question> {
    // A line: id, spans, start.
    let by_id = |name, accept: &'static str| {
        let words = trace_ids.iter().map(|line| line.split_whitespace());
        let request = |mut words: std::str::SplitWhitespace<'_>| {
            let path = format!("/api/v1/traces/{}", words.next()?);
            let spans = words.next()?.parse().ok().filter(|_| accept == "application/json");
            Some(Request::Get { path, accept, spans })
        };
        Question { name, requests: words.filter_map(request).collect(), expect: None }
    };
    let mut all = vec![
        by_id("trace by id, OTLP/JSON", "application/json"),
        by_id("trace by id, protobuf", "application/x-protobuf"),
        skeletons(trace_ids),
    ];
    all.extend(SEARCHES.map(|(name, query, matched)| {
        let path = format!("/api/v1/traces?{RANGE}&{query}");
        let request = Request::Get { path, accept: "application/json", spans: None };
        let expect = truth.count(matched).map(Expect::Matched);
        Question { name, requests: vec![request], expect }
    }));
    all.extend(traceql_questions(truth));
    // Distinct ids of many hours do not fit a query's memory.
    let fits = |query: &&str| crate::data::hours() == 1 || !query.contains("DISTINCT");
    let sql = SPANS_SQL.into_iter().filter(|(_, query, _)| fits(query));
    all.extend(sql.map(|(name, query, count)| Question {
        name,
        requests: vec![Request::Sql(query.to_owned())],
        expect: truth.count(count).map(Expect::FirstCell),
    }));
    all
}

/// Asks every question [`ROUNDS`] times, the first of them counted apart; the yardstick in between.
pub async fn ask(
    server: &Server,
    questions: &[Question],
    mut yardstick: Option<&mut Yardstick>,
) -> Result<Vec<Answered>> {
    let mut all = Vec::new();
    for question in questions {
        let (mut times, mut beside) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS.max(question.requests.len()) {
            let started = Instant::now();
            let request = &question.requests[round % question.requests.len()];
            let answer = send(server, request).await?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
            if !crate::data::is_cut() {
                check(question, request, &answer)
                    .with_context(|| format!("{}: {request:?}", question.name))?;
            }
            let Some(yardstick) = yardstick.as_deref_mut().filter(|_| round < ROUNDS) else {
                continue;
            };
            if let Some(answer) = yardstick.ask(question.name).await? {
                beside.push(answer.ms);
                let expect = question.expect.filter(|_| !crate::data::is_cut());
                let is_right = expect.is_none_or(|expect| answer.count == Some(expect.count()));
                ensure!(is_right, "DuckDB, {}: {answer:?}, {expect:?}", question.name);
            }
        }
        let duckdb = (!beside.is_empty()).then(|| summary(beside));
        let answered = Answered { server: summary(times), duckdb };
        eprintln!("{}: {answered:.1?}", question.name);
        all.push(answered);
    }
    Ok(all)
}

fn summary(mut times: Vec<f64>) -> Times {
    let first_ms = times.remove(0);
    times.sort_by(f64::total_cmp);
    let at = |q: f64| times[(q * (times.len() - 1) as f64).round() as usize];
    Times { first_ms, p50_ms: at(0.5), p95_ms: at(0.95) }
}

async fn send(server: &Server, request: &Request) -> Result<Vec<u8>> {
    let request = match request {
        Request::Get { path, accept, .. } => {
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
    // A part of the load may be without the trace.
    let fine = status.is_success() || (status.as_u16() == 404 && crate::data::is_cut());
    ensure!(fine, "status {status}: {}", String::from_utf8_lossy(&body));
    Ok(body)
}

fn check(question: &Question, request: &Request, answer: &[u8]) -> Result<()> {
    if let Request::Get { spans: Some(spans), .. } = request {
        let json: serde_json::Value = serde_json::from_slice(answer)?;
        let got = count_spans(&json);
        ensure!(got == *spans, "{got} spans, the truth is {spans}");
    }
    let Some(expect) = question.expect else { return Ok(()) };
    let json: serde_json::Value = serde_json::from_slice(answer)?;
    let got = match expect {
        Expect::FirstCell(_) => json["rows"][0][0].as_u64(),
        Expect::Matched(_) => json["traces"]
            .as_array()
            .map(|traces| traces.iter().filter_map(|trace| trace["matched_spans"].as_u64()).sum()),
    };
    ensure!(got == Some(expect.count()), "{got:?}, the truth is {expect:?}");
    Ok(())
}

fn count_spans(trace: &serde_json::Value) -> u64 {
    let list =
        |value: &serde_json::Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
    let scopes = list(trace, "resourceSpans").into_iter().flat_map(|r| list(&r, "scopeSpans"));
    scopes.map(|scope| list(&scope, "spans").len() as u64).sum()
}
