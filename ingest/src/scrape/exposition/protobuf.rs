//! The delimited protobuf: one `io.prometheus.client.MetricFamily` after the other, each after its length.
//!
//! ```text
//! MetricFamily { 1: name, 2: help, 3: type, 4: Metric*, 5: unit }
//! Metric       { 1: LabelPair*, 2: Gauge, 3: Counter, 4: Summary, 5: Untyped, 6: time in ms, 7: Histogram }
//! Histogram    { 1: count, or 4: as double, 2: sum, 3: Bucket*, 5: schema, 6: zero threshold
//!                7: zero count, or 8: as double, 9–11: spans, deltas or counts of negative buckets, 12–14: positive
//!                15: start, 16: Exemplar* }
//! ```
//! A histogram is a native one if it has a zero bucket or spans.

use throughline_model::codec::Reader;

use super::number::format;
use super::{
    Buckets, Counts, Exemplar, Exposition, Family, Native, Options, SAMPLES_MAX, Sample, Value,
    canonical_bound,
};
use crate::otlp::decode::wire::{Field, Fields};
use crate::records::Read;

/// `MetricType`, by number.
const TYPES: [&str; 6] = ["counter", "gauge", "summary", "", "histogram", "gaugehistogram"];
const GAUGE_HISTOGRAM: usize = 5;

/// Reads a body.
pub fn read(body: &[u8], options: Options) -> Read<Exposition> {
    let mut reader = FamilyReader { found: Exposition::default(), options };
    let mut rest = Reader::new(body);
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let wrong = |err: String| format!("metric family {number}: {err}");
        let length = told(rest.varint()).map_err(wrong)?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let family = told(rest.take(length)).map_err(wrong)?;
        reader.family(family).map_err(wrong)?;
    }
    Ok(reader.found)
}

type Labels = Vec<(String, String)>;

struct FamilyReader {
    found: Exposition,
    options: Options,
}

fn told<T>(result: throughline_model::Result<T>) -> Read<T> {
    result.map_err(|err| err.to_string())
}

/// Does something with each field of a message.
fn each<'a>(message: &'a [u8], mut with: impl FnMut(Field<'a>) -> Read<()>) -> Read<()> {
    let mut fields = Fields::new(message);
    while let Some(field) = told(fields.next_field())? {
        with(field)?;
    }
    Ok(())
}

impl FamilyReader {
    fn family(&mut self, message: &[u8]) -> Read<()> {
        let (mut family, mut kind) = (Family::default(), 0);
        let mut metrics = Vec::new();
        each(message, |field| {
            match field.number {
                1 => family.name = told(field.str("MetricFamily.name"))?.to_owned(),
                2 => family.help = told(field.str("MetricFamily.help"))?.to_owned(),
                3 => kind = told(field.varint("MetricFamily.type"))? as usize,
                4 => metrics.push(told(field.bytes("MetricFamily.metric"))?),
                5 => family.unit = told(field.str("MetricFamily.unit"))?.to_owned(),
                _ => {}
            }
            Ok(())
        })?;
        if family.name.is_empty() {
            return Err("it has no name".to_owned());
        }
        family.metric_type = TYPES
            .get(kind)
            .ok_or_else(|| format!("'{}' is of type {kind}, which there is not", family.name))?;
        self.found.families.push(family);
        metrics.into_iter().try_for_each(|metric| self.metric(metric, kind == GAUGE_HISTOGRAM))
    }

    fn metric(&mut self, message: &[u8], is_gauge: bool) -> Read<()> {
        let (mut labels, mut time_ms) = (Labels::new(), None);
        let mut values = Vec::new();
        each(message, |field| {
            match field.number {
                1 => labels.push(label(told(field.bytes("Metric.label"))?)?),
                6 => {
                    let time = told(field.varint("Metric.timestamp_ms"))? as i64;
                    time_ms = (time != 0).then_some(time);
                }
                2..=5 | 7 => values.push((field.number, told(field.bytes("Metric.value"))?)),
                _ => {}
            }
            Ok(())
        })?;
        let mut metric = Metric { labels, time_ms, reader: self };
        values.into_iter().try_for_each(|(number, value)| match number {
            3 => metric.counter(value),
            4 => metric.summary(value),
            7 => metric.histogram(value, is_gauge),
            _ => metric.number(value),
        })
    }
}

/// A metric whose values are read.
struct Metric<'r> {
    labels: Labels,
    time_ms: Option<i64>,
    reader: &'r mut FamilyReader,
}

