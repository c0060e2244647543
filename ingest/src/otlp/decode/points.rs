//! The data points of the five kinds of metrics, and their exemplars.

use std::ops::Range;

use throughline_model::Result;
use throughline_model::metric::{Buckets, ComplexPoint, MetricKind, Number, Shape};

use super::common::{Verdict, put_attribute};
use super::metrics::{Decoder, MetricHead, Payload};
use super::wire::Fields;

/// Times and flags of a point as they stand on the wire.
#[derive(Default)]
pub struct RawTime {
    /// `start_time_unix_nano`.
    pub start_time: u64,
    /// `time_unix_nano`.
    pub time: u64,
    /// `DataPointFlags`.
    pub flags: u32,
}

/// The exemplars of one point; their encoded attribute sets lie one after the other in `sets`.
#[derive(Default)]
pub struct Exemplars {
    /// One entry an exemplar.
    pub list: Vec<Exemplar>,
    /// The bytes of all attribute sets.
    pub sets: Vec<u8>,
}

/// One exemplar.
pub struct Exemplar {
    /// When it was taken.
    pub time_ns: i64,
    /// What was measured.
    pub value: Number,
    /// The trace it was taken in.
    pub trace_id: Option<[u8; 16]>,
    /// The span it was taken in.
    pub span_id: Option<[u8; 8]>,
    /// Where in [`Exemplars::sets`] its attributes are.
    pub set: Range<usize>,
}

impl Exemplars {
    fn clear(&mut self) {
        self.list.clear();
        self.sets.clear();
    }

    fn read(&mut self, message: &[u8], verdict: &mut Verdict) -> Result<()> {
        let start = self.sets.len();
        let (mut time, mut value) = (0, Number::None);
        let (mut span_id, mut trace_id): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => time = field.fixed64("Exemplar.time_unix_nano")?,
                3 => value = Number::Double(field.double("Exemplar.as_double")?),
                4 => span_id = field.bytes("Exemplar.span_id")?,
                5 => trace_id = field.bytes("Exemplar.trace_id")?,
                6 => value = Number::Int(field.fixed64("Exemplar.as_int")? as i64),
                7 => {
                    let attribute = field.bytes("Exemplar.filtered_attributes")?;
                    put_attribute(&mut self.sets, attribute, verdict)?;
                }
                _ => {}
            }
        }
        self.list.push(Exemplar {
            time_ns: verdict.time("exemplars.time_unix_nano", time),
            value,
            trace_id: verdict.optional_id("exemplars.trace_id", trace_id),
            span_id: verdict.optional_id("exemplars.span_id", span_id),
            set: start..self.sets.len(),
        });
        Ok(())
    }
}

/// Readers of one point each: `NumberDataPoint`, `HistogramDataPoint`, …
impl Decoder {
    fn open_point(&mut self) {
        self.set.clear();
        self.exemplars.clear();
    }

