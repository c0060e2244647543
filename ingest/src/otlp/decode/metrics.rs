//! `ExportMetricsServiceRequest` to a [`throughline_model::metric::MetricBatch`]: from the request
//! down to the metric. The points are read in [`super::points`].

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::metric::{
    ComplexPoint, ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
};

use super::common::{Part, Refusals, Verdict, check_items, put_attribute, sort_attributes, walk};
use super::points::{Exemplars, RawTime};
use super::wire::{Fields, Pieces};

/// `DataPointFlags.NO_RECORDED_VALUE_MASK`.
const NO_RECORDED_VALUE: u32 = 1;

/// Decodes a request.
pub fn decode(request: &[u8]) -> Result<Decoded> {
    let mut decoder = Decoder::default();
    walk(request, |part| match part {
        Part::Resource(resource) => {
            decoder.resource.clear();
            decoder.resource.extend_from_slice(resource);
            Ok(())
        }
        Part::Scope(scope, _) => {
            decoder.scope.clear();
            decoder.scope.extend_from_slice(scope);
            Ok(())
        }
        Part::Item(message, refused) => decoder.metric(message, refused),
    })?;
    Ok(Decoded {
        batch: Batch::Metrics(decoder.builder.finish()?),
        rejected: decoder.refusals.count,
        message: decoder.refusals.message(),
    })
}

/// The decoder's state; `set` and `exemplars` are those of the point being read.
#[derive(Default)]
pub struct Decoder {
    builder: MetricBatchBuilder,
    refusals: Refusals,
    position: u64,
    resource: Vec<u8>,
    scope: Vec<u8>,
    /// Encoded attributes of the point.
    pub set: Vec<u8>,
    /// Exemplars of the point.
    pub exemplars: Exemplars,
}

/// What the points of a metric have in common.
#[derive(Default)]
pub struct MetricHead<'a> {
    name: &'a str,
    description: &'a str,
    unit: &'a str,
    metadata: Vec<u8>,
    temporality: i32,
    is_monotonic: bool,
    refused: Option<String>,
}

impl MetricHead<'_> {
    /// The verdict with which each point of the metric begins.
    pub fn verdict(&self) -> Verdict {
        Verdict::new(self.refused.as_deref())
    }
}

/// What a point carries.
pub enum Payload {
    /// Of a gauge or sum.
    Number(Number),
    /// Of the other kinds.
    Complex(ComplexPoint),
}

impl Decoder {
    fn metric(&mut self, message: &[u8], refused: Option<&str>) -> Result<()> {
        let mut head = MetricHead::default();
        let mut verdict = Verdict::new(refused);
        let mut data: Option<(MetricKind, Pieces<'_>)> = None;
        let mut replaced = Vec::new();
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            let kind = match field.number {
                1 => {
                    head.name = field.str("Metric.name")?;
                    continue;
                }
                2 => {
                    head.description = field.str("Metric.description")?;
                    continue;
                }
                3 => {
                    head.unit = field.str("Metric.unit")?;
                    continue;
                }
                12 => {
                    let attribute = field.bytes("Metric.metadata")?;
                    put_attribute(&mut head.metadata, attribute, &mut verdict)?;
                    continue;
                }
                5 => MetricKind::Gauge,
                7 => MetricKind::Sum,
                9 => MetricKind::Histogram,
                10 => MetricKind::ExponentialHistogram,
                11 => MetricKind::Summary,
                _ => continue,
            };
            let piece = field.bytes("Metric.data")?;
            match &mut data {
                Some((here, pieces)) if *here == kind => pieces.push(piece),
                _ => replaced.extend(data.replace((kind, Pieces::one(piece)))),
            }
        }
        head.refused = verdict.reason();
        for (kind, pieces) in replaced {
            self.check_replaced(&head, kind, pieces.as_slice())?;
        }
        match data {
            Some((kind, pieces)) => self.data(&mut head, kind, pieces.as_slice()),
            None => Ok(()),
        }
    }

