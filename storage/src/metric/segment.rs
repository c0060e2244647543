//! An opened metric segment: its series table, its sequences of times, its chunks and exemplars, each
//! read when it is asked for.

use std::collections::HashMap;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt32Type};
use bytes::Bytes;
use parking_lot::Mutex;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::file::metadata::PageIndexPolicy;
use parquet::file::reader::{ChunkReader, Length};

use super::exemplars::{Exemplar, ExemplarColumns};
use super::index::{self, Section, SectionKind};
use super::layout;
use super::sequences;
use super::series;
use super::write::CHUNK_COUNT;
use crate::io::SegmentStore;
use crate::segment::SegmentMeta;
use crate::{Error, Result};

/// Chunks that a reader decodes at once.
const READ_CHUNKS: usize = 1024;
/// Pages of sequences that an open segment keeps decoded.
const PAGES_KEPT: usize = 8;

/// A metric segment. It is opened lazily: making one reads nothing.
#[derive(Debug)]
pub struct MetricSegment {
    /// Its catalog row.
    pub meta: SegmentMeta,
    store: Arc<SegmentStore>,
    index: Mutex<Option<Arc<MetricIndex>>>,
    footer: Mutex<Option<ArrowReaderMetadata>>,
}

/// The series of a segment and where their chunks are.
#[derive(Debug)]
pub struct MetricIndex {
    /// In `schema::series`, sorted.
    pub series: RecordBatch,
    /// For each series, the row of its first chunk; one more entry for the end.
    chunk_starts: Vec<u32>,
    sections: Vec<Section>,
    pages: Mutex<HashMap<u32, Page>>,
}

/// The decoded sequences of a page.
type Page = Arc<Vec<Arc<[i64]>>>;

impl MetricSegment {
    /// A segment of the catalog.
    pub fn new(meta: SegmentMeta, store: Arc<SegmentStore>) -> Arc<Self> {
        Arc::new(Self { meta, store, index: Mutex::new(None), footer: Mutex::new(None) })
    }

    /// Checks both files against their checksums.
    pub fn verify(&self) -> Result<()> {
        let files = [
            (self.meta.data_name(), self.meta.data_bytes, self.meta.data_crc32c),
            (self.meta.index_name(), self.meta.index_bytes, self.meta.index_crc32c),
        ];
        const STEP_BYTES: u64 = 1 << 20;
        for (name, len, expected) in files {
            let mut found = 0;
            let mut at = 0;
            while at < len {
                let end = (at + STEP_BYTES).min(len);
                found = crc32c::crc32c_append(found, &self.store.read(&name, at..end)?);
                at = end;
            }
            if found != expected {
                return Err(Error::corrupt(format!(
                    "{name} has checksum {found:08x}, expected {expected:08x}"
                )));
            }
        }
        Ok(())
    }

    /// The series table and the directory, read once.
    pub fn index(&self) -> Result<Arc<MetricIndex>> {
        let mut slot = self.index.lock();
        if let Some(index) = slot.as_ref() {
            return Ok(index.clone());
        }
        let index = Arc::new(self.read_index()?);
        *slot = Some(index.clone());
        Ok(index)
    }

    fn read_index(&self) -> Result<MetricIndex> {
        let name = self.meta.index_name();
        let sections =
            index::read_directory(self.meta.index_bytes, |range| self.store.read(&name, range))?;
        let of_series = |section: &&Section| section.kind == SectionKind::Series;
        let section = sections
            .iter()
            .find(of_series)
            .ok_or_else(|| Error::corrupt(format!("{name} has no series table")))?;
        let stored = index::decode_batch(&self.store.read(&name, section.range())?)?;
        let bad = || Error::corrupt(format!("{name} has a series table without chunk counts"));
        let at = stored.schema().index_of(CHUNK_COUNT).map_err(|_| bad())?;
        let counts = stored.column(at).as_primitive_opt::<UInt32Type>().ok_or_else(bad)?;
        let mut chunk_starts = Vec::with_capacity(counts.len() + 1);
        let mut total = 0u32;
        chunk_starts.push(0);
        for count in counts.values() {
            total = total.checked_add(*count).ok_or_else(bad)?;
            chunk_starts.push(total);
        }
        let others = (0..stored.num_columns()).filter(|i| *i != at).collect::<Vec<_>>();
        let series = series::with_ids(&stored.project(&others)?)?;
        Ok(MetricIndex { series, chunk_starts, sections, pages: Mutex::default() })
    }

