//! The requests of Grafana's Prometheus source, of promtool and of client libraries, recorded, over a
//! small shop, and their answers before and after a flush.

use throughline_model::histogram::NativeHistogram;
use throughline_model::metric::{
    ComplexPoint, ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime,
    SeriesIdentity, Shape,
};

use super::*;

const RECORDED_MIN: usize = 50;
const MINUTE_NS: i64 = 60 * SECOND_NS;
/// Points of a series, one each minute, the last a minute ago.
const POINTS: i64 = 10;

/// A series of a Prometheus sender.
struct Sent<'a> {
    name: &'a str,
    labels: &'a [(&'a str, &'a str)],
    help: &'a str,
    metadata: &'a [(&'a str, &'a str)],
}

impl Sent<'_> {
    fn row(&self, builder: &mut MetricBatchBuilder) -> u32 {
        let of = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> = pairs.iter().map(|(name, value)| (*name, text(value))).collect();
            attrs::encode(pairs.iter().map(|(name, value)| (*name, value)))
        };
        let (resource, scope) = (Resource::default().encode(), Scope::default().encode());
        let identity = SeriesIdentity {
            resource: &resource,
            scope: &scope,
            name: self.name,
            unit: "",
            kind: MetricKind::Untyped,
            temporality: 0,
            is_monotonic: false,
            attributes: &of(self.labels),
        };
        builder.series(&identity, self.help, &of(self.metadata)).expect("fits")
    }
}

fn at(minute: i64) -> PointTime {
    PointTime { time_ns: NOW_NS - (POINTS - minute) * MINUTE_NS, start_time_ns: 0, flags: 0 }
}

fn requests(builder: &mut MetricBatchBuilder) {
    for (code, per_minute) in [("200", 60), ("500", 6)] {
        let labels = [("code", code), ("instance", "a:80"), ("job", "cart")];
        let sent = Sent {
            name: "http_requests_total",
            labels: &labels,
            help: "Requests.",
            metadata: &[("prometheus.type", "counter")],
        };
        let row = sent.row(builder);
        for minute in 0..POINTS {
            builder.push_number(row, &at(minute), Number::Double((minute * per_minute) as f64));
        }
        let exemplar = ExemplarFields {
            time_ns: at(5).time_ns,
            value: Number::Double(0.25),
            trace_id: Some([1; 16]),
            span_id: None,
            attributes: &attrs::encode([("user", &text("u1"))]),
            point_time_ns: at(5).time_ns,
        };
        builder.push_exemplar(row, &exemplar).expect("fits");
    }
}

fn gauges(builder: &mut MetricBatchBuilder) {
    for (job, value) in [("cart", 1.0), ("db", f64::INFINITY), ("mail", f64::NAN)] {
        let sent = Sent { name: "up", labels: &[("job", job)], help: "", metadata: &[] };
        let row = sent.row(builder);
        builder.push_number(row, &at(POINTS - 1), Number::Double(value));
    }
    let labels = [("http.route", "/Ä")];
    let sent = Sent { name: "queue.depth", labels: &labels, help: "", metadata: &[] };
    let row = sent.row(builder);
    builder.push_number(row, &at(POINTS - 1), Number::Double(3.0));
}

fn histograms(builder: &mut MetricBatchBuilder) {
    let sent =
        Sent { name: "latency_seconds", labels: &[("job", "cart")], help: "", metadata: &[] };
    let row = sent.row(builder);
    for minute in 0..POINTS {
        let positive = vec![(0, (minute + 1) as f64), (2, 2.0 * (minute + 1) as f64)];
        let count = 3.0 * (minute + 1) as f64 + 1.0;
        let histogram = NativeHistogram {
            zero_threshold: 0.001,
            zero_count: 1.0,
            count,
            sum: count,
            positive,
            ..NativeHistogram::default()
        };
        builder.push_complex(row, &at(minute), &histogram.into()).expect("fits");
    }
    // The same of a service that sends OTLP.
    let resource = Resource {
        attributes: attributes(&[
            ("service.name", text("checkout")),
            ("service.namespace", text("shop")),
            ("service.instance.id", text("checkout-1")),
            ("k8s.pod.name", text("checkout-1-x")),
        ]),
        ..Resource::default()
    }
    .encode();
    let scope = Scope { name: "meter".to_owned(), ..Scope::default() }.encode();
    let attributes = attrs::encode([("http.route", &text("/pay"))]);
    let identity = SeriesIdentity {
        resource: &resource,
        scope: &scope,
        name: "http.server.duration",
        unit: "ms",
        kind: MetricKind::Histogram,
        temporality: 2,
        is_monotonic: false,
        attributes: &attributes,
    };
    let row = builder.series(&identity, "How long.", &[]).expect("fits");
    for minute in 0..POINTS {
        let n = minute as u64 + 1;
        let shape = Shape::Histogram { bounds: vec![5.0, 10.0], counts: vec![n, n, 2 * n] };
        let point = ComplexPoint { count: 4 * n, sum: Some(40.0), min: None, max: None, shape };
        builder.push_complex(row, &at(minute), &point).expect("fits");
    }
}

async fn shop() -> Server {
    let server = Server::start().await;
    let mut builder = MetricBatchBuilder::default();
    requests(&mut builder);
    gauges(&mut builder);
    histograms(&mut builder);
    server.append(Signal::Metrics, Batch::Metrics(builder.finish().expect("builds"))).await;
    server
}

#[tokio::test]
async fn recorded_requests_have_their_answers() {
    let server = shop().await;
    recorded::check("prometheus", RECORDED_MIN, &server, "heads").await;
    server.store.flush().await.expect("flushed");
    recorded::check("prometheus", RECORDED_MIN, &server, "segments").await;
    server.stop().await;
}

#[tokio::test]
async fn what_a_query_cost() {
    let server = shop().await;
    let answer = server.json("/prometheus/api/v1/query?query=up&stats=all").await;
    let stats = &answer["data"]["stats"];
    assert!(stats["timings"]["evalTotalTime"].is_number(), "{stats}");
    assert!(stats["samples"]["totalQueryableSamples"].is_u64(), "{stats}");
    server.stop().await;
}

#[tokio::test]
async fn clients_that_wait_for_the_server() {
    let server = Server::start().await;
    for path in ["/prometheus/-/healthy", "/prometheus/-/ready"] {
        assert_eq!(server.get(path).await.status, StatusCode::OK, "{path}");
    }
    server.ready.send_replace(Readiness { ready: false, stage: "replaying".to_owned() });
    let answer = server.get("/prometheus/-/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    server.stop().await;
}
