//! Metrics: the native questions and the SQL tables, from heads, segments and after a restart.

use std::fmt::Write;

use throughline_model::metric::{
    Buckets, ComplexPoint, ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime,
    SeriesIdentity, Shape,
};
use throughline_model::origin::{Resource, Scope};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{HOUR_NS, MINUTE_NS, TimeRange};
use throughline_model::{Batch, Value, attrs};
use throughline_query::metrics::{MetricQuery, SeriesPoints};
use throughline_query::{ErrorKind, QueryContext};

use crate::data::{attributes, text};
use crate::harness::{Harness, NOW_NS};

const STEPS: i64 = 40;

fn at(step: i64) -> i64 {
    NOW_NS - HOUR_NS + step * MINUTE_NS
}

fn resource(service: &str) -> Vec<u8> {
    let attributes = attributes(&[("service.name", text(service)), ("host.name", text("node-1"))]);
    Resource { attributes, ..Resource::default() }.encode()
}

fn series(batch: &mut MetricBatchBuilder, service: &str, name: &str, kind: MetricKind) -> u32 {
    let scope = Scope { name: "meter".into(), version: "2".into(), ..Scope::default() }.encode();
    let set = attrs::encode([("route", &text("/pay")), ("shard", &Value::Int(3))]);
    let is_sum = kind == MetricKind::Sum;
    let identity = SeriesIdentity {
        resource: &resource(service),
        scope: &scope,
        name,
        unit: "s",
        kind,
        temporality: if matches!(kind, MetricKind::Gauge | MetricKind::Summary) { 0 } else { 2 },
        is_monotonic: is_sum,
        attributes: &set,
    };
    batch.series(&identity, &format!("about {name}"), &[]).expect("fits")
}

fn shape(kind: MetricKind, step: i64) -> Shape {
    let count = step as u64;
    match kind {
        MetricKind::Histogram => {
            Shape::Histogram { bounds: vec![0.5, 1.0], counts: vec![count, 1, 0] }
        }
        MetricKind::Summary => Shape::Summary { quantiles: vec![(0.5, 1.5), (0.99, step as f64)] },
        _ => Shape::Exponential {
            scale: 3,
            zero_count: 1,
            zero_threshold: 0.001,
            positive: Buckets { offset: -2, counts: vec![count, 2] },
            negative: Buckets::default(),
        },
    }
}

/// One request: five kinds of metrics of two services, at one step.
fn request(step: i64) -> Batch {
    let mut batch = MetricBatchBuilder::default();
    let time = PointTime { time_ns: at(step), start_time_ns: at(-5), flags: 0 };
    for service in ["cart", "web"] {
        let row = series(&mut batch, service, "requests", MetricKind::Sum);
        batch.push_number(row, &time, Number::Int(step * 10));
        let row = series(&mut batch, service, "load", MetricKind::Gauge);
        let (value, flags) =
            if step == 7 { (Number::None, 1) } else { (Number::Double(step as f64 / 4.0), 0) };
        batch.push_number(row, &PointTime { start_time_ns: 0, flags, ..time }, value);
        for (name, kind) in [
            ("latency", MetricKind::Histogram),
            ("size", MetricKind::ExponentialHistogram),
            ("wait", MetricKind::Summary),
        ] {
            let row = series(&mut batch, service, name, kind);
            let shape = shape(kind, step);
            let point = ComplexPoint {
                count: step as u64 + 1,
                sum: Some(0.5),
                min: None,
                max: None,
                shape,
            };
            batch.push_complex(row, &time, &point).expect("fits");
            if kind == MetricKind::Histogram && step % 10 == 0 {
                let exemplar = ExemplarFields {
                    time_ns: at(step) - 1,
                    value: Number::Double(0.25),
                    trace_id: Some([0xab; 16]),
                    span_id: Some([0xcd; 8]),
                    attributes: &attrs::encode([("user.id", &text("u1"))]),
                    point_time_ns: at(step),
                };
                batch.push_exemplar(row, &exemplar).expect("fits");
            }
        }
    }
    Batch::Metrics(batch.finish().expect("fits"))
}

async fn loaded() -> Harness {
    let harness = Harness::new().await;
    for step in 0..STEPS {
        harness.append(request(step)).await;
    }
    harness
}

fn query(filters: Vec<Predicate>, limit: usize) -> MetricQuery {
    MetricQuery { filters, time: TimeRange::ALL, limit }
}

fn named(name: &str) -> Predicate {
    let target = Target::Column("metric_name".into());
    Predicate { target, op: Op::Eq(Operand::Text(name.into())) }
}

async fn points(harness: &Harness, query: &MetricQuery) -> Vec<SeriesPoints> {
    harness.engine.metric_points(query, &QueryContext::default()).await.expect("reads").series
}

