use serde_json::json;
use throughline_model::metric::{
    Buckets, ComplexPoint, ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime,
    SeriesIdentity, Shape,
};

use super::*;

async fn shop() -> Server {
    let server = Server::start().await;
    let mut builder = MetricBatchBuilder::default();
    let at = |seconds: i64| PointTime {
        time_ns: NOW_NS - 60 * SECOND_NS + seconds * SECOND_NS,
        start_time_ns: 0,
        flags: 0,
    };
    for service in ["cart", "db"] {
        let resource = span(1, 1, service, "").resource.encode();
        let scope = Scope { name: "meter".to_owned(), ..Scope::default() }.encode();
        let set = attrs::encode([("route", &text("/a"))]);
        let requests = SeriesIdentity {
            resource: &resource,
            scope: &scope,
            name: "requests",
            unit: "1",
            kind: MetricKind::Sum,
            temporality: 2,
            is_monotonic: true,
            attributes: &set,
        };
        let row = builder.series(&requests, "Requests.", &[]).expect("fits");
        builder.push_number(row, &at(0), Number::Int(1));
        builder.push_number(row, &at(10), Number::Double(f64::NAN));
        let exemplar = ExemplarFields {
            time_ns: at(9).time_ns,
            value: Number::Double(0.5),
            trace_id: Some([1; 16]),
            span_id: None,
            attributes: &[],
            point_time_ns: at(10).time_ns,
        };
        builder.push_exemplar(row, &exemplar).expect("fits");
        let latency = SeriesIdentity {
            name: "latency",
            unit: "s",
            kind: MetricKind::ExponentialHistogram,
            is_monotonic: false,
            ..requests
        };
        let row = builder.series(&latency, "", &[]).expect("fits");
        let shape = Shape::Exponential {
            scale: 3,
            zero_count: 1,
            zero_threshold: 0.5,
            positive: Buckets { offset: -1, counts: vec![1, u64::MAX] },
            negative: Buckets::default(),
        };
        let point = ComplexPoint { count: 2, sum: Some(1.5), min: None, max: None, shape };
        builder.push_complex(row, &at(0), &point).expect("fits");
    }
    server.append(Signal::Metrics, Batch::Metrics(builder.finish().expect("builds"))).await;
    server
}

#[tokio::test]
async fn metrics_series_and_points() {
    let server = shop().await;
    let list = server.json("/api/v1/metrics").await;
    assert_eq!(
        list["metrics"][1],
        json!({
            "name": "requests", "kind": "sum", "unit": "1", "description": "Requests.",
            "temporality": "cumulative", "is_monotonic": true, "series": 2,
        })
    );
    let gauges = server.json("/api/v1/metrics?filter=kind%3Dgauge").await;
    assert_eq!(gauges["metrics"], json!([]));

    let series = server.json("/api/v1/metrics/requests/series?service=cart").await;
    let series = series["series"].as_array().expect("series");
    assert_eq!(series.len(), 1);
    assert_eq!(series[0]["attributes"], json!({"route": "/a"}));
    assert_eq!(series[0]["resource_attributes"]["service.name"], "cart");
    assert_eq!(series[0]["scope"]["name"], "meter");

    let points = server.json("/api/v1/metrics/requests/points?filter=service%3Ddb").await;
    let [one] = points["series"].as_array().expect("series").as_slice() else { panic!("{points}") };
    assert_eq!(
        one["points"],
        json!([
            {"time": "2026-11-20T11:59:00.000000000Z", "start_time": null, "flags": 0,
             "value_type": "int", "value": 1},
            {"time": "2026-11-20T11:59:10.000000000Z", "start_time": null, "flags": 0,
             "value_type": "double", "value": "NaN"},
        ])
    );
    let later = server.json("/api/v1/metrics/requests/points?start=-55s").await;
    assert_eq!(later["series"][0]["points"].as_array().map(Vec::len), Some(1));
    server.stop().await;
}

