//! What is written comes back: from one segment, and from merges of several.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use throughline_model::Signal;
use throughline_model::time::TimeRange;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Fixture, log_keys, random_logs, random_spans, span_keys};
use crate::scan::{ScanContext, ScanOrder, ScanRequest, ScanStats};
use crate::segment::rows::item_columns;
use crate::segment::{Layout, Segment};
use crate::{Heads, Tier};

pub(crate) fn context() -> ScanContext {
    ScanContext {
        cancel: CancellationToken::new(),
        deadline: None,
        bytes_max: u64::MAX,
        stats: Arc::new(ScanStats::default()),
        tracker: TaskTracker::new(),
    }
}

pub(crate) fn tier(segments: &[Arc<Segment>], heads: &[RecordBatch]) -> Tier {
    let heads = heads.iter().map(|batch| (Arc::from("default"), batch.clone(), 0));
    Tier {
        segments: Arc::new(segments.to_vec()),
        heads: Heads::from_batches(heads),
        ..Tier::default()
    }
}

pub(crate) fn all_rows(signal: Signal, segments: &[Arc<Segment>]) -> Vec<RecordBatch> {
    let request = ScanRequest {
        columns: item_columns(signal),
        predicates: Vec::new(),
        time: TimeRange::ALL,
        order: ScanOrder::Any,
        limit: None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let stream = crate::scan::scan_tier(signal, &tier(segments, &[]), request, context());
        let batches = stream.collect::<Vec<_>>().await;
        batches.into_iter().map(|batch| batch.expect("scans")).collect()
    })
}

fn layouts() -> [Layout; 3] {
    let small = Layout { slab_rows: 64, page_rows: 16, page_bytes: 256, ..Layout::default() };
    let few = Layout { attribute_columns_max: 3, dictionary_bytes: 64, ..small };
    [Layout::default(), small, few]
}

#[test]
fn spans_come_back_from_one_segment() {
    let fixture = Fixture::new();
    for seed in 0..6 {
        for layout in layouts() {
            let rows = random_spans(seed, 4, 100, 1_000, seed);
            let segment = fixture.spans(1, &layout, &rows);
            segment.verify().expect("whole");
            let back = all_rows(Signal::Traces, &[segment]);
            assert_eq!(span_keys(&back), span_keys(&rows), "seed {seed}, {layout:?}");
        }
    }
}

#[test]
fn spans_come_back_from_merges() {
    let fixture = Fixture::new();
    for seed in 0..4 {
        for layout in layouts() {
            let input = |i: u64| {
                // Times overlap, and traces are spread over the inputs.
                let start = i as i64 * 300_000_000;
                random_spans(seed * 10 + i, 2, 80, start, seed)
            };
            let rows = (0..4).map(input).collect::<Vec<_>>();
            let segments = rows
                .iter()
                .enumerate()
                .map(|(i, rows)| fixture.spans(i as u8 % 2, &layouts()[i % 3], rows));
            let segments = segments.collect::<Vec<_>>();
            let merged = fixture.merge(&layout, &segments);
            merged.verify().expect("whole");
            let expected = span_keys(rows.iter().flatten());
            assert_eq!(
                span_keys(&all_rows(Signal::Traces, std::slice::from_ref(&merged))),
                expected
            );
            let again = fixture.merge(&layouts()[1], &[merged, segments[0].clone()]);
            let expected = span_keys(rows.iter().flatten().chain(&rows[0]));
            assert_eq!(span_keys(&all_rows(Signal::Traces, &[again])), expected);
        }
    }
}

#[test]
fn logs_come_back_from_segments_and_merges() {
    let fixture = Fixture::new();
    for seed in 0..6 {
        let rows = (0..3).map(|i| random_logs(seed * 10 + i, 3, 100, seed as i64 * 1_000));
        let rows = rows.collect::<Vec<_>>();
        let segments = rows.iter().map(|rows| fixture.logs(0, rows)).collect::<Vec<_>>();
        let expected = log_keys(rows.iter().flatten());
        assert_eq!(log_keys(&all_rows(Signal::Logs, &segments)), expected);
        let small = Layout { slab_rows: 50, page_rows: 16, page_bytes: 256, ..Layout::default() };
        let merged = fixture.merge(&small, &segments);
        assert_eq!(log_keys(&all_rows(Signal::Logs, std::slice::from_ref(&merged))), expected);
        let known = merged.templates().expect("read");
        let counted = known.templates.iter().map(|template| template.count).sum::<u64>();
        assert_eq!(counted, merged.meta.rows);
    }
}
