//! Every piece of an index that is read alone notices its damage: no trace is missing in silence.

use std::sync::Arc;

use throughline_model::TraceId;
use throughline_model::predicate::{Op, Predicate, Target};
use throughline_model::span::read_spans;
use throughline_model::time::TimeRange;

use super::{Fixture, context, random_spans, tier};
use crate::scan::{ScanColumn, TraceScan, TraceScanRequest, Wanted, trace_spans};
use crate::segment::index::{FACTS, FILTERS, TRACE_FILTER, TRACE_IDS, TRACE_ORDER};
use crate::segment::{Layout, Segment};
use crate::{ErrorKind, View};

// A segment whose index has a wrong bit in the middle of a section, and a trace that it holds.
fn damaged(fixture: &Fixture, section: u32) -> (Arc<Segment>, TraceId) {
    let batches = random_spans(3, 2, 200, 0, 1);
    let id = read_spans(&batches[0]).expect("spans")[0].trace_id;
    let segment = fixture.spans(2, &Layout::default(), &batches);
    let place = segment.index().expect("opens").index.place(section);
    assert!(place.start < place.end, "section {section} is empty");
    let path = fixture.folder.path().join("segments").join(segment.meta.index_name());
    let mut bytes = std::fs::read(&path).expect("reads");
    bytes[((place.start + place.end) / 2) as usize] ^= 0x10;
    std::fs::write(&path, bytes).expect("writes");
    (segment, id)
}

#[tokio::test]
async fn a_lookup_names_a_segment_whose_traces_are_damaged() {
    for section in [TRACE_FILTER, TRACE_IDS, TRACE_ORDER] {
        let fixture = Fixture::new();
        let (segment, id) = damaged(&fixture, section);
        let view =
            Arc::new(View { spans: tier(std::slice::from_ref(&segment), &[]), ..View::default() });
        let context = context();
        let found = trace_spans(&view, id, None, None, &context).await.expect("goes on");
        assert!(found.is_empty(), "section {section}");
        let partial = context.stats.snapshot().partial;
        assert!(partial.contains(&segment.meta.id.to_string()), "section {section}: {partial:?}");
        assert!(segment.is_corrupt());
    }
}

#[test]
fn a_search_goes_on_without_damaged_facts() {
    let fixture = Fixture::new();
    let (segment, id) = damaged(&fixture, FACTS);
    let view = View { spans: tier(std::slice::from_ref(&segment), &[]), ..View::default() };
    let context = context();
    let target = Target::Column("name".to_owned());
    let any = Predicate { target, op: Op::Exists };
    let scan = TraceScan::new(&view, request(any), &context).expect("starts");
    while scan.next().expect("goes on").is_some() {}
    assert!(scan.facts(id).expect("goes on").is_none(), "its rows have to tell");
    assert_eq!(context.stats.snapshot().partial, [segment.meta.id.to_string()]);
    assert!(segment.is_corrupt());
}

#[test]
fn a_damaged_filter_rules_nothing_out() {
    let fixture = Fixture::new();
    let (segment, _) = damaged(&fixture, FILTERS);
    let opened = segment.open().expect("opens");
    let summary = opened.summary();
    let groups = 0..summary.row_groups.len();
    let all = groups.flat_map(|group| (0..summary.columns.len()).map(move |c| (group, c)));
    let failed = all.filter_map(|(group, column)| opened.filter(group, column).err());
    let failed = failed.map(|err| err.kind()).collect::<Vec<_>>();
    assert_eq!(failed, [ErrorKind::Corrupt]);
}

fn request(predicate: Predicate) -> TraceScanRequest {
    TraceScanRequest {
        columns: vec![ScanColumn::Fixed("name".to_owned())],
        time: TimeRange::ALL,
        leaves: vec![vec![predicate]],
        traces: Wanted::Leaf(0),
        whole: true,
        structure: false,
        together: true,
        named: true,
    }
}
