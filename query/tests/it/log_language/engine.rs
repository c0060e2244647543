//! The cases of the language once more, on a real store: what it answers, wherever its rows are, is what
//! the oracle says of each record.

use arrow::array::{Array, AsArray};
use futures::TryStreamExt;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{Resource, Scope};
use throughline_model::time::parse_rfc3339;
use throughline_model::{Batch, Value};
use throughline_query::logs::language::{Answer, lower, parse};
use throughline_query::{ErrorKind, QueryContext};

use super::oracle::{BODY, FIXED, ORDERED, Record, TEXT, TRACE, filter, meets, record};
use super::{bounds, files};
use crate::harness::Harness;

/// The three places of rows, one after the other.
pub const STAGES: [&str; 3] = ["head", "flushed", "compacted"];
/// Records of a batch, and batches.
const RECORDS: usize = 40;
const BATCHES: usize = 2;
/// Random filters.
const FILTERS: usize = 60;

/// Moves the rows of a store on.
pub async fn go_to(harness: &Harness, stage: &str) {
    match stage {
        "flushed" => harness.store.flush().await.expect("flushes"),
        "compacted" => harness.store.compact().await.expect("compacts"),
        _ => {}
    }
}

fn random<T>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).expect("a value").current()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

// Records with their number in the attribute `n`; some with an empty `a`, which counts as none.
fn batch(records: &[Record], first: usize) -> Batch {
    let mut builder = LogBatchBuilder::default();
    for (number, record) in records.iter().enumerate() {
        let mut attributes = vec![("service.name".to_owned(), text(&record.service))];
        attributes.extend(record.resource.iter().map(|(k, v)| (k.clone(), text(v))));
        let resource = Resource { attributes, ..Resource::default() };
        builder.set_resource(&resource.encode()).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        let n = (first + number).to_string();
        builder.attributes.push("n", |out| text(&n).encode(out)).expect("an attribute");
        for (key, value) in &record.attributes {
            builder.attributes.push(key, |out| text(value).encode(out)).expect("an attribute");
        }
        if number % 3 == 0 && !record.attributes.contains_key("a") {
            builder.attributes.push("a", |out| Value::Empty.encode(out)).expect("an attribute");
        }
        let body = record.body.as_ref().map(|body| text(body).to_bytes());
        let mut trace = [0; 16];
        for (byte, digits) in trace.iter_mut().zip(TRACE.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).expect("digits");
            *byte = u8::from_str_radix(digits, 16).expect("digits");
        }
        builder
            .push(&LogFields {
                time_ns: parse_rfc3339(&format!("{}Z", record.time)).expect("a time"),
                severity_number: record.severity_number,
                severity_text: &record.severity_text,
                body: body.as_deref(),
                trace_id: record.trace_id.as_ref().map(|_| trace),
                ..LogFields::default()
            })
            .expect("a record");
    }
    Batch::Logs(builder.finish().expect("a batch"))
}

async fn store(runner: &mut TestRunner) -> (Harness, Vec<Record>) {
    let harness = Harness::new().await;
    let mut all = Vec::new();
    for number in 0..BATCHES {
        let strategy = record();
        let mut records = (0..RECORDS).map(|_| random(runner, &strategy)).collect::<Vec<_>>();
        // A service that was not sent has a name of its own.
        for record in &mut records {
            if record.service.is_empty() {
                record.service = "other".to_owned();
            }
        }
        harness.append(batch(&records, number * RECORDS)).await;
        all.extend(records);
    }
    (harness, all)
}

