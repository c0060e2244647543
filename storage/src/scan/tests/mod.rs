//! Scans against a naive evaluation of rows, on heads, segments and merges alike.

mod logs;
mod pruning;
mod tally;

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use futures::StreamExt;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::{Span, read_spans};
use throughline_model::time::TimeRange;
use throughline_model::value::ValueRef;
use throughline_model::words::Phrase;
use throughline_model::{Signal, TraceId, Value};

use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest, read_trace};
use crate::ErrorKind;
use crate::segment::rows::item_columns;
use crate::segment::tests::{Fixture, context, random_logs, random_spans, span_keys, tier};
use crate::segment::{Layout, Segment};

pub(super) fn small() -> Layout {
    Layout { slab_rows: 64, page_rows: 16, page_bytes: 256, ..Layout::default() }
}

pub(super) struct Rows {
    pub segments: Vec<Arc<Segment>>,
    pub heads: Vec<RecordBatch>,
}

fn run(
    rows: &Rows,
    signal: Signal,
    request: ScanRequest,
    context: &ScanContext,
) -> Vec<RecordBatch> {
    try_run(rows, signal, request, context).expect("scans")
}

fn try_run(
    rows: &Rows,
    signal: Signal,
    request: ScanRequest,
    context: &ScanContext,
) -> crate::Result<Vec<RecordBatch>> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let tier = tier(&rows.segments, &rows.heads);
        let stream = super::scan_tier(signal, &tier, request, context.clone());
        stream.collect::<Vec<_>>().await.into_iter().collect()
    })
}

fn everything(predicates: Vec<Predicate>, time: TimeRange) -> ScanRequest {
    let columns = item_columns(Signal::Traces);
    ScanRequest { columns, predicates, time, order: ScanOrder::Any, limit: None }
}

// Three places for the same kind of rows: a head, a flushed segment, a merged one.
pub(super) fn places(fixture: &Fixture, seed: u64) -> (Vec<RecordBatch>, Rows) {
    let spans = |part: u64| random_spans(seed * 8 + part, 2, 60, part as i64 * 500_000_000, seed);
    let parts = (0..4).map(spans).collect::<Vec<_>>();
    let inputs =
        [fixture.spans(0, &small(), &parts[0]), fixture.spans(1, &Layout::default(), &parts[1])];
    let segments = vec![fixture.merge(&small(), &inputs), fixture.spans(0, &small(), &parts[2])];
    let all = parts.iter().flatten().cloned().collect();
    (all, Rows { segments, heads: parts[3].clone() })
}

fn operand(rng: &mut SmallRng) -> Operand {
    let texts = ["500", "GET", "", "x", "true", "3"];
    let text = texts[rng.random_range(0..texts.len())].to_owned();
    match rng.random_range(0..6) {
        0 => Operand::Text(text),
        1 => Operand::Str(text),
        2 => Operand::Int(rng.random_range(-5..600)),
        3 => Operand::Float(rng.random_range(-2.0..600.0)),
        4 => Operand::Bool(rng.random()),
        _ => Operand::Int(rng.random_range(0..3)),
    }
}

fn predicate(rng: &mut SmallRng, spans: &[Span]) -> Predicate {
    let key = match rng.random_range(0..8) {
        0 => "rare.7".to_owned(),
        1 => "scope.key".to_owned(),
        2 => "service.name".to_owned(),
        n => format!("key.{}", n % 6),
    };
    let some = &spans[rng.random_range(0..spans.len())];
    let column = |name: &str, operand: Operand| (Target::Column(name.to_owned()), operand);
    let (target, literal) = match rng.random_range(0..14) {
        0 => column(col::SERVICE_NAME, Operand::Str(some.service_name.clone())),
        1 => column(col::NAME, Operand::Text(some.name.clone())),
        2 => column(col::DURATION_NS, Operand::Int(some.duration_ns)),
        3 => column(col::KIND, Operand::Int(i64::from(some.kind))),
        4 => column(col::TRACE_ID, Operand::Bytes(some.trace_id.0.to_vec())),
        5 => column(col::PARENT_SPAN_ID, Operand::Bytes(some.span_id.0.to_vec())),
        6 => column(col::START_TIME, Operand::Int(some.start_time_ns)),
        7 => (Target::ResourceAttribute(key), operand(rng)),
        8 => (Target::ScopeAttribute(key), operand(rng)),
        9 => (Target::AnyAttribute(key), operand(rng)),
        10 => (Target::PresentAttribute(key), operand(rng)),
        _ => (Target::Attribute(key), operand(rng)),
    };
    let phrase = || Phrase::of("user", true).expect("a word");
    let op = match rng.random_range(0..16) {
        0 | 1 => Op::Eq(literal),
        2 => Op::Ne(literal),
        3 => Op::Lt(literal),
        4 => Op::Le(literal),
        5 => Op::Gt(literal),
        6 => Op::Ge(literal),
        7 => Op::In(vec![literal, operand(rng)]),
        8 => Op::Matches("^(user-.*|5.*)$".to_owned()),
        9 => Op::NotMatches("^u".to_owned()),
        10 => Op::Contains("0".to_owned()),
        11 => Op::Exists,
        14 => Op::Phrase(phrase()),
        15 => Op::NotPhrase(phrase()),
        12 => Op::StringMatches("^(user-.*|x)$".to_owned()),
        _ => Op::Missing,
    };
    Predicate { target, op }
}

