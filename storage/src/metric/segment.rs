//! An opened metric segment: its series table, its sequences of times, its chunks and exemplars, each
//! read when it is asked for.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Schema, UInt32Type};
use bytes::Bytes;
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::errors::ParquetError;
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::{ChunkReader, Length};

use super::exemplars::{Exemplar, ExemplarColumns};
use super::index::{self, Section, SectionKind};
use super::write::CHUNK_COUNT;
use super::{layout, sequences, series};
use crate::cache::{Cache, CacheKey, Part};
use crate::io::{SegmentFile, SegmentStore};
use crate::scan::ScanStats;
use crate::segment::SegmentMeta;
use crate::segment::soundness::{Suspicion, verify_files};
use crate::{Error, Result};

/// Chunks that a reader decodes at once.
const READ_CHUNKS: usize = 1024;
/// Pages of sequences that an open segment keeps decoded.
const PAGES_KEPT: usize = 8;
/// A metric segment. Opened once and kept in the view; what is read of its index loads on first use
/// and stays in the cache.
#[derive(Debug)]
pub struct MetricSegment {
    /// Its catalog row.
    pub meta: SegmentMeta,
    store: Arc<SegmentStore>,
    cache: Arc<Cache>,
    suspicion: Suspicion,
}

impl MetricSegment {
    /// A segment whose files lie in `store`. Reads nothing yet.
    pub fn new(meta: SegmentMeta, store: Arc<SegmentStore>, cache: Arc<Cache>) -> Arc<Self> {
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

    /// The directory of the index and the footer of the chunks. Blocks.
    pub(crate) fn open(&self) -> Result<Arc<Opened>> {
        let key = CacheKey { segment: self.meta.id, part: Part::Opened };
        if let Some(opened) = self.cache.get::<Opened>(key) {
            return Ok(opened);
        }
        let (opened, series) = Opened::read(&self.meta, &self.store)?;
        let opened = Arc::new(opened);
        self.cache.put(key, opened.clone(), opened.memory_bytes());
        self.keep_series(series);
        Ok(opened)
    }

    /// The series table, in `schema::series`, sorted. Blocks.
    pub(crate) fn series(&self) -> Result<Arc<RecordBatch>> {
        let key = CacheKey { segment: self.meta.id, part: Part::Series };
        match self.cache.get::<RecordBatch>(key) {
            Some(series) => Ok(series),
            None => Ok(self.keep_series(self.open()?.read_series()?)),
        }
    }

    fn keep_series(&self, series: RecordBatch) -> Arc<RecordBatch> {
        let series = Arc::new(series);
        let key = CacheKey { segment: self.meta.id, part: Part::Series };
        self.cache.put(key, series.clone(), series::memory_bytes(&series));
        series
    }
}

impl Drop for MetricSegment {
    fn drop(&mut self) {
        self.cache.forget(self.meta.id);
    }
}

/// What is known of a segment once it was looked into.
#[derive(Debug)]
pub(crate) struct Opened {
    /// For each series, the row of its first chunk; one more entry for the end.
    chunk_starts: Vec<u32>,
    sections: Vec<Section>,
    pages: Mutex<HashMap<u32, Page>>,
    index: SegmentFile,
    data: DataFile,
    footer: ArrowReaderMetadata,
}

/// The decoded sequences of a page.
type Page = Arc<Vec<Arc<[i64]>>>;

impl Opened {
    /// Of a segment, with its series table.
    fn read(meta: &SegmentMeta, store: &SegmentStore) -> Result<(Self, RecordBatch)> {
        let name = meta.index_name();
        let index = store.open_file(&name)?;
        let sections = index::read_directory(meta.index_bytes, |range| index.read(range))?;
        let (series, chunk_starts) = series_table(&index.read(series_range(&sections)?)?)?;
        let file = Arc::new(store.open_file(&meta.data_name())?);
        let data = DataFile { file, len: meta.data_bytes, stats: None };
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(&data, options)?;
        let types = |schema: &Schema| {
            let types = schema.fields().iter().map(|field| field.data_type().clone());
            types.collect::<Vec<DataType>>()
        };
        let chunks = footer.metadata().file_metadata().num_rows();
        if types(footer.schema()) != types(&layout::chunks())
            || chunk_starts.last().map(|end| i64::from(*end)) != Some(chunks)
        {
            return Err(Error::corrupt(format!(
                "{} has other columns or chunks than its index says",
                meta.data_name()
            )));
        }
        let pages = Mutex::default();
        Ok((Self { chunk_starts, sections, pages, index, data, footer }, series))
    }

