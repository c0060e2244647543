//! Segments written, read and merged: behaviour of the module as a whole.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use tempfile::TempDir;
use throughline_model::attrs;
use throughline_model::metric::{
    ComplexPoint, ExemplarFields, MetricBatch, MetricBatchBuilder, MetricKind, Number, PointTime,
    SeriesIdentity, Shape,
};
use throughline_model::origin::Resource;
use throughline_model::time::{SECOND_NS, TimeRange};
use throughline_model::value::Value;
use ulid::Ulid;

use super::points::{ComplexPoints, NumberPoints};
use super::series::SeriesColumns;
use super::*;
use crate::cache::Cache;
use crate::io::{LocalDisk, SegmentStore};
use crate::segment::{SegmentMeta, Sinks, WriteOptions};

pub const T0: i64 = 1_795_176_000 * SECOND_NS;

pub struct Folder {
    _dir: TempDir,
    pub store: Arc<SegmentStore>,
    pub cache: Arc<Cache>,
}

pub fn folder() -> Folder {
    let dir = TempDir::new().expect("a folder");
    let (segments, aside) = (dir.path().join("segments"), dir.path().join("aside"));
    let store = SegmentStore::open(Arc::new(LocalDisk), segments, aside).expect("opens");
    Folder { _dir: dir, store, cache: Cache::new(1 << 20) }
}

pub fn options(id: u64, level: u8, window: TimeRange) -> WriteOptions {
    WriteOptions {
        id: Ulid::from_parts(id, 1),
        tenant: "default".into(),
        level,
        window,
        created_at_ns: T0,
    }
}

pub fn write(
    folder: &Folder,
    id: u64,
    batches: &[Arc<MetricBatch>],
    window: TimeRange,
) -> Arc<MetricSegment> {
    write_with(folder, options(id, 0, window), |options, sinks| {
        let batches = batches.iter().map(AsRef::as_ref).collect::<Vec<_>>();
        write_metrics(&batches, options, sinks)
    })
}

pub fn write_with(
    folder: &Folder,
    options: WriteOptions,
    fill: impl FnOnce(&WriteOptions, &mut Sinks) -> crate::Result<SegmentMeta>,
) -> Arc<MetricSegment> {
    let create =
        |ending: &str| folder.store.create(&format!("{}.{ending}", options.id)).expect("creates");
    let mut sinks = Sinks { data: create("parquet"), index: create("idx") };
    let meta = fill(&options, &mut sinks).expect("writes");
    sinks.data.sync().expect("syncs");
    sinks.index.sync().expect("syncs");
    MetricSegment::new(meta, folder.store.clone(), folder.cache.clone())
}

/// A series of the shop by metric name, service and shard.
pub fn series(
    batch: &mut MetricBatchBuilder,
    name: &str,
    kind: MetricKind,
    service: &str,
    shard: i64,
) -> u32 {
    let attributes = vec![("service.name".to_owned(), Value::String(service.to_owned()))];
    let resource = Resource { attributes, ..Default::default() }.encode();
    let is_sum = kind == MetricKind::Sum;
    let identity = SeriesIdentity {
        resource: &resource,
        scope: &[0, 0, 0, 0],
        name,
        unit: "1",
        kind,
        temporality: if is_sum { 2 } else { 0 },
        is_monotonic: is_sum,
        attributes: &attrs::encode([("shard", &Value::Int(shard))]),
    };
    batch.series(&identity, "what it counts", &[]).expect("fits")
}

/// One request: a counter, a gauge and a histogram of some services at one time.
pub fn request(services: &[&str], step: i64) -> Arc<MetricBatch> {
    let mut batch = MetricBatchBuilder::default();
    let time =
        PointTime { time_ns: T0 + step * 15 * SECOND_NS, start_time_ns: T0 - SECOND_NS, flags: 0 };
    for (i, service) in services.iter().enumerate() {
        let shard = i as i64;
        let counter = series(&mut batch, "requests", MetricKind::Sum, service, shard);
        batch.push_number(counter, &time, Number::Int(step * 10 + shard));
        let gauge = series(&mut batch, "depth", MetricKind::Gauge, service, shard);
        batch.push_number(gauge, &time, Number::Double((step % 7) as f64 / 4.0));
        let histogram = series(&mut batch, "latency", MetricKind::Histogram, service, shard);
        let point = ComplexPoint {
            count: step as u64 * 3,
            sum: Some(step as f64 * 1.5),
            min: None,
            max: Some(9.0),
            shape: Shape::Histogram { bounds: vec![1.0, 2.0], counts: vec![step as u64; 3] },
        };
        batch.push_complex(histogram, &time, &point).expect("fits");
        let exemplar = ExemplarFields {
            time_ns: time.time_ns - SECOND_NS,
            value: Number::Double(0.5),
            trace_id: Some([7; 16]),
            span_id: None,
            attributes: &[],
            point_time_ns: time.time_ns,
        };
        batch.push_exemplar(histogram, &exemplar).expect("fits");
    }
    Arc::new(batch.finish().expect("fits"))
}

