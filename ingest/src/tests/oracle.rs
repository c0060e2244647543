//! What our decoder should make of a request, derived from prost's structs.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1 as otlp;
use opentelemetry_proto::tonic::resource::v1::Resource as OtlpResource;
use opentelemetry_proto::tonic::trace::v1 as otlp_trace;
use throughline_model::metric::{Buckets, ComplexPoint, MetricKind, Number, Shape};
use throughline_model::origin::{self, Event, Link, Resource, Scope};
use throughline_model::span::Span;
use throughline_model::value::ValueRef;
use throughline_model::{SpanId, TraceId, Value, attrs};

use super::rows::{ExemplarRow, LogRow, MetricRows, PointRow, SeriesRow};

/// Rows that are kept, and how many items are refused.
pub type Expected<T> = (T, u64);

pub fn value(any: &AnyValue) -> Value {
    use any_value::Value as V;
    match &any.value {
        None | Some(V::StringValueStrindex(_)) => Value::Empty,
        Some(V::StringValue(text)) => Value::String(text.clone()),
        Some(V::BoolValue(flag)) => Value::Bool(*flag),
        Some(V::IntValue(number)) => Value::Int(*number),
        Some(V::DoubleValue(number)) => Value::Double(*number),
        Some(V::BytesValue(bytes)) => Value::Bytes(bytes.clone()),
        Some(V::ArrayValue(array)) => Value::Array(array.values.iter().map(value).collect()),
        Some(V::KvlistValue(list)) => Value::Kvlist(entries(&list.values)),
    }
}

fn entries(list: &[KeyValue]) -> Vec<(String, Value)> {
    list.iter()
        .map(|entry| (entry.key.clone(), entry.value.as_ref().map_or(Value::Empty, value)))
        .collect()
}

