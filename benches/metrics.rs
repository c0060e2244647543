//! Bytes and CPU time of metric segments, on series of the kind that the project's load makes: counters
//! of many rates, gauges that stand still, seldom change, wander in hundredths or jump in pages, and
//! histograms; one request an instance every 15 s.
//!
//! `cargo bench -p throughline-storage --bench metrics [instances [steps]]`
//!
//! Prints, for flushes of a few minutes and for their merge into one segment, nanoseconds and bytes a
//! sample, where a histogram counts as its 20 classic samples (17 bounds, +Inf, sum, count), as in the
//! figures of the peers.

use std::sync::Arc;
use std::time::Instant;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::attrs;
use throughline_model::metric::{
    ComplexPoint, MetricBatch, MetricBatchBuilder, MetricKind, Number, PointTime, SeriesIdentity,
    Shape,
};
use throughline_model::origin::Resource;
use throughline_model::time::{SECOND_NS, TimeRange};
use throughline_model::value::Value;
use throughline_storage::Result;
use throughline_storage::cache::Cache;
use throughline_storage::io::{LocalDisk, SegmentStore};
use throughline_storage::metric::{MetricSegment, SeriesShare, merge_metrics, write_metrics};
use throughline_storage::segment::{SegmentMeta, Sinks, WriteOptions};
use ulid::Ulid;

const T0: i64 = 1_795_176_000 * SECOND_NS;
const NUMBERS: usize = 400;
const HISTOGRAMS: usize = 5;
const BOUNDS: usize = 17;
/// Samples of a request.
const SAMPLES: usize = NUMBERS + HISTOGRAMS * (BOUNDS + 3);
/// Steps that a flush holds: five minutes.
const FLUSH_STEPS: usize = 20;

struct Instance {
    resource: Vec<u8>,
    counters: Vec<u64>,
    rates: Vec<u64>,
    gauges: Vec<f64>,
    histograms: Vec<([u64; BOUNDS + 1], f64)>,
}

impl Instance {
    fn new(number: usize, random: &mut SmallRng) -> Self {
        let attribute = |key: &str, text: String| (key.to_owned(), Value::String(text));
        let attributes = vec![
            attribute("service.name", format!("service-{:02}", number / 10)),
            attribute("service.instance.id", format!("service-{:02}-{number:08x}", number / 10)),
            attribute("service.namespace", "shop".into()),
            attribute("host.name", format!("node-{:02}", number % 12)),
            attribute("deployment.environment", "production".into()),
        ];
        let mut rate = || {
            let z: f64 = random.random();
            if z < 0.2 { 0 } else { (1.0 + 500.0 * z * z * z) as u64 }
        };
        Self {
            resource: Resource { attributes, ..Default::default() }.encode(),
            rates: (0..NUMBERS / 2).map(|_| rate()).collect(),
            counters: (0..NUMBERS / 2).map(|i| i as u64 * 4999).collect(),
            gauges: (0..NUMBERS / 2).map(|i| (i as f64 * 419.0).round() / 100.0).collect(),
            histograms: vec![([0; BOUNDS + 1], 0.0); HISTOGRAMS],
        }
    }

    fn advance(&mut self, random: &mut SmallRng) {
        for (counter, rate) in self.counters.iter_mut().zip(&self.rates) {
            *counter += if *rate > 0 { random.random_range(0..=2 * rate) } else { 0 };
        }
        for (i, gauge) in self.gauges.iter_mut().enumerate() {
            match i % 4 {
                0 => {}
                1 if random.random_bool(0.1) => {
                    *gauge = (*gauge + random.random_range(-5..=5) as f64).abs().round();
                }
                1 => {}
                2 => *gauge = ((*gauge + normal(random) * 3.0).abs() * 100.0).round() / 100.0,
                _ => {
                    *gauge =
                        (*gauge as u64 / 4096 * 4096 + random.random_range(0..200) * 4096) as f64
                }
            }
        }
        for (buckets, sum) in &mut self.histograms {
            for _ in 0..random.random_range(0..60) {
                let value = 0.06 * normal(random).exp();
                let bucket = (0..BOUNDS).find(|i| value <= bound(*i)).unwrap_or(BOUNDS);
                buckets[bucket] += 1;
                *sum += value;
            }
        }
    }

    fn request(&self, step: usize) -> MetricBatch {
        let mut batch = MetricBatchBuilder::default();
        let time = PointTime {
            time_ns: T0 + step as i64 * 15 * SECOND_NS,
            start_time_ns: T0 - 3600 * SECOND_NS,
            flags: 0,
        };
        for i in 0..NUMBERS {
            let is_counter = i < NUMBERS / 2;
            let name = if is_counter {
                format!("app_{}_total", i % 27)
            } else {
                format!("app_{}", i % 40)
            };
            let route = Value::String(format!("/api/v1/route-{}", i % 10));
            let shard = Value::String(format!("s{}", i / 27));
            let attributes = attrs::encode([("route", &route), ("shard", &shard)]);
            let kind = if is_counter { MetricKind::Sum } else { MetricKind::Gauge };
            let row = self.series(&mut batch, &name, kind, &attributes);
            if is_counter {
                batch.push_number(row, &time, Number::Int(self.counters[i] as i64));
            } else {
                let time = PointTime { start_time_ns: 0, ..time };
                batch.push_number(row, &time, Number::Double(self.gauges[i - NUMBERS / 2]));
            }
        }
        for (i, (buckets, sum)) in self.histograms.iter().enumerate() {
            let attributes = attrs::encode([("route", &Value::Int(i as i64))]);
            let row =
                self.series(&mut batch, "request_duration", MetricKind::Histogram, &attributes);
            let point = ComplexPoint {
                count: buckets.iter().sum(),
                sum: Some(*sum),
                min: None,
                max: None,
                shape: Shape::Histogram {
                    bounds: (0..BOUNDS).map(bound).collect(),
                    counts: buckets.to_vec(),
                },
            };
            batch.push_complex(row, &time, &point).expect("fits");
        }
        batch.finish().expect("fits")
    }

