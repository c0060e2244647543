//! The metrics of the simulated past: request histograms counted from the simulated spans, and
//! gauges of the runtimes.
//!
//! Every point is cumulative since the pod began, as SDKs export by default.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, Sum,
};

use super::faults::Faults;
use super::otlp::{key_values, resource_of, scope};
use super::resource;
use super::trace::{Attributes, Kind, Pod, Span, Trace, Val};

/// Bounds of `http.server.request.duration` in the semantic conventions, seconds.
const BOUNDS_S: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// Attributes that make a series of a span's duration.
const SERIES_KEYS: [&str; 8] = [
    "http.request.method",
    "http.route",
    "http.response.status_code",
    "rpc.system",
    "rpc.service",
    "rpc.method",
    "rpc.grpc.status_code",
    "error.type",
];

/// Points that a pod exports besides its histograms.
const POINTS_ALWAYS: usize = 6;

#[derive(Clone, Debug, Default)]
struct Distribution {
    counts: [u64; BOUNDS_S.len() + 1],
    count: u64,
    sum_s: f64,
    min_s: f64,
    max_s: f64,
}

impl Distribution {
    fn add(&mut self, seconds: f64) {
        self.counts[BOUNDS_S.partition_point(|bound| *bound < seconds)] += 1;
        self.min_s = if self.count == 0 { seconds } else { self.min_s.min(seconds) };
        self.max_s = self.max_s.max(seconds);
        self.count += 1;
        self.sum_s += seconds;
    }
}

#[derive(Debug, Default)]
struct PodCounts {
    // By metric name and the text of the attributes, so that the order is always the same.
    durations: BTreeMap<(&'static str, String), (Attributes, Distribution)>,
    errors: u64,
    sent: u64,
}

/// Counts of all pods since the beginning of the past.
pub struct Counts {
    began_ns: i64,
    pods: BTreeMap<Pod, PodCounts>,
}

impl Counts {
    /// No request yet.
    pub fn from(began_ns: i64) -> Counts {
        let pods = resource::pods().map(|pod| (pod, PodCounts::default())).collect();
        Counts { began_ns, pods }
    }

    /// Counts the requests of a trace.
    pub fn add(&mut self, trace: &Trace) {
        for span in &trace.spans {
            let counts = self.pods.entry(span.pod).or_default();
            counts.errors += u64::from(span.error.is_some());
            counts.sent += u64::from(span.kind == Kind::Producer);
            let Some(name) = duration_metric(span) else { continue };
            let attributes = series_attributes(span);
            let key = (name, format!("{attributes:?}"));
            let (_, distribution) = counts
                .durations
                .entry(key)
                .or_insert_with(|| (attributes, Distribution::default()));
            distribution.add((span.end_ns - span.start_ns) as f64 / 1e9);
        }
    }

    /// What all pods export at that time, and how many points that is.
    pub fn export(&self, time_ns: i64, faults: &Faults) -> (ExportMetricsServiceRequest, usize) {
        let points = self.pods.values().map(|counts| counts.durations.len() + POINTS_ALWAYS).sum();
        let resource_metrics = self.pods.iter().map(|(pod, counts)| ResourceMetrics {
            resource: Some(resource_of(*pod, resource::version(*pod, faults, time_ns))),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(scope()),
                metrics: self.metrics_of(*pod, counts, time_ns, faults),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        });
        (ExportMetricsServiceRequest { resource_metrics: resource_metrics.collect() }, points)
    }

    fn metrics_of(
        &self,
        pod: Pod,
        counts: &PodCounts,
        time_ns: i64,
        faults: &Faults,
    ) -> Vec<Metric> {
        let mut histograms: BTreeMap<&'static str, Vec<HistogramDataPoint>> = BTreeMap::new();
        for ((name, _), (attributes, distribution)) in &counts.durations {
            let point = self.histogram_point(attributes, distribution, time_ns);
            histograms.entry(name).or_default().push(point);
        }
        let mut metrics: Vec<Metric> =
            histograms.into_iter().map(|(name, points)| histogram(name, points)).collect();
        metrics.push(self.sum("app.errors", "{error}", true, counts.errors as i64, time_ns));
        metrics.push(self.sum("app.messages.sent", "{message}", true, counts.sent as i64, time_ns));
        let running = wave(pod, time_ns, 240, 4.0, 3.0) as i64;
        metrics.push(self.sum("http.server.active_requests", "{request}", false, running, time_ns));
        metrics.extend(gauges(pod, time_ns, faults));
        metrics
    }

