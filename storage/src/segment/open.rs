//! A segment opened for reading: its index, its footer, and columns of its row groups.

use std::io::Read;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::UInt32Type;
use bytes::{Buf, Bytes};
use hashbrown::HashMap;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, RowSelection,
};
use parquet::arrow::{FieldLevels, ProjectionMask, parquet_to_arrow_field_levels};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use throughline_model::TraceId;
use throughline_model::schema::col;
use ulid::Ulid;

use super::SegmentMeta;
use super::index::file::{IndexFile, TraceFilter};
use super::index::filter::Filter;
use super::index::summary::Summary;
use super::index::traces::{TraceEntry, TraceTable};
use super::layout::{TRACE, file_schema};
use super::pages::RowGroupPages;
use super::rollup::section::RollupKeys;
use super::runs::Runs;
use super::soundness::{Suspicion, verify_files};
use super::spans::RowsByTrace;
use crate::cache::{Cache, CacheKey, Part};
use crate::io::{SegmentFile, SegmentStore};
use crate::{Error, Result};

/// What a filter takes in the cache beside its bits.
const FILTER_BYTES_BESIDE: usize = 128;
/// Sets of columns of an open segment whose layout is kept.
const LEVELS_MAX: usize = 128;

/// A segment of spans or logs. Opened once and kept in the view; footer and index load on first use
/// and stay in the cache.
#[derive(Debug)]
pub struct Segment {
    /// The catalog row.
    pub meta: SegmentMeta,
    pub(super) store: Arc<SegmentStore>,
    pub(super) cache: Arc<Cache>,
    suspicion: Suspicion,
}

impl Segment {
    /// A segment whose files lie in `store`. Reads nothing yet.
    pub fn new(meta: SegmentMeta, store: Arc<SegmentStore>, cache: Arc<Cache>) -> Arc<Segment> {
        Arc::new(Self { meta, store, cache, suspicion: Suspicion::default() })
    }

    /// Whether a read found the segment's bytes damaged; the store then verifies it and sets it aside.
    pub fn is_corrupt(&self) -> bool {
        self.suspicion.is_raised()
    }

    /// Whether a read found damage since this was last asked.
    pub(crate) fn take_suspicion(&self) -> bool {
        self.suspicion.take()
    }

    pub(crate) fn mark_corrupt(&self, err: &Error) {
        self.suspicion.raise(&self.meta, err);
    }

    /// Reads both files and compares their checksums with the catalog's. Blocks.
    pub fn verify(&self) -> Result<()> {
        verify_files(&self.store, &self.meta)
    }

    pub(crate) fn open(&self) -> Result<Arc<Opened>> {
        self.cached(Part::Opened, || Opened::read(self), Opened::memory_bytes)
    }

    /// The head of the index.
    pub(crate) fn index(&self) -> Result<Arc<IndexFile>> {
        let open = || IndexFile::read_head(&self.store, &self.meta);
        self.cached(Part::Index, open, |file| file.index.memory_bytes())
    }

    /// The table of trace ids.
    pub(crate) fn traces(&self) -> Result<Arc<TraceTable>> {
        self.cached(Part::Traces, || self.index()?.traces(), TraceTable::memory_bytes)
    }

    /// The ordinals of a trace, ascending; none if the segment does not hold it.
    pub(crate) fn find_trace(&self, id: TraceId) -> Result<Vec<u32>> {
        let read = || self.index()?.trace_filter();
        let filter = self.cached(Part::TraceFilter, read, TraceFilter::memory_bytes)?;
        match filter.may_hold(id) {
            true => self.traces()?.find(id),
            false => Ok(Vec::new()),
        }
    }

