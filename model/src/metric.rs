//! Series and points in columns: identities, the payload of complex points, and the builder that
//! decoders fill.
//!
//! A series is one stream of points: its identity is everything that tells it from others (resource,
//! scope, name, unit, kind, temporality, monotonicity, attributes), but not its description.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, RecordBatch, TimestampNanosecondArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::codec::{Reader, put_varint};
use crate::columns::{BinaryColumn, IdColumn};
use crate::dict::DictBuilder;
use crate::{Error, Result, origin, schema};

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
}

impl MetricKind {
    /// The kind of a stored number.
    pub fn from_i32(number: i32) -> Option<Self> {
        use MetricKind::{ExponentialHistogram, Gauge, Histogram, Sum, Summary};
        [Gauge, Sum, Histogram, ExponentialHistogram, Summary]
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

/// A histogram, exponential-histogram or summary point.
///
/// ```text
/// u8 kind (MetricKind) | u8 present (1 sum, 2 min, 4 max) | varint count | sum, min, max f64 LE as present
/// histogram:   varint n, n × bound f64 LE, varint m, m × varint bucket count
/// exponential: zigzag scale | varint zero count | zero threshold f64 LE | buckets positive | buckets negative
///   buckets := zigzag offset | varint n, n × varint count
/// summary:     varint n, n × (quantile f64 LE, value f64 LE)
/// ```
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // the fields are those of OTLP's data points
pub struct ComplexPoint {
    pub count: u64,
    pub sum: Option<f64>,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub shape: Shape,
}

/// What tells the complex kinds apart.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Shape {
    Histogram {
        bounds: Vec<f64>,
        counts: Vec<u64>,
    },
    Exponential {
        scale: i32,
        zero_count: u64,
        zero_threshold: f64,
        positive: Buckets,
        negative: Buckets,
    },
    Summary {
        quantiles: Vec<(f64, f64)>,
    },
}

/// Buckets of an exponential histogram.
#[derive(Clone, Debug, PartialEq, Default)]
#[allow(missing_docs)]
pub struct Buckets {
    pub offset: i32,
    pub counts: Vec<u64>,
}

impl ComplexPoint {
    /// Appends the encoded point.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let kind = match self.shape {
            Shape::Histogram { .. } => MetricKind::Histogram,
            Shape::Exponential { .. } => MetricKind::ExponentialHistogram,
            Shape::Summary { .. } => MetricKind::Summary,
        };
        let optional = [self.sum, self.min, self.max];
        let present = (0..3).filter(|i| optional[*i].is_some()).fold(0u8, |bits, i| bits | 1 << i);
        out.extend_from_slice(&[kind as u8, present]);
        put_varint(out, self.count);
        optional.iter().flatten().for_each(|number| put_f64(out, *number));
        match &self.shape {
            Shape::Histogram { bounds, counts } => {
                put_varint(out, bounds.len() as u64);
                bounds.iter().for_each(|bound| put_f64(out, *bound));
                put_counts(out, counts);
            }
            Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
                put_varint(out, zigzag(*scale));
                put_varint(out, *zero_count);
                put_f64(out, *zero_threshold);
                for buckets in [positive, negative] {
                    put_varint(out, zigzag(buckets.offset));
                    put_counts(out, &buckets.counts);
                }
            }
            Shape::Summary { quantiles } => {
                put_varint(out, quantiles.len() as u64);
                for (quantile, value) in quantiles {
                    put_f64(out, *quantile);
                    put_f64(out, *value);
                }
            }
        }
    }

    /// Reads an encoded point.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let [kind, present] = reader.array()?;
        let count = reader.varint()?;
        let mut optional = [None; 3];
        for (i, slot) in optional.iter_mut().enumerate() {
            if present & (1 << i) != 0 {
                *slot = Some(read_f64(&mut reader)?);
            }
        }
        let shape = match MetricKind::from_i32(i32::from(kind)) {
            Some(MetricKind::Histogram) => Shape::Histogram {
                bounds: read_many(&mut reader, read_f64)?,
                counts: read_many(&mut reader, |r| r.varint())?,
            },
            Some(MetricKind::ExponentialHistogram) => Shape::Exponential {
                scale: unzigzag(reader.varint()?),
                zero_count: reader.varint()?,
                zero_threshold: read_f64(&mut reader)?,
                positive: read_buckets(&mut reader)?,
                negative: read_buckets(&mut reader)?,
            },
            Some(MetricKind::Summary) => Shape::Summary {
                quantiles: read_many(&mut reader, |r| Ok((read_f64(r)?, read_f64(r)?)))?,
            },
            _ => return Err(Error::corrupt(format!("complex point of kind {kind}"))),
        };
        let [sum, min, max] = optional;
        Ok(Self { count, sum, min, max, shape })
    }
}

