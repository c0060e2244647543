//! Random OTLP requests. Structs are written out field by field, so that a field which a new version
//! of the protocol adds does not compile until it is covered.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
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
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

fn text() -> impl Strategy<Value = String> {
    prop_oneof![3 => "[a-z.]{0,6}", 1 => "[a-zé☃\u{10ffff}\"\\\\\n]{0,4}"]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("service.name".to_owned()), 4 => "[a-d]{0,2}"]
}

/// Mostly a good id; now and then none, a zero one, or one of another length.
fn id(len: usize) -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => vec(any::<u8>(), len),
        2 => Just(Vec::new()),
        1 => Just(vec![0; len]),
        1 => vec(any::<u8>(), 0..20),
    ]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        20 => 1_700_000_000_000_000_000u64..1_800_000_000_000_000_000,
        3 => Just(0),
        3 => 0u64..1000,
        1 => any::<u64>(),
    ]
}

fn double() -> impl Strategy<Value = f64> {
    prop_oneof![
        proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
        Just(0.0),
        Just(-0.0),
        (-1000i32..1000).prop_map(f64::from),
    ]
}

fn count() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..300, any::<u64>()]
}

fn small() -> impl Strategy<Value = u32> {
    prop_oneof![2 => Just(0), 1 => 0u32..300, 1 => any::<u32>()]
}

fn any_value() -> impl Strategy<Value = AnyValue> {
    let leaf = prop_oneof![
        1 => Just(None),
        4 => text().prop_map(|text| Some(Value::StringValue(text))),
        1 => any::<bool>().prop_map(|flag| Some(Value::BoolValue(flag))),
        1 => any::<i64>().prop_map(|number| Some(Value::IntValue(number))),
        1 => double().prop_map(|number| Some(Value::DoubleValue(number))),
        1 => vec(any::<u8>(), 0..9).prop_map(|bytes| Some(Value::BytesValue(bytes))),
    ];
    let leaf = leaf.prop_map(|value| AnyValue { value });
    leaf.prop_recursive(3, 12, 3, |inner| {
        let array =
            vec(inner.clone(), 0..4).prop_map(|values| Value::ArrayValue(ArrayValue { values }));
        let entry = (key(), option::of(inner)).prop_map(entry);
        let kvlist =
            vec(entry, 0..4).prop_map(|values| Value::KvlistValue(KeyValueList { values }));
        prop_oneof![array, kvlist].prop_map(|value| AnyValue { value: Some(value) })
    })
}

fn entry((key, value): (String, Option<AnyValue>)) -> KeyValue {
    KeyValue { key, value, key_strindex: 0 }
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    vec((key(), option::weighted(0.9, any_value())).prop_map(entry), 0..4)
}

fn resource() -> impl Strategy<Value = Option<Resource>> {
    let entity_ref = (text(), text(), vec(text(), 0..3), vec(text(), 0..3)).prop_map(
        |(schema_url, r#type, id_keys, description_keys)| EntityRef {
            schema_url,
            r#type,
            id_keys,
            description_keys,
        },
    );
    let resource = (attributes(), small(), vec(entity_ref, 0..3)).prop_map(
        |(attributes, dropped_attributes_count, entity_refs)| Resource {
            attributes,
            dropped_attributes_count,
            entity_refs,
        },
    );
    option::weighted(0.8, resource)
}

fn scope() -> impl Strategy<Value = Option<InstrumentationScope>> {
    let scope = (text(), text(), attributes(), small()).prop_map(
        |(name, version, attributes, dropped_attributes_count)| InstrumentationScope {
            name,
            version,
            attributes,
            dropped_attributes_count,
        },
    );
    option::weighted(0.8, scope)
}

fn span() -> impl Strategy<Value = Span> {
    let event = (time(), text(), attributes(), small()).prop_map(
        |(time_unix_nano, name, attributes, dropped_attributes_count)| Event {
            time_unix_nano,
            name,
            attributes,
            dropped_attributes_count,
        },
    );
    let link = (id(16), id(8), text(), attributes(), small(), any::<u32>()).prop_map(
        |(trace_id, span_id, trace_state, attributes, dropped_attributes_count, flags)| Link {
            trace_id,
            span_id,
            trace_state,
            attributes,
            dropped_attributes_count,
            flags,
        },
    );
    let status = option::of(
        (text(), prop_oneof![0i32..3, any::<i32>()])
            .prop_map(|(message, code)| Status { message, code }),
    );
    let names = (id(16), id(8), text(), id(8), small(), text());
    let numbers = (prop_oneof![0i32..6, any::<i32>()], time(), time(), small(), small(), small());
    (names, numbers, attributes(), vec(event, 0..3), vec(link, 0..3), status).prop_map(
        |(names, numbers, attributes, events, links, status)| {
            let (trace_id, span_id, trace_state, parent_span_id, flags, name) = names;
            let (kind, start, end, dropped_attributes, dropped_events, dropped_links) = numbers;
            Span {
                trace_id,
                span_id,
                trace_state,
                parent_span_id,
                flags,
                name,
                kind,
                start_time_unix_nano: start,
                end_time_unix_nano: end,
                attributes,
                dropped_attributes_count: dropped_attributes,
                events,
                dropped_events_count: dropped_events,
                links,
                dropped_links_count: dropped_links,
                status,
            }
        },
    )
}

