//! Random telemetry, the same for the same seed: every field takes many values, types of one key
//! conflict, and times spread over several windows.

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
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
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};

use super::fields::Telemetry;
use super::otlp::T0;

const SECOND: u64 = 1_000_000_000;
const KEYS: [&str; 12] =
    ["", "a", "b.c", "http.route", "k\"ey", "large", "n", "schlüssel", "user.id", "x", "y", "z"];
/// Items of one scope.
const ITEMS: usize = 40;

/// Random telemetry of all signals: two resources of two scopes each.
pub fn telemetry(seed: u64) -> Telemetry {
    let mut random = Random { rng: SmallRng::seed_from_u64(seed), serial: 0 };
    let mut telemetry = Telemetry::default();
    for _ in 0..2 {
        let (resource, schema_url) = (Some(random.resource()), random.text());
        let scope_spans = random.scopes(|random, scope, schema_url| {
            let spans = random.list(ITEMS, Random::span);
            ScopeSpans { scope, spans, schema_url }
        });
        let (of_logs, of_metrics) = (resource.clone(), resource.clone());
        let url = schema_url.clone();
        telemetry.spans.push(ResourceSpans { resource, scope_spans, schema_url });
        let scope_logs = random.scopes(|random, scope, schema_url| {
            let log_records = random.list(ITEMS, Random::record);
            ScopeLogs { scope, log_records, schema_url }
        });
        let schema_url = url.clone();
        telemetry.logs.push(ResourceLogs { resource: of_logs, scope_logs, schema_url });
        let scope_metrics = random.scopes(|random, scope, schema_url| {
            let metrics = (0..10).map(|number| random.metric(number)).collect();
            ScopeMetrics { scope, metrics, schema_url }
        });
        let schema_url = url;
        telemetry.metrics.push(ResourceMetrics { resource: of_metrics, scope_metrics, schema_url });
    }
    // prost leaves out the negative zeros of fields without presence: what it writes is what is sent.
    let mut written = Telemetry::default();
    telemetry.bodies().iter().for_each(|(path, body)| written.add(path, false, body));
    written
}

struct Random {
    rng: SmallRng,
    serial: u64,
}

impl Random {
    fn chance(&mut self, of_ten: u32) -> bool {
        self.rng.random_ratio(of_ten, 10)
    }

    fn list<T>(&mut self, max: usize, one: fn(&mut Self) -> T) -> Vec<T> {
        (0..self.rng.random_range(0..=max)).map(|_| one(self)).collect()
    }

    fn scopes<T>(
        &mut self,
        mut one: impl FnMut(&mut Self, Option<InstrumentationScope>, String) -> T,
    ) -> Vec<T> {
        (0..2)
            .map(|_| {
                let (scope, schema_url) = (self.scope(), self.text());
                one(self, Some(scope), schema_url)
            })
            .collect()
    }

    fn text(&mut self) -> String {
        let texts = ["", "a", "INFO", "grüße 🎈", "line\nbreak", "{\"json\": 1}", "\u{0}"];
        let text = texts[self.rng.random_range(0..texts.len())];
        if self.chance(3) { format!("{text}{}", self.rng.random_range(0..50)) } else { text.into() }
    }

    fn count(&mut self) -> u32 {
        if self.chance(5) { 0 } else { self.rng.random() }
    }

    fn double(&mut self) -> f64 {
        let special = [0.0, -0.0, 1.0, -1.5, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, 1e-310];
        match self.rng.random_range(0..3) {
            0 => special[self.rng.random_range(0..special.len())],
            1 => f64::from(self.rng.random_range(-1000i32..1000)) / 8.0,
            _ => f64::from_bits(self.rng.random()),
        }
    }

    fn int(&mut self) -> i64 {
        if self.chance(5) { self.rng.random_range(-9..9) } else { self.rng.random() }
    }

