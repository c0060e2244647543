//! Points and exemplars over the wire.

use serde::{Serialize, Serializer};
use throughline_model::metric::{Buckets, ComplexPoint, Number, Shape};
use throughline_model::{SpanId, TraceId, Value};
use throughline_query::metrics as query;
use utoipa::ToSchema;

use super::super::origin::{attributes, optional_text};
use crate::render::value::{double, exact_i64, exact_u64, time, time_or_null};

/// A point of a gauge or sum.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NumberPoint)]
pub struct NumberJson {
    /// When it was measured.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// Start of the interval; null where the sender set none.
    #[serde(serialize_with = "time_or_null")]
    #[schema(value_type = Option<String>)]
    pub start_time: i64,
    /// `DataPointFlags`.
    pub flags: u32,
    /// `int`, `double`, or `none` where the sender recorded no value.
    #[schema(example = "double")]
    pub value_type: &'static str,
    /// The value; non-finite doubles and integers past 2⁵³ are strings.
    #[serde(serialize_with = "number")]
    #[schema(value_type = Option<f64>, example = 0.25)]
    pub value: Number,
}

/// A point of a histogram, exponential histogram or summary.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistogramPoint)]
pub struct HistogramJson {
    /// When it was measured.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// Start of the interval; null where the sender set none.
    #[serde(serialize_with = "time_or_null")]
    #[schema(value_type = Option<String>)]
    pub start_time: i64,
    /// `DataPointFlags`.
    pub flags: u32,
    /// How many values were measured.
    #[serde(serialize_with = "exact_u64")]
    pub count: u64,
    /// Their sum, if it was sent.
    #[serde(serialize_with = "optional_double")]
    pub sum: Option<f64>,
    /// The least, if it was sent.
    #[serde(serialize_with = "optional_double")]
    pub min: Option<f64>,
    /// The greatest, if it was sent.
    #[serde(serialize_with = "optional_double")]
    pub max: Option<f64>,
    /// What tells the kinds apart.
    #[serde(flatten)]
    pub shape: ShapeJson,
}

/// What tells the kinds of histograms apart.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistogramShape)]
#[serde(untagged)]
pub enum ShapeJson {
    /// Counts between explicit bounds; one more count than bounds.
    Explicit {
        /// Upper bounds, inclusive.
        #[schema(value_type = Vec<f64>)]
        bounds: Vec<Double>,
        /// Values in each bucket.
        #[schema(value_type = Vec<u64>)]
        bucket_counts: Vec<Count>,
    },
    /// Buckets that grow by 2^(2^-scale).
    Exponential {
        /// The scale.
        scale: i32,
        /// Values near zero.
        #[schema(value_type = u64)]
        zero_count: Count,
        /// What counts as near zero.
        #[schema(value_type = f64)]
        zero_threshold: Double,
        /// Buckets of positive values.
        positive: BucketsJson,
        /// Buckets of negative values.
        negative: BucketsJson,
    },
    /// Quantiles.
    Summary {
        /// The quantiles.
        quantiles: Vec<QuantileJson>,
    },
}

/// Buckets of an exponential histogram.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExponentialBuckets)]
pub struct BucketsJson {
    /// Index of the first bucket.
    pub offset: i32,
    /// Values in each bucket.
    #[schema(value_type = Vec<u64>)]
    pub bucket_counts: Vec<Count>,
}

/// A quantile of a summary.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quantile)]
pub struct QuantileJson {
    /// Which, from 0 to 1.
    #[schema(value_type = f64, example = 0.99)]
    pub quantile: Double,
    /// Its value.
    #[schema(value_type = f64)]
    pub value: Double,
}

/// An exemplar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exemplar)]
pub struct ExemplarJson {
    /// When it was measured.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// `int`, `double` or `none`.
    pub value_type: &'static str,
    /// The value.
    #[serde(serialize_with = "number")]
    #[schema(value_type = Option<f64>)]
    pub value: Number,
    /// The trace during which it was measured, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>)]
    pub trace_id: Option<TraceId>,
    /// The span during which it was measured, in hex digits.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>)]
    pub span_id: Option<SpanId>,
    /// The filtered attributes.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Time of the point that carried it.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub point_time: i64,
}

/// A double; a non-finite one is written as its name.
#[derive(Clone, Copy, Debug)]
pub struct Double(pub f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        double(&self.0, serializer)
    }
}

/// A count; one past 2⁵³ is written as a string.
#[derive(Clone, Copy, Debug)]
pub struct Count(pub u64);

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        exact_u64(&self.0, serializer)
    }
}

fn number<S: Serializer>(number: &Number, serializer: S) -> Result<S::Ok, S::Error> {
    match number {
        Number::None => serializer.serialize_none(),
        Number::Int(number) => exact_i64(number, serializer),
        Number::Double(number) => double(number, serializer),
    }
}

fn optional_double<S: Serializer>(number: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    number.map(Double).serialize(serializer)
}

fn value_type(number: Number) -> &'static str {
    match number {
        Number::None => "none",
        Number::Int(_) => "int",
        Number::Double(_) => "double",
    }
}

fn counts(counts: Vec<u64>) -> Vec<Count> {
    counts.into_iter().map(Count).collect()
}

impl From<query::NumberPoint> for NumberJson {
    fn from(point: query::NumberPoint) -> Self {
        Self {
            time: point.time_ns,
            start_time: point.start_time_ns,
            flags: point.flags,
            value_type: value_type(point.value),
            value: point.value,
        }
    }
}

impl From<query::HistogramPoint> for HistogramJson {
    fn from(point: query::HistogramPoint) -> Self {
        let query::HistogramPoint { time_ns, start_time_ns, flags, point } = point;
        Self {
            time: time_ns,
            start_time: start_time_ns,
            flags,
            count: point.count,
            sum: point.sum,
            min: point.min,
            max: point.max,
            shape: point.shape.into(),
        }
    }
}

impl From<Shape> for ShapeJson {
    fn from(shape: Shape) -> Self {
        match shape {
            Shape::Histogram { bounds, counts: in_buckets } => Self::Explicit {
                bounds: bounds.into_iter().map(Double).collect(),
                bucket_counts: counts(in_buckets),
            },
            Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
                Self::Exponential {
                    scale,
                    zero_count: Count(zero_count),
                    zero_threshold: Double(zero_threshold),
                    positive: positive.into(),
                    negative: negative.into(),
                }
            }
            Shape::Summary { quantiles } => {
                let quantile = |(quantile, value)| QuantileJson {
                    quantile: Double(quantile),
                    value: Double(value),
                };
                Self::Summary { quantiles: quantiles.into_iter().map(quantile).collect() }
            }
            Shape::Native(histogram) => Self::from(ComplexPoint::from(*histogram).to_otlp().shape),
        }
    }
}

impl From<Buckets> for BucketsJson {
    fn from(buckets: Buckets) -> Self {
        Self { offset: buckets.offset, bucket_counts: counts(buckets.counts) }
    }
}

impl From<query::Exemplar> for ExemplarJson {
    fn from(exemplar: query::Exemplar) -> Self {
        Self {
            time: exemplar.time_ns,
            value_type: value_type(exemplar.value),
            value: exemplar.value,
            trace_id: exemplar.trace_id,
            span_id: exemplar.span_id,
            attributes: exemplar.attributes,
            point_time: exemplar.point_time_ns,
        }
    }
}