enum Got {
    Absent,
    Id(Vec<u8>),
    Value(Value),
}

fn target_value(span: &Span, target: &Target) -> Got {
    let first = |set: &[(String, Value)], key: &str| {
        set.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    };
    let found = match target {
        Target::Column(name) => match name.as_str() {
            col::SERVICE_NAME => Some(Value::String(span.service_name.clone())),
            col::NAME => Some(Value::String(span.name.clone())),
            col::DURATION_NS => Some(Value::Int(span.duration_ns)),
            col::KIND => Some(Value::Int(i64::from(span.kind))),
            col::START_TIME => Some(Value::Int(span.start_time_ns)),
            col::TRACE_ID => return Got::Id(span.trace_id.0.to_vec()),
            _ => {
                return span.parent_span_id.map_or(Got::Absent, |id| Got::Id(id.0.to_vec()));
            }
        },
        Target::Attribute(key) => first(&span.attributes, key),
        Target::ResourceAttribute(key) => first(&span.resource.attributes, key),
        Target::ScopeAttribute(key) => first(&span.scope.attributes, key),
        Target::AnyAttribute(key) => {
            first(&span.attributes, key).or_else(|| first(&span.resource.attributes, key))
        }
        Target::PresentAttribute(key) => first(&span.attributes, key)
            .filter(|value| *value != Value::Empty)
            .or_else(|| first(&span.resource.attributes, key)),
    };
    match found {
        None | Some(Value::Empty) => Got::Absent,
        Some(value) => Got::Value(value),
    }
}

fn text_of(got: &Got) -> String {
    match got {
        Got::Absent => String::new(),
        Got::Id(id) => id.iter().map(|byte| format!("{byte:02x}")).collect(),
        Got::Value(value) => {
            let bytes = value.to_bytes();
            ValueRef::read(&bytes)
                .expect("reads")
                .text()
                .expect("shows")
                .expect("some")
                .into_owned()
        }
    }
}

fn text(value: &Value) -> Option<&str> {
    if let Value::String(text) = value { Some(text) } else { None }
}