    fn value(&mut self, depth: u32) -> AnyValue {
        let kinds = if depth == 0 { 6 } else { 8 };
        let value = match self.rng.random_range(0..kinds) {
            0 => return AnyValue::default(),
            1 => Value::StringValue(self.text()),
            2 => Value::BoolValue(self.chance(5)),
            3 => Value::IntValue(self.int()),
            4 => Value::DoubleValue(self.double()),
            5 => {
                let len = self.rng.random_range(0..4);
                Value::BytesValue((0..len).map(|_| self.rng.random()).collect())
            }
            6 => {
                let len = self.rng.random_range(0..3);
                let values = (0..len).map(|_| self.value(depth - 1)).collect();
                Value::ArrayValue(ArrayValue { values })
            }
            _ => Value::KvlistValue(KeyValueList { values: self.entries(depth - 1) }),
        };
        AnyValue { value: Some(value) }
    }

    // Keys are distinct, as the protocol demands.
    fn entries(&mut self, depth: u32) -> Vec<KeyValue> {
        let start = self.rng.random_range(0..KEYS.len());
        let step = [1, 5, 7][self.rng.random_range(0..3)];
        let len = self.rng.random_range(0..5);
        let entry = |i: usize| KeyValue {
            key: KEYS[(start + i * step) % KEYS.len()].to_owned(),
            value: Some(self.value(depth)),
            ..KeyValue::default()
        };
        (0..len).map(entry).collect()
    }

    fn attributes(&mut self) -> Vec<KeyValue> {
        self.entries(2)
    }

    fn resource(&mut self) -> Resource {
        let (attributes, dropped_attributes_count) = (self.attributes(), self.count());
        Resource { attributes, dropped_attributes_count, ..Resource::default() }
    }

    fn scope(&mut self) -> InstrumentationScope {
        InstrumentationScope {
            name: self.text(),
            version: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
        }
    }

    fn time(&mut self) -> u64 {
        T0 + self.rng.random_range(0..3 * 3_600 * SECOND)
    }

    fn time_or_zero(&mut self) -> u64 {
        if self.chance(2) { 0 } else { self.time() }
    }

    fn trace_id(&mut self) -> Vec<u8> {
        vec![self.rng.random_range(1..12); 16]
    }

    fn span_id(&mut self) -> Vec<u8> {
        self.serial += 1;
        self.serial.to_be_bytes().to_vec()
    }

    fn perhaps<T: Default>(&mut self, one: fn(&mut Self) -> T) -> T {
        if self.chance(5) { one(self) } else { T::default() }
    }

    fn span(&mut self) -> Span {
        let start_time_unix_nano = self.time();
        Span {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            trace_state: self.text(),
            parent_span_id: self
                .perhaps(|random| random.rng.random_range(1..50u64).to_be_bytes().to_vec()),
            flags: self.count(),
            name: self.text(),
            kind: self.rng.random_range(0..8),
            start_time_unix_nano,
            end_time_unix_nano: start_time_unix_nano + self.rng.random_range(0..SECOND),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            events: self.list(2, Self::event),
            dropped_events_count: self.count(),
            links: self.list(2, Self::link),
            dropped_links_count: self.count(),
            status: Some(Status { message: self.text(), code: self.rng.random_range(0..3) }),
        }
    }

    fn event(&mut self) -> Event {
        Event {
            time_unix_nano: self.time_or_zero(),
            name: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
        }
    }

    fn link(&mut self) -> Link {
        Link {
            trace_id: self.trace_id(),
            span_id: self.span_id(),
            trace_state: self.text(),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            flags: self.count(),
        }
    }

    fn record(&mut self) -> LogRecord {
        LogRecord {
            time_unix_nano: self.time_or_zero(),
            observed_time_unix_nano: self.time_or_zero(),
            severity_number: self.rng.random_range(0..25),
            severity_text: self.text(),
            body: self.chance(8).then(|| self.value(3)),
            attributes: self.attributes(),
            dropped_attributes_count: self.count(),
            flags: self.count(),
            trace_id: self.perhaps(Self::trace_id),
            span_id: self.perhaps(Self::span_id),
            event_name: self.text(),
        }
    }

