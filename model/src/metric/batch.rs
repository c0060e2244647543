//! Batches of series and points, and the builder that decoders fill.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int32Array, RecordBatch, TimestampNanosecondArray, UInt8Array,
    UInt32Array, UInt64Array,
};
use hashbrown::HashMap;

use super::{ComplexPoint, Number, SeriesIdentity};
use crate::columns::{BinaryColumn, IdColumn};
use crate::dict::DictBuilder;
use crate::{Error, Result, origin, schema};

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
