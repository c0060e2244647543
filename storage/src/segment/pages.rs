//! Pages of one row group for Parquet's array readers, inflated with one zstd context a thread.
//!
//! Parquet's own page reader makes a compressor and a decompressor for every column chunk that it
//! opens, which costs a point lookup over some forty columns more than all else that it does. Here
//! it is told that chunks are not compressed, and its pages are inflated afterwards.

use std::sync::Arc;

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use parquet::file::reader::ChunkReader;
use parquet::file::serialized_reader::SerializedPageReader;

/// Bytes that a page may inflate to: the largest single value that a request can carry, and more.
const PAGE_BYTES_MAX: u64 = 512 * 1024 * 1024;

/// One row group of a file.
pub(crate) struct RowGroupPages<R: ChunkReader> {
    pub source: Arc<R>,
    pub metadata: Arc<ParquetMetaData>,
    pub row_group: usize,
}

impl<R: ChunkReader + 'static> RowGroups for RowGroupPages<R> {
    fn num_rows(&self) -> usize {
        self.metadata.row_group(self.row_group).num_rows() as usize
    }

    fn column_chunks(&self, column: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self.metadata.row_group(self.row_group).column(column);
        let is_zstd = matches!(chunk.compression(), Compression::ZSTD(_));
        let mut chunk = chunk.clone();
        if is_zstd {
            let plain = chunk.into_builder().set_compression(Compression::UNCOMPRESSED);
            chunk = plain.build()?;
        }
        let index = self.metadata.offset_index();
        let pages = index.and_then(|all| all.get(self.row_group)?.get(column));
        let pages = pages.map(|index| index.page_locations().clone());
        let source = self.source.clone();
        let inner = SerializedPageReader::new(source, &chunk, self.num_rows(), pages)?;
        Ok(Box::new(OneChunk(Some(Box::new(Inflated { inner, is_zstd })))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.metadata.row_group(self.row_group)))
    }

    fn metadata(&self) -> &ParquetMetaData {
        &self.metadata
    }
}

struct OneChunk(Option<Box<dyn PageReader>>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.take().map(Ok)
    }
}

impl PageIterator for OneChunk {}

struct Inflated<R: ChunkReader> {
    inner: SerializedPageReader<R>,
    is_zstd: bool,
}

impl<R: ChunkReader> Iterator for Inflated<R> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<R: ChunkReader> PageReader for Inflated<R> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let mut page = self.inner.get_next_page()?;
        match &mut page {
            Some(Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. }) if self.is_zstd => {
                *buf = inflate(buf)?;
            }
            Some(Page::DataPageV2 { .. }) => {
                return Err(ParquetError::NYI("data pages of version 2".to_owned()));
            }
            _ => {}
        }
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.inner.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.inner.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.inner.at_record_boundary()
    }
}

fn inflate(bytes: &Bytes) -> Result<Bytes> {
    if bytes.is_empty() {
        return Ok(bytes.clone());
    }
    let failed = |err: String| ParquetError::General(format!("a page does not inflate: {err}"));
    let len = match zstd::zstd_safe::get_frame_content_size(bytes) {
        Ok(Some(len)) if len <= PAGE_BYTES_MAX => len as usize,
        Ok(len) => return Err(failed(format!("its frame names {len:?} bytes"))),
        Err(_) => return Err(failed("it starts with no frame".to_owned())),
    };
    let inflated = crate::inflate::inflate(bytes, len).map_err(|err| failed(err.to_string()))?;
    Ok(Bytes::from(inflated))
}
