//! Rows that no ordinary program sends, but some program will.

use std::sync::Arc;

use arrow::array::RecordBatch;
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::{Signal, Value};

use super::round_trip::all_rows;
use super::{Fixture, log_keys, span_keys};
use crate::segment::{Layout, Segment, Sinks, WriteOptions, write_spans};

fn spans(
    count: usize,
    mut fill: impl FnMut(usize, &mut SpanBatchBuilder) -> SpanFields<'static>,
) -> RecordBatch {
    let mut builder = SpanBatchBuilder::default();
    builder.set_resource(&throughline_model::origin::Resource::default().encode()).expect("fits");
    builder.set_scope(&throughline_model::origin::Scope::default().encode()).expect("fits");
    for i in 0..count {
        let fields = fill(i, &mut builder);
        builder.push(&fields).expect("fits");
    }
    builder.finish().expect("a batch")
}

fn fields(i: usize) -> SpanFields<'static> {
    SpanFields {
        trace_id: ((i / 10) as u128 + 1).to_be_bytes(),
        span_id: (i as u64 + 1).to_be_bytes(),
        name: "span",
        start_time_ns: i as i64,
        ..SpanFields::default()
    }
}

// Through one segment, and through a merge with another.
fn assert_spans_survive(rows: &RecordBatch) {
    let fixture = Fixture::new();
    let small = Layout { slab_rows: 64, page_rows: 16, page_bytes: 256, ..Layout::default() };
    for layout in [Layout::default(), small] {
        let segment = fixture.spans(1, &layout, std::slice::from_ref(rows));
        let back = all_rows(Signal::Traces, std::slice::from_ref(&segment));
        assert_eq!(span_keys(&back), span_keys([rows]));
        let other = fixture.spans(0, &layout, &[spans(3, |i, _| fields(i))]);
        let merged = fixture.merge(&layout, &[segment, other]);
        let expected = span_keys([rows, &spans(3, |i, _| fields(i))]);
        assert_eq!(span_keys(&all_rows(Signal::Traces, &[merged])), expected);
    }
}

#[test]
fn one_row() {
    assert_spans_survive(&spans(1, |i, _| fields(i)));
}

#[test]
fn only_roots_and_only_orphans_and_spans_that_are_their_own_parent() {
    assert_spans_survive(&spans(200, |i, _| fields(i)));
    let orphan = |i: usize| SpanFields { parent_span_id: Some([0xEE; 8]), ..fields(i) };
    assert_spans_survive(&spans(200, |i, _| orphan(i)));
    let own = |i: usize| SpanFields { parent_span_id: Some(fields(i).span_id), ..fields(i) };
    assert_spans_survive(&spans(200, |i, _| own(i)));
}

#[test]
fn a_trace_larger_than_a_slab() {
    let one = |i: usize| SpanFields {
        trace_id: [5; 16],
        parent_span_id: (i > 0).then(|| (i as u64 / 2 + 1).to_be_bytes()),
        ..fields(i)
    };
    assert_spans_survive(&spans(1_000, |i, _| one(i)));
}

#[test]
fn ten_thousand_keys() {
    let rows = spans(2_500, |i, builder| {
        for k in 0..4 {
            let key = format!("key.{}", i * 4 + k);
            builder.attributes.push(&key, |out| Value::Int(7).encode(out)).expect("fits");
        }
        fields(i)
    });
    assert_spans_survive(&rows);
    let one_row = spans(1, |i, builder| {
        for k in 0..10_000 {
            let key = format!("key.{k}");
            builder.attributes.push(&key, |out| Value::Bool(true).encode(out)).expect("fits");
        }
        fields(i)
    });
    assert_spans_survive(&one_row);
}

#[test]
fn times_at_the_ends_of_the_world() {
    let rows = spans(6, |i, _| SpanFields {
        start_time_ns: [0, i64::MAX, i64::MIN, -1, 1, 5][i],
        duration_ns: [i64::MAX, i64::MAX, i64::MIN, 0, -5, i64::MAX - 3][i],
        ..fields(i)
    });
    assert_spans_survive(&rows);
}

fn nested(depth: usize) -> Value {
    match depth {
        0 => Value::String("ünïcödé 🧵 \u{0}".to_owned()),
        _ if depth.is_multiple_of(2) => Value::Array(vec![nested(depth - 1), Value::Empty]),
        _ => Value::Kvlist(vec![("k".to_owned(), nested(depth - 1))]),
    }
}

