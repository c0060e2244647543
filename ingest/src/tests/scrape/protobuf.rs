//! The delimited protobuf, written by `prost` as its definition says.

use prost::Message;

use super::{BOTH, described};
use crate::scrape::exposition::{self, Counts, Form, Options, Value};

#[derive(Clone, PartialEq, Message)]
struct MetricFamily {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metrics: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

#[derive(Clone, PartialEq, Message)]
struct Metric {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, optional, tag = "2")]
    gauge: Option<Plain>,
    #[prost(message, optional, tag = "3")]
    counter: Option<Plain>,
    #[prost(message, optional, tag = "4")]
    summary: Option<Summary>,
    #[prost(int64, tag = "6")]
    timestamp_ms: i64,
    #[prost(message, optional, tag = "7")]
    histogram: Option<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, Message)]
struct Plain {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(message, optional, tag = "2")]
    exemplar: Option<Exemplar>,
}

#[derive(Clone, PartialEq, Message)]
struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(double, tag = "2")]
    value: f64,
    #[prost(message, optional, tag = "3")]
    timestamp: Option<Timestamp>,
}

#[derive(Clone, PartialEq, Message)]
struct Timestamp {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    quantiles: Vec<Quantile>,
}

#[derive(Clone, PartialEq, Message)]
struct Quantile {
    #[prost(double, tag = "1")]
    quantile: f64,
    #[prost(double, tag = "2")]
    value: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Histogram {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    sum: f64,
    #[prost(message, repeated, tag = "3")]
    buckets: Vec<Bucket>,
    #[prost(sint32, tag = "5")]
    schema: i32,
    #[prost(double, tag = "6")]
    zero_threshold: f64,
    #[prost(uint64, tag = "7")]
    zero_count: u64,
    #[prost(message, repeated, tag = "12")]
    positive_spans: Vec<Span>,
    #[prost(sint64, repeated, packed = "false", tag = "13")]
    positive_deltas: Vec<i64>,
}

#[derive(Clone, PartialEq, Message)]
struct Bucket {
    #[prost(uint64, tag = "1")]
    count: u64,
    #[prost(double, tag = "2")]
    bound: f64,
}

#[derive(Clone, PartialEq, Message)]
struct Span {
    #[prost(sint32, tag = "1")]
    offset: i32,
    #[prost(uint32, tag = "2")]
    length: u32,
}

fn families() -> Vec<u8> {
    let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
    let exemplar = Exemplar {
        labels: vec![label("trace_id", "abc")],
        value: 1.5,
        timestamp: Some(Timestamp { seconds: 2, nanos: 7_000_000 }),
    };
    let counter = Metric {
        labels: vec![label("code", "200")],
        counter: Some(Plain { value: 3.0, exemplar: Some(exemplar) }),
        timestamp_ms: 99,
        ..Metric::default()
    };
    let summary =
        Summary { count: 2, sum: 9.0, quantiles: vec![Quantile { quantile: 0.5, value: 4.0 }] };
    let histogram = Histogram {
        count: 4,
        sum: 6.0,
        buckets: vec![Bucket { count: 1, bound: 1.0 }],
        schema: 3,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_spans: vec![Span { offset: -2, length: 2 }],
        positive_deltas: vec![1, 1],
    };
    let all = [
        ("requests_total", 0, counter),
        ("rpc", 2, Metric { summary: Some(summary), ..Metric::default() }),
        ("latency", 4, Metric { histogram: Some(histogram), ..Metric::default() }),
        (
            "heat",
            1,
            Metric { gauge: Some(Plain { value: -1.0, exemplar: None }), ..Metric::default() },
        ),
    ];
    let mut body = Vec::new();
    for (name, kind, metric) in all {
        let (name, help) = (name.to_owned(), String::new());
        let family = MetricFamily { name, help, kind, metrics: vec![metric], unit: String::new() };
        body.extend(family.encode_length_delimited_to_vec());
    }
    body
}

#[test]
fn all_kinds_of_metrics_are_read() {
    let classic = Options { wants_native: false, keeps_classic: false };
    let found = exposition::read(&families(), Form::Protobuf, classic).expect("reads");
    assert_eq!(
        described(&found),
        "requests_total{code=200} 3 @99 counter # {trace_id=abc} 1.5 @2007\n\
         rpc_count{} 2 summary\nrpc_sum{} 9 summary\nrpc{quantile=0.5} 4 summary\n\
         latency_count{} 4 histogram\nlatency_sum{} 6 histogram\nlatency_bucket{le=1.0} 1 histogram\n\
         latency_bucket{le=+Inf} 4 histogram\nheat{} -1 gauge\n"
    );
    let native = Options { wants_native: true, keeps_classic: false };
    let found = exposition::read(&families(), Form::Protobuf, native).expect("reads");
    let histograms = found.samples.iter().filter_map(|sample| match &sample.value {
        Value::Native(native) => Some(native),
        Value::Number(_) => None,
    });
    let histograms = histograms.collect::<Vec<_>>();
    assert_eq!((histograms.len(), found.samples.len()), (1, 6));
    assert_eq!((histograms[0].schema, histograms[0].count), (3, Counts::Integer(4)));
    assert_eq!(histograms[0].positive.spans, [(-2, 2)]);
    assert_eq!(histograms[0].positive.deltas, [1, 1]);
    let both = exposition::read(&families(), Form::Protobuf, BOTH).expect("reads");
    assert_eq!(both.samples.len(), 10);
}

#[test]
fn a_body_that_is_cut_off_is_refused() {
    let body = families();
    let whole = (0..=body.len())
        .filter(|end| exposition::read(&body[..*end], Form::Protobuf, BOTH).is_ok());
    // Between two families nothing tells that there were more.
    assert_eq!(whole.count(), 5);
}
