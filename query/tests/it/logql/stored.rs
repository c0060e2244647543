//! LogQL over a store against all records one by one, wherever they lie: in heads, as flushed, merged,
//! after a restart. Which labels a record has is worked out here a second time, from the record itself.
//!
//! `PROPERTY_SEED` and `PROPERTY_CASES` as in `property`.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{Resource, Scope};
use throughline_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS, TimeRange};
use throughline_model::{Batch, SpanId, TraceId, Value};
use throughline_query::QueryContext;
use throughline_query::logql::run::{Line, LinesRequest, StreamsRequest};
use throughline_query::logs::{LogOrder, LogSearch};

use super::language::ast::LogExpr;
use super::language::{
    Answer, Entry, Expr, Grid, Labels, Limits, Origin, Pipeline, RangeEval, Row, TextTest, compile,
    parse_log,
};
use super::queries::{SELECTORS, log_query, number_query};
use crate::data::{attributes, text};
use crate::harness::{Harness, NOW_NS};

const CASES: u64 = 2;
const RECORDS: usize = 60;

#[derive(Clone, Debug)]
struct Record {
    time_ns: i64,
    body: Option<Value>,
    severity: (i32, &'static str),
    trace: Option<u8>,
    resource: Vec<(String, Value)>,
    scope: Scope,
    attributes: Vec<(String, Value)>,
}

pub fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

fn nested() -> Value {
    Value::Kvlist(attributes(&[("id", text("7")), ("mail.host", text("x"))]))
}

fn record(rng: &mut StdRng) -> Record {
    let mut resource = Vec::new();
    let mut scope = Scope::default();
    let services = [text("cart"), text("shop"), text("shop"), text("größe")];
    for (share, key, values) in [
        (0.9, "service.name", services.to_vec()),
        (0.5, "k8s.pod.name", vec![text("cart-1"), text("cart-2")]),
        (0.5, "job", vec![text("a"), text("b"), text("")]),
        (0.4, "host.name", vec![text("h1"), text("h2")]),
        (0.2, "user", vec![text("root")]),
    ] {
        if rng.random_bool(share) {
            resource.push((key.to_owned(), pick(rng, &values)));
        }
    }
    if rng.random_bool(0.3) {
        scope.name = "lib".to_owned();
        scope.attributes = attributes(&[("lib.mode", text("fast"))]);
    }
    let mut own = Vec::new();
    for (share, key, values) in [
        (0.6, "http.status_code", vec![Value::Int(200), Value::Int(500), text("none")]),
        (0.3, "user", vec![text("ann"), nested(), text("")]),
        (0.3, "level", vec![text("warn"), text("x")]),
        (0.2, "job", vec![text("b")]),
        (0.3, "took", vec![text("15ms"), text("2s"), Value::Double(1.5)]),
        (0.1, "trace_id", vec![text("other")]),
    ] {
        if rng.random_bool(share) {
            own.push((key.to_owned(), pick(rng, &values)));
        }
    }
    let number = rng.random_range(0..400);
    let bodies = [
        text(&format!("request {number} took {}ms", number % 7)),
        text(&format!(r#"{{"level":"info","status":{number},"path":"/a b"}}"#)),
        text(&format!("level=warn status={number} msg=\"no stock\"")),
        text("connection reset by peer"),
        text("naïve 漢字 10.0.0.7"),
        text(""),
        nested(),
    ];
    Record {
        time_ns: NOW_NS - rng.random_range(0..40) * 15 * SECOND_NS - rng.random_range(0..2),
        body: rng.random_bool(0.95).then(|| pick(rng, &bodies)),
        severity: pick(rng, &[(0, ""), (0, "WARN"), (9, "INFO"), (17, "oops"), (21, ""), (-1, "")]),
        trace: rng.random_bool(0.3).then(|| rng.random_range(1..4)),
        resource,
        scope,
        attributes: own,
    }
}

fn batch(records: &[Record]) -> Batch {
    let mut builder = LogBatchBuilder::default();
    for record in records {
        let resource = Resource { attributes: record.resource.clone(), ..Resource::default() };
        builder.set_resource(&resource.encode()).expect("a resource");
        builder.set_scope(&record.scope.encode()).expect("a scope");
        for (key, value) in &record.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        let body = record.body.as_ref().map(Value::to_bytes);
        let fields = LogFields {
            time_ns: record.time_ns,
            severity_number: record.severity.0,
            severity_text: record.severity.1,
            body: body.as_deref(),
            trace_id: record.trace.map(|n| [n; 16]),
            span_id: record.trace.map(|n| [n; 8]),
            ..LogFields::default()
        };
        builder.push(&fields).expect("a record");
    }
    Batch::Logs(builder.finish().expect("a batch"))
}

/// A record as an entry.
struct Plain {
    time_ns: i64,
    line: String,
    stream: Labels,
    structured: Vec<(String, String)>,
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Int(n) => n.to_string(),
        Value::Double(n) => n.to_string(),
        Value::Kvlist(_) => r#"{"id":"7","mail.host":"x"}"#.to_owned(),
        other => panic!("{other:?}"),
    }
}

// The labels of the attributes of these tests.
fn labels(all: &[(String, Value)]) -> Vec<(String, String)> {
    let mut labels = Vec::new();
    for (key, value) in all {
        let name = key.replace('.', "_");
        match value {
            Value::Kvlist(_) => {
                labels.push((format!("{name}_id"), "7".to_owned()));
                labels.push((format!("{name}_mail_host"), "x".to_owned()));
            }
            value => labels.push((name, shown(value))),
        }
    }
    labels.retain(|(_, value)| !value.is_empty());
    labels
}

fn level((number, text): (i32, &str)) -> &'static str {
    match (number, text) {
        (0, "WARN") => "warn",
        (9, _) => "info",
        (17, _) => "error",
        (21, _) => "fatal",
        _ => "unknown",
    }
}

fn plain(record: &Record) -> Plain {
    let of_stream = ["service.name", "k8s.pod.name", "job", "user"];
    let (stream, rest): (Vec<_>, Vec<_>) =
        record.resource.iter().cloned().partition(|(key, _)| of_stream.contains(&key.as_str()));
    let mut stream = labels(&stream);
    if !stream.iter().any(|(name, _)| name == "service_name") {
        stream.push(("service_name".to_owned(), "unknown_service".to_owned()));
    }
    let mut structured = Vec::new();
    if let Some(trace) = record.trace {
        structured.push(("trace_id".to_owned(), TraceId([trace; 16]).to_string()));
        structured.push(("span_id".to_owned(), SpanId([trace; 8]).to_string()));
    }
    if record.severity.0 != 0 {
        structured.push(("severity_number".to_owned(), record.severity.0.to_string()));
    }
    if !record.severity.1.is_empty() {
        structured.push(("severity_text".to_owned(), record.severity.1.to_owned()));
    }
    structured.push(("detected_level".to_owned(), level(record.severity).to_owned()));
    structured.extend(labels(&record.attributes));
    structured.extend(labels(&rest));
    if !record.scope.name.is_empty() {
        structured.push(("scope_name".to_owned(), record.scope.name.clone()));
    }
    structured.extend(labels(&record.scope.attributes));
    let mut once: Vec<(String, String)> = Vec::new();
    for (name, value) in structured {
        if !once.iter().any(|(own, _)| *own == name) {
            once.push((name, value));
        }
    }
    Plain {
        time_ns: record.time_ns,
        line: record.body.as_ref().map(shown).unwrap_or_default(),
        stream: Labels::new(stream),
        structured: once,
    }
}

impl Plain {
    fn passes(&self, tests: &[(String, TextTest)]) -> bool {
        tests.iter().all(|(name, test)| {
            let own = self.structured.iter().find(|(own, _)| own == name);
            let own = own.map(|(_, value)| value.as_str());
            test.passes(self.stream.get(name).or(own).unwrap_or_default())
        })
    }