    /// How many series there are.
    pub fn series_len(&self) -> usize {
        self.chunk_starts.len().saturating_sub(1)
    }

    fn read_series(&self) -> Result<RecordBatch> {
        Ok(series_table(&self.index.read(series_range(&self.sections)?)?)?.0)
    }

    /// A sequence of times.
    pub fn sequence(&self, number: u32) -> Result<Arc<[i64]>> {
        let sequences = || self.sections.iter().filter(|s| s.kind == SectionKind::Sequences);
        let holds = |s: &&Section| number.checked_sub(s.first).is_some_and(|at| at < s.count);
        let section = sequences()
            .find(holds)
            .ok_or_else(|| Error::corrupt(format!("there is no sequence {number} of times")))?;
        let kept = self.pages.lock().get(&section.first).cloned();
        let page = match kept {
            Some(page) => page,
            None => {
                let bytes = self.index.read(section.range())?;
                let page = Arc::new(sequences::decode_page(&bytes, section.count)?);
                let mut pages = self.pages.lock();
                if pages.len() >= PAGES_KEPT {
                    pages.clear();
                }
                pages.insert(section.first, page.clone());
                page
            }
        };
        let at = (number - section.first) as usize;
        page.get(at).cloned().ok_or_else(|| Error::corrupt("a page of times is too short"))
    }

    /// All exemplars, by series and time.
    pub fn exemplars(self: &Arc<Self>) -> ExemplarStream {
        let of_exemplars = |section: &&Section| section.kind == SectionKind::Exemplars;
        let mut sections = self.sections.iter().filter(of_exemplars).copied().collect::<Vec<_>>();
        sections.reverse();
        ExemplarStream { opened: self.clone(), sections, rows: Vec::new() }
    }

    /// Chunk rows of a series.
    pub fn chunks_of(&self, series: usize) -> Range<usize> {
        self.chunk_starts[series] as usize..self.chunk_starts[series + 1] as usize
    }

    /// Whether every series has a chunk.
    pub fn all_have_chunks(&self) -> bool {
        self.chunk_starts.is_sorted_by(|a, b| a < b)
    }

    /// The chunks of the given series (ascending rows of the series table; all for `None`): batches of
    /// [`layout::chunks`], restricted to `columns`. Bytes read are counted in `stats`.
    pub fn chunks(
        &self,
        series: Option<&[u32]>,
        columns: &[usize],
        stats: Option<&Arc<ScanStats>>,
    ) -> Result<ParquetRecordBatchReader> {
        let data = DataFile { stats: stats.cloned(), ..self.data.clone() };
        let mask = ProjectionMask::roots(self.footer.parquet_schema(), columns.iter().copied());
        let mut builder =
            ParquetRecordBatchReaderBuilder::new_with_metadata(data, self.footer.clone())
                .with_projection(mask)
                .with_batch_size(READ_CHUNKS);
        if let Some(series) = series {
            builder = builder.with_row_selection(self.selection(series)?);
        }
        Ok(builder.build()?)
    }

    fn selection(&self, series: &[u32]) -> Result<RowSelection> {
        let total = self.chunk_starts.last().copied().unwrap_or(0) as usize;
        let is_known = |row: &u32| (*row as usize) < self.series_len();
        if !series.iter().all(is_known) || !series.is_sorted_by(|a, b| a < b) {
            return Err(Error::invalid(
                "chunks of series that are not in the segment, or unsorted",
            ));
        }
        let ranges = series.iter().map(|row| self.chunks_of(*row as usize));
        let ranges = ranges.filter(|range| !range.is_empty());
        Ok(RowSelection::from_consecutive_ranges(ranges, total))
    }

