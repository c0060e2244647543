//! The service map and RED: SQL over rollups equals SQL over spans, and the native questions and
//! synthesised series say the same, from heads, segments, both, merged and after a restart.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{HOUR_NS, MINUTE_NS, SECOND_NS, TimeRange, format_rfc3339};
use throughline_query::metrics::MetricQuery;
use throughline_query::services::{ConnectionType, EdgesQuery, OperationsQuery};
use throughline_query::{ErrorKind, QueryContext};

use crate::data::{self, NAMES, SERVICES, TestSpan, attributes, text};
use crate::harness::{Harness, NOW_NS};

/// Edges between spans by the rules, as SQL over spans.
const PAIRS: &str = "SELECT p.service_name AS client, c.service_name AS server, \
    CASE WHEN p.kind = 'PRODUCER' OR c.kind = 'CONSUMER' THEN 'messaging_system' ELSE '' END AS type, \
    count(*) AS calls, \
    sum(CASE WHEN p.status_code = 'ERROR' OR c.status_code = 'ERROR' THEN 1 ELSE 0 END) AS failed, \
    sum(CASE WHEN p.kind IN ('CLIENT', 'PRODUCER') THEN p.duration_ns ELSE 0 END) AS client_ns, \
    sum(c.duration_ns) AS server_ns \
    FROM spans c JOIN spans p ON c.trace_id = p.trace_id AND c.parent_span_id = p.span_id \
    WHERE (p.service_name <> c.service_name \
      OR (p.kind IN ('CLIENT', 'PRODUCER') AND c.kind IN ('SERVER', 'CONSUMER')))";
const EDGES: &str = "SELECT client, server, connection_type AS type, sum(calls) AS calls, \
    sum(failed) AS failed, sum(client_sum_ns) AS client_ns, sum(server_sum_ns) AS server_ns \
    FROM service_edges WHERE true";
const OPERATIONS: &str = "SELECT service_name, name, kind, status_code, sum(spans), sum(sum_ns) \
    FROM operations WHERE true";
const SPANS: &str = "SELECT service_name, name, kind, status_code, count(*), sum(duration_ns) \
    FROM spans WHERE true";

/// Traces of which each span may come in another request.
fn random_spans(seed: u64) -> Vec<TestSpan> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut spans = Vec::new();
    for trace in 0..60u8 {
        let start_ns = NOW_NS - 2 * HOUR_NS + rng.random_range(0..90) * MINUTE_NS;
        for span in 1..rng.random_range(2..12u8) {
            spans.push(TestSpan {
                service: SERVICES[rng.random_range(0..SERVICES.len())].to_owned(),
                trace,
                span,
                parent: (span > 1).then(|| rng.random_range(1..span)),
                name: NAMES[rng.random_range(0..NAMES.len())].to_owned(),
                kind: rng.random_range(0..6),
                start_ns: start_ns + rng.random_range(0..40_000) * 1_000_000,
                duration_ns: rng.random_range(0..3 * SECOND_NS),
                status: rng.random_range(0..3),
                ..TestSpan::default()
            });
        }
    }
    spans
}

async fn check(harness: &Harness, spans: &[TestSpan], when: &str) {
    let group = "GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";
    let (from, to) = ("2026-11-20T10:20:15Z", "2026-11-20T10:45:30Z");
    for (edges, pairs) in [
        (String::new(), String::new()),
        (
            format!("AND time >= '{from}' AND time < '{to}'"),
            format!("AND c.start_time >= '{from}' AND c.start_time < '{to}'"),
        ),
    ] {
        let edges = harness.rows(&format!("{EDGES} {edges} {group}")).await;
        let pairs = harness.rows(&format!("{PAIRS} {pairs} {group}")).await;
        assert!(!pairs.is_empty());
        assert_eq!(edges, pairs, "{when}");
    }
    let group = "GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
    for condition in [
        String::new(),
        format!("AND TIME >= '{from}' AND TIME < '{to}'"),
        "AND service_name = 'cart' AND kind = 'SERVER'".to_owned(),
    ] {
        let rolled_up = condition.replace("TIME", "time");
        let counted = condition.replace("TIME", "start_time");
        let operations = harness.rows(&format!("{OPERATIONS} {rolled_up} {group}")).await;
        let spans = harness.rows(&format!("{SPANS} {counted} {group}")).await;
        assert!(!spans.is_empty());
        assert_eq!(operations, spans, "{when}, {condition}");
    }
    native(harness, when).await;
    series(harness, spans, when).await;
}