    fn histogram_point(
        &self,
        attributes: &Attributes,
        distribution: &Distribution,
        time_ns: i64,
    ) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: key_values(attributes),
            start_time_unix_nano: self.began_ns as u64,
            time_unix_nano: time_ns as u64,
            count: distribution.count,
            sum: Some(distribution.sum_s),
            min: Some(distribution.min_s),
            max: Some(distribution.max_s),
            bucket_counts: distribution.counts.to_vec(),
            explicit_bounds: BOUNDS_S.to_vec(),
            ..HistogramDataPoint::default()
        }
    }

    fn sum(&self, name: &str, unit: &str, is_monotonic: bool, value: i64, time_ns: i64) -> Metric {
        let mut point = number(time_ns, Value::AsInt(value), &Attributes::new());
        point.start_time_unix_nano = self.began_ns as u64;
        let data = Sum {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
            is_monotonic,
        };
        metric(name, unit, Data::Sum(data))
    }
}

/// The duration metric of a span, if it is one that servers export.
pub fn duration_metric(span: &Span) -> Option<&'static str> {
    let has = |key| span.attributes.iter().any(|(name, _)| *name == key);
    match span.kind {
        Kind::Server if has("http.route") => Some("http.server.request.duration"),
        Kind::Server if has("rpc.system") => Some("rpc.server.call.duration"),
        Kind::Consumer => Some("messaging.process.duration"),
        _ => None,
    }
}

/// The attributes of the point that a span's duration goes to.
pub fn series_attributes(span: &Span) -> Attributes {
    span.attributes.iter().filter(|(key, _)| SERIES_KEYS.contains(key)).cloned().collect()
}

// A number that goes up and down around `middle`, differently for each pod.
fn wave(pod: Pod, time_ns: i64, period_s: i64, middle: f64, swing: f64) -> f64 {
    let phase = (pod.service * 7 + pod.replica * 3) as f64;
    let turns = time_ns as f64 / 1e9 / period_s as f64;
    middle + swing * (std::f64::consts::TAU * turns + phase).sin()
}

/// Connections of a pod's pool in use.
pub fn pool_in_use(pod: Pod, time_ns: i64, faults: &Faults) -> i64 {
    let name = super::shop::SERVICES[pod.service].name;
    if name == super::faults::SLOW_DATABASE_SERVICE && faults.database_is_slow(time_ns) {
        return 20;
    }
    wave(pod, time_ns, 600, 6.0, 4.0) as i64
}

/// Memory of a pod.
pub fn memory_bytes(pod: Pod, time_ns: i64) -> i64 {
    let megabytes = 180.0 + pod.service as f64 * 14.0;
    (wave(pod, time_ns, 1_800, megabytes, megabytes * 0.2) * 1e6) as i64
}

/// Share of a core that a pod keeps busy.
pub fn cpu_share(pod: Pod, time_ns: i64) -> f64 {
    wave(pod, time_ns, 900, 0.35, 0.2)
}

fn gauges(pod: Pod, time_ns: i64, faults: &Faults) -> Vec<Metric> {
    let pool: Attributes = vec![("db.client.connection.state", Val::from("used"))];
    let gauge = |name, unit, value, attributes: &Attributes| {
        let data_points = vec![number(time_ns, value, attributes)];
        metric(name, unit, Data::Gauge(Gauge { data_points }))
    };
    let none = Attributes::new();
    vec![
        gauge("process.memory.usage", "By", Value::AsInt(memory_bytes(pod, time_ns)), &none),
        gauge("process.cpu.utilization", "1", Value::AsDouble(cpu_share(pod, time_ns)), &none),
        gauge(
            "db.client.connection.count",
            "{connection}",
            Value::AsInt(pool_in_use(pod, time_ns, faults)),
            &pool,
        ),
    ]
}

fn number(time_ns: i64, value: Value, attributes: &Attributes) -> NumberDataPoint {
    NumberDataPoint {
        attributes: key_values(attributes),
        time_unix_nano: time_ns as u64,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram(name: &str, data_points: Vec<HistogramDataPoint>) -> Metric {
    let data = Histogram {
        data_points,
        aggregation_temporality: AggregationTemporality::Cumulative as i32,
    };
    metric(name, "s", Data::Histogram(data))
}

fn metric(name: &str, unit: &str, data: Data) -> Metric {
    Metric { name: name.to_owned(), unit: unit.to_owned(), data: Some(data), ..Metric::default() }
}
