//! Any question has the same answer before and after flush, compaction and restart, and the same
//! whether its conditions reach the scan or not.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_query::logs::{LogOrder, LogRecord, LogSearch};
use throughline_query::traces::TraceSearch;

use crate::data::{self, NAMES, SERVICES, WORDS};
use crate::harness::Harness;
use crate::{logs, traces};

/// Stores that are filled and asked.
const STORES: u64 = 2;
/// Questions to each.
const QUESTIONS: usize = 30;

fn pick<'a>(rng: &mut StdRng, from: &[&'a str]) -> &'a str {
    from[rng.random_range(0..from.len())]
}

fn time(rng: &mut StdRng) -> String {
    throughline_model::time::format_rfc3339(data::random_time(rng))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

// A condition on an attribute of `set`.
fn attribute_condition(rng: &mut StdRng, set: &str) -> String {
    let key = pick(rng, &["k", "n", "rare", "none"]);
    let word = pick(rng, &WORDS);
    match rng.random_range(0..12) {
        0 => format!("{set}['{key}'] = '{word}'"),
        1 => format!("{set}['{key}'] <> '{word}'"),
        2 => format!("{set}['{key}'] IN ('{word}', '2', 'true')"),
        3 => format!("{set}['{key}'] NOT IN ('{word}', '2')"),
        4 => format!("{set}['{key}'] IS NULL"),
        5 => format!("{set}['{key}'] IS NOT NULL"),
        6 => format!("{set}['{key}'] LIKE '%a%'"),
        7 => format!("{set}['{key}'] NOT LIKE 'a_b%'"),
        8 => format!("{set}['{key}'] ~ '^[aA]'"),
        9 => format!("attr_int({set}, '{key}') >= {}", rng.random_range(-3..8)),
        10 => format!("attr_float({set}, '{key}') < {}.5", rng.random_range(-3..8)),
        _ => format!("attr_bool({set}, '{key}') = {}", rng.random::<bool>()),
    }
}

fn span_condition(rng: &mut StdRng) -> String {
    match rng.random_range(0..16) {
        0 => format!("service_name = '{}'", pick(rng, &SERVICES)),
        1 => format!("name <> '{}'", pick(rng, &NAMES)),
        2 => format!("kind = '{}'", pick(rng, &["SERVER", "CLIENT", "6", "NONE"])),
        3 => "status_code IN ('ERROR', 'OK')".to_owned(),
        4 => format!("duration_ns > {}", rng.random_range(-1..20) * 30_000_000_000i64),
        5 => format!("start_time >= '{}'", time(rng)),
        6 => format!("start_time < '{}'", time(rng)),
        7 => format!("end_time > '{}'", time(rng)),
        8 => format!("trace_id = '{}'", hex(&data::trace_id(rng.random_range(0..14)))),
        9 => format!("span_id <> '{}'", hex(&data::span_id(rng.random()))),
        10 => "parent_span_id IS NULL".to_owned(),
        11 => format!("status_message LIKE '{}'", pick(rng, &["a%", "%b%", "100\\%", "_lpha%"])),
        12 => format!("kind_number + 1 >= {}", rng.random_range(0..6)),
        13 => attribute_condition(rng, "resource_attributes"),
        _ => attribute_condition(rng, "attributes"),
    }
}

fn log_condition(rng: &mut StdRng) -> String {
    match rng.random_range(0..10) {
        0 => format!("service_name IN ('{}', 'x')", pick(rng, &SERVICES)),
        1 => format!("severity_number >= {}", rng.random_range(0..25)),
        2 => format!("body ILIKE '%{}%'", pick(rng, &["ALPHA", "b", "1"])),
        3 => format!("body = '{}'", pick(rng, &WORDS)),
        4 => format!("time BETWEEN '{}' AND '{}'", time(rng), time(rng)),
        5 => format!("trace_id = '{}'", hex(&data::trace_id(rng.random_range(0..14)))),
        6 => "span_id IS NOT NULL".to_owned(),
        7 => "body IS NULL".to_owned(),
        _ => attribute_condition(rng, "attributes"),
    }
}

fn conditions(rng: &mut StdRng, one: fn(&mut StdRng) -> String) -> String {
    let mut all = one(rng);
    for _ in 0..rng.random_range(0..3) {
        let next = one(rng);
        all = match rng.random_range(0..5) {
            0 => format!("({all} OR {next})"),
            1 => format!("{all} AND NOT ({next})"),
            _ => format!("{all} AND {next}"),
        };
    }
    all
}

// A question twice: with conditions that can reach the scan, and with ones that cannot.
fn question(rng: &mut StdRng) -> (String, String) {
    let spans = rng.random_bool(0.6);
    let condition = conditions(rng, if spans { span_condition } else { log_condition });
    let (start, end) = match (spans, rng.random_range(0..7)) {
        (true, 0) => ("SELECT count(*), sum(duration_ns) FROM spans", ""),
        (true, 1) => (
            "SELECT name, kind, count(*), min(start_time), max(duration_ns) FROM spans",
            "GROUP BY name, kind",
        ),
        (true, 2) => ("SELECT start_time FROM spans", "ORDER BY start_time DESC LIMIT 5"),
        (true, 3) => (
            "SELECT attributes['k'], count(DISTINCT trace_id) FROM spans",
            "GROUP BY attributes['k']",
        ),
        (true, 4) => ("SELECT span_id, attributes['n'], resource_attributes['k'] FROM spans", ""),
        (true, _) => ("SELECT * FROM spans", ""),
        (false, 0) => ("SELECT count(*) FROM logs", ""),
        (false, 1) => (
            "SELECT service_name, severity_number, count(*) FROM logs",
            "GROUP BY service_name, severity_number",
        ),
        (false, 2) => ("SELECT time FROM logs", "ORDER BY time DESC LIMIT 5"),
        (false, _) => ("SELECT * FROM logs", ""),
    };
    // A text of the condition's value is nothing that a scan understands.
    let opaque = format!("concat(CAST(({condition}) AS VARCHAR), '') = 'true'");
    (format!("{start} WHERE {condition} {end}"), format!("{start} WHERE {opaque} {end}"))
}

fn trace_search(rng: &mut StdRng) -> TraceSearch {
    let key = pick(rng, &["k", "n", "none"]).to_owned();
    let word = pick(rng, &WORDS).to_owned();
    let op = match rng.random_range(0..6) {
        0 => Op::Eq(Operand::Str(word)),
        1 => Op::Ne(Operand::Text(word)),
        2 => Op::Ge(Operand::Int(rng.random_range(-3..8))),
        3 => Op::Matches("^a".into()),
        4 => Op::Missing,
        _ => Op::Exists,
    };
    let target = match rng.random_range(0..3) {
        0 => Target::AnyAttribute(key),
        1 => Target::ResourceAttribute(key),
        _ => Target::Attribute(key),
    };
    TraceSearch {
        filters: vec![Predicate { target, op }],
        limit: rng.random_range(3..9),
        ..TraceSearch::default()
    }
}

fn log_search(rng: &mut StdRng) -> LogSearch {
    LogSearch {
        text: pick(rng, &["", "alpha", "\"alpha beta\"", "-beta", "al*"]).to_owned(),
        severity_min: rng.random_bool(0.3).then_some(9),
        order: if rng.random() { LogOrder::NewestFirst } else { LogOrder::OldestFirst },
        limit: rng.random_range(20..60),
        ..LogSearch::default()
    }
}

// Everything that is asked, and what was answered, as text.
async fn answers(
    harness: &Harness,
    queries: &[(String, String)],
    trace_searches: &[TraceSearch],
    log_searches: &[LogSearch],
) -> Vec<(String, Vec<String>)> {
    let mut all = Vec::new();
    for (query, _) in queries {
        all.push((query.clone(), harness.multiset(query).await));
    }
    for search in trace_searches {
        let found = traces::pages(harness, search).await;
        let found = found.concat().iter().map(|trace| format!("{trace:?}")).collect();
        all.push((format!("{search:?}"), found));
    }
    for search in log_searches {
        let found = logs::pages(harness, search).await;
        let text = |mut record: LogRecord| {
            record.attributes.sort_by(|a, b| a.0.cmp(&b.0));
            format!("{record:?}")
        };
        all.push((format!("{search:?}"), found.into_iter().map(text).collect()));
    }
    all
}

fn same(seed: u64, stage: &str, now: &[(String, Vec<String>)], before: &[(String, Vec<String>)]) {
    for ((question, now), (_, before)) in now.iter().zip(before) {
        assert_eq!(now, before, "store {seed}, {stage}: {question}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_do_not_depend_on_where_rows_are() {
    for seed in 0..STORES {
        let mut rng = StdRng::seed_from_u64(seed);
        let harness = Harness::new().await;
        for batch in 0..4 {
            let spans = data::random_spans(&mut rng, 40);
            let records = data::random_logs(&mut rng, 40);
            harness.append(data::spans(&spans)).await;
            harness.append(data::logs(&records)).await;
            if batch == 1 {
                harness.store.flush().await.expect("flushes");
            }
        }
        let queries = (0..QUESTIONS).map(|_| question(&mut rng)).collect::<Vec<_>>();
        let trace_searches = (0..3).map(|_| trace_search(&mut rng)).collect::<Vec<_>>();
        let log_searches = (0..3).map(|_| log_search(&mut rng)).collect::<Vec<_>>();
        let ask = async |harness: &Harness| {
            answers(harness, &queries, &trace_searches, &log_searches).await
        };
        let first = ask(&harness).await;
        for ((query, opaque), (_, answer)) in queries.iter().zip(&first) {
            assert_eq!(&harness.multiset(opaque).await, answer, "store {seed}: {query}");
        }
        harness.store.flush().await.expect("flushes");
        same(seed, "flushed", &ask(&harness).await, &first);
        harness.store.compact().await.expect("compacts");
        same(seed, "compacted", &ask(&harness).await, &first);
        let harness = harness.reopen().await;
        same(seed, "reopened", &ask(&harness).await, &first);
    }
}
