//! Log search and completion.

use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::{Signal, TraceId, Value};
use throughline_query::complete::AttributePlace;
use throughline_query::logs::{LogOrder, LogRecord, LogSearch};
use throughline_query::{ErrorKind, QueryContext};

use crate::data::{self, TestLog, attributes, text};
use crate::harness::{Harness, NOW_NS};

fn search() -> LogSearch {
    LogSearch { limit: 100, ..LogSearch::default() }
}

/// All pages of a search.
pub async fn pages(harness: &Harness, search: &LogSearch) -> Vec<LogRecord> {
    let mut search = search.clone();
    let mut records = Vec::new();
    loop {
        let page =
            harness.engine.search_logs(&search, &QueryContext::default()).await.expect("searches");
        assert!(page.records.len() <= search.limit);
        records.extend(page.records);
        search.cursor = page.next;
        if search.cursor.is_none() {
            return records;
        }
    }
}

#[tokio::test]
async fn searches_find_records() {
    let harness = Harness::new().await;
    let log = |n: u8, severity, body: &str| TestLog {
        service: if n == 0 { "cart".into() } else { "shop".into() },
        time_ns: NOW_NS - i64::from(n) * MINUTE_NS,
        severity,
        body: Some(text(body)),
        trace: Some(n),
        span: Some(n),
        attributes: attributes(&[("n", Value::Int(i64::from(n)))]),
    };
    let records = [
        log(0, 9, "user ann logged in"),
        log(1, 17, "ERROR: connection refused"),
        log(2, 13, "connection slow"),
        TestLog { body: None, ..log(3, 0, "") },
    ];
    harness.append(data::logs(&records)).await;
    let with = |text: &str| LogSearch { text: text.into(), ..search() };
    let cases = [
        (search(), vec![0, 1, 2, 3]),
        (with("connection"), vec![1, 2]),
        (with("error connection"), vec![1]),
        (with("\"connection refused\""), vec![1]),
        (with("connection -refused"), vec![2]),
        (with("conn*"), vec![1, 2]),
        (with("conn"), vec![]),
        (LogSearch { severity_min: Some(13), ..search() }, vec![1, 2]),
        (LogSearch { severity_max: Some(9), severity_min: Some(1), ..search() }, vec![0]),
        (LogSearch { services: vec!["cart".into()], ..search() }, vec![0]),
        (LogSearch { trace_id: Some(TraceId(data::trace_id(2))), ..search() }, vec![2]),
        (LogSearch { order: LogOrder::OldestFirst, ..search() }, vec![3, 2, 1, 0]),
    ];
    for stage in ["head", "flushed", "compacted"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            _ => {}
        }
        for (search, expected) in &cases {
            let found = pages(&harness, search).await;
            let numbers = found
                .iter()
                .map(|record| i64::from(record.trace_id.expect("has one").0[15]))
                .collect::<Vec<_>>();
            assert_eq!(&numbers, expected, "{stage}: {search:?}");
        }
        let first = &pages(&harness, &with("ann")).await[0];
        assert_eq!(first.body, Some(text("user ann logged in")));
        assert_eq!(first.attributes, attributes(&[("n", Value::Int(0))]));
        assert_eq!(first.resource.attributes[0].1, text("cart"));
        let time = TimeRange { start_ns: NOW_NS - 4 * MINUTE_NS, end_ns: NOW_NS + MINUTE_NS };
        let ranged = LogSearch { time: Some(time), ..search() };
        let ctx = QueryContext::default();
        let histogram =
            harness.engine.log_histogram(&ranged, MINUTE_NS, &ctx).await.expect("counts");
        let totals = histogram.buckets.iter().map(|b| b.counts.iter().sum::<u64>());
        assert_eq!(totals.collect::<Vec<_>>(), [0, 1, 1, 1, 1]);
    }
}

#[tokio::test]
async fn pages_show_every_record_once() {
    let harness = Harness::new().await;
    // Many at the same time, some of them equal.
    let records = (0..60)
        .map(|i| TestLog {
            service: "s".into(),
            time_ns: NOW_NS - (i % 3) * MINUTE_NS,
            body: Some(Value::Int(i % 20)),
            ..TestLog::default()
        })
        .collect::<Vec<_>>();
    harness.append(data::logs(&records[..30])).await;
    harness.store.flush().await.expect("flushes");
    harness.append(data::logs(&records[30..])).await;
    for order in [LogOrder::NewestFirst, LogOrder::OldestFirst] {
        let whole = pages(&harness, &LogSearch { order, ..search() }).await;
        assert_eq!(whole.len(), 60);
        for limit in [1, 7, 20, 59, 60] {
            let paged = pages(&harness, &LogSearch { order, limit, ..search() }).await;
            assert_eq!(paged, whole, "{limit}");
        }
    }
    let bad = LogSearch { cursor: Some("1".into()), ..search() };
    let err = harness.engine.search_logs(&bad, &QueryContext::default()).await;
    let err = err.expect_err("is refused");
    assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("cursor")));
}

#[tokio::test]
async fn names_and_values_are_listed() {
    let harness = Harness::new().await;
    harness.append(data::spans(&crate::sql::shop())).await;
    harness.store.flush().await.expect("flushes");
    let ctx = QueryContext::default();
    let names = |names: throughline_query::complete::Names| {
        names.names.into_iter().map(|name| name.name).collect::<Vec<_>>()
    };
    let engine = &harness.engine;
    assert_eq!(names(engine.services(None, &ctx).await.expect("lists")), ["db", "payment", "shop"]);
    let operations = engine.operations(Some("payment"), None, &ctx).await.expect("lists");
    assert_eq!(names(operations), ["charge"]);
    let item = AttributePlace::Item;
    let keys = engine.attribute_names(Signal::Traces, item, "", None, &ctx).await.expect("lists");
    assert_eq!(keys.stats.scan.rows_scanned, 0, "the index of a segment counts its keys");
    assert_eq!(names(keys), ["amount", "http.status_code", "retry", "user"]);
    // A range that cuts the segment counts rows.
    let time = TimeRange { start_ns: NOW_NS - 6 * MINUTE_NS, end_ns: NOW_NS };
    let keys = engine.attribute_names(Signal::Traces, item, "", Some(time), &ctx).await;
    assert_eq!(names(keys.expect("lists")), [""; 0]);
    let time = TimeRange { start_ns: NOW_NS - 11 * MINUTE_NS, end_ns: NOW_NS - 9 * MINUTE_NS };
    let keys = engine.attribute_names(Signal::Traces, item, "", Some(time), &ctx).await;
    assert_eq!(names(keys.expect("lists")).len(), 4);
    let place = AttributePlace::Resource;
    let keys = engine.attribute_names(Signal::Traces, place, "h", None, &ctx).await;
    assert_eq!(names(keys.expect("lists")), ["host"]);
    let values = engine.attribute_values(Signal::Traces, item, "user", "a", None, &ctx).await;
    assert_eq!(names(values.expect("lists")), ["ann"]);
}