#[test]
fn a_segment_holds_its_series_and_chunks() {
    let folder = folder();
    let batches = (0..40).map(|step| request(&["cart", "ad", "web"], step)).collect::<Vec<_>>();
    let segment = write(&folder, 1, &batches, TimeRange::ALL);
    assert_eq!(segment.meta.rows, 40 * 9);
    assert_eq!(segment.meta.min_time_ns, T0 - SECOND_NS);
    assert_eq!(segment.meta.max_time_ns, T0 + 39 * 15 * SECOND_NS);
    segment.verify().expect("sums agree");
    let index = segment.open().expect("opens");
    let series = segment.series().expect("reads");
    let names = SeriesColumns::new(&series).expect("columns");
    let list = (0..9)
        .map(|row| (names.names().text(row), names.dict("service_name").expect("there").text(row)));
    assert_eq!(
        list.collect::<Vec<_>>(),
        ["depth", "latency", "requests"]
            .iter()
            .flat_map(|name| ["ad", "cart", "web"].map(|service| (*name, service)))
            .collect::<Vec<_>>()
    );
    // The ids are not stored, but come back.
    let head = SeriesColumns::new(&batches[0].series).expect("columns");
    let ids = |columns: &SeriesColumns<'_>| {
        let mut ids = (0..9).map(|row| columns.id(row)).collect::<Vec<_>>();
        ids.sort_unstable();
        ids
    };
    assert_eq!(ids(&names), ids(&head));
    let mut rows = Vec::new();
    for batch in index.chunks(Some(&[2, 6]), &[0, 2], None).expect("opens") {
        let batch = batch.expect("reads");
        let column = |i: usize| batch.column(i).as_primitive::<UInt32Type>().values().to_vec();
        rows.extend(column(0).into_iter().zip(column(1)));
    }
    assert_eq!(rows, [(2, 40), (6, 40)]);
    let mut exemplars = index.exemplars();
    let mut of_series = Vec::new();
    while let Some(series) = exemplars.peek().expect("reads") {
        exemplars.pop().expect("peeked");
        of_series.push(series);
    }
    assert_eq!(of_series.len(), 120);
    assert!(of_series.is_sorted());
}

/// All points of a segment as text, one a line, by series.
fn dump(segment: &MetricSegment) -> Vec<String> {
    let opened = segment.open().expect("opens");
    let series = segment.series().expect("reads");
    let table = SeriesColumns::new(&series).expect("columns");
    let mut lines = Vec::new();
    for batch in opened.chunks(None, &chunk_rows::ALL_DATA, None).expect("opens") {
        let batch = batch.expect("reads");
        let chunks = chunk_rows::ChunkColumns::new(&batch).expect("columns");
        for row in 0..batch.num_rows() {
            let (mut numbers, mut complex) = (NumberPoints::default(), ComplexPoints::default());
            chunks.decode(row, &opened, &mut numbers, &mut complex).expect("decodes");
            let id = table.id(chunks.series[row] as usize);
            for i in 0..numbers.len() {
                lines.push(format!("{id:02x?} {} {:?}", numbers.times[i], numbers.value(i)));
            }
            for (time, point) in complex.times.iter().zip(&complex.points) {
                lines.push(format!("{id:02x?} {time} {point:?}"));
            }
        }
    }
    lines
}

#[test]
fn a_merge_stitches_chunks_and_drops_repeated_points() {
    let folder = folder();
    let steps =
        |range: Range<i64>| range.map(|step| request(&["cart", "ad"], step)).collect::<Vec<_>>();
    let whole = write(&folder, 1, &steps(0..600), TimeRange::ALL);
    let parts = [
        write(&folder, 2, &steps(300..600), TimeRange::ALL),
        write(&folder, 3, &steps(0..200), TimeRange::ALL),
        write(&folder, 4, &steps(150..310), TimeRange::ALL),
        write(&folder, 5, &[request(&["web"], 7)], TimeRange::ALL),
    ];
    let merge = |id: u64, inputs: &[Arc<MetricSegment>], window| {
        write_with(&folder, options(id, 1, window), |options, sinks| {
            merge_metrics(inputs, options, sinks)
        })
    };
    let merged = merge(6, &parts[..3], TimeRange::ALL);
    assert_eq!(dump(&merged), dump(&whole));
    assert_eq!(merged.meta.rows, 600 * 6);
    let chunks = |segment: &MetricSegment| segment.open().expect("opens").chunks_of(0).len();
    assert_eq!(chunks(&merged), 2, "one chunk for each window of two hours");
    let mut reversed = parts.to_vec();
    reversed.reverse();
    let all = merge(7, &reversed, TimeRange::ALL);
    assert_eq!(all.meta.rows, 600 * 6 + 3);
    assert_eq!(dump(&merge(8, &parts, TimeRange::ALL)), dump(&all));
    // The exemplars came along, once each.
    let count = |segment: &MetricSegment| {
        let mut stream = segment.open().expect("opens").exemplars();
        std::iter::from_fn(|| stream.peek().expect("reads").and_then(|_| stream.pop())).count()
    };
    assert_eq!(count(&merged), 1200);
    let first = TimeRange { start_ns: i64::MIN, end_ns: T0 + 100 * 15 * SECOND_NS };
    assert_eq!(merge(9, &parts[..3], first).meta.rows, 600);
    assert_eq!(merge(10, &[], TimeRange::ALL).meta.rows, 0);
}

#[test]
fn points_outside_the_window_are_left_out() {
    let folder = folder();
    let batches = (0..10).map(|step| request(&["ad"], step)).collect::<Vec<_>>();
    let window = TimeRange { start_ns: T0, end_ns: T0 + 60 * SECOND_NS };
    assert_eq!(write(&folder, 1, &batches, window).meta.rows, 4 * 3);
}

#[test]
fn a_damaged_file_is_corrupt_not_empty() {
    let folder = folder();
    let segment = write(&folder, 1, &[request(&["ad"], 1)], TimeRange::ALL);
    let path = folder._dir.path().join("segments").join(segment.meta.index_name());
    let mut bytes = std::fs::read(&path).expect("reads");
    let last = bytes.len() - 20;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).expect("writes");
    assert_eq!(segment.verify().expect_err("differs").kind(), crate::ErrorKind::Corrupt);
    assert_eq!(segment.open().expect_err("differs").kind(), crate::ErrorKind::Corrupt);
}