fn put_f64(out: &mut Vec<u8>, number: f64) {
    out.extend_from_slice(&number.to_bits().to_le_bytes());
}

fn put_counts(out: &mut Vec<u8>, counts: &[u64]) {
    put_varint(out, counts.len() as u64);
    counts.iter().for_each(|count| put_varint(out, *count));
}

fn read_f64(reader: &mut Reader<'_>) -> Result<f64> {
    Ok(f64::from_bits(u64::from_le_bytes(reader.array()?)))
}

fn read_many<T>(
    reader: &mut Reader<'_>,
    mut one: impl FnMut(&mut Reader<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let n = reader.varint()?;
    if n > reader.rest().len() as u64 {
        return Err(Error::corrupt(format!("{n} items in {} bytes", reader.rest().len())));
    }
    (0..n).map(|_| one(reader)).collect()
}

fn read_buckets(reader: &mut Reader<'_>) -> Result<Buckets> {
    Ok(Buckets { offset: unzigzag(reader.varint()?), counts: read_many(reader, |r| r.varint())? })
}

fn zigzag(number: i32) -> u64 {
    u64::from(((number << 1) ^ (number >> 31)) as u32)
}

fn unzigzag(number: u64) -> i32 {
    let number = number as u32;
    (number >> 1) as i32 ^ -((number & 1) as i32)
}

/// One request's metrics: its distinct series, and points that name them by row.
#[derive(Clone, Debug)]
pub struct MetricBatch {
    /// [`schema::series`].
    pub series: RecordBatch,
    /// [`schema::number_points`].
    pub numbers: RecordBatch,
    /// [`schema::complex_points`].
    pub complex: RecordBatch,
    /// [`schema::exemplars`].
    pub exemplars: RecordBatch,
}

/// Time, start and flags of a point.
#[derive(Clone, Copy, Debug, Default)]
pub struct PointTime {
    /// Nanoseconds since the epoch.
    pub time_ns: i64,
    /// Start of the interval; zero where unset.
    pub start_time_ns: i64,
    /// `DataPointFlags`.
    pub flags: u32,
}

/// An exemplar of a point; its attributes are an encoded set.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ExemplarFields<'a> {
    pub time_ns: i64,
    pub value: Number,
    pub trace_id: Option<[u8; 16]>,
    pub span_id: Option<[u8; 8]>,
    pub attributes: &'a [u8],
    pub point_time_ns: i64,
}

/// A metric batch under construction: get a series' row with [`MetricBatchBuilder::series`], then
/// push its points.
#[derive(Debug, Default)]
pub struct MetricBatchBuilder {
    rows: HashMap<[u8; 16], u32>,
    series_id: IdColumn<16>,
    metric_name: DictBuilder,
    metric_kind: Vec<i32>,
    temporality: Vec<i32>,
    is_monotonic: Vec<bool>,
    unit: DictBuilder,
    description: DictBuilder,
    service_name: DictBuilder,
    resource: DictBuilder,
    scope: DictBuilder,
    attributes: BinaryColumn,
    metadata: BinaryColumn,
    numbers: Points,
    number_kinds: Vec<u8>,
    number_bits: Vec<u64>,
    complex: Points,
    complex_points: BinaryColumn,
    exemplar_series: Vec<u32>,
    exemplar_times: [Vec<i64>; 2],
    exemplar_kinds: Vec<u8>,
    exemplar_bits: Vec<u64>,
    exemplar_traces: IdColumn<16>,
    exemplar_spans: IdColumn<8>,
    exemplar_attributes: BinaryColumn,
}

#[derive(Debug, Default)]
struct Points {
    series: Vec<u32>,
    time: Vec<i64>,
    start_time: Vec<i64>,
    flags: Vec<u32>,
}

impl Points {
    fn push(&mut self, series: u32, time: &PointTime) {
        self.series.push(series);
        self.time.push(time.time_ns);
        self.start_time.push(time.start_time_ns);
        self.flags.push(time.flags);
    }
}