/// Ranges that cut buckets, against SQL over spans.
async fn native(harness: &Harness, when: &str) {
    let ctx = QueryContext::default();
    let start_ns = NOW_NS - 2 * HOUR_NS + 7 * SECOND_NS + 3;
    let time = TimeRange { start_ns, end_ns: start_ns + 50 * MINUTE_NS + 1 };
    let condition = |column: &str| {
        let bound = |ns: i64| format!("'{}'", format_rfc3339(ns));
        format!("AND {column} >= {} AND {column} < {}", bound(time.start_ns), bound(time.end_ns))
    };
    let query = EdgesQuery { time, step_ns: None, services: Vec::new() };
    let found = harness.engine.service_edges(&query, &ctx).await.expect("answers");
    let shown = found.edges.iter().map(|edge| {
        format!(
            "{}|{}|{}|{}|{}|{}|{}",
            edge.client,
            edge.server,
            edge.connection_type.name(),
            edge.calls,
            edge.failed,
            edge.client_durations.sum_ns,
            edge.server_durations.sum_ns
        )
    });
    let mut shown = shown.collect::<Vec<_>>();
    shown.sort();
    let group = "GROUP BY 1, 2, 3";
    let expected =
        harness.multiset(&format!("{PAIRS} {} {group}", condition("c.start_time"))).await;
    assert_eq!(shown, expected, "{when}");

    let query = OperationsQuery {
        time,
        step_ns: None,
        services: vec!["cart".to_owned()],
        kinds: vec![2, 3],
        by_name: false,
        exemplars: true,
    };
    let found = harness.engine.operations_red(&query, &ctx).await.expect("answers");
    assert!(found.names_complete);
    let shown = found.operations.iter().map(|row| {
        assert_eq!(row.weighted_spans, row.spans as f64);
        assert_eq!(row.durations.distribution.count(), row.spans as f64);
        let exemplar = row.exemplar.expect("a slowest span");
        assert!(time.contains(exemplar.start_ns), "{when}");
        format!("{}|{}|{}|{}", row.kind, row.status_code, row.spans, row.durations.sum_ns)
    });
    let mut shown = shown.collect::<Vec<_>>();
    shown.sort();
    let query = format!(
        "SELECT kind_number, status_code_number, count(*), sum(duration_ns) FROM spans \
         WHERE service_name = 'cart' AND kind_number IN (2, 3) {} GROUP BY 1, 2",
        condition("start_time")
    );
    assert_eq!(shown, harness.multiset(&query).await, "{when}");
}