/// What every question answers, as text.
async fn answers(harness: &Harness) -> String {
    let mut all = String::new();
    let ctx = QueryContext::default();
    let everything = query(vec![], 10_000);
    let engine = &harness.engine;
    let metrics = engine.metrics(&everything, &ctx).await.expect("reads").metrics;
    writeln!(all, "{metrics:?}").expect("a string");
    let series = engine.metric_series(&everything, &ctx).await.expect("reads").series;
    writeln!(all, "{series:?}").expect("a string");
    writeln!(all, "{:?}", points(harness, &everything).await).expect("a string");
    let exemplars = engine.metric_exemplars(&everything, &ctx).await.expect("reads").series;
    writeln!(all, "{exemplars:?}").expect("a string");
    for table in ["series", "samples", "metrics", "histograms", "exemplars"] {
        for row in harness.multiset(&format!("SELECT * FROM {table}")).await {
            writeln!(all, "{row}").expect("a string");
        }
    }
    all
}

#[tokio::test]
async fn flush_compaction_and_restart_change_no_answer() {
    let harness = loaded().await;
    let expected = answers(&harness).await;
    harness.store.flush().await.expect("flushes");
    harness.append(request(3)).await; // repeated points
    assert!(answers(&harness).await == expected, "after the flush");
    harness.store.flush().await.expect("flushes");
    harness.store.compact().await.expect("compacts");
    assert!(answers(&harness).await == expected, "after the compaction");
    let harness = harness.reopen().await;
    assert!(answers(&harness).await == expected, "after the restart");
}

#[tokio::test]
async fn metrics_and_series_are_listed() {
    let harness = loaded().await;
    let ctx = QueryContext::default();
    let found = harness.engine.metrics(&query(vec![], 100), &ctx).await.expect("reads");
    let names = found.metrics.iter().map(|m| (m.name.as_str(), m.kind.name(), m.series));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [
            ("latency", "histogram", 2),
            ("load", "gauge", 2),
            ("requests", "sum", 2),
            ("size", "exponential_histogram", 2),
            ("wait", "summary", 2)
        ]
    );
    assert!(!found.truncated);
    assert_eq!((found.metrics[2].is_monotonic, found.metrics[2].temporality), (true, 2));
    assert!(harness.engine.metrics(&query(vec![], 4), &ctx).await.expect("reads").truncated);
    let found = harness.engine.metric_series(&query(vec![named("load")], 1), &ctx).await;
    let found = found.expect("reads");
    assert!(found.truncated);
    let first = &found.series[0];
    assert_eq!((first.service_name.as_str(), first.unit.as_str()), ("cart", "s"));
    assert_eq!(first.attributes, attributes(&[("route", text("/pay")), ("shard", Value::Int(3))]));
    assert_eq!(first.scope.name, "meter");
    let past = MetricQuery { time: TimeRange { start_ns: 0, end_ns: at(0) }, ..query(vec![], 9) };
    assert!(harness.engine.metrics(&past, &ctx).await.expect("reads").metrics.is_empty());
    let refused = harness.engine.metrics(&query(vec![], 0), &ctx).await.expect_err("refuses");
    assert_eq!((refused.kind(), refused.field()), (ErrorKind::Invalid, Some("limit")));
}

#[tokio::test]
async fn points_keep_their_types_and_have_a_limit() {
    let harness = loaded().await;
    harness.store.flush().await.expect("flushes");
    let time = TimeRange { start_ns: at(6), end_ns: at(8) };
    let load = points(&harness, &MetricQuery { time, ..query(vec![named("load")], 10) }).await;
    let values = load[0].numbers.iter().map(|p| (p.value, p.flags)).collect::<Vec<_>>();
    assert_eq!(values, [(Number::Double(1.5), 0), (Number::None, 1)]);
    let requests = points(&harness, &query(vec![named("requests")], 100)).await;
    assert_eq!(requests[1].numbers[2].value, Number::Int(20));
    assert_eq!(requests[1].numbers[2].start_time_ns, at(-5));
    let size = points(&harness, &query(vec![named("size")], 100)).await;
    assert_eq!(size[0].histograms[5].point.shape, shape(MetricKind::ExponentialHistogram, 5));
    let ctx = QueryContext::default();
    let refused = harness.engine.metric_points(&query(vec![named("load")], 79), &ctx).await;
    let refused = refused.expect_err("80 points");
    assert_eq!(refused.kind(), ErrorKind::Limit);
    assert!(refused.to_string().contains("79"), "{refused}");
}