    fn series(
        &self,
        batch: &mut MetricBatchBuilder,
        name: &str,
        kind: MetricKind,
        attributes: &[u8],
    ) -> u32 {
        let identity = SeriesIdentity {
            resource: &self.resource,
            scope: &[0, 0, 0, 0],
            name,
            unit: "",
            kind,
            temporality: if kind == MetricKind::Gauge { 0 } else { 2 },
            is_monotonic: kind == MetricKind::Sum,
            attributes,
        };
        batch.series(&identity, "", &[]).expect("fits")
    }
}

fn bound(i: usize) -> f64 {
    0.005 * 1.6f64.powi(i as i32)
}

fn normal(random: &mut SmallRng) -> f64 {
    (0..12).map(|_| random.random::<f64>()).sum::<f64>() - 6.0
}

struct Folder {
    store: Arc<SegmentStore>,
    cache: Arc<Cache>,
    next: u64,
}

impl Folder {
    /// Writes a segment and says how many nanoseconds it took.
    fn write(
        &mut self,
        level: u8,
        fill: impl FnOnce(&WriteOptions, &mut Sinks) -> Result<SegmentMeta>,
    ) -> (Arc<MetricSegment>, f64) {
        self.next += 1;
        let id = Ulid::from_parts(self.next, 0);
        let window = TimeRange::ALL;
        let options =
            WriteOptions { id, tenant: "default".into(), level, window, created_at_ns: T0 };
        let create = |ending: &str| self.store.create(&format!("{id}.{ending}")).expect("creates");
        let mut sinks = Sinks { data: create("parquet"), index: create("idx") };
        let started = Instant::now();
        let meta = fill(&options, &mut sinks).expect("writes");
        let took = started.elapsed().as_nanos() as f64;
        sinks.data.sync().expect("syncs");
        sinks.index.sync().expect("syncs");
        (MetricSegment::new(meta, self.store.clone(), self.cache.clone()), took)
    }
}

fn main() {
    let mut numbers =
        std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let instances = numbers.next().unwrap_or(20);
    let steps = numbers.next().unwrap_or(240);
    let dir = tempfile::tempdir().expect("a folder");
    let folder = |name: &str| dir.path().join(name);
    let store = SegmentStore::open(Arc::new(LocalDisk), folder("segments"), folder("aside"));
    let mut folder = Folder { store: store.expect("opens"), cache: Cache::new(64 << 20), next: 0 };
    let mut random = SmallRng::seed_from_u64(4242);
    let mut shop = (0..instances).map(|i| Instance::new(i, &mut random)).collect::<Vec<_>>();
    let mut segments = Vec::new();
    let mut share = SeriesShare::default();
    let (mut flush_ns, mut share_ns, mut bytes) = (0.0, 0.0, [0, 0]);
    for first in (0..steps).step_by(FLUSH_STEPS) {
        let mut batches = Vec::new();
        for step in first..(first + FLUSH_STEPS).min(steps) {
            for instance in &mut shop {
                instance.advance(&mut random);
                let mut batch = instance.request(step);
                let started = Instant::now();
                share.share(&mut batch);
                share_ns += started.elapsed().as_nanos() as f64;
                batches.push(batch);
            }
        }
        let batches = batches.iter().collect::<Vec<_>>();
        let (segment, took) =
            folder.write(0, |options, sinks| write_metrics(&batches, options, sinks));
        flush_ns += took;
        bytes[0] += segment.meta.data_bytes;
        bytes[1] += segment.meta.index_bytes;
        segments.push(segment);
    }
    let samples = (instances * steps * SAMPLES) as f64;
    let print = |what: &str, ns: f64, [data, index]: [u64; 2]| {
        println!(
            "{what:<28} {:>7.1} ns/sample {:>7.3} bytes/sample ({:.3} data + {:.3} index)",
            ns / samples,
            (data + index) as f64 / samples,
            data as f64 / samples,
            index as f64 / samples,
        );
    };
    println!(
        "{instances} instances, {} series, {samples} samples",
        instances * (NUMBERS + HISTOGRAMS)
    );
    print("share series tables", share_ns, [0, 0]);
    print(&format!("{} flushes", segments.len()), flush_ns, bytes);
    let (merged, took) = folder.write(1, |options, sinks| merge_metrics(&segments, options, sinks));
    print("merge", took, [merged.meta.data_bytes, merged.meta.index_bytes]);
}