pub fn traces() -> impl Strategy<Value = ExportTraceServiceRequest> {
    let scope_spans = (scope(), vec(span(), 0..4), text())
        .prop_map(|(scope, spans, schema_url)| ScopeSpans { scope, spans, schema_url });
    let resource_spans = (resource(), vec(scope_spans, 0..3), text()).prop_map(
        |(resource, scope_spans, schema_url)| ResourceSpans { resource, scope_spans, schema_url },
    );
    vec(resource_spans, 0..3)
        .prop_map(|resource_spans| ExportTraceServiceRequest { resource_spans })
}

fn log_record() -> impl Strategy<Value = LogRecord> {
    let numbers = (time(), time(), prop_oneof![0i32..25, any::<i32>()], small(), any::<u32>());
    let texts = (text(), text(), id(16), id(8));
    (numbers, texts, option::weighted(0.8, any_value()), attributes()).prop_map(
        |(numbers, texts, body, attributes)| {
            let (time, observed, severity_number, dropped_attributes_count, flags) = numbers;
            let (severity_text, event_name, trace_id, span_id) = texts;
            LogRecord {
                time_unix_nano: time,
                observed_time_unix_nano: observed,
                severity_number,
                severity_text,
                body,
                attributes,
                dropped_attributes_count,
                flags,
                trace_id,
                span_id,
                event_name,
            }
        },
    )
}

pub fn logs() -> impl Strategy<Value = ExportLogsServiceRequest> {
    let scope_logs = (scope(), vec(log_record(), 0..4), text())
        .prop_map(|(scope, log_records, schema_url)| ScopeLogs { scope, log_records, schema_url });
    let resource_logs = (resource(), vec(scope_logs, 0..3), text()).prop_map(
        |(resource, scope_logs, schema_url)| ResourceLogs { resource, scope_logs, schema_url },
    );
    vec(resource_logs, 0..3).prop_map(|resource_logs| ExportLogsServiceRequest { resource_logs })
}

fn exemplar() -> impl Strategy<Value = Exemplar> {
    let value = option::weighted(
        0.9,
        prop_oneof![
            double().prop_map(exemplar::Value::AsDouble),
            any::<i64>().prop_map(exemplar::Value::AsInt),
        ],
    );
    (attributes(), time(), id(8), id(16), value).prop_map(
        |(filtered_attributes, time_unix_nano, span_id, trace_id, value)| Exemplar {
            filtered_attributes,
            time_unix_nano,
            span_id,
            trace_id,
            value,
        },
    )
}

fn exemplars() -> impl Strategy<Value = Vec<Exemplar>> {
    prop_oneof![3 => Just(Vec::new()), 1 => vec(exemplar(), 1..3)]
}

fn flags() -> impl Strategy<Value = u32> {
    prop_oneof![4 => Just(0), 2 => Just(1), 1 => any::<u32>()]
}

fn number_point() -> impl Strategy<Value = NumberDataPoint> {
    let value = option::weighted(
        0.9,
        prop_oneof![
            double().prop_map(number_data_point::Value::AsDouble),
            any::<i64>().prop_map(number_data_point::Value::AsInt),
        ],
    );
    (attributes(), time(), time(), exemplars(), flags(), value).prop_map(
        |(attributes, start, time, exemplars, flags, value)| NumberDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            exemplars,
            flags,
            value,
        },
    )
}

fn histogram_point() -> impl Strategy<Value = HistogramDataPoint> {
    let optional = || option::of(double());
    let shape = (count(), vec(count(), 0..5), vec(double(), 0..5));
    let sums = (optional(), optional(), optional());
    (attributes(), time(), time(), shape, sums, exemplars(), flags()).prop_map(
        |(attributes, start, time, shape, (sum, min, max), exemplars, flags)| HistogramDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count: shape.0,
            sum,
            bucket_counts: shape.1,
            explicit_bounds: shape.2,
            exemplars,
            flags,
            min,
            max,
        },
    )
}