/// Counters of one day end at the number of spans; those who do not name them do not get them.
async fn series(harness: &Harness, spans: &[TestSpan], when: &str) {
    let total = "SELECT sum(value) FROM (SELECT series_id, max(value) AS value FROM metrics \
                 WHERE metric_name = 'traces_spanmetrics_calls_total' GROUP BY 1)";
    assert_eq!(harness.rows(total).await, [format!("{}.0", spans.len())], "{when}");
    let errors = "SELECT sum(value) FROM (SELECT series_id, max(value) AS value FROM metrics \
                  WHERE metric_name = 'traces_spanmetrics_calls_total' \
                  AND attributes['status_code'] = 'STATUS_CODE_ERROR' GROUP BY 1)";
    let expected = spans.iter().filter(|span| span.status == 2).count();
    assert_eq!(harness.rows(errors).await, [format!("{expected}.0")], "{when}");
    let durations = "SELECT sum(count), round(sum(sum)) FROM (SELECT series_id, max(count) AS count, \
                     max(sum) AS sum FROM histograms \
                     WHERE metric_name = 'traces_spanmetrics_latency' GROUP BY 1)";
    let seconds = spans.iter().map(|span| span.duration_ns as f64).sum::<f64>() / 1e9;
    let expected = format!("{}|{:.1}", spans.len(), seconds.round());
    assert_eq!(harness.rows(durations).await, [expected], "{when}");
    let falls = "SELECT count(*) FROM (SELECT value, lag(value) OVER (PARTITION BY series_id ORDER BY time) \
                 AS before FROM metrics WHERE metric_name LIKE 'traces_service_graph_request%total') \
                 WHERE value < before";
    assert_eq!(harness.rows(falls).await, ["0"], "{when}: counters only grow");
    for (query, expected) in [
        ("SELECT count(*) FROM samples", "0"),
        ("SELECT count(*) FROM series", "0"),
        ("SELECT count(*) FROM metrics WHERE metric_name = 'other'", "0"),
        ("SELECT count(DISTINCT metric_name) FROM series WHERE metric_name LIKE 'traces_%'", "6"),
    ] {
        assert_eq!(harness.rows(query).await, [expected], "{when}, {query}");
    }
    let query = MetricQuery { filters: Vec::new(), time: TimeRange::ALL, limit: 100 };
    let found = harness.engine.metrics(&query, &QueryContext::default()).await.expect("answers");
    let names = found.metrics.iter().map(|metric| metric.name.as_str()).collect::<Vec<_>>();
    let expected = [
        "traces_service_graph_request_client_seconds",
        "traces_service_graph_request_failed_total",
        "traces_service_graph_request_server_seconds",
        "traces_service_graph_request_total",
        "traces_spanmetrics_calls_total",
        "traces_spanmetrics_latency",
    ];
    assert_eq!(names, expected, "{when}");
    let named = |name: &str| Predicate {
        target: Target::Column("metric_name".to_owned()),
        op: Op::Eq(Operand::Text(name.to_owned())),
    };
    let query =
        MetricQuery { filters: vec![named(expected[0])], time: TimeRange::ALL, limit: 100_000 };
    let points = harness.engine.metric_points(&query, &QueryContext::default()).await;
    let points = points.expect("answers");
    assert!(!points.series.is_empty(), "{when}");
    assert!(points.series.iter().all(|series| !series.histograms.is_empty()), "{when}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_equal_spans_wherever_they_lie() {
    for seed in 0..3 {
        let harness = Harness::new().await;
        let spans = random_spans(seed);
        // Parents and children come in different requests, and end up in different segments.
        for part in 0..4 {
            let some = spans.iter().skip(part).step_by(4).cloned().collect::<Vec<_>>();
            harness.append(data::spans(&some)).await;
            if part < 2 {
                harness.store.flush().await.expect("flushes");
            }
        }
        check(&harness, &spans, "both").await;
        let harness = harness.reopen().await;
        check(&harness, &spans, "reopened").await;
        harness.store.flush().await.expect("flushes");
        check(&harness, &spans, "flushed").await;
        harness.clock.advance_ns(4 * HOUR_NS);
        harness.store.compact().await.expect("compacts");
        check(&harness, &spans, "compacted").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_server_takes_the_place_of_a_mere_name() {
    let harness = Harness::new().await;
    let client = TestSpan {
        service: "shop".to_owned(),
        trace: 1,
        span: 1,
        name: "call".to_owned(),
        kind: 3,
        start_ns: NOW_NS - MINUTE_NS,
        duration_ns: SECOND_NS,
        attributes: attributes(&[("peer.service", text("payments"))]),
        ..TestSpan::default()
    };
    let database = TestSpan {
        span: 2,
        attributes: attributes(&[("db.system", text("redis"))]),
        ..client.clone()
    };
    let server = TestSpan {
        service: "payment".to_owned(),
        span: 3,
        parent: Some(1),
        kind: 2,
        attributes: Vec::new(),
        ..client.clone()
    };
    let edges = |harness: &Harness| {
        let engine = harness.engine.clone();
        async move {
            let query = EdgesQuery { time: TimeRange::ALL, step_ns: None, services: Vec::new() };
            let found = engine.service_edges(&query, &QueryContext::default()).await;
            let edges = found.expect("answers").edges;
            edges.into_iter().map(|e| (e.server.to_string(), e.connection_type, e.calls)).collect()
        }
    };
    let redis = ("redis".to_owned(), ConnectionType::Database, 1);
    harness.append(data::spans(&[client, database])).await;
    let found: Vec<_> = edges(&harness).await;
    assert_eq!(found, [("payments".to_owned(), ConnectionType::Virtual, 1), redis.clone()]);
    harness.store.flush().await.expect("flushes");
    harness.append(data::spans(&[server])).await;
    let expected = [("payment".to_owned(), ConnectionType::Direct, 1), redis];
    assert_eq!(edges(&harness).await, expected);
    harness.store.flush().await.expect("flushes");
    assert_eq!(edges(&harness).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_steps_are_named() {
    let harness = Harness::new().await;
    let ctx = QueryContext::default();
    for step_ns in [0, -1, SECOND_NS, 20 * SECOND_NS] {
        let query =
            EdgesQuery { time: TimeRange::ALL, step_ns: Some(step_ns), services: Vec::new() };
        let err = harness.engine.service_edges(&query, &ctx).await.expect_err("refused");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("step")), "{err}");
    }
}