    fn metric(&mut self, number: u32) -> Metric {
        let aggregation_temporality = self.rng.random_range(0..3);
        let data = match number % 5 {
            0 => metric::Data::Gauge(Gauge { data_points: self.list(ITEMS, Self::number) }),
            1 => metric::Data::Sum(Sum {
                data_points: self.list(ITEMS, Self::number),
                aggregation_temporality,
                is_monotonic: self.chance(5),
            }),
            2 => metric::Data::Histogram(Histogram {
                data_points: self.list(ITEMS, Self::histogram),
                aggregation_temporality,
            }),
            3 => metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: self.list(ITEMS, Self::exponential),
                aggregation_temporality,
            }),
            _ => metric::Data::Summary(Summary { data_points: self.list(ITEMS, Self::summary) }),
        };
        // Distinct by name, so that no two can differ in nothing but description and metadata.
        self.serial += 1;
        Metric {
            name: format!("random.{number}.{}", self.serial),
            description: self.text(),
            unit: self.text(),
            metadata: self.attributes(),
            data: Some(data),
        }
    }

    // Points of one series differ in time, so that an exemplar knows its point.
    fn point_time(&mut self) -> u64 {
        self.serial += 1;
        T0 + self.serial * 7 * SECOND + self.rng.random_range(0..SECOND)
    }

    // A few sets, so that series have several points.
    fn series(&mut self) -> Vec<KeyValue> {
        let value = Value::IntValue(self.rng.random_range(0..3));
        vec![KeyValue {
            key: "series".to_owned(),
            value: Some(AnyValue { value: Some(value) }),
            ..KeyValue::default()
        }]
    }

    fn number(&mut self) -> NumberDataPoint {
        let value = match self.chance(5) {
            true => number_data_point::Value::AsInt(self.int()),
            false => number_data_point::Value::AsDouble(self.double()),
        };
        let flags = u32::from(self.chance(1));
        NumberDataPoint {
            attributes: if self.chance(8) { self.series() } else { self.attributes() },
            start_time_unix_nano: self.time_or_zero(),
            time_unix_nano: self.point_time(),
            exemplars: self.list(2, Self::exemplar),
            flags,
            value: (flags == 0).then_some(value),
        }
    }

    fn exemplar(&mut self) -> Exemplar {
        let value = match self.chance(5) {
            true => exemplar::Value::AsInt(self.int()),
            false => exemplar::Value::AsDouble(self.double()),
        };
        Exemplar {
            filtered_attributes: self.attributes(),
            time_unix_nano: self.time_or_zero(),
            span_id: self.span_id(), // none is equal to another
            trace_id: self.perhaps(Self::trace_id),
            value: Some(value),
        }
    }

    fn optional(&mut self) -> Option<f64> {
        self.chance(7).then(|| self.double())
    }

    fn bucket(&mut self) -> u64 {
        if self.chance(8) { self.rng.random_range(0..100) } else { self.rng.random() }
    }

    fn histogram(&mut self) -> HistogramDataPoint {
        HistogramDataPoint {
            attributes: self.series(),
            start_time_unix_nano: self.time_or_zero(),
            time_unix_nano: self.point_time(),
            count: self.bucket(),
            sum: self.optional(),
            bucket_counts: self.list(4, Self::bucket),
            explicit_bounds: self.list(4, Self::double),
            exemplars: self.list(2, Self::exemplar),
            flags: u32::from(self.chance(1)),
            min: self.optional(),
            max: self.optional(),
        }
    }

    fn exponential(&mut self) -> ExponentialHistogramDataPoint {
        let buckets = |random: &mut Self| {
            let (offset, bucket_counts) =
                (random.rng.random_range(-99..99), random.list(4, Self::bucket));
            Some(Buckets { offset, bucket_counts })
        };
        ExponentialHistogramDataPoint {
            attributes: self.series(),
            start_time_unix_nano: self.time_or_zero(),
            time_unix_nano: self.point_time(),
            count: self.bucket(),
            sum: self.optional(),
            scale: self.rng.random_range(-10..=20),
            zero_count: self.bucket(),
            positive: self.perhaps(buckets),
            negative: self.perhaps(buckets),
            flags: u32::from(self.chance(1)),
            exemplars: self.list(2, Self::exemplar),
            min: self.optional(),
            max: self.optional(),
            zero_threshold: self.double(),
        }
    }

    fn summary(&mut self) -> SummaryDataPoint {
        SummaryDataPoint {
            attributes: self.series(),
            start_time_unix_nano: self.time_or_zero(),
            time_unix_nano: self.point_time(),
            count: self.bucket(),
            sum: self.double(),
            quantile_values: self.list(4, |random| ValueAtQuantile {
                quantile: random.double(),
                value: random.double(),
            }),
            flags: u32::from(self.chance(1)),
        }
    }
}
