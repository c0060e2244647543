//! Patterns and what differs between two ranges, against a GROUP BY by hand.

use std::collections::BTreeMap;

use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_query::logs::{PatternsDiffRequest, PatternsRequest};
use throughline_query::{ErrorKind, QueryContext};

use super::engine::{STAGES, go_to};
use crate::data::{self, TestLog, text};
use crate::harness::{Harness, NOW_NS};

fn range(from: i64, to: i64) -> TimeRange {
    TimeRange { start_ns: NOW_NS - from * MINUTE_NS, end_ns: NOW_NS - to * MINUTE_NS }
}

// A minute a row; some patterns come, some go.
async fn store() -> Harness {
    let harness = Harness::new().await;
    let mut records = Vec::new();
    for minute in 1..60i64 {
        let mut log = |severity, body: String| {
            records.push(TestLog {
                service: "shop".into(),
                time_ns: NOW_NS - minute * MINUTE_NS,
                severity,
                body: Some(text(&body)),
                ..TestLog::default()
            });
        };
        log(9, format!("user {minute} logged in from 10.0.0.{minute}"));
        if minute > 30 {
            log(9, format!("cache warmed in {minute} ms"));
        }
        if minute < 20 {
            log(17, format!("connection {minute} refused by db-{minute}"));
        }
        if (25..28).contains(&minute) {
            log(13, format!("retry {minute} of 5"));
        }
    }
    for part in records.chunks(50) {
        harness.append(data::logs(part)).await;
    }
    harness
}

async fn by_hand(harness: &Harness, time: TimeRange) -> BTreeMap<String, u64> {
    let stamp = throughline_model::time::format_rfc3339;
    let sql = format!(
        "SELECT template_id, count(*) FROM logs WHERE time >= TIMESTAMP '{}' \
         AND time < TIMESTAMP '{}' GROUP BY 1",
        stamp(time.start_ns),
        stamp(time.end_ns)
    );
    let pair = |row: &String| {
        let (id, count) = row.split_once('|').expect("two columns");
        (id.to_owned(), count.parse().expect("a number"))
    };
    harness.rows(&sql).await.iter().map(pair).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_those_of_a_group_by() {
    let harness = store().await;
    let ctx = QueryContext::default();
    for stage in STAGES {
        go_to(&harness, stage).await;
        let time = range(60, 0);
        let request = PatternsRequest {
            filter: String::new(),
            time,
            now_ns: NOW_NS,
            step_ns: 10 * MINUTE_NS,
            limit: 100,
        };
        let found = harness.engine.log_patterns(&request, &ctx).await.expect("answers");
        let counts = found.patterns.iter().map(|p| (p.template_id.clone(), p.count));
        assert_eq!(counts.collect::<BTreeMap<_, _>>(), by_hand(&harness, time).await, "{stage}");
        assert!(!found.truncated);
        for pattern in &found.patterns {
            assert_eq!(pattern.template_id.len(), 16, "{pattern:?}");
            assert_eq!(pattern.counts.iter().sum::<u64>(), pattern.count, "{pattern:?}");
            assert_eq!(pattern.levels.iter().sum::<u64>(), pattern.count, "{pattern:?}");
            assert_eq!(pattern.counts.len(), 6);
            assert!(pattern.first_seen_ns <= pattern.last_seen_ns);
        }
        let first = &found.patterns[0];
        assert_eq!(first.example.as_deref(), Some("user 1 logged in from 10.0.0.1"), "{stage}");
        assert_eq!(first.last_seen_ns, NOW_NS - MINUTE_NS);

        let few = PatternsRequest { limit: 1, filter: "refused".into(), ..request.clone() };
        let found = harness.engine.log_patterns(&few, &ctx).await.expect("answers");
        assert_eq!((found.patterns.len(), found.patterns[0].levels[5]), (1, 19), "{stage}");
        let none = PatternsRequest { filter: "nothing".into(), ..request };
        let found = harness.engine.log_patterns(&none, &ctx).await.expect("answers");
        assert!(found.patterns.is_empty() && !found.truncated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn differences_are_those_of_two_group_bys() {
    let harness = store().await;
    let ctx = QueryContext::default();
    for stage in STAGES {
        go_to(&harness, stage).await;
        for (before, after) in [
            (range(60, 30), range(30, 0)),
            (range(30, 25), range(25, 20)),
            (range(60, 50), range(20, 10)),
            (range(10, 0), range(60, 40)),
            (range(20, 10), range(10, 0)),
        ] {
            let request = PatternsDiffRequest {
                filter: "*".into(),
                before,
                after,
                now_ns: NOW_NS,
                limit: 100,
            };
            let found = harness.engine.log_patterns_diff(&request, &ctx).await.expect("answers");
            let (was, is) = (by_hand(&harness, before).await, by_hand(&harness, after).await);
            let new = is.iter().filter(|(id, _)| !was.contains_key(*id));
            let gone = was.iter().filter(|(id, _)| !is.contains_key(*id));
            let mut expected = new.map(|(id, n)| (id.clone(), true, *n)).collect::<Vec<_>>();
            expected.extend(gone.map(|(id, n)| (id.clone(), false, *n)));
            let mut got = found.patterns.iter();
            let is_new = got.by_ref().map(|p| p.is_new).collect::<Vec<_>>();
            assert!(is_new.is_sorted_by(|a, b| a >= b), "new ones first: {is_new:?}");
            let mut got = found
                .patterns
                .iter()
                .map(|p| (p.template_id.clone(), p.is_new, p.count))
                .collect::<Vec<_>>();
            got.sort();
            expected.sort();
            assert_eq!(got, expected, "{stage}: {before:?} {after:?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_patterns_is_said() {
    let harness = Harness::new().await;
    let ctx = QueryContext::default();
    let request = PatternsRequest {
        filter: String::new(),
        time: range(60, 0),
        now_ns: NOW_NS,
        step_ns: MINUTE_NS,
        limit: 10,
    };
    for (request, field, position) in [
        (PatternsRequest { limit: 0, ..request.clone() }, "limit", None),
        (PatternsRequest { limit: 1001, ..request.clone() }, "limit", None),
        (PatternsRequest { step_ns: 0, ..request.clone() }, "step", None),
        (PatternsRequest { step_ns: 1, ..request.clone() }, "step", None),
        (PatternsRequest { filter: "a:".into(), ..request.clone() }, "query", Some(2)),
        (PatternsRequest { filter: "a | limit 1".into(), ..request.clone() }, "query", Some(4)),
    ] {
        let err = harness.engine.log_patterns(&request, &ctx).await.expect_err("is wrong");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)), "{err}");
        assert_eq!(err.position(), position, "{err}");
    }
    let found = harness.engine.log_patterns(&request, &ctx).await.expect("answers");
    assert!(found.patterns.is_empty(), "an empty store");
}