    /// A point of a gauge or sum.
    pub fn number(
        &mut self,
        head: &MetricHead<'_>,
        kind: MetricKind,
        message: &[u8],
    ) -> Result<()> {
        self.open_point();
        let mut verdict = head.verdict();
        let (mut raw, mut value) = (RawTime::default(), Number::None);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => raw.start_time = field.fixed64("NumberDataPoint.start_time_unix_nano")?,
                3 => raw.time = field.fixed64("NumberDataPoint.time_unix_nano")?,
                4 => value = Number::Double(field.double("NumberDataPoint.as_double")?),
                5 => {
                    let exemplar = field.bytes("NumberDataPoint.exemplars")?;
                    self.exemplars.read(exemplar, &mut verdict)?;
                }
                6 => value = Number::Int(field.fixed64("NumberDataPoint.as_int")? as i64),
                7 => {
                    let attribute = field.bytes("NumberDataPoint.attributes")?;
                    put_attribute(&mut self.set, attribute, &mut verdict)?;
                }
                8 => raw.flags = field.varint("NumberDataPoint.flags")? as u32,
                _ => {}
            }
        }
        self.close_point(head, kind, &raw, Payload::Number(value), verdict)
    }

    /// A point of an explicit-bucket histogram.
    pub fn histogram(&mut self, head: &MetricHead<'_>, message: &[u8]) -> Result<()> {
        self.open_point();
        let mut verdict = head.verdict();
        let mut raw = RawTime::default();
        let (mut count, mut sum, mut min, mut max) = (0, None, None, None);
        let (mut bounds, mut counts) = (Vec::new(), Vec::new());
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => raw.start_time = field.fixed64("HistogramDataPoint.start_time_unix_nano")?,
                3 => raw.time = field.fixed64("HistogramDataPoint.time_unix_nano")?,
                4 => count = field.fixed64("HistogramDataPoint.count")?,
                5 => sum = Some(field.double("HistogramDataPoint.sum")?),
                6 => field.extend_fixed64("HistogramDataPoint.bucket_counts", |bits| {
                    counts.push(bits);
                })?,
                7 => field.extend_fixed64("HistogramDataPoint.explicit_bounds", |bits| {
                    bounds.push(f64::from_bits(bits));
                })?,
                8 => {
                    let exemplar = field.bytes("HistogramDataPoint.exemplars")?;
                    self.exemplars.read(exemplar, &mut verdict)?;
                }
                9 => {
                    let attribute = field.bytes("HistogramDataPoint.attributes")?;
                    put_attribute(&mut self.set, attribute, &mut verdict)?;
                }
                10 => raw.flags = field.varint("HistogramDataPoint.flags")? as u32,
                11 => min = Some(field.double("HistogramDataPoint.min")?),
                12 => max = Some(field.double("HistogramDataPoint.max")?),
                _ => {}
            }
        }
        let shape = Shape::Histogram { bounds, counts };
        let payload = Payload::Complex(ComplexPoint { count, sum, min, max, shape });
        self.close_point(head, MetricKind::Histogram, &raw, payload, verdict)
    }

    /// A point of an exponential histogram.
    pub fn exponential(&mut self, head: &MetricHead<'_>, message: &[u8]) -> Result<()> {
        self.open_point();
        let mut verdict = head.verdict();
        let mut raw = RawTime::default();
        let (mut count, mut sum, mut min, mut max) = (0, None, None, None);
        let (mut scale, mut zero_count, mut zero_threshold) = (0, 0, 0.0);
        let (mut positive, mut negative) = (Buckets::default(), Buckets::default());
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => {
                    let attribute = field.bytes("ExponentialHistogramDataPoint.attributes")?;
                    put_attribute(&mut self.set, attribute, &mut verdict)?;
                }
                2 => raw.start_time = field.fixed64("exponential start_time_unix_nano")?,
                3 => raw.time = field.fixed64("ExponentialHistogramDataPoint.time_unix_nano")?,
                4 => count = field.fixed64("ExponentialHistogramDataPoint.count")?,
                5 => sum = Some(field.double("ExponentialHistogramDataPoint.sum")?),
                6 => scale = field.sint32("ExponentialHistogramDataPoint.scale")?,
                7 => zero_count = field.fixed64("ExponentialHistogramDataPoint.zero_count")?,
                8 => read_buckets(field.bytes("positive buckets")?, &mut positive)?,
                9 => read_buckets(field.bytes("negative buckets")?, &mut negative)?,
                10 => raw.flags = field.varint("ExponentialHistogramDataPoint.flags")? as u32,
                11 => {
                    let exemplar = field.bytes("ExponentialHistogramDataPoint.exemplars")?;
                    self.exemplars.read(exemplar, &mut verdict)?;
                }
                12 => min = Some(field.double("ExponentialHistogramDataPoint.min")?),
                13 => max = Some(field.double("ExponentialHistogramDataPoint.max")?),
                14 => zero_threshold = field.double("exponential zero_threshold")?,
                _ => {}
            }
        }
        let shape = Shape::Exponential { scale, zero_count, zero_threshold, positive, negative };
        let payload = Payload::Complex(ComplexPoint { count, sum, min, max, shape });
        self.close_point(head, MetricKind::ExponentialHistogram, &raw, payload, verdict)
    }

    /// A point of a summary.
    pub fn summary(&mut self, head: &MetricHead<'_>, message: &[u8]) -> Result<()> {
        self.open_point();
        let mut verdict = head.verdict();
        let mut raw = RawTime::default();
        let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => raw.start_time = field.fixed64("SummaryDataPoint.start_time_unix_nano")?,
                3 => raw.time = field.fixed64("SummaryDataPoint.time_unix_nano")?,
                4 => count = field.fixed64("SummaryDataPoint.count")?,
                5 => sum = field.double("SummaryDataPoint.sum")?,
                6 => {
                    quantiles.push(read_quantile(field.bytes("SummaryDataPoint.quantile_values")?)?)
                }
                7 => {
                    let attribute = field.bytes("SummaryDataPoint.attributes")?;
                    put_attribute(&mut self.set, attribute, &mut verdict)?;
                }
                8 => raw.flags = field.varint("SummaryDataPoint.flags")? as u32,
                _ => {}
            }
        }
        let shape = Shape::Summary { quantiles };
        let point = ComplexPoint { count, sum: Some(sum), min: None, max: None, shape };
        self.close_point(head, MetricKind::Summary, &raw, Payload::Complex(point), verdict)
    }
}

fn read_buckets(message: &[u8], buckets: &mut Buckets) -> Result<()> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => buckets.offset = field.sint32("Buckets.offset")?,
            2 => field.extend_varint("Buckets.bucket_counts", &mut buckets.counts)?,
            _ => {}
        }
    }
    Ok(())
}

fn read_quantile(message: &[u8]) -> Result<(f64, f64)> {
    let (mut quantile, mut value) = (0.0, 0.0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => quantile = field.double("ValueAtQuantile.quantile")?,
            2 => value = field.double("ValueAtQuantile.value")?,
            _ => {}
        }
    }
    Ok((quantile, value))
}