fn exponential_point() -> impl Strategy<Value = ExponentialHistogramDataPoint> {
    let optional = || option::of(double());
    let buckets = || {
        option::of(
            (any::<i32>(), vec(count(), 0..5))
                .prop_map(|(offset, bucket_counts)| Buckets { offset, bucket_counts }),
        )
    };
    let shape = (count(), any::<i32>(), count(), double(), buckets(), buckets());
    let sums = (optional(), optional(), optional());
    (attributes(), time(), time(), shape, sums, exemplars(), flags()).prop_map(
        |(attributes, start, time, shape, (sum, min, max), exemplars, flags)| {
            let (count, scale, zero_count, zero_threshold, positive, negative) = shape;
            ExponentialHistogramDataPoint {
                attributes,
                start_time_unix_nano: start,
                time_unix_nano: time,
                count,
                sum,
                scale,
                zero_count,
                positive,
                negative,
                flags,
                exemplars,
                min,
                max,
                zero_threshold,
            }
        },
    )
}

fn summary_point() -> impl Strategy<Value = SummaryDataPoint> {
    let quantile =
        (double(), double()).prop_map(|(quantile, value)| ValueAtQuantile { quantile, value });
    (attributes(), time(), time(), count(), double(), vec(quantile, 0..4), flags()).prop_map(
        |(attributes, start, time, count, sum, quantile_values, flags)| SummaryDataPoint {
            attributes,
            start_time_unix_nano: start,
            time_unix_nano: time,
            count,
            sum,
            quantile_values,
            flags,
        },
    )
}

fn metric_data() -> impl Strategy<Value = metric::Data> {
    let temporality = || prop_oneof![0i32..3, any::<i32>()];
    prop_oneof![
        vec(number_point(), 0..4)
            .prop_map(|data_points| metric::Data::Gauge(Gauge { data_points })),
        (vec(number_point(), 0..4), temporality(), any::<bool>()).prop_map(
            |(data_points, aggregation_temporality, is_monotonic)| {
                metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic })
            }
        ),
        (vec(histogram_point(), 0..3), temporality()).prop_map(
            |(data_points, aggregation_temporality)| {
                metric::Data::Histogram(Histogram { data_points, aggregation_temporality })
            }
        ),
        (vec(exponential_point(), 0..3), temporality()).prop_map(
            |(data_points, aggregation_temporality)| {
                let data = ExponentialHistogram { data_points, aggregation_temporality };
                metric::Data::ExponentialHistogram(data)
            }
        ),
        vec(summary_point(), 0..3)
            .prop_map(|data_points| metric::Data::Summary(Summary { data_points })),
    ]
}

pub fn metrics() -> impl Strategy<Value = ExportMetricsServiceRequest> {
    let metric = (text(), text(), text(), attributes(), option::weighted(0.9, metric_data()))
        .prop_map(|(name, description, unit, metadata, data)| Metric {
            name,
            description,
            unit,
            metadata,
            data,
        });
    let scope_metrics = (scope(), vec(metric, 0..3), text())
        .prop_map(|(scope, metrics, schema_url)| ScopeMetrics { scope, metrics, schema_url });
    let resource_metrics = (resource(), vec(scope_metrics, 0..3), text()).prop_map(
        |(resource, scope_metrics, schema_url)| ResourceMetrics {
            resource,
            scope_metrics,
            schema_url,
        },
    );
    vec(resource_metrics, 0..3)
        .prop_map(|resource_metrics| ExportMetricsServiceRequest { resource_metrics })
}

/// A change to an encoded request: at which part of it, what.
#[derive(Clone, Debug)]
pub enum Mutation {
    Truncate,
    Flip(u8),
    Insert(Vec<u8>),
    Remove(usize),
    /// Copies a stretch to another place.
    Copy(f64, usize),
}

pub fn mutations() -> impl Strategy<Value = Vec<(f64, Mutation)>> {
    let change = prop_oneof![
        1 => Just(Mutation::Truncate),
        4 => any::<u8>().prop_map(Mutation::Flip),
        2 => vec(any::<u8>(), 1..4).prop_map(Mutation::Insert),
        2 => (1usize..12).prop_map(Mutation::Remove),
        2 => (0.0..1.0, 1usize..60).prop_map(|(from, len)| Mutation::Copy(from, len)),
    ];
    vec((0.0..1.0, change), 1..4)
}

pub fn mutate(bytes: &mut Vec<u8>, mutations: &[(f64, Mutation)]) {
    let index = |bytes: &Vec<u8>, part: f64| (bytes.len() as f64 * part) as usize;
    for (part, mutation) in mutations {
        let at = index(bytes, *part);
        match mutation {
            Mutation::Truncate => bytes.truncate(at),
            Mutation::Flip(mask) => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= mask;
                }
            }
            Mutation::Insert(insert) => drop(bytes.splice(at..at, insert.iter().copied())),
            Mutation::Remove(len) => drop(bytes.drain(at..(at + len).min(bytes.len()))),
            Mutation::Copy(from, len) => {
                let from = index(bytes, *from);
                let copy = bytes[from..(from + len).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
        }
    }
}