impl Metric<'_> {
    fn push(
        &mut self,
        suffix: &str,
        bound: Option<(&str, f64)>,
        value: Value,
        exemplars: Vec<Exemplar>,
    ) -> Read<()> {
        let found = &mut self.reader.found;
        if found.samples.len() == SAMPLES_MAX {
            return Err(format!("more than {SAMPLES_MAX} samples"));
        }
        let family = found.families.len() - 1;
        let name = format!("{}{suffix}", found.families[family].name);
        let mut labels = vec![("__name__".to_owned(), name)];
        labels.extend(self.labels.iter().cloned());
        if let Some((label, bound)) = bound {
            labels.push((label.to_owned(), canonical_bound(&format(bound))));
        }
        let (family, time_ms) = (Some(family), self.time_ms);
        found.samples.push(Sample { family, labels, value, time_ms, exemplars });
        Ok(())
    }

    fn number(&mut self, message: &[u8]) -> Read<()> {
        let mut value = 0.0;
        each(message, |field| {
            if field.number == 1 {
                value = told(field.double("Metric.value"))?;
            }
            Ok(())
        })?;
        self.push("", None, Value::Number(value), Vec::new())
    }

    fn counter(&mut self, message: &[u8]) -> Read<()> {
        let (mut value, mut exemplars) = (0.0, Vec::new());
        each(message, |field| {
            match field.number {
                1 => value = told(field.double("Counter.value"))?,
                2 => exemplars.push(exemplar(told(field.bytes("Counter.exemplar"))?)?),
                _ => {}
            }
            Ok(())
        })?;
        self.push("", None, Value::Number(value), exemplars)
    }

    fn summary(&mut self, message: &[u8]) -> Read<()> {
        let (mut count, mut sum, mut quantiles) = (0, 0.0, Vec::new());
        each(message, |field| {
            match field.number {
                1 => count = told(field.varint("Summary.sample_count"))?,
                2 => sum = told(field.double("Summary.sample_sum"))?,
                3 => {
                    let mut pair = (0.0, 0.0);
                    each(told(field.bytes("Summary.quantile"))?, |field| {
                        match field.number {
                            1 => pair.0 = told(field.double("Quantile.quantile"))?,
                            2 => pair.1 = told(field.double("Quantile.value"))?,
                            _ => {}
                        }
                        Ok(())
                    })?;
                    quantiles.push(pair);
                }
                _ => {}
            }
            Ok(())
        })?;
        self.push("_count", None, Value::Number(count as f64), Vec::new())?;
        self.push("_sum", None, Value::Number(sum), Vec::new())?;
        quantiles.into_iter().try_for_each(|(quantile, value)| {
            self.push("", Some(("quantile", quantile)), Value::Number(value), Vec::new())
        })
    }

    fn histogram(&mut self, message: &[u8], is_gauge: bool) -> Read<()> {
        let mut native = Native { is_gauge, ..Native::default() };
        let (mut is_native, mut classic, mut exemplars) = (false, Vec::new(), Vec::new());
        each(message, |field| {
            match field.number {
                1 => native.count = Counts::Integer(told(field.varint("Histogram.count"))?),
                2 => native.sum = told(field.double("Histogram.sum"))?,
                3 => classic.push(bucket(told(field.bytes("Histogram.bucket"))?)?),
                4 => native.count = Counts::Float(told(field.double("Histogram.count_float"))?),
                5 => native.schema = told(field.sint32("Histogram.schema"))?,
                6 => native.zero_threshold = told(field.double("Histogram.zero_threshold"))?,
                7 => native.zero_count = Counts::Integer(told(field.varint("Histogram.zero"))?),
                8 => native.zero_count = Counts::Float(told(field.double("Histogram.zero"))?),
                9..=11 => buckets(&mut native.negative, field.number - 9, field)?,
                12..=14 => buckets(&mut native.positive, field.number - 12, field)?,
                15 => native.start_ms = timestamp(told(field.bytes("Histogram.created"))?)?,
                16 => exemplars.push(exemplar(told(field.bytes("Histogram.exemplars"))?)?),
                _ => {}
            }
            is_native |= matches!(field.number, 6..=9 | 12);
            Ok(())
        })?;
        let options = self.reader.options;
        let wants_native = is_native && options.wants_native;
        if !wants_native || options.keeps_classic && !classic.is_empty() {
            self.classic(&native, &classic)?;
        }
        if wants_native {
            exemplars.extend(classic.into_iter().filter_map(|bucket| bucket.exemplar));
            self.push("", None, Value::Native(Box::new(native)), exemplars)?;
        }
        Ok(())
    }

    fn classic(&mut self, native: &Native, buckets: &[Bucket]) -> Read<()> {
        let number = |count: Counts| match count {
            Counts::Integer(count) => Value::Number(count as f64),
            Counts::Float(count) => Value::Number(count),
        };
        let names = if native.is_gauge { ["_gcount", "_gsum"] } else { ["_count", "_sum"] };
        self.push(names[0], None, number(native.count), Vec::new())?;
        self.push(names[1], None, Value::Number(native.sum), Vec::new())?;
        for bucket in buckets {
            let exemplars = bucket.exemplar.iter().cloned().collect();
            self.push("_bucket", Some(("le", bucket.bound)), number(bucket.count), exemplars)?;
        }
        if buckets.iter().all(|bucket| bucket.bound != f64::INFINITY) {
            let bound = Some(("le", f64::INFINITY));
            self.push("_bucket", bound, number(native.count), Vec::new())?;
        }
        Ok(())
    }
}

