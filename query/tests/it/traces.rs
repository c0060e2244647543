//! Traces: by id, and by search.

use std::collections::HashSet;

use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::{TraceId, Value};
use throughline_query::traces::{Status, TraceSearch, TraceSummary};
use throughline_query::{ErrorKind, QueryContext};

use crate::data::{self, TestSpan};
use crate::harness::{Harness, NOW_NS};
use crate::sql::shop;

fn search() -> TraceSearch {
    TraceSearch { limit: 20, ..TraceSearch::default() }
}

fn attribute(key: &str, op: Op) -> Predicate {
    Predicate { target: Target::Attribute(key.into()), op }
}

/// All pages of a search.
pub async fn pages(harness: &Harness, search: &TraceSearch) -> Vec<Vec<TraceSummary>> {
    let mut search = search.clone();
    let mut pages = Vec::new();
    loop {
        let page = harness
            .engine
            .search_traces(&search, &QueryContext::default())
            .await
            .expect("searches");
        pages.push(page.traces);
        search.cursor = page.next;
        if search.cursor.is_none() {
            return pages;
        }
    }
}

#[tokio::test]
async fn a_trace_by_id_is_whole_and_single() {
    let harness = Harness::new().await;
    harness.append(data::spans(&shop())).await;
    harness.append(data::spans(&shop()[..1])).await; // sent again by a Collector that re-batches
    let ctx = QueryContext::default();
    for stage in ["head", "flushed", "compacted"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            _ => {}
        }
        let id = TraceId(data::trace_id(1));
        let found = harness.engine.trace(id, None, &ctx).await.expect("reads").expect("is there");
        let names = found.spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>();
        assert_eq!(names, ["POST /checkout", "charge"], "{stage}");
        let charge = &found.spans[1];
        assert_eq!(charge.attributes[0], ("amount".into(), Value::Double(12.5)));
        assert_eq!((charge.events.len(), charge.links.len()), (1, 1));
        assert_eq!(charge.resource.attributes.len(), 2);
        let none = harness.engine.trace(TraceId([9; 16]), None, &ctx).await.expect("reads");
        assert!(none.is_none());
    }
}

// A range that a trace crosses once cut it at the edge of the segments there.
#[tokio::test]
async fn a_hint_never_cuts_a_trace() {
    let harness = Harness::new().await;
    let minute = |minute: i64| NOW_NS - minute * MINUTE_NS;
    // One span in each of twelve hours, a segment each, and one that lasts for hours.
    for hour in 0..12 {
        let span = TestSpan {
            trace: 1,
            span: hour,
            start_ns: minute(30 + i64::from(hour) * 50),
            duration_ns: 1,
            ..TestSpan::default()
        };
        let long = TestSpan { trace: 2, duration_ns: 600 * MINUTE_NS, ..span.clone() };
        let both = if hour == 11 { vec![span, long] } else { vec![span] };
        harness.append(data::spans(&both)).await;
        harness.store.flush().await.expect("flushes");
    }
    let last = TestSpan { trace: 2, span: 99, start_ns: minute(20), ..TestSpan::default() };
    harness.append(data::spans(&[last])).await;
    harness.store.flush().await.expect("flushes");
    let range = |from: i64, to: i64| TimeRange { start_ns: minute(from), end_ns: minute(to) };
    let ctx = QueryContext::default();
    for hint in [
        Some(range(40, 0)),
        Some(range(330, 329)),
        Some(range(600, 590)),
        Some(range(9_000, 8_000)), // nothing there, so everywhere
        None,
    ] {
        for (trace, spans) in [(1, 12), (2, 2)] {
            let id = TraceId(data::trace_id(trace));
            let found = harness.engine.trace(id, hint, &ctx).await.expect("reads");
            let found = found.expect("is there");
            assert_eq!(found.spans.len(), spans, "trace {trace}, {hint:?}");
        }
    }
    let alone = TestSpan { trace: 3, start_ns: minute(20), ..TestSpan::default() };
    harness.append(data::spans(&[alone])).await;
    let found = harness.engine.trace(TraceId(data::trace_id(3)), Some(range(21, 19)), &ctx).await;
    let found = found.expect("reads").expect("is there");
    assert_eq!(found.spans.len(), 1);
    assert!(found.stats.scan.segments_pruned_time > 5, "{:?}", found.stats.scan);
}