    fn memory_bytes(&self) -> usize {
        self.chunk_starts.len() * 4
            + self.sections.len() * size_of::<Section>()
            + self.footer.metadata().memory_size()
    }
}

fn series_range(sections: &[Section]) -> Result<Range<u64>> {
    let section = sections.iter().find(|section| section.kind == SectionKind::Series);
    let section = section.ok_or_else(|| Error::corrupt("an index without a series table"))?;
    Ok(section.range())
}

/// The series table of a section, and where the chunks of each series begin.
fn series_table(section: &[u8]) -> Result<(RecordBatch, Vec<u32>)> {
    let stored = index::decode_batch(section)?;
    let bad = || Error::corrupt("a series table does not say how many chunks its series have");
    let at = stored.schema().index_of(CHUNK_COUNT).map_err(|_| bad())?;
    let counts = stored.column(at).as_primitive_opt::<UInt32Type>().ok_or_else(bad)?;
    let mut chunk_starts = Vec::with_capacity(counts.values().len() + 1);
    let mut total = 0u32;
    chunk_starts.push(0);
    for count in counts.values() {
        total = total.checked_add(*count).ok_or_else(bad)?;
        chunk_starts.push(total);
    }
    let others = (0..stored.num_columns()).filter(|i| *i != at).collect::<Vec<_>>();
    Ok((series::with_ids(&stored.project(&others)?)?, chunk_starts))
}

/// Exemplars of a segment by series and time, read section by section.
pub(crate) struct ExemplarStream {
    opened: Arc<Opened>,
    /// What is not read yet, the next one last.
    sections: Vec<Section>,
    /// What is read, the next one last.
    rows: Vec<(u32, Exemplar)>,
}

impl ExemplarStream {
    /// Skips sections that end before a series.
    pub fn skip_to(&mut self, series: u32) {
        // A section ends where the next begins.
        while let [.., following, _] = self.sections.as_slice() {
            if following.first >= series {
                break;
            }
            self.sections.pop();
        }
    }

    /// The series of the next exemplar.
    pub fn peek(&mut self) -> Result<Option<u32>> {
        while self.rows.is_empty() {
            let Some(section) = self.sections.pop() else { return Ok(None) };
            let batch = index::decode_batch(&self.opened.index.read(section.range())?)?;
            let columns = ExemplarColumns::new(&batch)?;
            let rows = (0..batch.num_rows()).rev();
            self.rows.extend(rows.map(|row| (columns.series[row], columns.get(row))));
        }
        Ok(self.rows.last().map(|(series, _)| *series))
    }

    /// The next exemplar, if [`Self::peek`] found one.
    pub fn pop(&mut self) -> Option<Exemplar> {
        self.rows.pop().map(|(_, exemplar)| exemplar)
    }
}

/// The Parquet file, read by position.
#[derive(Clone, Debug)]
struct DataFile {
    file: Arc<SegmentFile>,
    len: u64,
    stats: Option<Arc<ScanStats>>,
}

impl Length for DataFile {
    fn len(&self) -> u64 {
        self.len
    }
}

impl ChunkReader for DataFile {
    type T = BufReader<Onwards>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(BufReader::new(Onwards { file: self.clone(), at: start }))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let end = start.saturating_add(length as u64);
        if end > self.len {
            return Err(ParquetError::EOF(format!(
                "the file has {} bytes, {end} were asked for",
                self.len
            )));
        }
        if let Some(stats) = &self.stats {
            ScanStats::add(&stats.bytes_read, length as u64);
        }
        self.file.read(start..end).map_err(|err| ParquetError::External(Box::new(err)))
    }
}

/// Reads a [`DataFile`] onwards.
struct Onwards {
    file: DataFile,
    at: u64,
}

impl Read for Onwards {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let left = self.file.len.saturating_sub(self.at);
        let length = left.min(out.len() as u64) as usize;
        let bytes = self.file.get_bytes(self.at, length).map_err(std::io::Error::other)?;
        out[..length].copy_from_slice(&bytes);
        self.at += length as u64;
        Ok(length)
    }
}