    fn with_entry<T>(&self, run: impl FnOnce(&Entry<'_>) -> T) -> T {
        let structured: Vec<_> =
            self.structured.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let Self { time_ns, line, stream, .. } = self;
        run(&Entry { time_ns: *time_ns, line, stream, structured: &structured })
    }
}

fn line(pipeline: &Pipeline, plain: &Plain) -> Option<String> {
    let mut row = Row::default();
    plain.with_entry(|entry| {
        let kept = pipeline.run(entry, &mut row)?;
        let of = |origin| Labels::new(kept.row.labels(origin)).to_string();
        let (stream, parsed) = (of(Origin::Stream), of(Origin::Parsed));
        Some(format!("{} {} {stream}{}{parsed}", plain.time_ns, kept.line, of(Origin::Structured)))
    })
}

fn shown_line(line: &Line) -> String {
    let of = |labels: &[(String, String)]| Labels::new(labels.iter().map(|(n, v)| (n, v)));
    format!(
        "{} {} {}{}{}",
        line.time_ns,
        line.line,
        line.stream,
        of(&line.structured),
        of(&line.parsed)
    )
}

// The records that a selector takes.
fn selected<'a>(all: &'a [Plain], log: &LogExpr) -> impl Iterator<Item = &'a Plain> {
    let tests = log.matchers.iter();
    let tests: Vec<_> =
        tests.map(|m| (m.name.clone(), TextTest::new(m).expect("a matcher"))).collect();
    all.iter().filter(move |plain| plain.passes(&tests))
}

