//! Exceptions and versions: the same from rows, from a segment, from its rows again, and from merges.

use std::sync::Arc;

use arrow::array::RecordBatch;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{Resource, Scope, put_event};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::time::MINUTE_NS;
use throughline_model::{Signal, Value, attrs};

use super::Fixture;
use crate::segment::exceptions::{self, Exceptions};
use crate::segment::versions::{self, Versions};
use crate::segment::{Layout, Segment};

const ROWS: usize = 60;

fn text(text: impl Into<String>) -> Value {
    Value::String(text.into())
}

// A resource of one of a few services and versions; some name none.
fn resource(rng: &mut SmallRng) -> Vec<u8> {
    let service = ["cart", "shop"][rng.random_range(0..2)];
    let mut attributes = vec![("service.name".to_owned(), text(service))];
    if rng.random_ratio(3, 4) {
        let version = rng.random_range(1..3);
        attributes.push(("service.version".to_owned(), text(format!("1.{version}"))));
    }
    Resource { attributes, ..Resource::default() }.encode()
}

fn exception(rng: &mut SmallRng) -> Vec<(&'static str, Value)> {
    let n = rng.random_range(0..1000);
    let function = ["load", "save"][rng.random_range(0..2)];
    vec![
        ("exception.type", text(["KeyError", "OSError"][rng.random_range(0..2)])),
        ("exception.message", text(format!("no item {n}"))),
        (
            "exception.stacktrace",
            text(format!("  File \"/app/cart.py\", line {n}, in {function}\n")),
        ),
        ("user.id", text(format!("user-{}", rng.random_range(0..20)))),
    ]
}

fn time(rng: &mut SmallRng, start_ns: i64) -> i64 {
    start_ns + rng.random_range(0..20 * MINUTE_NS)
}

fn spans(seed: u64, start_ns: i64) -> RecordBatch {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut builder = SpanBatchBuilder::default();
    for row in 0..ROWS {
        builder.set_resource(&resource(&mut rng)).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        let start_time_ns = time(&mut rng, start_ns);
        for _ in 0..rng.random_range(0..3) {
            let entries = exception(&mut rng);
            let set = attrs::encode(entries.iter().map(|(key, value)| (*key, value)));
            // No time means that of the span.
            let at = if rng.random_ratio(1, 5) { 0 } else { start_time_ns + 5 };
            put_event(&mut builder.events.bytes, at, "exception", 0, &set);
        }
        if rng.random_ratio(1, 3) {
            put_event(&mut builder.events.bytes, start_time_ns, "note", 0, &[]);
        }
        let mut trace_id = [7; 16];
        trace_id[15] = rng.random_range(0..12);
        let mut span_id = [seed as u8 + 1; 8];
        span_id[7] = row as u8;
        let name = "work";
        let fields = SpanFields { trace_id, span_id, start_time_ns, name, ..SpanFields::default() };
        builder.push(&fields).expect("a span");
    }
    builder.finish().expect("a batch")
}

fn logs(seed: u64, start_ns: i64) -> RecordBatch {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut builder = LogBatchBuilder::default();
    for _ in 0..ROWS {
        builder.set_resource(&resource(&mut rng)).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        if rng.random_ratio(1, 3) {
            for (key, value) in exception(&mut rng) {
                builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
            }
        }
        let trace_id = rng.random_ratio(1, 2).then(|| [rng.random_range(1..9); 16]);
        let time_ns = time(&mut rng, start_ns);
        let fields = LogFields { time_ns, trace_id, ..LogFields::default() };
        builder.push(&fields).expect("a record");
    }
    builder.finish().expect("a batch")
}

fn check(signal: Signal, segment: &Segment, expected: &(Exceptions, Versions), what: &str) {
    let (exceptions, versions) = expected;
    assert_eq!(&*segment.exceptions().expect("reads"), exceptions, "{signal}: {what}");
    assert_eq!(&*segment.versions().expect("reads"), versions, "{signal}: {what}");
    assert_eq!(&exceptions::of_rows(segment).expect("reads"), exceptions, "{signal}: {what}, rows");
    assert_eq!(&versions::of_rows(segment).expect("reads"), versions, "{signal}: {what}, rows");
}

#[test]
fn facts_are_the_same_at_every_level() {
    for seed in 0..6u64 {
        for signal in [Signal::Traces, Signal::Logs] {
            let fixture = Fixture::new();
            let write = |rows: &[RecordBatch]| match signal {
                Signal::Logs => fixture.logs(0, rows),
                _ => fixture.spans(0, &Layout::default(), rows),
            };
            let batch = |i: u64| {
                let start_ns = (seed as i64 + i as i64 / 2) * 7 * MINUTE_NS;
                match signal {
                    Signal::Logs => logs(seed * 10 + i, start_ns),
                    _ => spans(seed * 10 + i, start_ns),
                }
            };
            let batches = (0..6).map(batch).collect::<Vec<_>>();
            let facts = |batches: &[RecordBatch]| {
                let found = exceptions::of_batches(signal, batches).expect("found");
                (found, versions::of_batches(signal, batches).expect("found"))
            };
            let segments = batches.chunks(2).map(write).collect::<Vec<Arc<Segment>>>();
            for (segment, batches) in segments.iter().zip(batches.chunks(2)) {
                check(signal, segment, &facts(batches), "flushed");
            }
            let all = facts(&batches);
            assert!(all.0.groups.len() >= 4 && all.1.runs.len() == 4, "{all:?}");
            assert_eq!(all.0.left_out, 0);
            let some = fixture.merge(&Layout::default(), &segments[..2]);
            let merged = fixture.merge(&Layout::default(), &[segments[2].clone(), some]);
            check(signal, &merged, &all, "merged");
            // Nothing of it depends on the order.
            let mut sum = Exceptions::default();
            segments.iter().rev().for_each(|s| sum.add_all(&s.exceptions().expect("reads")));
            assert_eq!(sum, all.0);
        }
    }
}

#[test]
fn a_segment_without_exceptions_says_so_in_few_bytes() {
    let fixture = Fixture::new();
    let batch = super::random_spans(1, 2, 50, 0, 3).remove(0);
    let segment = fixture.spans(0, &Layout::default(), &[batch]);
    assert!(segment.exceptions().expect("reads").is_empty());
    let bytes = exceptions::write(&Exceptions::default()).expect("writes").len();
    assert!(bytes < 32, "{bytes}");
}