struct Bucket {
    bound: f64,
    count: Counts,
    exemplar: Option<Exemplar>,
}

fn bucket(message: &[u8]) -> Read<Bucket> {
    let mut bucket = Bucket { bound: 0.0, count: Counts::default(), exemplar: None };
    each(message, |field| {
        match field.number {
            1 => bucket.count = Counts::Integer(told(field.varint("Bucket.cumulative_count"))?),
            2 => bucket.bound = told(field.double("Bucket.upper_bound"))?,
            3 => bucket.exemplar = Some(exemplar(told(field.bytes("Bucket.exemplar"))?)?),
            4 => bucket.count = Counts::Float(told(field.double("Bucket.cumulative_count"))?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(bucket)
}

/// Spans, deltas or counts of the buckets of one sign.
fn buckets(buckets: &mut Buckets, part: u32, field: Field<'_>) -> Read<()> {
    match part {
        0 => {
            let mut span = (0, 0);
            each(told(field.bytes("Histogram.span"))?, |field| {
                match field.number {
                    1 => span.0 = told(field.sint32("BucketSpan.offset"))?,
                    2 => span.1 = told(field.varint("BucketSpan.length"))? as u32,
                    _ => {}
                }
                Ok(())
            })?;
            buckets.spans.push(span);
            Ok(())
        }
        1 => {
            let mut deltas = Vec::new();
            told(field.extend_varint("Histogram.delta", &mut deltas))?;
            let signed = |delta: u64| (delta >> 1) as i64 ^ -((delta & 1) as i64);
            buckets.deltas.extend(deltas.into_iter().map(signed));
            Ok(())
        }
        _ => told(field.extend_fixed64("Histogram.count", |bits| {
            buckets.counts.push(f64::from_bits(bits));
        })),
    }
}

fn label(message: &[u8]) -> Read<(String, String)> {
    let mut label = (String::new(), String::new());
    each(message, |field| {
        match field.number {
            1 => label.0 = told(field.str("LabelPair.name"))?.to_owned(),
            2 => label.1 = told(field.str("LabelPair.value"))?.to_owned(),
            _ => {}
        }
        Ok(())
    })?;
    Ok(label)
}

fn exemplar(message: &[u8]) -> Read<Exemplar> {
    let mut exemplar = Exemplar { labels: Vec::new(), value: 0.0, time_ms: None };
    each(message, |field| {
        match field.number {
            1 => exemplar.labels.push(label(told(field.bytes("Exemplar.label"))?)?),
            2 => exemplar.value = told(field.double("Exemplar.value"))?,
            3 => exemplar.time_ms = Some(timestamp(told(field.bytes("Exemplar.timestamp"))?)?),
            _ => {}
        }
        Ok(())
    })?;
    Ok(exemplar)
}

/// `google.protobuf.Timestamp` in milliseconds.
fn timestamp(message: &[u8]) -> Read<i64> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    each(message, |field| {
        match field.number {
            1 => seconds = told(field.varint("Timestamp.seconds"))? as i64,
            2 => nanos = told(field.varint("Timestamp.nanos"))? as i64,
            _ => {}
        }
        Ok(())
    })?;
    Ok(seconds.saturating_mul(1000).saturating_add(nanos / 1_000_000))
}