#[tokio::test]
async fn sql_counts_and_looks_into_series() {
    let harness = loaded().await;
    for flushed in [false, true] {
        if flushed {
            harness.store.flush().await.expect("flushes");
        }
        for (sql, expected) in [
            ("SELECT count(*) FROM series", "10"),
            ("SELECT count(*) FROM samples", "160"),
            ("SELECT count(*) FROM histograms", "240"),
            ("SELECT count(*), count(value) FROM metrics WHERE metric_name = 'load'", "80|78"),
            (
                "SELECT sum(value) FROM metrics WHERE metric_name = 'requests' AND service_name = 'web'",
                "7800.0",
            ),
            (
                "SELECT DISTINCT attributes['route'], attr_int(attributes, 'shard'), resource_attributes['host.name'] FROM metrics",
                "/pay|3|node-1",
            ),
            (
                "SELECT count(*) FROM metrics WHERE attributes['route'] = '/pay' AND attributes['shard'] = '3'",
                "160",
            ),
            ("SELECT count(*) FROM metrics WHERE attributes['route'] <> '/pay'", "0"),
            ("SELECT count(*) FROM samples WHERE start_time IS NULL", "80"),
            (
                "SELECT kind, temporality, is_monotonic FROM series WHERE metric_name = 'requests' LIMIT 1",
                "SUM|CUMULATIVE|true",
            ),
            ("SELECT count(*) FROM series WHERE kind = 'GAUGE' OR unit = 'x'", "2"),
            ("SELECT count(*) FROM series WHERE kind IN ('GAUGE', 'SUM')", "4"),
            ("SELECT count(*) FROM (SELECT * FROM samples LIMIT 7)", "7"),
            (
                "SELECT counts, bounds FROM histograms WHERE kind = 'HISTOGRAM' ORDER BY time DESC LIMIT 1",
                "[39, 1, 0]|[0.5, 1.0]",
            ),
            (
                "SELECT scale, positive_offset, positive_counts, zero_count FROM histograms WHERE metric_name = 'size' ORDER BY time LIMIT 1",
                "3|-2|[0, 2]|1",
            ),
            (
                "SELECT quantiles, quantile_values FROM histograms WHERE kind = 'SUMMARY' ORDER BY time LIMIT 1",
                "[0.5, 0.99]|[1.5, 0.0]",
            ),
            (
                "SELECT count(*), min(span_id), min(attributes['user.id']) FROM exemplars",
                "8|cdcdcdcdcdcdcdcd|u1",
            ),
            (
                "SELECT count(*) FROM samples s JOIN series r ON s.series_id = r.series_id WHERE r.metric_name = 'load'",
                "80",
            ),
        ] {
            assert_eq!(harness.rows(sql).await, [expected], "{sql}, flushed {flushed}");
        }
        let time = format!(
            "time >= to_timestamp_nanos({}) AND time < to_timestamp_nanos({})",
            at(3),
            at(5)
        );
        let sql = format!("SELECT count(*) FROM samples WHERE {time}");
        assert_eq!(harness.rows(&sql).await, ["8"]);
        let id = harness.rows("SELECT min(series_id) FROM series WHERE metric_name = 'load'").await;
        let sql = format!("SELECT count(*) FROM samples WHERE series_id = '{}'", id[0]);
        assert_eq!(harness.rows(&sql).await, ["40"]);
    }
}

/// A gauge with one point.
fn point(time_ns: i64, description: &str) -> Batch {
    let mut batch = MetricBatchBuilder::default();
    let identity = SeriesIdentity {
        resource: &resource("cart"),
        scope: &[],
        name: "level",
        unit: "",
        kind: MetricKind::Gauge,
        temporality: 0,
        is_monotonic: false,
        attributes: &[],
    };
    let row = batch.series(&identity, description, &[]).expect("fits");
    batch.push_number(row, &PointTime { time_ns, start_time_ns: 0, flags: 0 }, Number::Int(1));
    Batch::Metrics(batch.finish().expect("fits"))
}

// Segments once lost points of the last nanosecond that there is, which heads had shown.
#[tokio::test]
async fn the_last_nanosecond_is_kept_and_the_greatest_description() {
    let harness = Harness::new().await;
    for (time_ns, description) in [(at(0), "b"), (i64::MAX, "c"), (at(1), ""), (at(2), "a")] {
        harness.append(point(time_ns, description)).await;
    }
    let last = "'2262-04-11T23:47:16.854775807Z'";
    for stage in ["head", "flushed", "compacted"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            _ => {}
        }
        for (sql, expected) in [
            ("SELECT count(*) FROM samples".to_owned(), "4"),
            (format!("SELECT count(*) FROM samples WHERE time = {last}"), "1"),
            (format!("SELECT count(*) FROM samples WHERE time >= {last}"), "1"),
            (format!("SELECT count(*) FROM samples WHERE time < {last}"), "3"),
            ("SELECT description FROM series".to_owned(), "c"),
        ] {
            assert_eq!(harness.rows(&sql).await, [expected], "{stage}: {sql}");
        }
    }
}