fn resource(resource: &Option<OtlpResource>, schema_url: &str) -> Resource {
    let resource = resource.clone().unwrap_or_default();
    let texts = |keys: &[String]| Value::Array(keys.iter().cloned().map(Value::String).collect());
    let refs: Vec<Value> = resource
        .entity_refs
        .iter()
        .map(|entity| {
            Value::Kvlist(vec![
                ("schema_url".into(), Value::String(entity.schema_url.clone())),
                ("type".into(), Value::String(entity.r#type.clone())),
                ("id_keys".into(), texts(&entity.id_keys)),
                ("description_keys".into(), texts(&entity.description_keys)),
            ])
        })
        .collect();
    Resource {
        attributes: entries(&resource.attributes),
        dropped_attributes_count: resource.dropped_attributes_count,
        schema_url: schema_url.to_owned(),
        entity_refs: if refs.is_empty() { Value::Empty } else { Value::Array(refs) },
    }
}

fn scope(scope: &Option<InstrumentationScope>, schema_url: &str) -> Scope {
    let scope = scope.clone().unwrap_or_default();
    Scope {
        name: scope.name,
        version: scope.version,
        attributes: entries(&scope.attributes),
        dropped_attributes_count: scope.dropped_attributes_count,
        schema_url: schema_url.to_owned(),
    }
}

fn service_name(resource: &Resource) -> String {
    let set = attrs::encode(resource.attributes.iter().map(|(k, v)| (k.as_str(), v)));
    origin::service_name(&set).to_owned()
}

/// `None` if the item that carries the time must be refused.
fn time(time_ns: u64) -> Option<i64> {
    i64::try_from(time_ns).ok()
}

fn optional_id<const N: usize>(bytes: &[u8]) -> Option<Option<[u8; N]>> {
    match bytes {
        [] => Some(None),
        bytes => bytes.try_into().ok().map(|id: [u8; N]| Some(id).filter(|id| *id != [0; N])),
    }
}

pub fn traces(request: &ExportTraceServiceRequest) -> Expected<Vec<Span>> {
    let (mut spans, mut rejected) = (Vec::new(), 0);
    for resource_spans in &request.resource_spans {
        let resource = Arc::new(resource(&resource_spans.resource, &resource_spans.schema_url));
        for scope_spans in &resource_spans.scope_spans {
            let scope = Arc::new(scope(&scope_spans.scope, &scope_spans.schema_url));
            for otlp in &scope_spans.spans {
                match span(otlp) {
                    Some(span) => spans.push(Span {
                        service_name: service_name(&resource),
                        resource: resource.clone(),
                        scope: scope.clone(),
                        ..span
                    }),
                    None => rejected += 1,
                }
            }
        }
    }
    (spans, rejected)
}

fn span(otlp: &otlp_trace::Span) -> Option<Span> {
    let event = |event: &otlp_trace::span::Event| {
        Some(Event {
            time_ns: time(event.time_unix_nano)?,
            name: event.name.clone(),
            attributes: entries(&event.attributes),
            dropped_attributes_count: event.dropped_attributes_count,
        })
    };
    let link = |link: &otlp_trace::span::Link| {
        Some(Link {
            trace_id: TraceId(optional_id(&link.trace_id)?.unwrap_or_default()),
            span_id: SpanId(optional_id(&link.span_id)?.unwrap_or_default()),
            trace_state: link.trace_state.clone(),
            flags: link.flags,
            attributes: entries(&link.attributes),
            dropped_attributes_count: link.dropped_attributes_count,
        })
    };
    let status = otlp.status.clone().unwrap_or_default();
    let start_time_ns = time(otlp.start_time_unix_nano)?;
    Some(Span {
        trace_id: TraceId(optional_id(&otlp.trace_id)??),
        span_id: SpanId(optional_id(&otlp.span_id)??),
        parent_span_id: optional_id(&otlp.parent_span_id)?.map(SpanId),
        trace_state: otlp.trace_state.clone(),
        flags: otlp.flags,
        name: otlp.name.clone(),
        kind: otlp.kind,
        start_time_ns,
        duration_ns: time(otlp.end_time_unix_nano)? - start_time_ns,
        status_code: status.code,
        status_message: status.message,
        service_name: String::new(),
        resource: Arc::default(),
        scope: Arc::default(),
        attributes: entries(&otlp.attributes),
        dropped_attributes_count: otlp.dropped_attributes_count,
        events: otlp.events.iter().map(event).collect::<Option<_>>()?,
        dropped_events_count: otlp.dropped_events_count,
        links: otlp.links.iter().map(link).collect::<Option<_>>()?,
        dropped_links_count: otlp.dropped_links_count,
    })
}

pub fn logs(request: &ExportLogsServiceRequest, received_at_ns: i64) -> Expected<Vec<LogRow>> {
    let (mut rows, mut rejected) = (Vec::new(), 0);
    for resource_logs in &request.resource_logs {
        let resource = resource(&resource_logs.resource, &resource_logs.schema_url);
        for scope_logs in &resource_logs.scope_logs {
            let scope = scope(&scope_logs.scope, &scope_logs.schema_url);
            for record in &scope_logs.log_records {
                match log_row(record, received_at_ns, &resource, &scope) {
                    Some(row) => rows.push(row),
                    None => rejected += 1,
                }
            }
        }
    }
    (rows, rejected)
}

fn log_row(
    record: &LogRecord,
    received_at_ns: i64,
    resource: &Resource,
    scope: &Scope,
) -> Option<LogRow> {
    let times = [time(record.time_unix_nano)?, time(record.observed_time_unix_nano)?];
    let body = record.body.as_ref().map(value);
    let encoded = body.as_ref().map(Value::to_bytes);
    let text = encoded.and_then(|bytes| {
        let text = ValueRef::read(&bytes).expect("encoded").text().expect("encoded");
        text.map(|text| text.into_owned())
    });
    Some(LogRow {
        time_ns: times.into_iter().find(|time| *time != 0).unwrap_or(received_at_ns),
        // 0 the event's, 1 observed, 2 received.
        time_source: times.into_iter().take_while(|time| *time == 0).count() as u32,
        observed_time_ns: times[1],
        severity_number: record.severity_number,
        severity_text: record.severity_text.clone(),
        text,
        body,
        event_name: record.event_name.clone(),
        trace_id: optional_id::<16>(&record.trace_id)?.map(Vec::from),
        span_id: optional_id::<8>(&record.span_id)?.map(Vec::from),
        flags: record.flags,
        service_name: service_name(resource),
        resource: resource.clone(),
        scope: scope.clone(),
        attributes: entries(&record.attributes),
        dropped_attributes_count: record.dropped_attributes_count,
    })
}

pub fn metrics(request: &ExportMetricsServiceRequest) -> Expected<MetricRows> {
    let mut reader = MetricReader::default();
    for resource_metrics in &request.resource_metrics {
        let resource = resource(&resource_metrics.resource, &resource_metrics.schema_url);
        for scope_metrics in &resource_metrics.scope_metrics {
            let scope = scope(&scope_metrics.scope, &scope_metrics.schema_url);
            for metric in &scope_metrics.metrics {
                reader.metric(metric, &resource, &scope);
            }
        }
    }
    (reader.rows, reader.rejected)
}

#[derive(Default)]
struct MetricReader {
    rows: MetricRows,
    identities: Vec<String>,
    rejected: u64,
}

/// What all kinds of points have.
struct Common<'a> {
    attributes: &'a [KeyValue],
    start: u64,
    time: u64,
    flags: u32,
    exemplars: &'a [otlp::Exemplar],
}

impl MetricReader {
    fn metric(&mut self, metric: &otlp::Metric, resource: &Resource, scope: &Scope) {
        use otlp::metric::Data;
        let Some(data) = &metric.data else { return };
        let (kind, temporality) = match data {
            Data::Gauge(_) => (MetricKind::Gauge, 0),
            Data::Sum(sum) => (MetricKind::Sum, sum.aggregation_temporality),
            Data::Histogram(data) => (MetricKind::Histogram, data.aggregation_temporality),
            Data::ExponentialHistogram(data) => {
                (MetricKind::ExponentialHistogram, data.aggregation_temporality)
            }
            Data::Summary(_) => (MetricKind::Summary, 0),
        };
        let head = SeriesRow {
            name: metric.name.clone(),
            unit: metric.unit.clone(),
            kind: kind as i32,
            temporality,
            is_monotonic: matches!(data, Data::Sum(sum) if sum.is_monotonic),
            service_name: service_name(resource),
            resource: resource.clone(),
            scope: scope.clone(),
            attributes: Vec::new(),
            description: metric.description.clone(),
            metadata: entries(&metric.metadata),
        };
        match data {
            Data::Gauge(data) => data.data_points.iter().for_each(|p| self.number(&head, p)),
            Data::Sum(data) => data.data_points.iter().for_each(|p| self.number(&head, p)),
            Data::Histogram(data) => {
                data.data_points.iter().for_each(|p| self.histogram(&head, p));
            }
            Data::ExponentialHistogram(data) => {
                data.data_points.iter().for_each(|p| self.exponential(&head, p));
            }
            Data::Summary(data) => data.data_points.iter().for_each(|p| self.summary(&head, p)),
        }
    }

    fn number(&mut self, head: &SeriesRow, point: &otlp::NumberDataPoint) {
        use otlp::number_data_point::Value as V;
        let value = match point.value {
            _ if point.flags & 1 != 0 => Number::None,
            None => Number::None,
            Some(V::AsDouble(number)) => Number::Double(number),
            Some(V::AsInt(number)) => Number::Int(number),
        };
        let common = Common {
            attributes: &point.attributes,
            start: point.start_time_unix_nano,
            time: point.time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        if let Some(row) = self.point(head, &common, value) {
            self.rows.numbers.push(row);
        }
    }

    fn histogram(&mut self, head: &SeriesRow, point: &otlp::HistogramDataPoint) {
        let complex = ComplexPoint {
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            shape: Shape::Histogram {
                bounds: point.explicit_bounds.clone(),
                counts: point.bucket_counts.clone(),
            },
        };
        let common = Common {
            attributes: &point.attributes,
            start: point.start_time_unix_nano,
            time: point.time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        if let Some(row) = self.point(head, &common, complex) {
            self.rows.complex.push(row);
        }
    }

    fn exponential(&mut self, head: &SeriesRow, point: &otlp::ExponentialHistogramDataPoint) {
        let buckets = |buckets: &Option<otlp::exponential_histogram_data_point::Buckets>| {
            let buckets = buckets.clone().unwrap_or_default();
            Buckets { offset: buckets.offset, counts: buckets.bucket_counts }
        };
        let complex = ComplexPoint {
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            shape: Shape::Exponential {
                scale: point.scale,
                zero_count: point.zero_count,
                zero_threshold: point.zero_threshold,
                positive: buckets(&point.positive),
                negative: buckets(&point.negative),
            },
        };
        let common = Common {
            attributes: &point.attributes,
            start: point.start_time_unix_nano,
            time: point.time_unix_nano,
            flags: point.flags,
            exemplars: &point.exemplars,
        };
        if let Some(row) = self.point(head, &common, complex) {
            self.rows.complex.push(row);
        }
    }

    fn summary(&mut self, head: &SeriesRow, point: &otlp::SummaryDataPoint) {
        let quantiles = point.quantile_values.iter().map(|q| (q.quantile, q.value)).collect();
        let complex = ComplexPoint {
            count: point.count,
            sum: Some(point.sum),
            min: None,
            max: None,
            shape: Shape::Summary { quantiles },
        };
        let common = Common {
            attributes: &point.attributes,
            start: point.start_time_unix_nano,
            time: point.time_unix_nano,
            flags: point.flags,
            exemplars: &[],
        };
        if let Some(row) = self.point(head, &common, complex) {
            self.rows.complex.push(row);
        }
    }

    /// The row of a point, whose series and exemplars are noted; `None` if it must be refused.
    fn point<T>(&mut self, head: &SeriesRow, common: &Common<'_>, value: T) -> Option<PointRow<T>> {
        let checked = (|| {
            let exemplars = common.exemplars.iter().map(exemplar).collect::<Option<Vec<_>>>()?;
            Some((time(common.start)?, time(common.time)?, exemplars))
        })();
        let Some((start_time_ns, time_ns, exemplars)) = checked else {
            self.rejected += 1;
            return None;
        };
        let series = self.series(head, common.attributes);
        for exemplar in exemplars {
            self.rows.exemplars.push(ExemplarRow { series, point_time_ns: time_ns, ..exemplar });
        }
        Some(PointRow { series, time_ns, start_time_ns, flags: common.flags, value })
    }

    fn series(&mut self, head: &SeriesRow, attributes: &[KeyValue]) -> u32 {
        let mut row = SeriesRow { attributes: entries(attributes), ..head.clone() };
        row.attributes.sort_by(|a, b| a.0.cmp(&b.0));
        let anonymous =
            SeriesRow { description: String::new(), metadata: Vec::new(), ..row.clone() };
        let identity = format!("{anonymous:?}");
        if let Some(known) = self.identities.iter().position(|known| *known == identity) {
            return known as u32;
        }
        self.identities.push(identity);
        self.rows.series.push(row);
        self.rows.series.len() as u32 - 1
    }
}

fn exemplar(otlp: &otlp::Exemplar) -> Option<ExemplarRow> {
    use otlp::exemplar::Value as V;
    Some(ExemplarRow {
        series: 0,
        point_time_ns: 0,
        time_ns: time(otlp.time_unix_nano)?,
        value: match otlp.value {
            None => Number::None,
            Some(V::AsDouble(number)) => Number::Double(number),
            Some(V::AsInt(number)) => Number::Int(number),
        },
        trace_id: optional_id::<16>(&otlp.trace_id)?.map(Vec::from),
        span_id: optional_id::<8>(&otlp.span_id)?.map(Vec::from),
        attributes: entries(&otlp.filtered_attributes),
    })
}
