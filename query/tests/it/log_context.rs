//! The records around a record: what a sort of everything says, wherever the records lie.

use std::collections::HashSet;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::Value;
use throughline_model::time::{HOUR_NS, MINUTE_NS};
use throughline_query::logs::{
    CONTEXT_MAX, ContextBy, ContextSearch, LogId, LogOrder, LogRecord, LogSearch, log_ids,
};
use throughline_query::{ErrorKind, QueryContext};

use crate::data::{self, TestLog, text};
use crate::harness::{Harness, NOW_NS};

/// Few times, bodies and services, so that many records have a time in common and some are equal.
fn random_logs(seed: u64, count: usize) -> Vec<TestLog> {
    let mut rng = StdRng::seed_from_u64(seed);
    let one = |_| TestLog {
        service: data::SERVICES[rng.random_range(0..3)].into(),
        time_ns: NOW_NS - rng.random_range(0..12) * MINUTE_NS / rng.random_range(1..3),
        severity: rng.random_range(9..11),
        body: Some(text(data::WORDS[rng.random_range(0..3)])),
        trace: None,
        span: None,
        attributes: vec![("n".to_owned(), Value::Int(rng.random_range(0..2)))],
    };
    (0..count).map(one).collect()
}

async fn check(harness: &Harness, stage: &str) {
    let ctx = QueryContext::default();
    let search = LogSearch { limit: 1000, order: LogOrder::OldestFirst, ..LogSearch::default() };
    let all = crate::logs::pages(harness, &search).await;
    let ids = log_ids(&all, 0);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), all.len(), "{stage}: ids are unique");
    for (at, id) in ids.iter().enumerate().step_by(7) {
        let same = |record: &&LogRecord| record.service_name == all[at].service_name;
        let mut before: Vec<_> = all[..at].iter().filter(same).rev().take(9).cloned().collect();
        before.reverse();
        let after: Vec<_> = all[at + 1..].iter().filter(same).take(5).cloned().collect();
        for by in [ContextBy::Resource, ContextBy::Service] {
            let asked = ContextSearch { id: *id, before: 9, after: 5, by };
            let found = harness.engine.log_context(&asked, &ctx).await.expect("is there");
            assert_eq!(found.record, all[at], "{stage}: {at}");
            assert_eq!(found.before, before, "{stage}: before {at}");
            assert_eq!(found.after, after, "{stage}: after {at}");
            assert!(found.looked.contains(found.record.time_ns));
        }
    }
}

#[tokio::test]
async fn contexts_are_those_of_a_sort() {
    let harness = Harness::new().await;
    let records = random_logs(7, 240);
    for part in records.chunks(60).take(3) {
        harness.append(data::logs(part)).await;
        harness.store.flush().await.expect("flushes");
    }
    harness.append(data::logs(&records[180..])).await;
    check(&harness, "heads and segments").await;
    harness.store.flush().await.expect("flushes");
    harness.clock.advance_ns(3 * HOUR_NS);
    harness.store.compact().await.expect("compacts");
    check(&harness, "compacted").await;
}

#[tokio::test]
async fn ids_of_pages_are_those_of_the_whole() {
    let harness = Harness::new().await;
    harness.append(data::logs(&random_logs(3, 120))).await;
    for order in [LogOrder::OldestFirst, LogOrder::NewestFirst] {
        let mut search = LogSearch { limit: 1000, order, ..LogSearch::default() };
        let whole = log_ids(&crate::logs::pages(&harness, &search).await, 0);
        let mut paged: Vec<LogId> = Vec::new();
        search.limit = 7;
        loop {
            let page = harness.engine.search_logs(&search, &QueryContext::default()).await;
            let page = page.expect("searches");
            paged.extend(log_ids(&page.records, page.repeats));
            search.cursor = page.next;
            if search.cursor.is_none() {
                break;
            }
        }
        assert_eq!(paged, whole);
        for id in whole {
            assert_eq!(LogId::parse(&id.to_string()).expect("parses"), id);
        }
    }
}

#[tokio::test]
async fn a_context_does_not_look_further_than_it_needs() {
    let harness = Harness::new().await;
    let log = |hours: i64, n: i64| TestLog {
        service: "cart".into(),
        time_ns: NOW_NS - hours * HOUR_NS + n,
        body: Some(Value::Int(n)),
        ..TestLog::default()
    };
    for hours in [40, 10, 0] {
        let records: Vec<_> = (0..50).map(|n| log(hours, n)).collect();
        harness.append(data::logs(&records)).await;
        harness.store.flush().await.expect("flushes");
    }
    let search = LogSearch { limit: 1000, order: LogOrder::OldestFirst, ..LogSearch::default() };
    let ids = log_ids(&crate::logs::pages(&harness, &search).await, 0);
    let ctx = QueryContext::default();
    let around = |at: usize, before, after| ContextSearch {
        id: ids[at],
        before,
        after,
        by: ContextBy::Resource,
    };
    let near = harness.engine.log_context(&around(125, 20, 20), &ctx).await.expect("is there");
    assert_eq!((near.before.len(), near.after.len()), (20, 20));
    assert!(near.looked.start_ns > NOW_NS - MINUTE_NS);
    assert!(near.stats.scan.segments_pruned_time > 0, "{:?}", near.stats);
    // The records of forty hours ago are further than a context reaches.
    let far = harness.engine.log_context(&around(125, 200, 0), &ctx).await.expect("is there");
    assert_eq!(far.before.len(), 25 + 50);
    assert!(far.after.is_empty());
    for (asked, field) in [(around(0, CONTEXT_MAX + 1, 0), "before"), (around(0, 0, 501), "after")]
    {
        let err = harness.engine.log_context(&asked, &ctx).await.expect_err("too many");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)));
    }
    let id = LogId::parse(&format!("{NOW_NS}.0000000000000001.0")).expect("parses");
    let unknown = ContextSearch { id, before: 1, after: 1, by: ContextBy::Service };
    let err = harness.engine.log_context(&unknown, &ctx).await.expect_err("is not there");
    assert_eq!(err.kind(), ErrorKind::NotFound);
    for bad in ["", "1", "1.2", "1.x.0", "a.1.0", "1.1.-1"] {
        assert_eq!(LogId::parse(bad).expect_err(bad).field(), Some("id"));
    }
}