#[tokio::test]
async fn histograms_and_exemplars() {
    let server = shop().await;
    let points = server.json("/api/v1/metrics/latency/points?service=cart").await;
    assert_eq!(
        points["series"][0]["histograms"],
        json!([{
            "time": "2026-11-20T11:59:00.000000000Z", "start_time": null, "flags": 0,
            "count": 2, "sum": 1.5, "min": null, "max": null,
            "scale": 3, "zero_count": 1, "zero_threshold": 0.5,
            "positive": {"offset": -1, "bucket_counts": [1, "18446744073709551615"]},
            "negative": {"offset": 0, "bucket_counts": []},
        }])
    );
    let exemplars = server.json("/api/v1/metrics/requests/exemplars?service=cart").await;
    let exemplar = &exemplars["series"][0]["exemplars"][0];
    assert_eq!(exemplar["value"], 0.5);
    assert_eq!(exemplar["trace_id"], "01010101010101010101010101010101");
    assert_eq!(exemplar["span_id"], Json::Null);
    server.stop().await;
}

#[tokio::test]
async fn limits_are_said() {
    let server = shop().await;
    let cut = server.json("/api/v1/metrics?limit=1").await;
    assert_eq!(
        (&cut["truncated"], cut["metrics"].as_array().map(Vec::len)),
        (&json!(true), Some(1))
    );
    server.problem("/api/v1/metrics/requests/points?limit=1", 422).await;
    assert_eq!(server.problem("/api/v1/metrics?limit=10001", 400).await["limit"], "10000");
    assert_eq!(server.problem("/api/v1/metrics?name=x", 400).await["field"], "name");
    let unknown = server.json("/api/v1/metrics/nothing/points").await;
    assert_eq!(unknown["series"], json!([]));
    server.stop().await;
}

#[tokio::test]
async fn otlp_brings_exemplars_with_their_points() {
    let server = shop().await;
    let path = "/api/v1/metrics/requests/points?service=cart";
    let whole = server.json(&format!("{path}&format=otlp")).await;
    let metric = &whole["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
    assert_eq!(metric["sum"]["aggregationTemporality"], 2);
    assert_eq!(metric["description"], "Requests.");
    let points = metric["sum"]["dataPoints"].as_array().expect("points");
    assert_eq!((&points[0]["asInt"], &points[1]["asDouble"]), (&json!("1"), &json!("NaN")));
    assert_eq!(points[0]["exemplars"], Json::Null);
    let exemplar = json!([{"timeUnixNano": "1795175949000000000", "asDouble": 0.5, "traceId": "01".repeat(16)}]);
    assert_eq!(points[1]["exemplars"], exemplar);
    // An exemplar is older than its point: what counts is the point's time.
    let late = format!("{path}&format=otlp&start=1795175950000000000");
    let late = server.json(&late).await;
    let metric = &late["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0];
    assert_eq!(metric["sum"]["dataPoints"][0]["exemplars"], exemplar);
    let problem = server.problem(&format!("{path}&format=otlp&limit=1"), 422).await;
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains("limit = 1")));
    let mut builder = MetricBatchBuilder::default();
    let set = attrs::encode([("large", &text(&"x".repeat(1 << 20)))]);
    let large = SeriesIdentity {
        resource: &span(1, 1, "cart", "").resource.encode(),
        scope: &Scope::default().encode(),
        name: "large",
        unit: "",
        kind: MetricKind::Gauge,
        temporality: 0,
        is_monotonic: false,
        attributes: &set,
    };
    let row = builder.series(&large, "", &[]).expect("fits");
    for second in 0..33 {
        let time_ns = NOW_NS + second * SECOND_NS;
        builder.push_number(row, &PointTime { time_ns, ..PointTime::default() }, Number::Int(1));
    }
    server.append(Signal::Metrics, Batch::Metrics(builder.finish().expect("builds"))).await;
    let problem = server.problem("/api/v1/metrics/large/points?format=otlp", 422).await;
    assert_eq!(
        (&problem["field"], &problem["limit"]),
        (&json!("format"), &json!("33554432 bytes"))
    );
    server.json("/api/v1/metrics/large/points").await;
    let typed_only = "/api/v1/metrics/requests/series?format=otlp";
    assert_eq!(server.problem(typed_only, 400).await["field"], "format");
    server.stop().await;
}
