//! Decodes the load, writes it as a flush would, and merges it as compaction would.

use std::cell::Cell;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use parquet::file::metadata::ParquetMetaDataReader;
use throughline_ingest::otlp::decode::decode_request;
use throughline_model::Signal;
use throughline_model::batch::Batch;
use throughline_model::time::TimeRange;
use throughline_storage::cache::Cache;
use throughline_storage::io::{LocalDisk, SegmentStore};
use throughline_storage::segment::{
    Layout, Segment, SegmentMeta, Sinks, WriteOptions, merge_with, write_logs, write_spans,
};
use ulid::Ulid;

use crate::measure;

/// Frames of 512 items that one flush writes: about 64 k items, as a head of 32 MiB holds.
const FRAMES_PER_FLUSH: usize = 128;
/// Segments that one L1 merge takes.
const L1_INPUTS: usize = 8;

/// The generated files.
pub struct Load {
    folder: PathBuf,
    frames_max: usize,
}

impl Load {
    pub fn open(folder: &Path) -> Self {
        let frames = std::env::var("SEGMENTS_FRAMES").ok().and_then(|text| text.parse().ok());
        Self { folder: folder.to_owned(), frames_max: frames.unwrap_or(usize::MAX) }
    }

    pub fn has_logs(&self) -> bool {
        self.folder.join("logs.bin").exists()
    }

    /// Sampled traces and their span counts.
    pub fn traces(&self) -> Vec<(String, usize)> {
        let text = std::fs::read_to_string(self.folder.join("trace_ids.txt")).unwrap();
        let line = |line: &str| {
            let mut words = line.split_whitespace();
            Some((words.next()?.to_owned(), words.next()?.parse().ok()?))
        };
        text.lines().filter_map(line).collect()
    }

    /// Sampled users.
    pub fn users(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join("users.txt")).unwrap();
        text.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect()
    }

    fn batches(&self, signal: Signal) -> impl Iterator<Item = RecordBatch> {
        let name = if signal == Signal::Logs { "logs.bin" } else { "traces.bin" };
        let file = std::fs::File::open(self.folder.join(name)).unwrap();
        let mut file = std::io::BufReader::with_capacity(1 << 20, file);
        let next = move || {
            let mut head = [0u8; 8];
            file.read_exact(&mut head).ok()?;
            let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            let mut body = vec![0u8; len as usize];
            file.read_exact(&mut body).unwrap();
            match decode_request(signal, &body, 0).unwrap().batch {
                Batch::Spans(batch) | Batch::Logs(batch) => Some(batch),
                Batch::Metrics(_) => None,
            }
        };
        std::iter::from_fn(next).take(self.frames_max)
    }
}

/// What a flush of the whole load made.
pub struct Written {
    pub segments: Vec<Arc<Segment>>,
    cpu_ns: u64,
}

impl Written {
    pub fn line(&self, name: &str) -> String {
        let sum = |of: fn(&SegmentMeta) -> u64| self.segments.iter().map(|s| of(&s.meta)).sum();
        let (rows, bytes): (u64, u64) = (sum(|m| m.rows), sum(|m| m.data_bytes + m.index_bytes));
        format!(
            "{name}: {} segments, {rows} rows, {:.1} bytes a row, {:.2} CPU-µs a row",
            self.segments.len(),
            bytes as f64 / rows as f64,
            self.cpu_ns as f64 / rows as f64 / 1e3
        )
    }
}

/// A folder of segments.
pub struct Engine {
    folder: tempfile::TempDir,
    store: Arc<SegmentStore>,
    cache: Arc<Cache>,
    next: Cell<u128>,
}

