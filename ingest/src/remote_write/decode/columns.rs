//! Series and points to a [`throughline_model::metric::MetricBatch`].
//!
//! A series is of kind `Untyped`, without resource and scope; its attributes are its labels but the name.
//! What the sender says of its type and unit is metadata: it does not tell series apart.

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::histogram::NativeHistogram;
use throughline_model::metric::{
    ExemplarFields, MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
};
use throughline_model::origin::{put_resource, put_scope};

use super::labels::{self, Labels};
use crate::otlp::decode::{Refusals, check_items};
use crate::records::Read;

const NS_PER_MS: i64 = 1_000_000;
const TIME_MS_MAX: i64 = i64::MAX / NS_PER_MS;
/// The keys of metadata (OpenTelemetry, "Prometheus compatibility", names the first).
const TYPE_KEY: &str = "prometheus.type";
const UNIT_KEY: &str = "prometheus.unit";

/// When something was, in milliseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Moment {
    pub time_ms: i64,
    /// When what it counts began; 0 is unknown.
    pub start_ms: i64,
}

/// What a sender says of a series; empty where it says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Metadata<'a> {
    pub metric_type: &'a str,
    pub help: &'a str,
    pub unit: &'a str,
}

/// The open series: its name, what describes it, and its row once it has a point.
#[derive(Default)]
struct Open {
    name: String,
    help: String,
    metadata: Vec<u8>,
    row: Option<u32>,
}

/// The columns of a request under construction.
pub struct Columns {
    builder: MetricBatchBuilder,
    refusals: Refusals,
    resource: Vec<u8>,
    scope: Vec<u8>,
    /// The labels of the open series.
    set: Vec<u8>,
    exemplar_set: Vec<u8>,
    /// The open series, or why nothing of it can be kept.
    open: Read<Open>,
    samples: u64,
    histograms: u64,
    exemplars: u64,
}

impl Default for Columns {
    fn default() -> Self {
        let (mut resource, mut scope) = (Vec::new(), Vec::new());
        put_resource(&mut resource, 0, "", &[], &[]);
        put_scope(&mut scope, "", "", 0, "", &[]);
        Self {
            builder: MetricBatchBuilder::default(),
            refusals: Refusals::default(),
            resource,
            scope,
            set: Vec::new(),
            exemplar_set: Vec::new(),
            open: Ok(Open::default()),
            samples: 0,
            histograms: 0,
            exemplars: 0,
        }
    }
}

impl Columns {
    /// Begins a series: the points that follow are its.
    pub fn series(&mut self, labels: Read<&mut Labels<'_>>, metadata: Metadata<'_>) {
        self.set.clear();
        let set = &mut self.set;
        self.open = labels.and_then(|labels| {
            let name = labels.series(set)?.to_owned();
            let mut encoded = Vec::new();
            for (key, text) in [(TYPE_KEY, metadata.metric_type), (UNIT_KEY, metadata.unit)] {
                if !text.is_empty() {
                    labels::put(&mut encoded, key, text);
                }
            }
            Ok(Open { name, help: metadata.help.to_owned(), metadata: encoded, row: None })
        });
    }

    /// Adds a sample, or counts it as refused.
    pub fn sample(&mut self, moment: Moment, value: f64) -> Result<()> {
        let position = self.samples;
        self.samples += 1;
        self.check_items()?;
        match (self.row()?, time(moment)) {
            (Ok(row), Ok(time)) => self.builder.push_number(row, &time, Number::Double(value)),
            (Err(reason), _) | (_, Err(reason)) => {
                self.refusals.add("samples", position, &reason);
            }
        }
        Ok(())
    }

    /// Counts a sample of which not even the series could be read.
    #[allow(dead_code)] // not by those who push series
    pub fn refused(&mut self, reason: &str) -> Result<()> {
        self.refusals.add("samples", self.samples, reason);
        self.samples += 1;
        self.check_items()
    }