fn strings(got: &Got) -> Vec<&str> {
    match got {
        Got::Value(Value::Array(elements)) => elements.iter().filter_map(text).collect(),
        Got::Value(value) => text(value).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn order(got: &Got, operand: &Operand) -> Option<std::cmp::Ordering> {
    match (got, operand) {
        (_, Operand::Text(text)) => Some(text_of(got).as_str().cmp(text)),
        (Got::Id(id), Operand::Bytes(bytes)) => Some(id.cmp(bytes)),
        (Got::Value(Value::String(value)), Operand::Str(text)) => Some(value.cmp(text)),
        (Got::Value(Value::Bool(value)), Operand::Bool(flag)) => Some(value.cmp(flag)),
        (Got::Value(Value::Int(value)), Operand::Int(number)) => Some(value.cmp(number)),
        (Got::Value(Value::Int(value)), Operand::Float(number)) => {
            (*value as f64).partial_cmp(number)
        }
        (Got::Value(Value::Double(value)), Operand::Int(number)) => {
            value.partial_cmp(&(*number as f64))
        }
        (Got::Value(Value::Double(value)), Operand::Float(number)) => value.partial_cmp(number),
        _ => None,
    }
}

type Accept = fn(std::cmp::Ordering) -> bool;

fn meets(span: &Span, predicate: &Predicate) -> bool {
    let got = target_value(span, &predicate.target);
    let absent = matches!(got, Got::Absent);
    let whole =
        |operand: &Operand, accept: Accept| !absent && order(&got, operand).is_some_and(accept);
    let compared = |operand: &Operand, accept: Accept| match &got {
        Got::Value(Value::Array(elements)) if !matches!(operand, Operand::Text(_)) => {
            elements.iter().any(|e| order(&Got::Value(e.clone()), operand).is_some_and(accept))
        }
        _ => whole(operand, accept),
    };
    let matches = |pattern: &str| {
        !absent && regex::Regex::new(pattern).expect("valid").is_match(&text_of(&got))
    };
    match &predicate.op {
        Op::Eq(operand) => compared(operand, std::cmp::Ordering::is_eq),
        Op::Ne(operand) => !compared(operand, std::cmp::Ordering::is_eq),
        Op::Lt(operand) => compared(operand, std::cmp::Ordering::is_lt),
        Op::Le(operand) => compared(operand, std::cmp::Ordering::is_le),
        Op::Gt(operand) => compared(operand, std::cmp::Ordering::is_gt),
        Op::Ge(operand) => compared(operand, std::cmp::Ordering::is_ge),
        Op::In(operands) => {
            // One text among them, and an array counts as the text of it all.
            let texts = operands.iter().any(|o| matches!(o, Operand::Text(_)));
            let is_eq = std::cmp::Ordering::is_eq;
            operands.iter().any(|o| if texts { whole(o, is_eq) } else { compared(o, is_eq) })
        }
        Op::Matches(pattern) => matches(pattern),
        Op::NotMatches(pattern) => !matches(pattern),
        Op::StringMatches(pattern) => {
            let pattern = regex::Regex::new(pattern).expect("valid");
            strings(&got).iter().any(|text| pattern.is_match(text))
        }
        Op::Contains(text) => !absent && text_of(&got).contains(text.as_str()),
        Op::NotContains(text) => absent || !text_of(&got).contains(text.as_str()),
        Op::Phrase(phrase) => !absent && phrase.is_in(&text_of(&got)),
        Op::NotPhrase(phrase) => absent || !phrase.is_in(&text_of(&got)),
        Op::Exists => !absent,
        Op::Missing => absent,
    }
}

fn overlaps(span: &Span, time: TimeRange) -> bool {
    time.overlaps(span.start_time_ns, span.start_time_ns + span.duration_ns.max(0))
}

fn keys_of(spans: impl Iterator<Item = Span>) -> Vec<String> {
    let mut keys = spans
        .map(|mut span| {
            span.attributes.sort_by(|a, b| a.0.cmp(&b.0));
            format!("{span:?}")
        })
        .collect::<Vec<_>>();
    keys.sort_unstable();
    keys
}

#[test]
fn conditions_choose_the_rows_that_a_naive_reader_chooses() {
    let mut rng = SmallRng::seed_from_u64(1);
    let mut matched = 0;
    for seed in 0..3 {
        let fixture = Fixture::new();
        let (all, rows) = places(&fixture, seed);
        let spans = all.iter().flat_map(|b| read_spans(b).expect("spans")).collect::<Vec<_>>();
        for _ in 0..60 {
            let predicates = (0..rng.random_range(0..3))
                .map(|_| predicate(&mut rng, &spans))
                .collect::<Vec<_>>();
            let time = match rng.random_range(0..3) {
                0 => TimeRange::ALL,
                _ => {
                    let start_ns = rng.random_range(0..2_000_000_000);
                    TimeRange { start_ns, end_ns: start_ns + rng.random_range(0..800_000_000) }
                }
            };
            let met =
                |span: &&Span| overlaps(span, time) && predicates.iter().all(|p| meets(span, p));
            let expected = keys_of(spans.iter().filter(met).cloned());
            let request = everything(predicates.clone(), time);
            let found = span_keys(&run(&rows, Signal::Traces, request, &context()));
            assert_eq!(found, expected, "seed {seed}: {predicates:?} in {time:?}");
            matched += found.len();
        }
    }
    assert!(matched > 500, "the conditions chose only {matched} rows");
}

#[test]
fn the_newest_come_first_and_a_limit_cuts_there() {
    let fixture = Fixture::new();
    let (all, rows) = places(&fixture, 11);
    let spans = all.iter().flat_map(|b| read_spans(b).expect("spans")).collect::<Vec<_>>();
    let service = Predicate {
        target: Target::Column(col::SERVICE_NAME.to_owned()),
        op: Op::Ne(Operand::Str("service-1".to_owned())),
    };
    let mut expected = spans
        .iter()
        .filter(|span| meets(span, &service))
        .map(|span| span.start_time_ns)
        .collect::<Vec<_>>();
    expected.sort_unstable_by(|a, b| b.cmp(a));
    for limit in [None, Some(0), Some(1), Some(20), Some(100_000)] {
        let columns = [col::START_TIME, col::SPAN_ID].map(|c| ScanColumn::Fixed(c.to_owned()));
        let request = ScanRequest {
            columns: columns.to_vec(),
            order: ScanOrder::NewestFirst,
            limit,
            ..everything(vec![service.clone()], TimeRange::ALL)
        };
        let found = run(&rows, Signal::Traces, request, &context());
        let times = found.iter().flat_map(|batch| {
            batch.column(0).as_primitive::<TimestampNanosecondType>().values().to_vec()
        });
        let times = times.collect::<Vec<_>>();
        let end = limit.unwrap_or(usize::MAX).min(expected.len());
        assert_eq!(times, expected[..end], "limit {limit:?}");
    }
    let request =
        ScanRequest { limit: Some(7), columns: Vec::new(), ..everything(vec![], TimeRange::ALL) };
    let counted = run(&rows, Signal::Traces, request, &context());
    assert_eq!(counted.iter().map(RecordBatch::num_rows).sum::<usize>(), 7);
}

#[test]
fn a_trace_is_found_wherever_its_spans_are() {
    let fixture = Fixture::new();
    let (all, rows) = places(&fixture, 5);
    let spans = all.iter().flat_map(|b| read_spans(b).expect("spans")).collect::<Vec<_>>();
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let read = |id: TraceId, heads: Vec<RecordBatch>, columns: Option<Vec<ScanColumn>>| {
        let (tier, context) = (tier(&rows.segments, &heads), context());
        runtime.block_on(async move {
            let read = read_trace(Signal::Traces, &tier, id, columns, None, &context);
            read.await.expect("reads")
        })
    };
    let mut ids = spans.iter().map(|span| span.trace_id).collect::<Vec<_>>();
    ids.sort_unstable();
    ids.dedup();
    for id in ids.iter().step_by(3) {
        let mut expected = keys_of(spans.iter().filter(|span| span.trace_id == *id).cloned());
        expected.dedup();
        assert_eq!(span_keys(&read(*id, rows.heads.clone(), None)), expected);
        // A second copy of the heads is a retry in other requests: nothing doubles.
        let twice = rows.heads.iter().chain(&rows.heads).cloned().collect();
        assert_eq!(span_keys(&read(*id, twice, None)), expected);
        let columns = vec![
            ScanColumn::Fixed(col::PARENT_SPAN_ID.to_owned()),
            ScanColumn::Attribute(Target::AnyAttribute("key.1".to_owned())),
        ];
        let some = read(*id, rows.heads.clone(), Some(columns));
        assert!(some.iter().map(RecordBatch::num_rows).sum::<usize>() >= expected.len());
    }
    assert!(read(TraceId([9; 16]), rows.heads.clone(), None).is_empty());
}

#[test]
fn single_attributes_are_those_of_the_map() {
    let fixture = Fixture::new();
    let (_, rows) = places(&fixture, 3);
    let key = "key.1".to_owned();
    let columns = vec![
        ScanColumn::Attributes,
        ScanColumn::Fixed(col::RESOURCE.to_owned()),
        ScanColumn::Attribute(Target::Attribute(key.clone())),
        ScanColumn::Attribute(Target::AnyAttribute(key.clone())),
    ];
    let request = ScanRequest { columns, ..everything(Vec::new(), TimeRange::ALL) };
    for batch in run(&rows, Signal::Traces, request, &context()) {
        let single = |index: usize, row: usize| {
            let column = batch.column(index).as_dictionary::<UInt32Type>();
            let values = column.values().as_binary::<i32>();
            column.key(row).map(|key| values.value(key).to_vec())
        };
        for row in 0..batch.num_rows() {
            let map = batch.column(0).as_map();
            let entry = throughline_model::span::map_entries(map, row).find(|(k, _)| *k == key);
            let own = entry.map(|(_, value)| value.to_vec());
            let resource = throughline_model::span::dict_bytes(batch.column(1).as_ref(), row);
            let set = throughline_model::origin::resource_attrs(resource).expect("a resource");
            let of_resource = || throughline_model::attrs::get(set, &key).map(<[u8]>::to_vec);
            let any = own.clone().or_else(of_resource);
            assert_eq!(single(2, row), own);
            assert_eq!(single(3, row), any);
        }
    }
}

#[test]
fn limits_cancellation_and_deadlines_stop_a_scan() {
    let fixture = Fixture::new();
    let (_, rows) = places(&fixture, 4);
    let failure = |context: ScanContext| {
        let request = everything(Vec::new(), TimeRange::ALL);
        try_run(&rows, Signal::Traces, request, &context).expect_err("stops").kind()
    };
    assert_eq!(failure(ScanContext { bytes_max: 100, ..context() }), ErrorKind::Limit);
    let passed = Some(std::time::Instant::now());
    assert_eq!(failure(ScanContext { deadline: passed, ..context() }), ErrorKind::Deadline);
    let cancelled = context();
    cancelled.cancel.cancel();
    assert_eq!(failure(cancelled), ErrorKind::Cancelled);
    let bad = Predicate {
        target: Target::Attribute("key.1".to_owned()),
        op: Op::Matches("(".to_owned()),
    };
    let request = everything(vec![bad], TimeRange::ALL);
    let err = try_run(&rows, Signal::Traces, request, &context()).expect_err("bad pattern");
    assert_eq!(err.kind(), ErrorKind::Invalid);
}

#[test]
fn a_damaged_segment_is_named_and_the_others_answer() {
    let fixture = Fixture::new();
    let (_, rows) = places(&fixture, 6);
    let damaged = &rows.segments[1];
    let path = fixture.folder.path().join("segments").join(damaged.meta.data_name());
    let mut bytes = std::fs::read(&path).expect("a file");
    let middle = bytes.len() / 3;
    bytes[4..middle].fill(0xEE);
    std::fs::write(&path, bytes).expect("writes");
    assert_eq!(damaged.verify().expect_err("damaged").kind(), ErrorKind::Corrupt);
    let context = context();
    let found = run(&rows, Signal::Traces, everything(vec![], TimeRange::ALL), &context);
    let rows_found = found.iter().map(RecordBatch::num_rows).sum::<usize>() as u64;
    assert!(rows_found >= rows.segments[0].meta.rows);
    assert_eq!(context.stats.snapshot().partial, vec![damaged.meta.id.to_string()]);
    assert!(damaged.is_corrupt());
}

#[test]
fn logs_of_a_trace_and_of_a_time_are_found() {
    let fixture = Fixture::new();
    let batches = random_logs(9, 4, 200, 0);
    let inputs = [fixture.logs(0, &batches[..2]), fixture.logs(0, &batches[2..])];
    let rows = Rows { segments: vec![fixture.merge(&small(), &inputs)], heads: Vec::new() };
    let count = |of: &dyn Fn(&RecordBatch, usize) -> bool| {
        let in_batch = |b: &RecordBatch| (0..b.num_rows()).filter(|row| of(b, *row)).count();
        batches.iter().map(in_batch).sum::<usize>()
    };
    for trace in [[3u8; 16], [19; 16], [77; 16]] {
        let ids = |b: &RecordBatch, row: usize| {
            let ids = b.column_by_name(col::TRACE_ID).expect("ids").as_fixed_size_binary();
            ids.is_valid(row) && ids.value(row) == trace
        };
        let of_trace = Predicate {
            target: Target::Column(col::TRACE_ID.to_owned()),
            op: Op::Eq(Operand::Bytes(trace.to_vec())),
        };
        let request = ScanRequest {
            columns: item_columns(Signal::Logs),
            ..everything(vec![of_trace], TimeRange::ALL)
        };
        let found = run(&rows, Signal::Logs, request, &context());
        assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), count(&ids));
    }
    let time = TimeRange { start_ns: 60_000_000_000, end_ns: 400_000_000_000 };
    let in_time = |b: &RecordBatch, row: usize| {
        let times = b.column_by_name(col::TIME).expect("times");
        time.contains(times.as_primitive::<TimestampNanosecondType>().value(row))
    };
    let request = ScanRequest { columns: item_columns(Signal::Logs), ..everything(vec![], time) };
    let found = run(&rows, Signal::Logs, request, &context());
    assert_eq!(found.iter().map(RecordBatch::num_rows).sum::<usize>(), count(&in_time));
}