#[test]
fn long_bodies_and_deep_values() {
    let mut builder = LogBatchBuilder::default();
    builder.set_resource(&throughline_model::origin::Resource::default().encode()).expect("fits");
    builder.set_scope(&throughline_model::origin::Scope::default().encode()).expect("fits");
    let bodies = [
        Value::String("x".repeat(1 << 20)),
        Value::String(String::new()),
        nested(10),
        Value::Bytes(vec![0; 70_000]),
    ];
    for (i, body) in bodies.iter().cycle().take(12).enumerate() {
        let deep = nested(10);
        builder.attributes.push("deep", |out| deep.encode(out)).expect("fits");
        builder.attributes.push("", |out| Value::Empty.encode(out)).expect("fits");
        let body = body.to_bytes();
        let fields = LogFields { time_ns: i as i64, body: Some(&body), ..LogFields::default() };
        builder.push(&fields).expect("fits");
    }
    let rows = builder.finish().expect("a batch");
    let fixture = Fixture::new();
    let inputs: [Arc<Segment>; 2] =
        [fixture.logs(0, &[rows.slice(0, 6)]), fixture.logs(0, &[rows.slice(6, 6)])];
    assert_eq!(log_keys(&all_rows(Signal::Logs, &inputs)), log_keys([&rows]));
    let merged = fixture.merge(&Layout::default(), &inputs);
    assert_eq!(log_keys(&all_rows(Signal::Logs, &[merged])), log_keys([&rows]));
}

#[test]
fn nothing_is_no_segment() {
    let fixture = Fixture::new();
    let options = WriteOptions {
        id: ulid::Ulid(1),
        tenant: "default".to_owned(),
        level: 0,
        window: throughline_model::time::TimeRange::ALL,
        created_at_ns: 0,
    };
    let create = |name: &str| fixture.store.create(name).expect("a file");
    let mut sinks = Sinks { data: create("a.parquet"), index: create("a.idx") };
    let err = write_spans(&[], &options, &mut sinks).expect_err("no rows");
    assert_eq!(err.kind(), crate::ErrorKind::Invalid);
}

// Keys that have a column on one side of a merge only, and values of one key in both places.
#[test]
fn keys_whose_columns_come_and_go() {
    let odd = |i: usize| match i % 5 {
        0 => Value::String(format!("text {}", i % 3)),
        1 => Value::Int(i as i64),
        2 => Value::Double(-0.0),
        3 => Value::Bool(i.is_multiple_of(2)),
        _ => Value::Array(vec![Value::Int(1)]),
    };
    // Few rows, so that every key is frequent here; "vanishing" is rare once merged.
    let few = spans(12, |i, builder| {
        let attributes = &mut builder.attributes;
        for key in ["vanishing", "common"] {
            attributes.push(key, |out| odd(i).encode(out)).expect("fits");
            attributes.push(key, |out| odd(i + 1).encode(out)).expect("fits");
        }
        fields(i)
    });
    // Rows of which few have "emerging"; it is frequent once merged.
    let many = spans(1_500, |i, builder| {
        let attributes = &mut builder.attributes;
        attributes.push("common", |out| odd(i).encode(out)).expect("fits");
        if i % 150 == 7 {
            attributes.push("emerging", |out| odd(i / 150).encode(out)).expect("fits");
            attributes.push("emerging", |out| odd(i / 150 + 1).encode(out)).expect("fits");
        }
        SpanFields { span_id: (i as u64 + 5_000).to_be_bytes(), ..fields(i) }
    });
    let third = spans(90, |i, builder| {
        builder.attributes.push("emerging", |out| odd(i).encode(out)).expect("fits");
        SpanFields { span_id: (i as u64 + 9_000).to_be_bytes(), ..fields(i) }
    });
    let fixture = Fixture::new();
    let small = Layout { slab_rows: 64, page_rows: 16, page_bytes: 256, ..Layout::default() };
    let batches = [few, many, third];
    let expected = span_keys(&batches);
    for layout in [Layout::default(), small] {
        let segment = |rows| fixture.spans(0, &layout, std::slice::from_ref(rows));
        let inputs = batches.iter().map(segment).collect::<Vec<_>>();
        let merged = fixture.merge(&layout, &inputs);
        assert_eq!(span_keys(&all_rows(Signal::Traces, std::slice::from_ref(&merged))), expected);
        let again = fixture.merge(&layout, &[merged]);
        assert_eq!(span_keys(&all_rows(Signal::Traces, &[again])), expected);
    }
}
