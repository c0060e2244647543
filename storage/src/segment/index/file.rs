//! The index file of an open segment: its head, and what is behind it piece by piece.

use bytes::Bytes;
use throughline_model::TraceId;

use super::facts::{self, TraceFacts};
use super::filter::{Filter, value_hash};
use super::section::checked;
use super::traces::{TraceEntry, TraceTable};
use super::{
    FACTS, FILTERS, Index, LOG_RUNS, LOG_TRACES, PREFIX_BYTES, ROLLUP_KEYS, ROLLUP_ROWS, TEMPLATES,
    TRACE_COUNTS, TRACE_FILTER, TRACE_IDS, TRACE_ORDER, WORDS, head_bytes,
};
use crate::io::{SegmentFile, SegmentStore};
use crate::segment::SegmentMeta;
use crate::segment::log_runs::LogRuns;
use crate::segment::log_traces;
use crate::segment::open::Meter;
use crate::segment::rollup::section::RollupKeys;
use crate::segment::templates::SegmentTemplates;
use crate::{Error, Result};

/// An index file whose head was read.
#[derive(Debug)]
pub(crate) struct IndexFile {
    pub index: Index,
    file: SegmentFile,
}

impl IndexFile {
    /// Opens a file and reads its head.
    pub(crate) fn read_head(store: &SegmentStore, meta: &SegmentMeta) -> Result<Self> {
        let name = meta.index_name();
        let file = store.open_file(&name)?;
        let prefix = file.read(0..PREFIX_BYTES.min(meta.index_bytes))?;
        let head_bytes = head_bytes(&prefix)?;
        if head_bytes > meta.index_bytes {
            return Err(Error::corrupt(format!("{name} has a head too long")));
        }
        let index = Index::read(&file.read(0..head_bytes)?, meta.index_bytes)?;
        Ok(Self { index, file })
    }

    /// The table of trace ids.
    pub(crate) fn traces(&self) -> Result<TraceTable> {
        TraceTable::read(&self.section(TRACE_IDS)?, &self.section(TRACE_ORDER)?)
    }

    /// Every trace with its rows and first time.
    pub(crate) fn trace_entries(&self, traces: &TraceTable) -> Result<Vec<TraceEntry>> {
        traces.entries(&self.section(TRACE_COUNTS)?)
    }

    /// The filter of trace ids.
    pub(crate) fn trace_filter(&self) -> Result<TraceFilter> {
        Ok(TraceFilter(read_filter(&self.section(TRACE_FILTER)?)?))
    }

    /// What is known of a trace.
    pub(crate) fn facts(&self, ordinal: u32) -> Result<TraceFacts> {
        let place = self.index.piece(FACTS, self.index.facts.block(ordinal)?)?;
        facts::read(ordinal, &self.file.read(place)?)
    }

    /// The filter of an attribute column in a row group, if there is one.
    pub(crate) fn filter(&self, row_group: usize, column: usize) -> Result<Option<Filter>> {
        let Some(piece) = self.index.filter_place(row_group, column) else { return Ok(None) };
        let place = self.index.piece(FILTERS, piece)?;
        read_filter(&self.file.read(place)?).map(Some)
    }

    /// The keys of the rollup.
    pub(crate) fn rollup_keys(&self, io: &Meter) -> Result<RollupKeys> {
        let place = self.index.place(ROLLUP_KEYS);
        io.before_read(place.end - place.start)?;
        RollupKeys::read(&self.file.read(place)?)
    }

    /// A frame of the rollup's rows.
    pub(crate) fn rollup_frame(&self, frame: std::ops::Range<u64>, io: &Meter) -> Result<Bytes> {
        let place = self.index.piece(ROLLUP_ROWS, frame)?;
        io.before_read(place.end - place.start)?;
        self.file.read(place)
    }

    /// The templates of log records.
    pub(crate) fn templates(&self) -> Result<SegmentTemplates> {
        SegmentTemplates::read(&self.section(TEMPLATES)?)
    }

    /// The runs of a row group of log records.
    pub(crate) fn log_runs(&self, row_group: usize, io: &Meter) -> Result<LogRuns> {
        let group = self.index.logs.groups.get(row_group);
        let group =
            group.ok_or_else(|| Error::corrupt(format!("row group {row_group} has no runs")))?;
        let place = self.index.piece(LOG_RUNS, group.runs.clone())?;
        io.before_read(place.end - place.start)?;
        LogRuns::read(&self.file.read(place)?)
    }

    /// Bytes of the words of log records.
    pub(crate) fn words(&self, piece: std::ops::Range<u64>, io: &Meter) -> Result<Bytes> {
        let place = self.index.piece(WORDS, piece)?;
        io.before_read(place.end - place.start)?;
        self.file.read(place)
    }

    /// The rows of a trace among log records, by its ordinal, through all row groups; none where they
    /// are not kept.
    pub(crate) fn log_rows_of_trace(&self, ordinal: u32, io: &Meter) -> Result<Option<Vec<u32>>> {
        if !self.index.logs.has_traces() {
            return Ok(None);
        }
        let mut rows = Vec::new();
        if let Some(frame) = self.index.logs.trace_frame(ordinal) {
            let place = self.index.piece(LOG_TRACES, frame)?;
            io.before_read(place.end - place.start)?;
            log_traces::read(&self.file.read(place)?, ordinal, &mut rows)?;
        }
        Ok(Some(rows))
    }

    fn section(&self, kind: u32) -> Result<Bytes> {
        self.file.read(self.index.place(kind))
    }
}

fn read_filter(piece: &Bytes) -> Result<Filter> {
    Filter::read(&mut throughline_model::codec::Reader::new(&checked(piece)?))
}

/// Which traces a segment may hold.
#[derive(Debug)]
pub(crate) struct TraceFilter(Filter);

impl TraceFilter {
    /// False if the segment does not hold the trace.
    pub(crate) fn may_hold(&self, id: TraceId) -> bool {
        self.0.may_contain(value_hash(&id.0))
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.memory_bytes()
    }
}