fn naive_numbers(all: &[Plain], expr: &Expr, grid: Grid) -> Result<Answer, String> {
    let eval = RangeEval::new(expr, grid, Limits::default(), NOW_NS).expect("an evaluation");
    let mut workers = Vec::new();
    for leaf in eval.leaves() {
        let mut worker = eval.worker(leaf);
        for plain in selected(all, leaf.log()) {
            plain.with_entry(|entry| worker.add(entry)).map_err(|err| err.to_string())?;
        }
        workers.push(worker);
    }
    eval.finish(workers).map_err(|err| err.to_string())
}

/// Questions with their answers.
struct Questions {
    lines: Vec<(LinesRequest, Vec<String>)>,
    numbers: Vec<(String, Grid, Option<Answer>)>,
    streams: Vec<(String, Vec<String>)>,
}

impl Questions {
    fn random(rng: &mut StdRng, records: &[Record]) -> Self {
        let all: Vec<_> = records.iter().map(plain).collect();
        let lines = (0..40).map(|_| lines_question(rng, &all)).collect();
        let numbers = (0..40).map(|_| {
            let text = number_query(rng);
            let expr = compile(&text).unwrap_or_else(|err| panic!("{text}: {err}"));
            let grid = match rng.random_bool(0.3) {
                true => Grid::instant(NOW_NS),
                false => Grid {
                    start_ns: NOW_NS - pick(rng, &[5, 11]) * MINUTE_NS,
                    end_ns: NOW_NS,
                    step_ns: pick(rng, &[15, 60, 90, 300]) * SECOND_NS,
                },
            };
            let answer = naive_numbers(&all, &expr, grid).ok();
            (text, grid, answer)
        });
        let numbers = numbers.collect();
        let streams = SELECTORS.iter().map(|text| {
            let log = parse_log(text).expect("a selector");
            let of = selected(&all, &log);
            let mut streams: Vec<_> = of.map(|plain| plain.stream.to_string()).collect();
            streams.sort();
            streams.dedup();
            ((*text).to_owned(), streams)
        });
        Self { lines, numbers, streams: streams.collect() }
    }

    async fn check(&self, stage: &str, harness: &Harness) {
        let ctx = QueryContext::default();
        for (request, expected) in &self.lines {
            let answer = harness.engine.logql_lines(request, &ctx).await.expect("lines");
            let found: Vec<_> = answer.lines.iter().map(shown_line).collect();
            check_lines(stage, request, &found, expected);
        }
        for (text, grid, expected) in &self.numbers {
            let expr = compile(text).expect("a query");
            let found = harness.engine.logql_numbers(&expr, *grid, &ctx).await;
            let found = found.map(|found| found.answer);
            match (found, expected) {
                (Ok(found), Some(expected)) => {
                    assert_eq!(found, *expected, "{stage}: {text} {grid:?}");
                }
                (Err(_), None) => {}
                (found, expected) => panic!("{stage}: {text}: {found:?}, not {expected:?}"),
            }
        }
        for (text, expected) in &self.streams {
            let selectors = vec![parse_log(text).expect("a selector")];
            let request = StreamsRequest { selectors, time: TimeRange::ALL };
            let found = harness.engine.log_streams(&request, &ctx).await.expect("streams");
            let mut found: Vec<_> = found.streams.iter().map(Labels::to_string).collect();
            found.sort();
            assert_eq!(found, *expected, "{stage}: {text}");
        }
    }
}

fn lines_question(rng: &mut StdRng, all: &[Plain]) -> (LinesRequest, Vec<String>) {
    let text = log_query(rng);
    let query = parse_log(text.trim()).unwrap_or_else(|err| panic!("{text}: {err}"));
    let request = LinesRequest {
        time: match rng.random_bool(0.5) {
            true => TimeRange::ALL,
            false => TimeRange { start_ns: NOW_NS - 4 * MINUTE_NS, end_ns: NOW_NS - SECOND_NS },
        },
        order: pick(rng, &[LogOrder::NewestFirst, LogOrder::OldestFirst]),
        limit: pick(rng, &[3, 20, 1000]),
        query,
    };
    let pipeline = Pipeline::new(&request.query, NOW_NS).expect("a pipeline");
    let of = selected(all, &request.query).filter(|plain| request.time.contains(plain.time_ns));
    (request.clone(), of.filter_map(|plain| line(&pipeline, plain)).collect())
}