    /// What was kept of the segment before.
    pub(crate) fn kept<T: Send + Sync + 'static>(&self, part: Part) -> Option<Arc<T>> {
        self.cache.get(CacheKey { segment: self.meta.id, part })
    }

    /// Keeps what was made of the segment, of so many bytes.
    pub(crate) fn keep<T: Send + Sync + 'static>(&self, part: Part, value: Arc<T>, bytes: usize) {
        self.cache.put(CacheKey { segment: self.meta.id, part }, value, bytes);
    }

    /// What the numbers of the rollup mean.
    pub(crate) fn rollup_keys(&self, io: &Meter) -> Result<Arc<RollupKeys>> {
        let read = || self.index()?.rollup_keys(io);
        self.cached(Part::RollupKeys, read, RollupKeys::memory_bytes)
    }

    pub(super) fn cached<T: Send + Sync + 'static>(
        &self,
        part: Part,
        read: impl FnOnce() -> Result<T>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Result<Arc<T>> {
        let key = CacheKey { segment: self.meta.id, part };
        if let Some(value) = self.cache.get::<T>(key) {
            return Ok(value);
        }
        let value = Arc::new(read()?);
        self.cache.put(key, value.clone(), bytes(&value));
        Ok(value)
    }

    /// Which rows of a slab each of its traces has.
    pub(crate) fn trace_rows(&self, row_group: usize, io: &Meter) -> Result<Arc<RowsByTrace>> {
        let key = CacheKey { segment: self.meta.id, part: Part::TraceRows(row_group as u32) };
        if let Some(rows) = self.cache.get::<RowsByTrace>(key) {
            return Ok(rows);
        }
        let opened = self.open()?;
        let group = opened.row_group(row_group)?;
        let mut ordinals: Vec<u32> = Vec::with_capacity(group.rows as usize);
        let columns = [opened.leaf(TRACE)?];
        for batch in opened.read_rows(row_group, &columns, None, group.rows as usize, io)? {
            let column = batch?.column(0).clone();
            ordinals.extend_from_slice(column.as_primitive::<UInt32Type>().values());
        }
        let rows = Arc::new(RowsByTrace::new(&ordinals, group.first_trace, group.traces));
        self.cache.put(key, rows.clone(), rows.memory_bytes());
        Ok(rows)
    }

    /// The runs of a sorted column of texts of a slab.
    pub(crate) fn runs(&self, row_group: usize, column: &str, io: &Meter) -> Result<Arc<Runs>> {
        let opened = self.open()?;
        let leaf = opened.leaf(column)?;
        let key =
            CacheKey { segment: self.meta.id, part: Part::Runs(row_group as u32, leaf as u32) };
        if let Some(runs) = self.cache.get::<Runs>(key) {
            return Ok(runs);
        }
        let rows = opened.row_group(row_group)?.rows as usize;
        let mut runs = Runs::default();
        for batch in opened.read_rows(row_group, &[leaf], None, rows, io)? {
            runs.add(batch?.column(0))?;
        }
        let runs = Arc::new(runs);
        self.cache.put(key, runs.clone(), runs.memory_bytes());
        Ok(runs)
    }

    /// All span ids of a slab, eight bytes each.
    pub(crate) fn span_ids(&self, row_group: usize, io: &Meter) -> Result<Arc<Vec<u8>>> {
        let key = CacheKey { segment: self.meta.id, part: Part::SpanIds(row_group as u32) };
        if let Some(ids) = self.cache.get::<Vec<u8>>(key) {
            return Ok(ids);
        }
        let opened = self.open()?;
        let rows = opened.row_group(row_group)?.rows as usize;
        let mut ids = Vec::with_capacity(rows * 8);
        for batch in opened.read_rows(row_group, &[opened.leaf(col::SPAN_ID)?], None, rows, io)? {
            let column = batch?.column(0).clone();
            let column = column.as_fixed_size_binary();
            (0..column.len()).for_each(|row| ids.extend_from_slice(column.value(row)));
        }
        let ids = Arc::new(ids);
        self.cache.put(key, ids.clone(), ids.len());
        Ok(ids)
    }
}

impl Drop for Segment {
    fn drop(&mut self) {
        self.cache.forget(self.meta.id);
    }
}

/// The parsed footer, with the head of the index and the traces.
#[derive(Debug)]
pub(crate) struct Opened {
    pub index: Arc<IndexFile>,
    pub traces: Arc<TraceTable>,
    pub footer: ArrowReaderMetadata,
    leaves: HashMap<String, usize>,
    levels: parking_lot::Mutex<HashMap<Box<[usize]>, Arc<FieldLevels>>>,
    file: Arc<SegmentFile>,
    data_bytes: u64,
    segment: Ulid,
    cache: Arc<Cache>,
}

