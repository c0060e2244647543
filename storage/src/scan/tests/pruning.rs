//! What a scan need not read.

use throughline_model::Signal;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::{Rows, everything, places, run};
use crate::scan::{ScanRequest, ScanStatsSnapshot};
use crate::segment::tests::{Fixture, context};

fn snapshot(rows: &Rows, signal: Signal, request: ScanRequest) -> ScanStatsSnapshot {
    let context = context();
    run(rows, signal, request, &context);
    context.stats.snapshot()
}

#[test]
fn statistics_and_filters_skip_what_cannot_match() {
    let fixture = Fixture::new();
    let (_, rows) = places(&fixture, 2);
    let rows = Rows { heads: Vec::new(), ..rows };
    let late = TimeRange { start_ns: 900_000_000_000, end_ns: i64::MAX };
    assert_eq!(snapshot(&rows, Signal::Traces, everything(vec![], late)).segments_pruned_time, 2);
    let absent = |target| Predicate { target, op: Op::Eq(Operand::Str("nowhere".to_owned())) };
    let key = everything(vec![absent(Target::Attribute("no.such.key".to_owned()))], TimeRange::ALL);
    let stats = snapshot(&rows, Signal::Traces, key);
    assert_eq!((stats.segments_pruned_filter, stats.bytes_read), (2, 0));
    let column = Target::Column(col::SERVICE_NAME.to_owned());
    let stats = snapshot(&rows, Signal::Traces, everything(vec![absent(column)], TimeRange::ALL));
    assert_eq!(
        (stats.rows_scanned, stats.rows_matched),
        (0, 0),
        "services are known by their rows"
    );
    let target = Target::Column(col::DURATION_NS.to_owned());
    let long = Predicate { target, op: Op::Gt(Operand::Int(i64::MAX - 1)) };
    let stats = snapshot(&rows, Signal::Traces, everything(vec![long], TimeRange::ALL));
    assert!(stats.pages_pruned > 0 && stats.rows_matched == 0, "{stats:?}");
    let trace = Predicate {
        target: Target::Column(col::TRACE_ID.to_owned()),
        op: Op::Eq(Operand::Bytes(vec![7; 16])),
    };
    let stats = snapshot(&rows, Signal::Traces, everything(vec![trace], TimeRange::ALL));
    assert_eq!(stats.segments_pruned_filter, 2);
}