    /// Data of another kind stood before the data that counts: it must be well-formed all the same.
    fn check_replaced(
        &self,
        head: &MetricHead<'_>,
        kind: MetricKind,
        pieces: &[&[u8]],
    ) -> Result<()> {
        let mut aside = Decoder {
            resource: self.resource.clone(),
            scope: self.scope.clone(),
            ..Decoder::default()
        };
        let mut head = MetricHead { name: head.name, ..MetricHead::default() };
        aside.data(&mut head, kind, pieces)
    }

    /// Reads `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram` or `Summary`, whose fields have the
    /// same numbers: 1 data points, 2 temporality, 3 monotonic. The points come last, since they need
    /// the rest for their identity.
    fn data(
        &mut self,
        head: &mut MetricHead<'_>,
        kind: MetricKind,
        pieces: &[&[u8]],
    ) -> Result<()> {
        let has_temporality = !matches!(kind, MetricKind::Gauge | MetricKind::Summary);
        for piece in pieces {
            let mut fields = Fields::new(piece);
            while let Some(field) = fields.next_field()? {
                match field.number {
                    2 if has_temporality => {
                        head.temporality = field.varint("aggregation_temporality")? as i32;
                    }
                    3 if kind == MetricKind::Sum => {
                        head.is_monotonic = field.varint("Sum.is_monotonic")? != 0;
                    }
                    _ => {}
                }
            }
        }
        for piece in pieces {
            let mut fields = Fields::new(piece);
            while let Some(field) = fields.next_field()? {
                if field.number != 1 {
                    continue;
                }
                let point = field.bytes("data_points")?;
                match kind {
                    MetricKind::Gauge | MetricKind::Sum => self.number(head, kind, point)?,
                    MetricKind::Histogram => self.histogram(head, point)?,
                    MetricKind::ExponentialHistogram => self.exponential(head, point)?,
                    MetricKind::Summary => self.summary(head, point)?,
                    MetricKind::Untyped => {} // no field of OTLP
                }
            }
        }
        Ok(())
    }

    /// Keeps or refuses the point whose attributes and exemplars have just been read.
    pub fn close_point(
        &mut self,
        head: &MetricHead<'_>,
        kind: MetricKind,
        raw: &RawTime,
        payload: Payload,
        mut verdict: Verdict,
    ) -> Result<()> {
        let position = self.position;
        self.position += 1;
        check_items(self.position)?;
        let time = PointTime {
            time_ns: verdict.time("time_unix_nano", raw.time),
            start_time_ns: verdict.time("start_time_unix_nano", raw.start_time),
            flags: raw.flags,
        };
        if let Some(reason) = verdict.reason() {
            let metric = format!("metric '{}' data_points", head.name);
            self.refusals.add(&metric, position, &reason);
            return Ok(());
        }
        sort_attributes(&mut self.set)?;
        let identity = SeriesIdentity {
            resource: &self.resource,
            scope: &self.scope,
            name: head.name,
            unit: head.unit,
            kind,
            temporality: head.temporality,
            is_monotonic: head.is_monotonic,
            attributes: &self.set,
        };
        let series = self.builder.series(&identity, head.description, &head.metadata)?;
        match payload {
            // The flag says that the sender has no value, whatever the field holds.
            Payload::Number(_) if raw.flags & NO_RECORDED_VALUE != 0 => {
                self.builder.push_number(series, &time, Number::None);
            }
            Payload::Number(number) => self.builder.push_number(series, &time, number),
            Payload::Complex(point) => self.builder.push_complex(series, &time, &point)?,
        }
        for exemplar in &self.exemplars.list {
            self.builder.push_exemplar(
                series,
                &ExemplarFields {
                    time_ns: exemplar.time_ns,
                    value: exemplar.value,
                    trace_id: exemplar.trace_id,
                    span_id: exemplar.span_id,
                    attributes: &self.exemplars.sets[exemplar.set.clone()],
                    point_time_ns: time.time_ns,
                },
            )?;
        }
        Ok(())
    }
}