    /// Adds a native histogram, or counts it as refused.
    pub fn histogram(&mut self, moment: Moment, read: Read<NativeHistogram>) -> Result<()> {
        let position = self.histograms;
        self.histograms += 1;
        self.check_items()?;
        match (self.row()?, time(moment), read) {
            (Ok(row), Ok(time), Ok(histogram)) => {
                self.builder.push_complex(row, &time, &histogram.into())?;
            }
            (Err(reason), _, _) | (_, Err(reason), _) | (_, _, Err(reason)) => {
                self.refusals.add("histograms", position, &reason);
            }
        }
        Ok(())
    }

    /// Adds an exemplar, or counts it as refused.
    pub fn exemplar(
        &mut self,
        labels: Read<&mut Labels<'_>>,
        value: f64,
        time_ms: i64,
    ) -> Result<()> {
        let position = self.exemplars;
        self.exemplars += 1;
        self.check_items()?;
        let labels = labels.and_then(Labels::checked);
        let time = time(Moment { time_ms, start_ms: 0 });
        match (self.row()?, labels, time) {
            (Ok(row), Ok(labels), Ok(time)) => self.push_exemplar(row, &labels, value, &time)?,
            (Err(reason), _, _) | (_, Err(reason), _) | (_, _, Err(reason)) => {
                self.refusals.add("exemplars", position, &reason);
            }
        }
        Ok(())
    }

    fn push_exemplar(
        &mut self,
        row: u32,
        labels: &[(&str, &str)],
        value: f64,
        time: &PointTime,
    ) -> Result<()> {
        self.exemplar_set.clear();
        let (mut trace_id, mut span_id) = (None, None);
        for (name, value) in labels {
            let is_id = match *name {
                "trace_id" => {
                    trace_id = id(value);
                    trace_id.is_some()
                }
                "span_id" => {
                    span_id = id(value);
                    span_id.is_some()
                }
                _ => false,
            };
            if !is_id {
                labels::put(&mut self.exemplar_set, name, value);
            }
        }
        self.builder.push_exemplar(
            row,
            &ExemplarFields {
                time_ns: time.time_ns,
                value: Number::Double(value),
                trace_id,
                span_id,
                attributes: &self.exemplar_set,
                point_time_ns: time.time_ns,
            },
        )
    }

    /// The row of the open series, which is added with its first point.
    fn row(&mut self) -> Result<Read<u32>> {
        let open = match &mut self.open {
            Ok(open) => open,
            Err(reason) => return Ok(Err(reason.clone())),
        };
        if let Some(row) = open.row {
            return Ok(Ok(row));
        }
        let identity = SeriesIdentity {
            resource: &self.resource,
            scope: &self.scope,
            name: &open.name,
            unit: "",
            kind: MetricKind::Untyped,
            temporality: 0,
            is_monotonic: false,
            attributes: &self.set,
        };
        let row = self.builder.series(&identity, &open.help, &open.metadata)?;
        open.row = Some(row);
        Ok(Ok(row))
    }

    fn check_items(&self) -> Result<()> {
        check_items(self.samples + self.histograms + self.exemplars)
    }

    /// The batch, and what was refused.
    pub fn finish(self) -> Result<Decoded> {
        Ok(Decoded {
            batch: Batch::Metrics(self.builder.finish()?),
            rejected: self.refusals.count,
            message: self.refusals.message(),
        })
    }
}

fn time(moment: Moment) -> Read<PointTime> {
    let ns = |name: &str, ms: i64| {
        if !(0..=TIME_MS_MAX).contains(&ms) {
            return Err(format!("{name} {ms} is not within 0 and {TIME_MS_MAX}"));
        }
        Ok(ms * NS_PER_MS)
    };
    Ok(PointTime {
        time_ns: ns("timestamp", moment.time_ms)?,
        start_time_ns: ns("start_timestamp", moment.start_ms)?,
        flags: 0,
    })
}

/// An id from its digits: none if they are not exactly those that it is written with.
fn id<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (digits, rest) = text.as_bytes().as_chunks::<2>();
    if digits.len() != N || !rest.is_empty() {
        return None;
    }
    let mut id = [0; N];
    for (byte, digits) in id.iter_mut().zip(digits) {
        let nibble = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        *byte = nibble(digits[0])? << 4 | nibble(digits[1])?;
    }
    Some(id).filter(|id| id.iter().any(|byte| *byte != 0))
}