impl Opened {
    fn read(segment: &Segment) -> Result<Self> {
        let meta = &segment.meta;
        let (index, traces) = (segment.index()?, segment.traces()?);
        let summary = &index.index.summary;
        let file = Arc::new(segment.store.open_file(&meta.data_name())?);
        let schema = file_schema(meta.signal, &summary.columns, true);
        let leaves = schema.fields().iter().enumerate().map(|(i, f)| (f.name().clone(), i));
        let leaves = leaves.collect();
        let options = ArrowReaderOptions::new()
            .with_skip_arrow_metadata(true)
            .with_page_index_policy(PageIndexPolicy::Required)
            .with_schema(schema);
        let io = Meter::unlimited();
        let source = Source { file: file.clone(), bytes: meta.data_bytes, io };
        let footer = ArrowReaderMetadata::load(&source, options)?;
        let rows = footer.metadata().file_metadata().num_rows();
        let groups = summary.row_groups.len();
        if rows != meta.rows as i64 || footer.metadata().num_row_groups() != groups {
            return Err(Error::corrupt(format!(
                "{} has {rows} rows, the catalog says {}",
                meta.data_name(),
                meta.rows
            )));
        }
        let (levels, cache) = (parking_lot::Mutex::default(), segment.cache.clone());
        let (data_bytes, segment) = (meta.data_bytes, meta.id);
        Ok(Self { index, traces, footer, leaves, levels, file, data_bytes, segment, cache })
    }

    /// What the index says of the segment as a whole and of each row group.
    pub(crate) fn summary(&self) -> &Summary {
        &self.index.index.summary
    }

    /// The filter of an attribute column in a row group, if there is one.
    pub(crate) fn filter(&self, row_group: usize, column: usize) -> Result<Option<Arc<Filter>>> {
        let part = Part::Filter(row_group as u32, column as u32);
        let key = CacheKey { segment: self.segment, part };
        if let Some(filter) = self.cache.get::<Filter>(key) {
            return Ok(Some(filter));
        }
        let Some(filter) = self.index.filter(row_group, column)?.map(Arc::new) else {
            return Ok(None);
        };
        self.cache.put(key, filter.clone(), filter.memory_bytes() + FILTER_BYTES_BESIDE);
        Ok(Some(filter))
    }

    /// Every trace with its rows and first time.
    pub(crate) fn trace_entries(&self) -> Result<Vec<TraceEntry>> {
        self.index.trace_entries(&self.traces)
    }

    /// The position of a file column.
    pub(crate) fn leaf(&self, name: &str) -> Result<usize> {
        self.leaves
            .get(name)
            .copied()
            .ok_or_else(|| Error::invalid(format!("segments have no column '{name}'")))
    }

    /// The position of the first attribute column.
    pub(crate) fn first_attribute_leaf(&self) -> usize {
        self.leaves.len() - self.summary().columns.len()
    }

    pub(crate) fn row_group(
        &self,
        number: usize,
    ) -> Result<super::index::summary::RowGroupSummary> {
        self.summary().row_groups.get(number).copied().ok_or_else(|| {
            Error::corrupt(format!("row group {number} of {}", self.summary().row_groups.len()))
        })
    }

    /// Whether a column is null in all the given rows (ascending), from page statistics.
    pub(crate) fn all_null(&self, row_group: usize, leaf: usize, rows: &[u32]) -> bool {
        let metadata = self.footer.metadata();
        let chunk = metadata.row_group(row_group).column(leaf);
        if chunk.column_descr().max_def_level() == 0 {
            return false;
        }
        let index = metadata.column_index().and_then(|all| all.get(row_group)?.get(leaf));
        let pages = metadata.offset_index().and_then(|all| all.get(row_group)?.get(leaf));
        let (Some(index), Some(pages)) = (index, pages) else { return false };
        let pages = pages.page_locations();
        if matches!(index, ColumnIndexMetaData::NONE) || index.num_pages() as usize != pages.len() {
            return false;
        }
        rows.iter().all(|row| {
            let after = pages.partition_point(|page| page.first_row_index <= i64::from(*row));
            after > 0 && index.is_null_page(after - 1)
        })
    }

