//! Series of scripts as batches of metrics.

use std::collections::BTreeMap;

use throughline_model::histogram::{CUSTOM_SCHEMA, NativeHistogram};
use throughline_model::metric::{
    ComplexPoint, MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
};
use throughline_model::{Batch, Value, attrs};
use throughline_query::promql::labels::{BUCKET, Labels, NAME};

use super::describe::Item;
use super::script::{Load, LoadSeries};

const NS_PER_MS: i64 = 1_000_000;

/// The batch of a load.
pub fn batch(load: &Load) -> Batch {
    let mut builder = MetricBatchBuilder::default();
    for LoadSeries { labels, items, starts } in &load.series {
        let row = series(&mut builder, labels);
        for (i, item) in items.iter().enumerate() {
            let time_ms = load.step_ms * i as i64;
            let start = starts.as_ref().and_then(|starts| starts[i]);
            let start_ms = start.map_or(0, |start| time_ms + start);
            push(&mut builder, row, time_ms, start_ms, item);
        }
    }
    if load.with_custom {
        for (labels, times) in custom(load) {
            let row = series(&mut builder, &labels);
            for (time_ms, classic) in times {
                if let Some(histogram) = classic.histogram() {
                    let item = Item::Histogram(Box::new(histogram), false);
                    push(&mut builder, row, time_ms, 0, &item);
                }
            }
        }
    }
    Batch::Metrics(builder.finish().expect("a batch"))
}

fn series(builder: &mut MetricBatchBuilder, labels: &Labels) -> u32 {
    let values = labels.iter().filter(|(name, _)| &**name != NAME);
    let values = values.map(|(name, value)| (name.to_string(), Value::String(value.to_string())));
    let values = values.collect::<Vec<_>>();
    let attributes = attrs::encode(values.iter().map(|(name, value)| (name.as_str(), value)));
    let identity = SeriesIdentity {
        resource: &throughline_model::origin::Resource::default().encode(),
        scope: &throughline_model::origin::Scope::default().encode(),
        name: labels.name(),
        unit: "",
        kind: MetricKind::Untyped,
        temporality: 0,
        is_monotonic: false,
        attributes: &attributes,
    };
    builder.series(&identity, "", &[]).expect("a series")
}

fn push(builder: &mut MetricBatchBuilder, row: u32, time_ms: i64, start_ms: i64, item: &Item) {
    let time =
        PointTime { time_ns: time_ms * NS_PER_MS, start_time_ns: start_ms * NS_PER_MS, flags: 0 };
    match item {
        Item::Omitted => {}
        Item::Float(value) => builder.push_number(row, &time, Number::Double(*value)),
        Item::Histogram(histogram, _) => {
            let point = ComplexPoint::from((**histogram).clone());
            builder.push_complex(row, &time, &point).expect("a point");
        }
    }
}

/// The parts of a classic histogram at one time.
#[derive(Default)]
struct Classic {
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    fn histogram(mut self) -> Option<NativeHistogram> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by_key(|bucket| bucket.0);
        let last = self.buckets.last().copied();
        let count = self.count.or(last.map(|last| last.1))?;
        if last.is_none_or(|last| last.0 != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let mut positive = Vec::new();
        for (i, (_, cumulative)) in self.buckets.iter().enumerate() {
            positive.push((i as i32, cumulative - before));
            before = *cumulative;
        }
        positive.retain(|(_, count)| *count != 0.0);
        let bounds = self.buckets.iter().map(|bucket| bucket.0);
        Some(NativeHistogram {
            schema: CUSTOM_SCHEMA,
            count,
            sum: self.sum,
            positive,
            custom_values: bounds.filter(|bound| bound.is_finite()).collect(),
            ..Default::default()
        })
    }
}

/// Classic histograms of a load by labels and time.
fn custom(load: &Load) -> BTreeMap<Labels, BTreeMap<i64, Classic>> {
    let mut all: BTreeMap<Labels, BTreeMap<i64, Classic>> = BTreeMap::new();
    for LoadSeries { labels, items, .. } in &load.series {
        let name = labels.name();
        let part = ["_bucket", "_sum", "_count"].into_iter().find(|part| name.ends_with(part));
        let Some(part) = part else { continue };
        let bound = labels.get(BUCKET).parse::<f64>();
        if part == "_bucket" && bound.as_ref().map_or(true, |bound| bound.is_nan()) {
            continue;
        }
        let base = labels.with(NAME, &name[..name.len() - part.len()]).with(BUCKET, "");
        let times = all.entry(base).or_default();
        for (i, item) in items.iter().enumerate() {
            let Item::Float(value) = item else { continue };
            let classic = times.entry(load.step_ms * i as i64).or_default();
            match part {
                "_bucket" => classic.buckets.push((bound.clone().unwrap_or(f64::NAN), *value)),
                "_sum" => classic.sum = *value,
                _ => classic.count = Some(*value),
            }
        }
    }
    all
}
