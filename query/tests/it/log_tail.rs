//! Tails of log records: the same conditions as a search, from the moment on that they begin.

use futures::StreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::words::Phrase;
use throughline_model::{TraceId, Value};
use throughline_query::logs::{LogSearch, LogTail, TAIL_PAST_MAX};
use throughline_query::{ErrorKind, QueryContext};
use throughline_storage::{TAIL_BATCHES_MAX, TAILS_MAX};

use crate::data::{self, TestLog, attributes, text};
use crate::harness::{Harness, NOW_NS};

fn log(n: i64, severity: i32, body: &str) -> TestLog {
    TestLog {
        service: if n % 2 == 0 { "cart".into() } else { "shop".into() },
        time_ns: NOW_NS - n * MINUTE_NS,
        severity,
        body: Some(text(body)),
        trace: Some(n as u8),
        span: Some(n as u8),
        attributes: attributes(&[("n", Value::Int(n))]),
    }
}

async fn tail(harness: &Harness, search: &LogSearch, past: usize) -> LogTail {
    let ctx = QueryContext::default();
    harness.engine.tail_logs(search, past, &ctx).await.expect("listens")
}

fn number(record: &throughline_query::logs::LogRecord) -> i64 {
    match record.attributes[0].1 {
        Value::Int(n) => n,
        ref other => panic!("{other:?}"),
    }
}

/// Numbers up to the one that ends the test, and how many rows were dropped.
async fn until(tail: &mut LogTail, last: i64) -> (Vec<i64>, u64) {
    let (mut numbers, mut dropped) = (Vec::new(), 0);
    loop {
        let chunk = tail.next().await.expect("goes on").expect("no error");
        dropped += chunk.dropped;
        numbers.extend(chunk.records.iter().map(number));
        if numbers.last() == Some(&last) {
            numbers.pop();
            return (numbers, dropped);
        }
    }
}

#[tokio::test]
async fn conditions_are_those_of_a_search() {
    let harness = Harness::new().await;
    let column = |name: &str, op| Predicate { target: Target::Column(name.to_owned()), op };
    let filter = |predicate| LogSearch { filters: vec![predicate], ..LogSearch::default() };
    let with = |text: &str| LogSearch { text: text.into(), ..LogSearch::default() };
    let target = Target::Attribute("n".to_owned());
    let phrase = Phrase::of("refused", false).expect("a word");
    let time = TimeRange { start_ns: NOW_NS - 2 * MINUTE_NS, end_ns: NOW_NS };
    let regex = Op::Matches("re[fg]us".to_owned());
    let template = Op::Eq(Operand::Str("connection <*> refused".to_owned()));
    let searches = [
        LogSearch::default(),
        with("connection"),
        with("\"connection 17\""),
        with("connection -slow"),
        with("conn*"),
        LogSearch { severity_min: Some(13), ..LogSearch::default() },
        LogSearch { services: vec!["cart".into()], ..LogSearch::default() },
        LogSearch { trace_id: Some(TraceId(data::trace_id(2))), ..LogSearch::default() },
        LogSearch { time: Some(time), ..LogSearch::default() },
        filter(Predicate { target, op: Op::Ge(Operand::Int(3)) }),
        filter(column(col::BODY, Op::Phrase(phrase))),
        filter(column(col::BODY, regex)),
        filter(column(col::TEMPLATE, template)),
    ];
    let mut tails = Vec::new();
    for search in &searches {
        tails.push(tail(&harness, search, 0).await);
    }
    let records = [
        log(0, 9, "user ann logged in"),
        log(1, 17, "connection 17 refused"),
        log(2, 13, "connection slow"),
        log(3, 9, "connection 18 refused"),
        TestLog { body: None, ..log(4, 0, "") },
    ];
    for records in records.chunks(2) {
        harness.append(data::logs(records)).await;
    }
    let mut matched = 0;
    for (search, tail) in searches.iter().zip(&mut tails) {
        let search = LogSearch { limit: 100, ..search.clone() };
        let mut expected: Vec<i64> =
            crate::logs::pages(&harness, &search).await.iter().map(number).collect();
        expected.sort_unstable();
        matched += expected.len();
        let mut found = Vec::new();
        while found.len() < expected.len() {
            let chunk = tail.next().await.expect("goes on").expect("no error");
            found.extend(chunk.records.iter().map(number));
        }
        assert_eq!(found, expected, "{search:?}");
    }
    assert!(matched > 20, "{matched}");
}

#[tokio::test]
async fn the_past_comes_first_and_once() {
    let harness = Harness::new().await;
    for n in [5, 4, 3] {
        harness.append(data::logs(&[log(n, 9, "old")])).await;
        harness.store.flush().await.expect("flushes");
    }
    harness.append(data::logs(&[log(2, 9, "other"), log(1, 9, "old")])).await;
    let search = LogSearch { text: "old".into(), ..LogSearch::default() };
    let mut tail = tail(&harness, &search, 3).await;
    harness.append(data::logs(&[log(6, 9, "old but new here"), log(0, 9, "old")])).await;
    assert_eq!(until(&mut tail, 0).await, (vec![4, 3, 1, 6], 0));
    let ctx = QueryContext::default();
    let err = harness.engine.tail_logs(&search, TAIL_PAST_MAX + 1, &ctx).await.expect_err("many");
    assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("tail_from")));
}

#[tokio::test]
async fn a_slow_reader_loses_rows_and_is_told() {
    let harness = Harness::new().await;
    let mut tail = tail(&harness, &LogSearch::default(), 0).await;
    // More than the queue and the channel can hold together.
    let total = 2 * TAIL_BATCHES_MAX as i64;
    for n in 0..total {
        harness.append(data::logs(&[log(n, 9, "x")])).await;
    }
    let (mut numbers, mut dropped) = (Vec::new(), 0);
    while numbers.len() as i64 + (dropped as i64) < total {
        let chunk = tail.next().await.expect("goes on").expect("no error");
        dropped += chunk.dropped;
        numbers.extend(chunk.records.iter().map(number));
    }
    assert!(dropped > 0);
    assert!(numbers.is_sorted());
    assert_eq!(numbers[0], 0, "what was queued first stays");
    harness.append(data::logs(&[log(total, 9, "x")])).await;
    assert_eq!(until(&mut tail, total).await, (vec![], 0), "a reader that caught up loses nothing");
}

#[tokio::test]
async fn tails_end_with_their_asker_and_with_the_store() {
    let harness = Harness::new().await;
    let search = LogSearch::default();
    let ctx = QueryContext::default();
    let mut cancelled = harness.engine.tail_logs(&search, 0, &ctx).await.expect("listens");
    ctx.cancel.cancel();
    assert!(cancelled.next().await.is_none());
    let mut tails = Vec::new();
    while tails.len() < TAILS_MAX {
        tails.push(tail(&harness, &search, 0).await);
    }
    let ctx = QueryContext::default();
    let refused = harness.engine.tail_logs(&search, 0, &ctx).await.expect_err("one too many");
    assert_eq!(refused.kind(), ErrorKind::Busy);
    harness.store.shutdown().await.expect("shuts down");
    for mut tail in tails {
        assert!(tail.next().await.is_none());
    }
}