// The first lines in order of time; which of those with the last time is left open.
fn check_lines(stage: &str, request: &LinesRequest, found: &[String], all: &[String]) {
    let place = || format!("{stage}: {} {request:?}", request.query);
    let time = |line: &String| line.split(' ').next().and_then(|t| t.parse::<i64>().ok());
    let key = |line: &String| match request.order {
        LogOrder::NewestFirst => time(line).map(|t| -t),
        LogOrder::OldestFirst => time(line),
    };
    assert!(found.is_sorted_by_key(&key), "{}: {found:#?}", place());
    assert_eq!(found.len(), all.len().min(request.limit), "{}: {found:#?}", place());
    let mut left = all.to_vec();
    for line in found {
        let at = left.iter().position(|own| own == line);
        let at = at.unwrap_or_else(|| panic!("{}: {line} is not among {left:#?}", place()));
        left.remove(at);
    }
    if let Some(last) = found.last().map(key) {
        let missed = left.iter().find(|line| key(line) < last);
        assert_eq!(missed, None, "{}: found {found:#?}", place());
    }
}

async fn case(seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let rng = &mut rng;
    let mut records = Vec::new();
    let mut harness = Harness::new().await;
    for _ in 0..4 {
        let more: Vec<_> = (0..RECORDS).map(|_| record(rng)).collect();
        harness.append(batch(&more)).await;
        records.extend(more);
        if rng.random_bool(0.5) {
            harness.store.flush().await.expect("flushes");
        }
    }
    let questions = Questions::random(rng, &records);
    questions.check(&format!("seed {seed}, mixed"), &harness).await;
    harness.store.flush().await.expect("flushes");
    questions.check(&format!("seed {seed}, flushed"), &harness).await;
    harness.clock.advance_ns(3 * HOUR_NS);
    harness.store.compact().await.expect("compacts");
    questions.check(&format!("seed {seed}, compacted"), &harness).await;
    harness = harness.reopen().await;
    questions.check(&format!("seed {seed}, restarted"), &harness).await;

    // What is deleted is as if it had never been.
    let late: Vec<_> = (0..RECORDS).map(|_| record(rng)).collect();
    harness.append(batch(&late)).await;
    records.extend(late);
    let before = records.len();
    let deletion = delete_some(rng, &harness, &mut records).await;
    assert_eq!(deletion, (before - records.len()) as u64, "seed {seed}");
    let questions = Questions::random(rng, &records);
    questions.check(&format!("seed {seed}, deleted"), &harness).await;
    harness.clock.advance_ns(3 * HOUR_NS);
    harness.store.compact().await.expect("compacts");
    questions.check(&format!("seed {seed}, rewritten"), &harness).await;
    let harness = harness.reopen().await;
    questions.check(&format!("seed {seed}, rewritten and restarted"), &harness).await;
}

type Goes = Box<dyn Fn(&Record) -> bool>;

// Deletes records, and takes them out of the list.
async fn delete_some(rng: &mut StdRng, harness: &Harness, records: &mut Vec<Record>) -> u64 {
    let cut_ns = NOW_NS - rng.random_range(0..40) * 15 * SECOND_NS;
    let (search, goes): (_, Goes) = match rng.random_range(0..3) {
        0 => {
            let time = Some(TimeRange { start_ns: i64::MIN, end_ns: cut_ns });
            let search = LogSearch { severity_min: Some(17), time, ..LogSearch::default() };
            (search, Box::new(move |one| one.severity.0 >= 17 && one.time_ns < cut_ns))
        }
        1 => {
            let search = LogSearch { text: "stock".to_owned(), ..LogSearch::default() };
            let has = |one: &Record| one.body.as_ref().is_some_and(|b| shown(b).contains("stock"));
            (search, Box::new(has))
        }
        _ => {
            let search = LogSearch { trace_id: Some(TraceId([2; 16])), ..LogSearch::default() };
            (search, Box::new(|one| one.trace == Some(2)))
        }
    };
    records.retain(|record| !goes(record));
    let ctx = QueryContext::default();
    let told = "some".to_owned();
    harness.engine.delete_logs(&search, told, false, &ctx).await.expect("deletes").rows
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_those_of_all_records_one_by_one() {
    let first = setting("PROPERTY_SEED").unwrap_or(0);
    for seed in first..first + setting("PROPERTY_CASES").unwrap_or(CASES) {
        case(seed).await;
    }
}