impl Engine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let paths = (folder.path().join("segments"), folder.path().join("aside"));
        let store = SegmentStore::open(Arc::new(LocalDisk), paths.0, paths.1).unwrap();
        Self { folder, store, cache: Cache::new(64 << 20), next: Cell::new(1) }
    }

    fn write(
        &self,
        level: u8,
        fill: impl FnOnce(&WriteOptions, &mut Sinks) -> SegmentMeta,
    ) -> Arc<Segment> {
        let id = Ulid(self.next.replace(self.next.get() + 1));
        let options = WriteOptions {
            id,
            tenant: "default".to_owned(),
            level,
            window: TimeRange { start_ns: 0, end_ns: 1 },
            created_at_ns: 0,
        };
        let mut sinks = Sinks {
            data: self.store.create(&format!("{id}.parquet")).unwrap(),
            index: self.store.create(&format!("{id}.idx")).unwrap(),
        };
        let meta = fill(&options, &mut sinks);
        sinks.data.sync().unwrap();
        sinks.index.sync().unwrap();
        Segment::new(meta, self.store.clone(), self.cache.clone())
    }

    pub fn write_level_0(&self, load: &Load, signal: Signal) -> Written {
        let mut batches = load.batches(signal).peekable();
        let mut written = Written { segments: Vec::new(), cpu_ns: 0 };
        while batches.peek().is_some() {
            let rows = batches.by_ref().take(FRAMES_PER_FLUSH).collect::<Vec<_>>();
            let before = measure::thread_cpu_ns();
            written.segments.push(self.write(0, |options, sinks| match signal {
                Signal::Logs => write_logs(&rows, options, sinks).unwrap(),
                _ => write_spans(&rows, options, sinks).unwrap(),
            }));
            written.cpu_ns += measure::thread_cpu_ns() - before;
        }
        written
    }

    /// Merges neighbours; CPU-µs a row.
    pub fn merge_level_1(
        &self,
        inputs: &[Arc<Segment>],
        layout: &Layout,
    ) -> (Vec<Arc<Segment>>, f64) {
        measure::reset_peak();
        let before = measure::thread_cpu_ns();
        let merged = inputs.chunks(L1_INPUTS).map(|inputs| {
            self.write(1, |options, sinks| merge_with(inputs, options, layout, sinks).unwrap())
        });
        let merged = merged.collect::<Vec<_>>();
        let rows = merged.iter().map(|segment| segment.meta.rows).sum::<u64>();
        (merged, (measure::thread_cpu_ns() - before) as f64 / rows as f64 / 1e3)
    }

    /// Merges all into one; CPU-µs a row.
    pub fn merge_level_2(&self, inputs: &[Arc<Segment>], layout: &Layout) -> (Arc<Segment>, f64) {
        let before = measure::thread_cpu_ns();
        let merged =
            self.write(2, |options, sinks| merge_with(inputs, options, layout, sinks).unwrap());
        let ns = (measure::thread_cpu_ns() - before) as f64;
        let rows = merged.meta.rows as f64;
        (merged, ns / rows / 1e3)
    }

    /// Bytes a row of each column, the largest first.
    pub fn print_columns(&self, segment: &Segment) {
        let path = self.folder.path().join("segments").join(segment.meta.data_name());
        let file = std::fs::File::open(path).unwrap();
        let metadata = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
        let mut columns = std::collections::BTreeMap::<String, (i64, Vec<String>)>::new();
        for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
            let entry = columns.entry(column.column_path().string()).or_default();
            entry.0 += column.compressed_size();
            entry.1 = column.encodings().map(|encoding| encoding.to_string()).collect();
        }
        let rows = segment.meta.rows as f64;
        let mut columns = columns.into_iter().collect::<Vec<_>>();
        columns.sort_by_key(|(_, (bytes, _))| -bytes);
        let total = columns.iter().map(|(_, (bytes, _))| bytes).sum::<i64>();
        println!("\n| column | bytes a row | encodings |\n|---|---|---|");
        for (name, (bytes, encodings)) in &columns {
            println!("| {name} | {:.2} | {} |", *bytes as f64 / rows, encodings.join(" "));
        }
        let footer = segment.meta.data_bytes as i64 - total;
        println!("| footer and page index | {:.2} | |", footer as f64 / rows);
        println!("| .idx | {:.2} | |\n", segment.meta.index_bytes as f64 / rows);
    }
}
