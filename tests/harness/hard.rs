//! Telemetry that uses every field of the protocol, with the values that are easy to lose.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, EntityRef, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram,
    HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary,
    SummaryDataPoint, exemplar, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::fields::Telemetry;
use super::otlp::{T0, attribute, text};

/// `DataPointFlags.NO_RECORDED_VALUE_MASK`.
const NO_RECORDED_VALUE: u32 = 1;
/// A NaN that is not the usual one.
const ODD_NAN: f64 = f64::from_bits(0xfff8_0000_dead_beef);

/// One of everything.
pub fn telemetry() -> Telemetry {
    Telemetry { spans: spans(), logs: logs(), metrics: metrics() }
}

/// The same with the only NaN that JSON can say.
pub fn telemetry_with_one_nan() -> Telemetry {
    let (odd, usual) = (ODD_NAN.to_le_bytes(), f64::NAN.to_le_bytes());
    let mut plain = Telemetry::default();
    for (path, mut body) in telemetry().bodies() {
        for at in 0..body.len().saturating_sub(odd.len()) {
            if body[at..].starts_with(&odd) {
                body[at..at + odd.len()].copy_from_slice(&usual);
            }
        }
        plain.add(path, false, &body);
    }
    plain
}

fn any(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn array(values: Vec<AnyValue>) -> Value {
    Value::ArrayValue(ArrayValue { values })
}

fn kvlist(values: Vec<KeyValue>) -> Value {
    Value::KvlistValue(KeyValueList { values })
}

/// Values of every type.
fn values() -> Vec<AnyValue> {
    let inner = vec![attribute("a", Value::IntValue(1)), attribute("", Value::BoolValue(false))];
    let mixed = vec![any(kvlist(inner.clone())), AnyValue::default(), any(array(vec![]))];
    [
        Value::StringValue("grüße 🎈\n\"quoted\"".to_owned()),
        Value::StringValue(String::new()),
        Value::IntValue(i64::MIN),
        Value::IntValue(0),
        Value::DoubleValue(0.1),
        Value::DoubleValue(-0.0),
        Value::DoubleValue(ODD_NAN),
        Value::DoubleValue(f64::NEG_INFINITY),
        Value::DoubleValue(f64::MIN_POSITIVE / 2.0),
        Value::BoolValue(true),
        Value::BoolValue(false),
        Value::BytesValue(vec![0, 0xff, 0x80]),
        Value::BytesValue(vec![]),
        array(mixed),
        array(vec![]),
        kvlist(vec![attribute("list", array(vec![any(Value::DoubleValue(3.5))]))]),
        kvlist(vec![]),
        // Keys out of order: the order inside a value is kept.
        kvlist(vec![attribute("z", Value::IntValue(1)), attribute("a", Value::IntValue(2))]),
    ]
    .map(any)
    .into_iter()
    .chain([AnyValue::default()])
    .collect()
}

/// An attribute of every type.
fn attributes() -> Vec<KeyValue> {
    let named = |(i, value)| KeyValue {
        key: format!("key.{i:02}"),
        value: Some(value),
        ..KeyValue::default()
    };
    values().into_iter().enumerate().map(named).collect()
}

fn resource() -> Resource {
    let mut attributes = attributes();
    attributes.push(text("service.name", "fields"));
    Resource {
        attributes,
        dropped_attributes_count: 3,
        entity_refs: vec![EntityRef {
            schema_url: "https://example.test/entity".to_owned(),
            r#type: "service".to_owned(),
            id_keys: vec!["service.name".to_owned()],
            description_keys: vec!["key.00".to_owned(), "key.01".to_owned()],
        }],
    }
}

fn scope() -> InstrumentationScope {
    InstrumentationScope {
        name: "tests.fields".to_owned(),
        version: "1.2.3".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 4,
    }
}

fn url(of: &str) -> String {
    format!("https://example.test/{of}/1.0")
}

fn trace_id(number: u8) -> Vec<u8> {
    vec![number; 16]
}

fn span_id(number: u8) -> Vec<u8> {
    vec![number; 8]
}

fn spans() -> Vec<ResourceSpans> {
    let event = Event {
        time_unix_nano: T0 + 1,
        name: "happened".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 5,
    };
    let link = Link {
        trace_id: trace_id(9),
        span_id: span_id(9),
        trace_state: "k=v".to_owned(),
        attributes: attributes(),
        dropped_attributes_count: 6,
        flags: 0x301,
    };
    // In links an id that is not known is zero.
    let unknown = Link { trace_id: trace_id(0), span_id: span_id(0), ..Link::default() };
    let full = Span {
        trace_id: trace_id(1),
        span_id: span_id(1),
        trace_state: "vendor=1,other=2".to_owned(),
        parent_span_id: span_id(7),
        flags: 0x101,
        name: "everything".to_owned(),
        kind: 5,
        start_time_unix_nano: T0,
        end_time_unix_nano: T0 + 123_456_789,
        attributes: attributes(),
        dropped_attributes_count: 1,
        events: vec![event, Event::default()],
        dropped_events_count: 2,
        links: vec![link, unknown],
        dropped_links_count: 3,
        status: Some(Status { message: "it broke".to_owned(), code: 2 }),
    };
    let bare = Span { trace_id: trace_id(1), span_id: span_id(2), ..Span::default() };
    let backwards = Span {
        trace_id: trace_id(2),
        span_id: span_id(3),
        start_time_unix_nano: T0 + 5,
        end_time_unix_nano: T0,
        ..Span::default()
    };
    let scope_spans =
        ScopeSpans { scope: Some(scope()), spans: vec![full, backwards], schema_url: url("scope") };
    let unscoped = ScopeSpans { scope: None, spans: vec![bare], schema_url: String::new() };
    vec![ResourceSpans {
        resource: Some(resource()),
        scope_spans: vec![scope_spans, unscoped],
        schema_url: url("resource"),
    }]
}

fn logs() -> Vec<ResourceLogs> {
    let full = LogRecord {
        time_unix_nano: T0,
        observed_time_unix_nano: T0 + 1,
        severity_number: 17,
        severity_text: "Fehler".to_owned(),
        body: Some(any(Value::StringValue("hello".to_owned()))),
        attributes: attributes(),
        dropped_attributes_count: 2,
        flags: 0xffff_ff01,
        trace_id: trace_id(1),
        span_id: span_id(1),
        event_name: "thing.done".to_owned(),
    };
    // A body of every type, and none.
    let bodies = values().into_iter().map(Some).chain([None]).enumerate().map(|(i, body)| {
        let time_unix_nano = T0 + 10 + i as u64;
        LogRecord { time_unix_nano, body, ..LogRecord::default() }
    });
    let timed = |time, observed, number| LogRecord {
        time_unix_nano: time,
        observed_time_unix_nano: observed,
        severity_number: number,
        ..LogRecord::default()
    };
    let odd = [
        timed(0, T0 + 50, 9),       // observed only
        timed(T0 + 51, T0 + 51, 0), // both, and equal
        timed(T0 + 52, 0, 24),
        timed(0, 0, 1), // no time at all
        timed(T0 + 53, 0, 99),
        LogRecord { severity_text: "text only".to_owned(), ..timed(T0 + 54, 0, 0) },
        LogRecord { trace_id: trace_id(3), ..timed(T0 + 55, 0, 0) }, // of a trace, of no span
    ];
    let scope_logs = ScopeLogs {
        scope: Some(scope()),
        log_records: [full].into_iter().chain(bodies).collect(),
        schema_url: url("scope"),
    };
    let unscoped =
        ScopeLogs { scope: None, log_records: odd.to_vec(), schema_url: url("only the items") };
    vec![
        ResourceLogs {
            resource: Some(resource()),
            scope_logs: vec![scope_logs, unscoped.clone()],
            schema_url: url("resource"),
        },
        ResourceLogs { resource: None, scope_logs: vec![unscoped], schema_url: String::new() },
    ]
}

fn exemplars() -> Vec<Exemplar> {
    let full = Exemplar {
        filtered_attributes: attributes(),
        time_unix_nano: T0 - 1,
        span_id: span_id(1),
        trace_id: trace_id(1),
        value: Some(exemplar::Value::AsDouble(-0.0)),
    };
    let int = Exemplar { value: Some(exemplar::Value::AsInt(i64::MAX)), ..Exemplar::default() };
    let bare = Exemplar { time_unix_nano: T0 + 2, ..Exemplar::default() };
    vec![full, int, bare]
}

fn numbers() -> Vec<NumberDataPoint> {
    use number_data_point::Value::{AsDouble, AsInt};
    let point = |second: u64, value| NumberDataPoint {
        attributes: vec![text("route", "/a")],
        start_time_unix_nano: T0 - 60,
        time_unix_nano: T0 + second * 1_000_000_000,
        value,
        ..NumberDataPoint::default()
    };
    let values = [
        AsDouble(0.1),
        AsDouble(-0.0),
        AsDouble(0.0),
        AsDouble(ODD_NAN),
        AsDouble(f64::NAN),
        AsDouble(f64::INFINITY),
        AsDouble(f64::NEG_INFINITY),
        AsDouble(f64::MAX),
        AsInt(i64::MAX),
        AsInt(i64::MIN),
        AsInt(0),
    ];
    let plain = values.into_iter().zip(1..).map(|(value, i)| point(i, Some(value)));
    let odd = [
        NumberDataPoint { flags: NO_RECORDED_VALUE, ..point(20, None) },
        NumberDataPoint { start_time_unix_nano: 0, ..point(21, Some(AsInt(7))) },
        NumberDataPoint { exemplars: exemplars(), ..point(22, Some(AsDouble(1.5))) },
        NumberDataPoint { exemplars: exemplars(), ..point(23, Some(AsDouble(1.5))) },
        NumberDataPoint { attributes: attributes(), ..point(24, Some(AsInt(1))) },
        NumberDataPoint { attributes: vec![], flags: 2, ..point(25, Some(AsInt(1))) },
    ];
    plain.chain(odd).collect()
}

fn histograms() -> Vec<HistogramDataPoint> {
    let full = HistogramDataPoint {
        attributes: attributes(),
        start_time_unix_nano: T0 - 60,
        time_unix_nano: T0,
        count: 6,
        sum: Some(-3.25),
        bucket_counts: vec![1, 0, 5],
        explicit_bounds: vec![-0.5, 1e300],
        exemplars: exemplars(),
        flags: 0,
        min: Some(-7.0),
        max: Some(f64::MAX),
    };
    let bare = HistogramDataPoint { time_unix_nano: T0 + 1, ..HistogramDataPoint::default() };
    let sumless = HistogramDataPoint {
        sum: None,
        min: None,
        max: None,
        exemplars: vec![],
        time_unix_nano: T0 + 2,
        start_time_unix_nano: 0,
        ..full.clone()
    };
    let odd = HistogramDataPoint {
        sum: Some(ODD_NAN),
        min: Some(-0.0),
        max: Some(0.0),
        time_unix_nano: T0 + 3,
        ..sumless.clone()
    };
    let unrecorded = HistogramDataPoint {
        flags: NO_RECORDED_VALUE,
        time_unix_nano: T0 + 4,
        ..HistogramDataPoint::default()
    };
    vec![full, bare, sumless, odd, unrecorded]
}

fn exponentials() -> Vec<ExponentialHistogramDataPoint> {
    let full = ExponentialHistogramDataPoint {
        attributes: vec![text("route", "/a")],
        start_time_unix_nano: T0 - 60,
        time_unix_nano: T0,
        count: 20,
        sum: Some(12.5),
        scale: -4,
        zero_count: 2,
        positive: Some(Buckets { offset: -7, bucket_counts: vec![3, 0, 0, 4] }),
        negative: Some(Buckets { offset: 900, bucket_counts: vec![11] }),
        flags: 0,
        exemplars: exemplars(),
        min: Some(-1.0),
        max: Some(9.0),
        zero_threshold: 1e-9,
    };
    let one_sided = ExponentialHistogramDataPoint {
        time_unix_nano: T0 + 1,
        negative: None,
        sum: None,
        min: None,
        max: None,
        scale: 20,
        exemplars: vec![],
        zero_threshold: 0.0,
        ..full.clone()
    };
    let offset_only = ExponentialHistogramDataPoint {
        time_unix_nano: T0 + 2,
        positive: Some(Buckets { offset: 5, bucket_counts: vec![] }),
        ..one_sided.clone()
    };
    vec![full, one_sided, offset_only]
}

fn summaries() -> Vec<SummaryDataPoint> {
    let quantile = |quantile, value| ValueAtQuantile { quantile, value };
    let full = SummaryDataPoint {
        attributes: attributes(),
        start_time_unix_nano: T0 - 60,
        time_unix_nano: T0,
        count: 3,
        sum: 4.5,
        quantile_values: vec![quantile(0.0, f64::NAN), quantile(0.5, 1.0), quantile(1.0, 2.0)],
        flags: 0,
    };
    let bare = SummaryDataPoint { time_unix_nano: T0 + 1, ..SummaryDataPoint::default() };
    vec![full, bare]
}

fn metrics() -> Vec<ResourceMetrics> {
    use metric::Data;
    let sum = |aggregation_temporality, is_monotonic| {
        let data_points = numbers();
        Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
    };
    let histogram = |aggregation_temporality| {
        Data::Histogram(Histogram { data_points: histograms(), aggregation_temporality })
    };
    let exponential = |aggregation_temporality| {
        let data_points = exponentials();
        Data::ExponentialHistogram(ExponentialHistogram { data_points, aggregation_temporality })
    };
    // One name for all: what tells metrics apart is the rest.
    let datas = [
        Data::Gauge(Gauge { data_points: numbers() }),
        sum(0, false),
        sum(1, false),
        sum(1, true),
        sum(2, false),
        sum(2, true),
        histogram(1),
        histogram(2),
        exponential(1),
        exponential(2),
        Data::Summary(Summary { data_points: summaries() }),
    ];
    let metric = |data| Metric {
        name: "fields/möglich 1".to_owned(),
        description: "a description".to_owned(),
        unit: "{thing}".to_owned(),
        metadata: attributes(),
        data: Some(data),
    };
    let bare = Metric {
        name: "bare".to_owned(),
        data: Some(Data::Gauge(Gauge { data_points: numbers() })),
        ..Metric::default()
    };
    let scope_metrics = ScopeMetrics {
        scope: Some(scope()),
        metrics: datas.map(metric).into_iter().chain([bare.clone()]).collect(),
        schema_url: url("scope"),
    };
    let unscoped = ScopeMetrics { metrics: vec![bare], ..ScopeMetrics::default() };
    vec![
        ResourceMetrics {
            resource: Some(resource()),
            scope_metrics: vec![scope_metrics],
            schema_url: url("resource"),
        },
        ResourceMetrics { resource: None, scope_metrics: vec![unscoped], schema_url: url("only") },
    ]
}