/// The first column of an answer as texts, and how many rows it has.
pub async fn column(harness: &Harness, query: &str) -> Vec<String> {
    let ctx = QueryContext::default();
    let answer = harness.engine.log_query(query, &bounds(), &ctx).await;
    let answer = answer.unwrap_or_else(|err| panic!("{query}: {err}"));
    let batches = answer.result.stream.try_collect::<Vec<_>>().await;
    let batches = batches.unwrap_or_else(|err| panic!("{query}: {err}"));
    let texts = |batch: &arrow::array::RecordBatch| {
        let column = batch.column(0).as_string::<i32>().clone();
        (0..column.len()).map(|row| column.value(row).to_owned()).collect::<Vec<_>>()
    };
    batches.iter().flat_map(texts).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_find_what_the_oracle_says() {
    let mut runner = TestRunner::deterministic();
    let (harness, records) = store(&mut runner).await;
    let mut texts =
        [BODY, TEXT, ORDERED, FIXED].concat().iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    texts.extend(texts.clone().iter().map(|text| format!("NOT {text}")));
    texts.extend((0..FILTERS).map(|_| random(&mut runner, &filter())));
    let mut seen = 0;
    for stage in STAGES {
        go_to(&harness, stage).await;
        for text in &texts {
            let filter = parse(text).expect("parses").filter;
            let expected = records.iter().enumerate().filter(|(_, record)| meets(&filter, record));
            let mut expected = expected.map(|(n, _)| n.to_string()).collect::<Vec<_>>();
            let mut found = column(&harness, &format!("{text} | fields n")).await;
            expected.sort();
            found.sort();
            seen += found.len();
            assert_eq!(found, expected, "{stage}: {text}");
        }
    }
    assert!(seen > records.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_runs_wherever_its_rows_are() {
    let (harness, _) = store(&mut TestRunner::deterministic()).await;
    let mut queries = files::queries("lower.test");
    queries.extend(files::queries("filters.test"));
    let mut before = Vec::new();
    for stage in STAGES {
        go_to(&harness, stage).await;
        let mut counts = Vec::new();
        for text in &queries {
            let lowered = lower(&parse(text).expect("parses"), &bounds()).expect("has a meaning");
            let rows = harness.try_rows(&lowered.sql).await;
            let rows = rows.unwrap_or_else(|err| panic!("{stage}: {text}: {err}\n{}", lowered.sql));
            counts.push((text.clone(), rows.len()));
        }
        if stage == "head" {
            before = counts;
        } else {
            assert_eq!(counts, before, "{stage}");
        }
    }
    assert!(before.iter().filter(|(_, rows)| *rows > 0).count() > before.len() / 4);
}

#[tokio::test]
async fn answers_say_what_they_are() {
    let (harness, _) = store(&mut TestRunner::deterministic()).await;
    let ctx = QueryContext::default();
    for (text, kind, names) in [
        ("api", Answer::Records, vec![]),
        ("api | math x = 1 + 1", Answer::Records, vec!["x"]),
        ("* | fields service, body", Answer::Table, vec!["service", "body"]),
        ("* | stats by (service) count() as n", Answer::Table, vec!["service", "n"]),
        ("* | hits 1m", Answer::Series, vec!["time", "hits"]),
    ] {
        let answer = harness.engine.log_query(text, &bounds(), &ctx).await.expect(text);
        assert_eq!(answer.lowered.kind, kind, "{text}");
        let columns = answer.lowered.columns.iter().map(|column| column.name.as_str());
        assert_eq!(columns.collect::<Vec<_>>(), names, "{text}");
        for name in names {
            assert!(answer.result.schema.field_with_name(name).is_ok(), "{text}: {name}");
        }
    }
}

#[tokio::test]
async fn errors_say_where() {
    let harness = Harness::new().await;
    let ctx = QueryContext::default();
    for (text, position) in [("a AND", 5), ("ü | stats by", 12), ("* | fields a | where b:1", 21)]
    {
        let err = harness.engine.log_query(text, &bounds(), &ctx).await.expect_err(text);
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("query")), "{text}");
        assert_eq!(err.position(), Some(position), "{text}: {err}");
    }
    let few = QueryContext { rows_max: Some(1), ..QueryContext::default() };
    let (harness, _) = store(&mut TestRunner::deterministic()).await;
    let answer = harness.engine.log_query("*", &bounds(), &few).await.expect("starts");
    let err = answer.result.stream.try_collect::<Vec<_>>().await.expect_err("too many");
    assert_eq!(err.kind(), ErrorKind::Limit);
}

// What each function does, on values that SQL makes.
#[tokio::test]
async fn functions_are_functions_of_sql() {
    let (harness, _) = store(&mut TestRunner::deterministic()).await;
    for (call, expected) in [
        ("as_number(' 12.5 ')", "12.5"),
        ("as_number('x')", "-"),
        ("duration_in('1.5s', 'ms')", "1500.0"),
        ("bytes_of('1KiB')", "1024.0"),
        ("json_field('{\"a\":{\"b\":7}}', 'a.b')", "7"),
        ("json_field('no', 'a')", "-"),
        ("json_fields('{\"a\":{\"b\":7}}')", "{\"a.b\":\"7\"}"),
        ("logfmt_field('a=1 b=\"x y\"', 'b')", "x y"),
        ("logfmt_fields('a=1')", "{\"a\":\"1\"}"),
        ("pattern_extract('user=ann id=7', 'user=<user> id=<id>', 'id')", "7"),
        ("regex_extract('user=ann', 'user=(?P<user>\\w+)', 'user')", "ann"),
        ("regex_extract('user=ann', 'user=(?P<user>\\w+)', NULL)", "-"),
        ("has_wildcard('connection reset', 'conn* r*t')", "true"),
        ("has_wildcard(NULL, 'conn*')", "false"),
        ("severity_level(17, '')", "error"),
        ("severity_level(0, ' WARN')", "warn"),
        ("severity_level(0, 'x')", "-"),
    ] {
        assert_eq!(harness.rows(&format!("SELECT {call}")).await, [expected], "{call}");
        // And on columns, where nothing is worked out before.
        let sql = format!("SELECT DISTINCT {call} FROM logs WHERE service_name <> 'none'");
        assert_eq!(harness.rows(&sql).await, [expected], "{call}");
    }
    let sql = "SELECT count(*) FROM logs WHERE attr_without(attributes, 'n')['n'] IS NOT NULL";
    assert_eq!(harness.rows(sql).await, ["0"]);
    let kept = "SELECT count(*) FROM logs WHERE attr_text(attr_without(attributes, 'a'), 'b') \
                IS DISTINCT FROM attributes['b']";
    assert_eq!(harness.rows(kept).await, ["0"]);
    for wrong in [
        "SELECT regex_extract(body, '(', 'x') FROM logs",
        "SELECT json_field(body, body) FROM logs",
        "SELECT attr_without(body, 'x') FROM logs",
    ] {
        let err = harness.try_rows(wrong).await.expect_err(wrong);
        assert_eq!(err.kind(), ErrorKind::Invalid, "{wrong}: {err}");
    }
}

// Both were errors once: a projection of a common expression over a scan in order, and the stack.
#[tokio::test]
async fn large_statements_run() {
    let (harness, records) = store(&mut TestRunner::deterministic()).await;
    let sql = "SELECT *, upper(body) a, upper(body) b FROM logs ORDER BY time DESC LIMIT 10";
    assert_eq!(harness.rows(sql).await.len(), 10);
    let conditions = (0..190).map(|n| format!("attributes['x{n}'] IS NULL"));
    let sql =
        format!("SELECT count(*) FROM logs WHERE {}", conditions.collect::<Vec<_>>().join(" AND "));
    assert_eq!(harness.rows(&sql).await, [records.len().to_string()]);
    let words = (0..100).map(|n| format!("-word{n}")).collect::<Vec<_>>().join(" ");
    assert_eq!(column(&harness, &format!("{words} | fields n")).await.len(), records.len());
}