#[tokio::test]
async fn searches_find_traces() {
    let harness = Harness::new().await;
    harness.append(data::spans(&shop())).await;
    let text = |text: &str| Operand::Text(text.into());
    let at = |from: i64, to: i64| TimeRange {
        start_ns: NOW_NS - from * MINUTE_NS,
        end_ns: NOW_NS - to * MINUTE_NS,
    };
    let with = |filters: Vec<Predicate>| TraceSearch { filters, ..search() };
    let cases: Vec<(TraceSearch, Vec<u8>)> = vec![
        (search(), vec![2, 1]),
        (TraceSearch { services: vec!["payment".into()], ..search() }, vec![1]),
        (TraceSearch { services: vec!["payment".into(), "db".into()], ..search() }, vec![2, 1]),
        (TraceSearch { operations: vec!["query".into()], ..search() }, vec![2]),
        (TraceSearch { status: Some(Status::Error), ..search() }, vec![1]),
        (TraceSearch { min_duration_ns: Some(110_000_000), ..search() }, vec![1]),
        (TraceSearch { max_duration_ns: Some(3_000_000), ..search() }, vec![2]),
        (TraceSearch { time: Some(at(6, 0)), ..search() }, vec![2]),
        (TraceSearch { time: Some(at(4, 0)), ..search() }, vec![]),
        (with(vec![attribute("user", Op::Eq(text("ann")))]), vec![1]),
        (with(vec![attribute("user", Op::Ne(text("ann")))]), vec![2, 1]),
        (with(vec![attribute("user", Op::Matches("^a".into()))]), vec![1]),
        (with(vec![attribute("http.status_code", Op::Ge(Operand::Int(500)))]), vec![1]),
        (with(vec![attribute("http.status_code", Op::Gt(Operand::Int(500)))]), vec![]),
        (with(vec![attribute("amount", Op::Exists)]), vec![1]),
        (
            with(vec![Predicate {
                target: Target::AnyAttribute("host".into()),
                op: Op::Eq(text("a1")),
            }]),
            vec![1],
        ),
    ];
    for stage in ["head", "flushed", "compacted"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            _ => {}
        }
        for (search, expected) in &cases {
            let page = harness.engine.search_traces(search, &QueryContext::default()).await;
            let page = page.expect("searches");
            let found = page.traces.iter().map(|t| t.trace_id.0[15]).collect::<Vec<_>>();
            assert_eq!(&found, expected, "{stage}: {search:?}");
        }
        let page = &pages(&harness, &search()).await[0];
        let checkout = &page[1];
        assert_eq!(checkout.root_operation, "POST /checkout");
        assert_eq!((checkout.span_count, checkout.error_count), (2, 1));
        assert_eq!((checkout.matched_spans, checkout.duration_ns), (2, 120_000_000));
        assert!(checkout.has_root && !page[0].has_root);
        assert_eq!(checkout.services.len(), 2);
    }
}

#[tokio::test]
async fn pages_show_every_trace_once_in_order() {
    let harness = Harness::new().await;
    // Traces whose spans lie far apart and many at the same time.
    let spans = (0..120u8)
        .map(|i| TestSpan {
            service: "s".into(),
            trace: i % 40,
            span: i,
            start_ns: NOW_NS - i64::from(i % 7) * MINUTE_NS - i64::from(i / 40),
            ..TestSpan::default()
        })
        .collect::<Vec<_>>();
    harness.append(data::spans(&spans)).await;
    harness.store.flush().await.expect("flushes");
    for limit in [1, 3, 7, 39, 40, 41] {
        let found = pages(&harness, &TraceSearch { limit, ..search() }).await;
        assert!(found[..found.len() - 1].iter().all(|page| page.len() == limit), "{limit}");
        let traces = found.concat();
        let ids = traces.iter().map(|trace| trace.trace_id).collect::<HashSet<_>>();
        assert_eq!((traces.len(), ids.len()), (40, 40), "{limit}");
        let newest = |trace: &TraceSummary| {
            let of = |span: &&TestSpan| span.trace == trace.trace_id.0[15];
            spans.iter().filter(of).map(|span| span.start_ns).max().expect("has spans")
        };
        let keys = traces.iter().map(|t| (-newest(t), t.trace_id)).collect::<Vec<_>>();
        assert!(keys.is_sorted(), "{limit}");
    }
    for (search, field) in [
        (TraceSearch { limit: 0, ..search() }, "limit"),
        (TraceSearch { cursor: Some("x".into()), ..search() }, "cursor"),
    ] {
        let err = harness.engine.search_traces(&search, &QueryContext::default()).await;
        let err = err.expect_err("is refused");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)));
    }
}
