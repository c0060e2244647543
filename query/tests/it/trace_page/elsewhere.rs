//! What other traces say of one: peers, backlinks; and single spans in full.

use throughline_model::time::{HOUR_NS, MINUTE_NS, TimeRange};
use throughline_model::{SpanId, TraceId};
use throughline_query::traces::page::{DETAILS_MAX, Fact};
use throughline_query::{ErrorKind, QueryContext};

use super::{MS, START_NS, ask, span};
use crate::data::{self, TestSpan};
use crate::harness::Harness;

#[tokio::test]
async fn spans_stand_among_their_peers() {
    let harness = Harness::new().await;
    // A hundred calls of 1 to 100 ms, one a trace; the slow one is of trace 7 too. Others are too far
    // away, or of another service or name.
    let mut all = (1..=100u8)
        .map(|ms| TestSpan {
            trace: 100 + ms,
            duration_ns: i64::from(ms) * MS,
            ..span("1 - db q client 0..0", 0)
        })
        .collect::<Vec<_>>();
    all.extend([
        span("1 - web get server 0..300", 7),
        span("2 1 db q client 0..75", 7),
        TestSpan { start_ns: START_NS - HOUR_NS, ..span("1 - db q client 0..9", 8) },
        TestSpan { start_ns: START_NS + HOUR_NS, ..span("1 - db q client 0..9", 8) },
        span("3 - web q client 0..9", 9),
        span("4 - db get client 0..9", 9),
    ]);
    harness.append(data::spans(&all)).await;
    for stage in ["head", "segment"] {
        let (skeleton, facts) = ask(&harness, 7).await;
        let peers = facts.peers.expect("asked for");
        assert!(!peers.truncated && peers.operations_cut == 0, "{stage}");
        assert_eq!(peers.start_ns, START_NS - 30 * MINUTE_NS);
        let query = (0..2).find(|at| skeleton.span_id[*at].0[7] == 2).expect("is there");
        let group = &peers.groups[peers.group[query].expect("has one") as usize];
        assert_eq!((&group.service[..], &group.name[..], group.count), ("db", "q", 101));
        for (found, exact) in
            [(group.p50_ns, 51), (group.p75_ns, 75), (group.p90_ns, 90), (group.p99_ns, 99)]
        {
            let ratio = found / (exact * MS) as f64;
            assert!((0.95..1.05).contains(&ratio), "{stage}: {found} instead of {exact} ms");
        }
        let percentile = peers.percentile[query];
        assert!((72.0..78.0).contains(&percentile), "{stage}: {percentile}");
        let root = &peers.groups[peers.group[1 - query].expect("has one") as usize];
        assert_eq!(root.count, 1);
        assert!(peers.percentile[1 - query] > 0.0);
        harness.store.flush().await.expect("flushes");
    }
}

#[tokio::test]
async fn who_links_here_is_found_around_the_trace() {
    let harness = Harness::new().await;
    let far = TestSpan {
        start_ns: START_NS + 2 * HOUR_NS,
        ..span("9 - a far consumer 0..1 link=7:1", 5)
    };
    harness
        .append(data::spans(&[
            span("1 - web send producer 0..10", 7),
            span("2 - web other producer 0..10 link=7:1", 7), // of the trace itself
            span("3 - mail take consumer 500..600 link=7:1", 1),
            span("4 - mail take consumer 400..600 link=7:2 link=6:1 link=7:1", 2),
            span("5 - mail take consumer 400..600 link=6:1", 3),
            far,
        ]))
        .await;
    for stage in ["head", "segment"] {
        let (_, facts) = ask(&harness, 7).await;
        let found = facts.backlinks.expect("asked for");
        let shown = found.links.iter().map(|link| {
            let ids = (link.trace_id.0[15], link.span_id.0[7], link.linked_span_id.0[7]);
            format!("{} {} {ids:?}", link.service, link.name)
        });
        let expected = ["mail take (2, 4, 1)", "mail take (2, 4, 2)", "mail take (1, 3, 1)"];
        assert_eq!(shown.collect::<Vec<_>>(), expected, "{stage}");
        assert!(!found.truncated);
        assert_eq!(found.spans_looked_at, 4); // the far one is outside
        assert_eq!(found.start_ns, START_NS - HOUR_NS);
        harness.store.flush().await.expect("flushes");
    }
}

#[tokio::test]
async fn single_spans_come_whole() {
    let harness = Harness::new().await;
    let shop = crate::sql::shop();
    harness.append(data::spans(&shop)).await;
    let (ctx, id) = (QueryContext::default(), TraceId(data::trace_id(1)));
    let ids =
        |numbers: &[u8]| numbers.iter().map(|n| SpanId(data::span_id(*n))).collect::<Vec<_>>();
    for stage in ["head", "segment"] {
        let whole = harness.engine.trace(id, None, &ctx).await.expect("reads").expect("is there");
        let near = TimeRange { start_ns: shop[1].start_ns, end_ns: shop[1].start_ns + 1 };
        let wrong = TimeRange { start_ns: 0, end_ns: 1 };
        for hint in [None, Some(near), Some(wrong)] {
            let found =
                harness.engine.trace_details(id, &ids(&[2]), hint, &ctx).await.expect("reads");
            assert_eq!(found.spans, whole.spans[1..], "{stage} {hint:?}");
            let found = harness.engine.trace_details(id, &ids(&[2, 9, 1]), hint, &ctx).await;
            assert_eq!(found.expect("reads").spans, whole.spans, "{stage} {hint:?}");
        }
        // A span of another trace, and none.
        let other = harness.engine.trace_details(id, &ids(&[3]), None, &ctx).await.expect("reads");
        assert_eq!(other.spans, []);
        harness.store.flush().await.expect("flushes");
    }
    for wrong in [Vec::new(), ids(&[1; DETAILS_MAX + 1])] {
        let err = harness.engine.trace_details(id, &wrong, None, &ctx).await.expect_err("too many");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("span_id")));
    }
    let missing = TraceId([9; 16]);
    assert!(harness.engine.trace_skeleton(missing, None, &ctx).await.expect("reads").is_none());
    let facts = harness.engine.trace_facts(missing, None, &[Fact::Depth], &ctx).await;
    assert!(facts.expect("reads").is_none());
}
