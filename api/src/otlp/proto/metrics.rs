//! Series with their points as `MetricsData`.

use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as ProtoBuckets;
use opentelemetry_proto::tonic::metrics::v1::summary_data_point::ValueAtQuantile;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar as ProtoExemplar, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge,
    Histogram, HistogramDataPoint, Metric, MetricsData, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, Summary, SummaryDataPoint, exemplar, metric, number_data_point,
};
use throughline_model::metric::{Buckets, MetricKind, Number, Shape};
use throughline_query::metrics::{Exemplar, HistogramPoint, NumberPoint, SeriesPoints};

use super::{instrumentation_scope, key_values, nanos, resource};
use crate::otlp::metrics::{Exemplars, MetricGroup, group_metrics, otlp_kind};
use crate::otlp::{ResourceGroup, ScopeGroup};

/// Grouped series as the generated message.
pub fn metrics_data(groups: &[ResourceGroup<'_, SeriesPoints>]) -> MetricsData {
    let resource_metrics = |group: &ResourceGroup<'_, SeriesPoints>| ResourceMetrics {
        resource: resource(group.resource),
        scope_metrics: group.scopes.iter().map(scope_metrics).collect(),
        schema_url: group.resource.schema_url.clone(),
    };
    MetricsData { resource_metrics: groups.iter().map(resource_metrics).collect() }
}

fn scope_metrics(group: &ScopeGroup<'_, SeriesPoints>) -> ScopeMetrics {
    ScopeMetrics {
        scope: instrumentation_scope(group.scope),
        metrics: group_metrics(&group.items).iter().map(proto_metric).collect(),
        schema_url: group.scope.schema_url.clone(),
    }
}

fn proto_metric(group: &MetricGroup<'_>) -> Metric {
    let head = group.head;
    let aggregation_temporality = head.temporality;
    let is_monotonic = head.is_monotonic;
    let data = match otlp_kind(head.kind, &group.series) {
        MetricKind::Gauge | MetricKind::Untyped => {
            metric::Data::Gauge(Gauge { data_points: numbers(group) })
        }
        MetricKind::Sum => metric::Data::Sum(Sum {
            data_points: numbers(group),
            aggregation_temporality,
            is_monotonic,
        }),
        MetricKind::Histogram => metric::Data::Histogram(Histogram {
            data_points: histograms(group, explicit),
            aggregation_temporality,
        }),
        MetricKind::ExponentialHistogram => {
            metric::Data::ExponentialHistogram(ExponentialHistogram {
                data_points: histograms(group, exponential),
                aggregation_temporality,
            })
        }
        MetricKind::Summary => {
            metric::Data::Summary(Summary { data_points: histograms(group, summary) })
        }
    };
    Metric {
        name: head.name.clone(),
        description: head.description.clone(),
        unit: head.unit.clone(),
        metadata: key_values(&head.metadata),
        data: Some(data),
    }
}

fn numbers(group: &MetricGroup<'_>) -> Vec<NumberDataPoint> {
    let mut points = Vec::new();
    for series in &group.series {
        let mut exemplars = Exemplars::of(series);
        for point in &series.numbers {
            points.push(number(series, point, exemplars.of_point(point.time_ns)));
        }
    }
    points
}

fn number(series: &SeriesPoints, point: &NumberPoint, exemplars: &[Exemplar]) -> NumberDataPoint {
    let value = match point.value {
        Number::None => None,
        Number::Double(number) => Some(number_data_point::Value::AsDouble(number)),
        Number::Int(number) => Some(number_data_point::Value::AsInt(number)),
    };
    NumberDataPoint {
        attributes: key_values(&series.series.attributes),
        start_time_unix_nano: nanos(point.start_time_ns),
        time_unix_nano: nanos(point.time_ns),
        exemplars: exemplars.iter().map(proto_exemplar).collect(),
        flags: point.flags,
        value,
    }
}

/// Makes a point of one kind; none where the stored point is of another.
type MakePoint<P> = fn(&SeriesPoints, &HistogramPoint, Vec<ProtoExemplar>) -> Option<P>;

fn histograms<P>(group: &MetricGroup<'_>, make: MakePoint<P>) -> Vec<P> {
    let mut points = Vec::new();
    for series in &group.series {
        let mut exemplars = Exemplars::of(series);
        for point in &series.histograms {
            let of_point = exemplars.of_point(point.time_ns);
            points.extend(make(series, point, of_point.iter().map(proto_exemplar).collect()));
        }
    }
    points
}

fn explicit(
    series: &SeriesPoints,
    point: &HistogramPoint,
    exemplars: Vec<ProtoExemplar>,
) -> Option<HistogramDataPoint> {
    let Shape::Histogram { bounds, counts } = &point.point.shape else { return None };
    Some(HistogramDataPoint {
        attributes: key_values(&series.series.attributes),
        start_time_unix_nano: nanos(point.start_time_ns),
        time_unix_nano: nanos(point.time_ns),
        count: point.point.count,
        sum: point.point.sum,
        bucket_counts: counts.clone(),
        explicit_bounds: bounds.clone(),
        exemplars,
        flags: point.flags,
        min: point.point.min,
        max: point.point.max,
    })
}

fn exponential(
    series: &SeriesPoints,
    point: &HistogramPoint,
    exemplars: Vec<ProtoExemplar>,
) -> Option<ExponentialHistogramDataPoint> {
    let Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } =
        &point.point.shape
    else {
        return None;
    };
    Some(ExponentialHistogramDataPoint {
        attributes: key_values(&series.series.attributes),
        start_time_unix_nano: nanos(point.start_time_ns),
        time_unix_nano: nanos(point.time_ns),
        count: point.point.count,
        sum: point.point.sum,
        scale: *scale,
        zero_count: *zero_count,
        positive: buckets(positive),
        negative: buckets(negative),
        flags: point.flags,
        exemplars,
        min: point.point.min,
        max: point.point.max,
        zero_threshold: *zero_threshold,
    })
}

fn buckets(buckets: &Buckets) -> Option<ProtoBuckets> {
    (*buckets != Buckets::default())
        .then(|| ProtoBuckets { offset: buckets.offset, bucket_counts: buckets.counts.clone() })
}

// OTLP has no exemplars of summaries.
fn summary(
    series: &SeriesPoints,
    point: &HistogramPoint,
    _: Vec<ProtoExemplar>,
) -> Option<SummaryDataPoint> {
    let Shape::Summary { quantiles } = &point.point.shape else { return None };
    let quantile =
        |(quantile, value): &(f64, f64)| ValueAtQuantile { quantile: *quantile, value: *value };
    Some(SummaryDataPoint {
        attributes: key_values(&series.series.attributes),
        start_time_unix_nano: nanos(point.start_time_ns),
        time_unix_nano: nanos(point.time_ns),
        count: point.point.count,
        sum: point.point.sum.unwrap_or_default(),
        quantile_values: quantiles.iter().map(quantile).collect(),
        flags: point.flags,
    })
}

fn proto_exemplar(exemplar: &Exemplar) -> ProtoExemplar {
    let value = match exemplar.value {
        Number::None => None,
        Number::Double(number) => Some(exemplar::Value::AsDouble(number)),
        Number::Int(number) => Some(exemplar::Value::AsInt(number)),
    };
    ProtoExemplar {
        filtered_attributes: key_values(&exemplar.attributes),
        time_unix_nano: nanos(exemplar.time_ns),
        span_id: exemplar.span_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        trace_id: exemplar.trace_id.map_or_else(Vec::new, |id| id.0.to_vec()),
        value,
    }
}
