//! Reading what is kept beside the rows of a segment of log records: runs, templates, words.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::Segment;
use super::index::file::IndexFile;
use super::log_runs::LogRuns;
use super::open::Meter;
use super::templates::SegmentTemplates;
use super::words::{self, Part as WordPart};
use crate::Result;
use crate::cache::Part;

impl Segment {
    /// The templates of its log records. Blocks.
    pub fn templates(&self) -> Result<Arc<SegmentTemplates>> {
        let read = || self.index()?.templates();
        self.cached(Part::Templates, read, SegmentTemplates::memory_bytes)
    }

    /// What the rows of a row group of log records share.
    pub(crate) fn log_runs(&self, row_group: usize, io: &Meter) -> Result<Arc<LogRuns>> {
        let read = || self.index()?.log_runs(row_group, io);
        self.cached(Part::LogRuns(row_group as u32), read, LogRuns::memory_bytes)
    }

    /// The rows of traces among log records, ascending, through all row groups; none where they are
    /// not kept.
    pub(crate) fn log_rows_of_traces(
        &self,
        ordinals: &[u32],
        io: &Meter,
    ) -> Result<Option<Vec<u32>>> {
        let index = self.index()?;
        let mut all = Vec::new();
        for ordinal in ordinals {
            let Some(rows) = index.log_rows_of_trace(*ordinal, io)? else { return Ok(None) };
            all.extend(rows);
        }
        all.sort_unstable();
        all.dedup(); // a trace may be asked for twice
        Ok(Some(all))
    }

    /// The word index of a row group; none if it has none.
    pub(crate) fn words(&self, row_group: usize, io: &Meter) -> Result<Option<Words>> {
        let index = self.index()?;
        let Some(group) = index.index.logs.groups.get(row_group).filter(|g| g.has_words()) else {
            return Ok(None);
        };
        let [head, postings, rare] = group.words.clone();
        let read = || WordPart::read(&index.words(head, io)?);
        let part = self.cached(Part::Words(row_group as u32), read, WordPart::memory_bytes)?;
        Ok(Some(Words { part, bytes: WordBytes { index, postings, rare, io: io.clone() } }))
    }
}

/// The word index of a row group, and where the rest of it is read from.
pub(crate) struct Words {
    pub part: Arc<WordPart>,
    pub bytes: WordBytes,
}

pub(crate) struct WordBytes {
    index: Arc<IndexFile>,
    postings: Range<u64>,
    rare: Range<u64>,
    io: Meter,
}

impl words::Read for WordBytes {
    fn postings(&self, range: Range<u64>) -> Result<Bytes> {
        let start = self.postings.start.saturating_add(range.start);
        let end = self.postings.start.saturating_add(range.end).min(self.postings.end);
        self.index.words(start.min(end)..end, &self.io)
    }

    fn rare(&self, range: Range<u64>) -> Result<Bytes> {
        let start = self.rare.start.saturating_add(range.start);
        let end = self.rare.start.saturating_add(range.end).min(self.rare.end);
        self.index.words(start.min(end)..end, &self.io)
    }
}