impl MetricBatchBuilder {
    /// The row of a series, added if it is new. `description` and `metadata` (an encoded set) are
    /// kept from its first appearance.
    pub fn series(
        &mut self,
        identity: &SeriesIdentity<'_>,
        description: &str,
        metadata: &[u8],
    ) -> Result<u32> {
        let id = identity.id();
        if let Some(row) = self.rows.get(&id) {
            return Ok(*row);
        }
        let row = self.metric_kind.len() as u32;
        self.rows.insert(id, row);
        self.series_id.push(Some(&id));
        self.metric_name.push(identity.name.as_bytes())?;
        self.metric_kind.push(identity.kind as i32);
        self.temporality.push(identity.temporality);
        self.is_monotonic.push(identity.is_monotonic);
        self.unit.push(identity.unit.as_bytes())?;
        self.description.push(description.as_bytes())?;
        let service = origin::service_name(origin::resource_attrs(identity.resource)?);
        self.service_name.push(service.as_bytes())?;
        self.resource.push(identity.resource)?;
        self.scope.push(identity.scope)?;
        self.attributes.bytes.extend_from_slice(identity.attributes);
        self.attributes.end_row()?;
        self.metadata.bytes.extend_from_slice(metadata);
        self.metadata.end_row()?;
        Ok(row)
    }

    /// Appends a gauge or sum point.
    pub fn push_number(&mut self, series: u32, time: &PointTime, value: Number) {
        let (kind, bits) = value.to_parts();
        self.numbers.push(series, time);
        self.number_kinds.push(kind as u8);
        self.number_bits.push(bits);
    }

    /// Appends a histogram, exponential-histogram or summary point.
    pub fn push_complex(
        &mut self,
        series: u32,
        time: &PointTime,
        point: &ComplexPoint,
    ) -> Result<()> {
        self.complex.push(series, time);
        point.encode(&mut self.complex_points.bytes);
        self.complex_points.end_row()
    }

    /// Appends an exemplar.
    pub fn push_exemplar(&mut self, series: u32, exemplar: &ExemplarFields<'_>) -> Result<()> {
        let (kind, bits) = exemplar.value.to_parts();
        self.exemplar_series.push(series);
        self.exemplar_times[0].push(exemplar.time_ns);
        self.exemplar_times[1].push(exemplar.point_time_ns);
        self.exemplar_kinds.push(kind as u8);
        self.exemplar_bits.push(bits);
        self.exemplar_traces.push(exemplar.trace_id.as_ref());
        self.exemplar_spans.push(exemplar.span_id.as_ref());
        self.exemplar_attributes.bytes.extend_from_slice(exemplar.attributes);
        self.exemplar_attributes.end_row()
    }

    /// Points so far (exemplars not counted).
    pub fn len(&self) -> usize {
        self.numbers.time.len() + self.complex.time.len()
    }

    /// Whether there is no point yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch.
    pub fn finish(self) -> Result<MetricBatch> {
        let batch = |schema, columns| {
            RecordBatch::try_new(schema, columns).map_err(|err| Error::invalid(err.to_string()))
        };
        let series: Vec<ArrayRef> = vec![
            Arc::new(self.series_id.finish_required()),
            self.metric_name.finish_strings()?,
            Arc::new(Int32Array::from(self.metric_kind)),
            Arc::new(Int32Array::from(self.temporality)),
            Arc::new(BooleanArray::from(self.is_monotonic)),
            self.unit.finish_strings()?,
            self.description.finish_strings()?,
            self.service_name.finish_strings()?,
            self.resource.finish_binary(),
            self.scope.finish_binary(),
            Arc::new(self.attributes.finish_required()),
            Arc::new(self.metadata.finish_required()),
        ];
        let numbers: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.numbers.series)),
            Arc::new(times(self.numbers.time)),
            Arc::new(times(self.numbers.start_time)),
            Arc::new(UInt8Array::from(self.number_kinds)),
            Arc::new(UInt64Array::from(self.number_bits)),
            Arc::new(UInt32Array::from(self.numbers.flags)),
        ];
        let complex: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.complex.series)),
            Arc::new(times(self.complex.time)),
            Arc::new(times(self.complex.start_time)),
            Arc::new(UInt32Array::from(self.complex.flags)),
            Arc::new(self.complex_points.finish_required()),
        ];
        let [exemplar_time, point_time] = self.exemplar_times;
        let exemplars: Vec<ArrayRef> = vec![
            Arc::new(UInt32Array::from(self.exemplar_series)),
            Arc::new(times(exemplar_time)),
            Arc::new(UInt8Array::from(self.exemplar_kinds)),
            Arc::new(UInt64Array::from(self.exemplar_bits)),
            Arc::new(self.exemplar_traces.finish_optional()),
            Arc::new(self.exemplar_spans.finish_optional()),
            Arc::new(self.exemplar_attributes.finish_required()),
            Arc::new(times(point_time)),
        ];
        Ok(MetricBatch {
            series: batch(schema::series(), series)?,
            numbers: batch(schema::number_points(), numbers)?,
            complex: batch(schema::complex_points(), complex)?,
            exemplars: batch(schema::exemplars(), exemplars)?,
        })
    }
}

fn times(values: Vec<i64>) -> TimestampNanosecondArray {
    TimestampNanosecondArray::from(values).with_timezone("UTC")
}