    /// A sequence of times.
    pub fn sequence(&self, number: u32) -> Result<Arc<[i64]>> {
        let index = self.index()?;
        let holds = |section: &&Section| {
            section.kind == SectionKind::Sequences
                && number.checked_sub(section.first).is_some_and(|at| at < section.count)
        };
        let section = index.sections.iter().find(holds).ok_or_else(|| {
            Error::corrupt(format!("{} has no sequence {number}", self.meta.index_name()))
        })?;
        let kept = index.pages.lock().get(&section.first).cloned();
        let page = match kept {
            Some(page) => page,
            None => {
                let bytes = self.store.read(&self.meta.index_name(), section.range())?;
                let page = Arc::new(sequences::decode_page(&bytes, section.count)?);
                let mut pages = index.pages.lock();
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

    /// Exemplars of the series `from..to`, with the series that each belongs to.
    pub fn exemplars(&self, series: Range<u32>) -> Result<Vec<(u32, Exemplar)>> {
        let index = self.index()?;
        let mut found = Vec::new();
        let sections = index.sections.iter().filter(|s| s.kind == SectionKind::Exemplars);
        for section in sections.take_while(|section| section.first < series.end) {
            let batch =
                index::decode_batch(&self.store.read(&self.meta.index_name(), section.range())?)?;
            let columns = ExemplarColumns::new(&batch)?;
            let rows = columns.series.iter().enumerate();
            let wanted = rows.filter(|(_, number)| series.contains(number));
            found.extend(wanted.map(|(row, number)| (*number, columns.get(row))));
        }
        Ok(found)
    }

    /// Whether the segment holds any exemplar.
    pub fn has_exemplars(&self) -> Result<bool> {
        Ok(self.index()?.sections.iter().any(|s| s.kind == SectionKind::Exemplars))
    }

    /// The chunks of the given series (sorted, distinct rows of the series table; all for `None`):
    /// batches of [`layout::chunks`], restricted to `columns`.
    pub fn chunks(
        &self,
        series: Option<&[u32]>,
        columns: &[usize],
    ) -> Result<ParquetRecordBatchReader> {
        let file = DataFile {
            store: self.store.clone(),
            name: self.meta.data_name(),
            len: self.meta.data_bytes,
        };
        let footer = self.footer(&file)?;
        let mask = ProjectionMask::roots(footer.parquet_schema(), columns.iter().copied());
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
            .with_projection(mask)
            .with_batch_size(READ_CHUNKS);
        if let Some(series) = series {
            let index = self.index()?;
            builder = builder.with_row_selection(index.selection(series)?);
        }
        Ok(builder.build()?)
    }

    fn footer(&self, file: &DataFile) -> Result<ArrowReaderMetadata> {
        let mut slot = self.footer.lock();
        if let Some(footer) = slot.as_ref() {
            return Ok(footer.clone());
        }
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
        let footer = ArrowReaderMetadata::load(file, options)?;
        let types = |schema: &arrow::datatypes::Schema| {
            schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<DataType>>()
        };
        if types(footer.schema()) != types(&layout::chunks()) {
            return Err(Error::corrupt(format!("{} has other columns than expected", file.name)));
        }
        *slot = Some(footer.clone());
        Ok(footer)
    }
}

impl MetricIndex {
    /// Chunk rows of a series.
    pub fn chunks_of(&self, series: usize) -> Range<usize> {
        self.chunk_starts[series] as usize..self.chunk_starts[series + 1] as usize
    }

    /// Whether a series has points here (it may have exemplars only).
    pub fn has_chunks(&self, series: usize) -> bool {
        !self.chunks_of(series).is_empty()
    }

    fn selection(&self, series: &[u32]) -> Result<RowSelection> {
        let total = self.chunk_starts.last().copied().unwrap_or(0) as usize;
        if series.iter().any(|row| *row as usize >= self.series.num_rows()) || !series.is_sorted() {
            return Err(Error::invalid("chunks of series that are not in the segment"));
        }
        let ranges = series.iter().map(|row| self.chunks_of(*row as usize));
        Ok(RowSelection::from_consecutive_ranges(ranges.filter(|range| !range.is_empty()), total))
    }

    /// Bytes of memory that the series table holds.
    pub fn memory_bytes(&self) -> usize {
        self.series.get_array_memory_size() + self.chunk_starts.len() * 4 + self.sections.len() * 32
    }
}

/// The Parquet file, read by position.
#[derive(Clone, Debug)]
struct DataFile {
    store: Arc<SegmentStore>,
    name: String,
    len: u64,
}

impl Length for DataFile {
    fn len(&self) -> u64 {
        self.len
    }
}

/// Reads a [`DataFile`] onwards.
struct Onwards {
    file: DataFile,
    at: u64,
}

impl Read for Onwards {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let end = self.at.saturating_add(out.len() as u64).min(self.file.len).max(self.at);
        let bytes =
            self.file.store.read(&self.file.name, self.at..end).map_err(std::io::Error::other)?;
        out[..bytes.len()].copy_from_slice(&bytes);
        self.at = end;
        Ok(bytes.len())
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
            return Err(parquet::errors::ParquetError::EOF(format!(
                "{} has {} bytes, {end} were asked for",
                self.name, self.len
            )));
        }
        self.store
            .read(&self.name, start..end)
            .map_err(|err| parquet::errors::ParquetError::External(Box::new(err)))
    }
}