    /// Reads columns of a row group, in file order whatever the order of `columns`.
    pub(crate) fn read_rows(
        &self,
        row_group: usize,
        columns: &[usize],
        selection: Option<RowSelection>,
        batch_rows: usize,
        io: &Meter,
    ) -> Result<Rows> {
        let source = Source { file: self.file.clone(), bytes: self.data_bytes, io: io.clone() };
        let levels = self.field_levels(columns)?;
        let metadata = self.footer.metadata().clone();
        let pages = RowGroupPages { source: Arc::new(source), metadata, row_group };
        let rows = batch_rows.max(1);
        let reader =
            ParquetRecordBatchReader::try_new_with_row_groups(&levels, &pages, rows, selection)
                .map_err(|err| io.cause(&err))?;
        Ok(Rows { reader, io: io.clone() })
    }

    // What Parquet makes of some columns; the same few are asked for slab after slab.
    fn field_levels(&self, columns: &[usize]) -> Result<Arc<FieldLevels>> {
        if let Some(levels) = self.levels.lock().get(columns) {
            return Ok(levels.clone());
        }
        let mask = ProjectionMask::leaves(self.footer.parquet_schema(), columns.iter().copied());
        let hint = self.footer.schema().fields();
        let levels = parquet_to_arrow_field_levels(self.footer.parquet_schema(), mask, Some(hint))?;
        let levels = Arc::new(levels);
        let mut all = self.levels.lock();
        if all.len() >= LEVELS_MAX {
            all.clear();
        }
        all.insert(columns.into(), levels.clone());
        Ok(levels)
    }

    // The index and the traces are cached apart.
    fn memory_bytes(&self) -> usize {
        self.footer.metadata().memory_size()
    }
}

/// Batches of file columns.
pub(crate) struct Rows {
    reader: ParquetRecordBatchReader,
    io: Meter,
}

impl Iterator for Rows {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.map_err(|err| self.io.cause(&err)))
    }
}

/// Decides about every read from a segment: counts its bytes, and refuses it when the asker went
/// away, ran out of time or reached its limit.
pub(crate) trait ReadGuard: Send + Sync {
    /// Called before a read of so many bytes.
    fn before_read(&self, bytes: u64) -> Result<()>;
}

/// A shared [`ReadGuard`] that remembers why it refused.
#[derive(Clone)]
pub(crate) struct Meter {
    guard: Option<Arc<dyn ReadGuard>>,
    refusal: Arc<parking_lot::Mutex<Option<Error>>>,
}

impl Meter {
    pub(crate) fn new(guard: Arc<dyn ReadGuard>) -> Self {
        Self { guard: Some(guard), refusal: Arc::default() }
    }

    /// For maintenance.
    pub(crate) fn unlimited() -> Self {
        Self { guard: None, refusal: Arc::default() }
    }

    pub(crate) fn before_read(&self, bytes: u64) -> Result<()> {
        let Some(guard) = &self.guard else { return Ok(()) };
        guard.before_read(bytes).inspect_err(|err| *self.refusal.lock() = Some(err.clone()))
    }

    // Parquet's errors lose what they wrap on their way up.
    fn cause(&self, err: &dyn std::fmt::Display) -> Error {
        let refusal = self.refusal.lock().clone();
        refusal.unwrap_or_else(|| Error::corrupt(err.to_string()))
    }
}

/// A segment file as Parquet reads it.
struct Source {
    file: Arc<SegmentFile>,
    bytes: u64,
    io: Meter,
}

impl Length for Source {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let bytes = self.get_bytes(start, self.bytes.saturating_sub(start) as usize)?;
        Ok(Box::new(bytes.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let external = |err: Error| ParquetError::External(Box::new(err));
        self.io.before_read(length as u64).map_err(external)?;
        let end = start.saturating_add(length as u64);
        if end > self.bytes {
            return Err(ParquetError::EOF(format!("bytes {start}..{end} of {}", self.bytes)));
        }
        self.file.read(start..end).map_err(external)
    }
}
