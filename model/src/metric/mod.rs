//! Series and points in columns: identities, the payload of complex points, and the builder that
//! decoders fill.
//!
//! A series is one stream of points: its identity is everything that tells it from others (resource,
//! scope, name, unit, kind, temporality, monotonicity, attributes), but not its description.

mod batch;
mod point;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

pub use batch::{ExemplarFields, MetricBatch, MetricBatchBuilder, PointTime};
pub use point::{Buckets, ComplexPoint, Shape};

/// What kind of metric a series belongs to (OTLP `Metric.data`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(i32)]
pub enum MetricKind {
    /// Last values.
    Gauge = 1,
    /// Sums, cumulative or delta.
    Sum = 2,
    /// Explicit-bucket histograms.
    Histogram = 3,
    /// Exponential histograms.
    ExponentialHistogram = 4,
    /// Quantile summaries.
    Summary = 5,
    /// Series of Prometheus senders: numbers and native histograms under a set of labels, whose type
    /// is metadata at most.
    Untyped = 6,
}

impl MetricKind {
    /// The kind of a stored number.
    pub fn from_i32(number: i32) -> Option<Self> {
        use MetricKind::{ExponentialHistogram, Gauge, Histogram, Sum, Summary, Untyped};
        [Gauge, Sum, Histogram, ExponentialHistogram, Summary, Untyped]
            .into_iter()
            .find(|kind| *kind as i32 == number)
    }

    /// The name that the API and SQL show.
    pub fn name(self) -> &'static str {
        match self {
            MetricKind::Gauge => "gauge",
            MetricKind::Sum => "sum",
            MetricKind::Histogram => "histogram",
            MetricKind::ExponentialHistogram => "exponential_histogram",
            MetricKind::Summary => "summary",
            MetricKind::Untyped => "untyped",
        }
    }
}

/// How the bits of a number are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueKind {
    /// The point carries no value (flag `NO_RECORDED_VALUE`, or an unset oneof).
    None = 0,
    /// A double.
    Double = 1,
    /// A signed 64-bit integer.
    Int = 2,
}

/// A number as received.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// No value.
    None,
    /// A double; NaN bits are kept.
    Double(f64),
    /// An integer.
    Int(i64),
}

impl Number {
    /// Kind and bits, as columns keep them.
    pub fn to_parts(self) -> (ValueKind, u64) {
        match self {
            Number::None => (ValueKind::None, 0),
            Number::Double(number) => (ValueKind::Double, number.to_bits()),
            Number::Int(number) => (ValueKind::Int, number as u64),
        }
    }

    /// Back from kind and bits.
    pub fn from_parts(kind: u8, bits: u64) -> Number {
        match kind {
            1 => Number::Double(f64::from_bits(bits)),
            2 => Number::Int(bits as i64),
            _ => Number::None,
        }
    }

    /// The number as a double, if there is one.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Number::None => None,
            Number::Double(number) => Some(number),
            Number::Int(number) => Some(number as f64),
        }
    }
}

/// The identity of a series, borrowed. Resource, scope and attributes are encoded.
#[derive(Clone, Copy, Debug)]
pub struct SeriesIdentity<'a> {
    /// Encoded resource.
    pub resource: &'a [u8],
    /// Encoded scope.
    pub scope: &'a [u8],
    /// Metric name.
    pub name: &'a str,
    /// Unit as sent.
    pub unit: &'a str,
    /// Kind of the metric.
    pub kind: MetricKind,
    /// `AggregationTemporality` as a number; 0 for gauges and summaries.
    pub temporality: i32,
    /// For sums.
    pub is_monotonic: bool,
    /// Encoded attribute set, sorted by key ([`crate::attrs::canonical`]).
    pub attributes: &'a [u8],
}

impl SeriesIdentity<'_> {
    /// The 128-bit id: xxh3 over all parts, each preceded by its length.
    pub fn id(&self) -> [u8; 16] {
        let mut hash = Xxh3::new();
        let fixed = [self.kind as i32, self.temporality, i32::from(self.is_monotonic)];
        fixed.iter().for_each(|number| hash.update(&number.to_le_bytes()));
        let parts = [
            self.resource,
            self.scope,
            self.name.as_bytes(),
            self.unit.as_bytes(),
            self.attributes,
        ];
        for part in parts {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.digest128().to_be_bytes()
    }
}
