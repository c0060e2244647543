//! Series with their points: `{"resourceMetrics":[…]}`.

use serde::{Serialize, Serializer};
use throughline_model::metric::{Buckets, ComplexPoint, MetricKind, Number, Shape};
use throughline_query::metrics::{Exemplar, Series, SeriesPoints};

use super::{Attributes, Double, Hex, Names, Nanos, document, is_unset, is_zero};
use crate::otlp::ResourceGroup;
use crate::otlp::metrics::{Exemplars, MetricGroup, group_metrics, otlp_kind};

const NAMES: Names =
    Names { resources: "resourceMetrics", scopes: "scopeMetrics", items: "metrics" };

/// The JSON text of grouped series.
pub fn write_metrics(groups: &[ResourceGroup<'_, SeriesPoints>]) -> serde_json::Result<Vec<u8>> {
    document(&NAMES, groups, |series| group_metrics(series).iter().map(metric_json).collect())
}

#[derive(Serialize)]
struct MetricJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    metadata: Attributes<'a>,
    #[serde(flatten)]
    data: DataJson<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum DataJson<'a> {
    Gauge(PointsJson<'a>),
    Sum(PointsJson<'a>),
    Histogram(PointsJson<'a>),
    ExponentialHistogram(PointsJson<'a>),
    Summary(PointsJson<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointsJson<'a> {
    data_points: Vec<PointJson<'a>>,
    #[serde(skip_serializing_if = "is_unset")]
    aggregation_temporality: i32,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_monotonic: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PointJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_time_unix_nano: Option<Nanos>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_unix_nano: Option<Nanos>,
    #[serde(flatten)]
    measured: MeasuredJson<'a>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    exemplars: Vec<ExemplarJson<'a>>,
    #[serde(skip_serializing_if = "is_zero")]
    flags: u32,
}

#[derive(Serialize)]
#[serde(untagged)]
enum MeasuredJson<'a> {
    Number(NumberJson),
    Complex(ComplexJson<'a>),
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct NumberJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    as_double: Option<Double>,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_int: Option<Text<i64>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ComplexJson<'a> {
    count: Text<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<Double>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<Double>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<Double>,
    #[serde(flatten)]
    shape: ShapeJson<'a>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum ShapeJson<'a> {
    Explicit {
        bucket_counts: Counts<'a>,
        explicit_bounds: Vec<Double>,
    },
    Exponential {
        #[serde(skip_serializing_if = "is_unset")]
        scale: i32,
        zero_count: Text<u64>,
        zero_threshold: Double,
        #[serde(skip_serializing_if = "Option::is_none")]
        positive: Option<BucketsJson<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        negative: Option<BucketsJson<'a>>,
    },
    Summary {
        quantile_values: Vec<QuantileJson>,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BucketsJson<'a> {
    #[serde(skip_serializing_if = "is_unset")]
    offset: i32,
    bucket_counts: Counts<'a>,
}

#[derive(Serialize)]
struct QuantileJson {
    quantile: Double,
    value: Double,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExemplarJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    filtered_attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_unix_nano: Option<Nanos>,
    #[serde(flatten)]
    value: NumberJson,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<Hex<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Hex<'a>>,
}

/// A 64-bit integer: a string.
struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

struct Counts<'a>(&'a [u64]);

impl Serialize for Counts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|count| Text(*count)))
    }
}

fn metric_json<'a>(group: &MetricGroup<'a>) -> MetricJson<'a> {
    let Series { name, description, unit, metadata, kind, temporality, is_monotonic, .. } =
        group.head;
    let points = PointsJson {
        data_points: group.series.iter().flat_map(|series| points_json(series)).collect(),
        aggregation_temporality: *temporality,
        is_monotonic: *is_monotonic,
    };
    let data = match otlp_kind(*kind, &group.series) {
        MetricKind::Gauge | MetricKind::Untyped => DataJson::Gauge(points),
        MetricKind::Sum => DataJson::Sum(points),
        MetricKind::Histogram => DataJson::Histogram(points),
        MetricKind::ExponentialHistogram => DataJson::ExponentialHistogram(points),
        MetricKind::Summary => DataJson::Summary(points),
    };
    MetricJson { name, description, unit, metadata: Attributes(metadata), data }
}

fn points_json(series: &SeriesPoints) -> Vec<PointJson<'_>> {
    let mut exemplars = Exemplars::of(series);
    let mut point = |time_ns, start_time_ns, flags, measured| PointJson {
        attributes: Attributes(&series.series.attributes),
        start_time_unix_nano: Nanos::unless_zero(start_time_ns),
        time_unix_nano: Nanos::unless_zero(time_ns),
        measured,
        exemplars: exemplars.of_point(time_ns).iter().map(exemplar_json).collect(),
        flags,
    };
    let mut points = Vec::with_capacity(series.numbers.len() + series.histograms.len());
    for one in &series.numbers {
        let measured = MeasuredJson::Number(number_json(one.value));
        points.push(point(one.time_ns, one.start_time_ns, one.flags, measured));
    }
    for one in &series.histograms {
        let measured = MeasuredJson::Complex(complex_json(&one.point));
        points.push(point(one.time_ns, one.start_time_ns, one.flags, measured));
    }
    points
}

fn number_json(number: Number) -> NumberJson {
    match number {
        Number::None => NumberJson::default(),
        Number::Double(number) => NumberJson { as_double: Some(Double(number)), as_int: None },
        Number::Int(number) => NumberJson { as_double: None, as_int: Some(Text(number)) },
    }
}

fn complex_json(point: &ComplexPoint) -> ComplexJson<'_> {
    let doubles = |numbers: &[f64]| numbers.iter().map(|number| Double(*number)).collect();
    let shape = match &point.shape {
        Shape::Histogram { bounds, counts } => {
            ShapeJson::Explicit { bucket_counts: Counts(counts), explicit_bounds: doubles(bounds) }
        }
        Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
            ShapeJson::Exponential {
                scale: *scale,
                zero_count: Text(*zero_count),
                zero_threshold: Double(*zero_threshold),
                positive: buckets_json(positive),
                negative: buckets_json(negative),
            }
        }
        Shape::Summary { quantiles } => {
            let quantile = |(quantile, value): &(f64, f64)| QuantileJson {
                quantile: Double(*quantile),
                value: Double(*value),
            };
            ShapeJson::Summary { quantile_values: quantiles.iter().map(quantile).collect() }
        }
        Shape::Native(_) => ShapeJson::Summary { quantile_values: Vec::new() },
    };
    ComplexJson {
        count: Text(point.count),
        sum: point.sum.map(Double),
        min: point.min.map(Double),
        max: point.max.map(Double),
        shape,
    }
}

fn buckets_json(buckets: &Buckets) -> Option<BucketsJson<'_>> {
    let json = BucketsJson { offset: buckets.offset, bucket_counts: Counts(&buckets.counts) };
    (*buckets != Buckets::default()).then_some(json)
}

fn exemplar_json(exemplar: &Exemplar) -> ExemplarJson<'_> {
    ExemplarJson {
        filtered_attributes: Attributes(&exemplar.attributes),
        time_unix_nano: Nanos::unless_zero(exemplar.time_ns),
        value: number_json(exemplar.value),
        span_id: exemplar.span_id.as_ref().map(|id| Hex(&id.0)),
        trace_id: exemplar.trace_id.as_ref().map(|id| Hex(&id.0)),
    }
}
