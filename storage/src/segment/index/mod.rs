//! `<ulid>.idx`: what is known of a segment without reading its rows. Its head opens in one read after
//! that of its first bytes and is small; each piece behind it is read when it is asked for (see
//! `file`), so that many segments may be open at once.
//!
//! ```text
//! file     := magic "TLIX" | version u16 LE | 0 u16 | head bytes u64 LE | crc32c u32 LE of the rest of
//!             the head | sections u32 LE | (kind u32 LE, offset u64 LE, length u64 LE)* | section*
//! sections := 1 summary (see `summary`) | 2 lengths of filters: varint* by row group, then column
//!             | 3 places of facts (see `facts`)
//!             | 4 places of runs and words of log records (see `log_places`)
//!             | behind the head: 5 trace ids | 6 trace order | 7 trace counts | 8 filter of trace ids
//!             (see `traces`) | 9 exceptions (see `segment::exceptions`) | 10 versions (see
//!             `segment::versions`) | 11 filters: (crc32c u32 LE | filter)* | 12 facts
//!             | 13 keys, 14 rows of the rollup (see `rollup::section`) | 15 templates (see
//!             `segment::templates`) | 16 runs (see `segment::log_runs`) | 17 words (see `segment::words`)
//!             | 18 rows of traces of log records (see `segment::log_traces`)
//! ```
//! A reader skips sections that it does not know. What is behind the head carries its own checksums;
//! the file's crc32c is in the catalog.

pub mod facts;
pub(crate) mod file;
pub(crate) mod filter;
pub(crate) mod log_places;
pub(crate) mod section;
pub(crate) mod summary;
pub(crate) mod traces;

use std::ops::Range;

use bytes::Bytes;
use throughline_model::codec::{Reader, put_varint};

use self::facts::{FactsBuilder, FactsPlaces};
use self::filter::Filter;
use self::log_places::{LogPlaces, LogsBuilder};
use self::section::put_checked;
use self::summary::Summary;
use self::traces::{TraceEntry, TraceTable};
use super::exceptions::{self, Exceptions};
use super::rollup::section::RollupBuilder;
use super::templates::SegmentTemplates;
use super::versions::Versions;
use crate::{Error, Result};

const MAGIC: [u8; 4] = *b"TLIX";
/// Version of both files of a bundle.
pub(crate) const FORMAT_VERSION: u16 = 6;

const SUMMARY: u32 = 1;
const FILTER_LENGTHS: u32 = 2;
const FACTS_PLACES: u32 = 3;
const LOG_PLACES: u32 = 4;
pub(crate) const TRACE_IDS: u32 = 5;
pub(crate) const TRACE_ORDER: u32 = 6;
pub(crate) const TRACE_COUNTS: u32 = 7;
pub(crate) const TRACE_FILTER: u32 = 8;
pub(crate) const EXCEPTIONS: u32 = 9;
pub(crate) const VERSIONS: u32 = 10;
pub(crate) const FILTERS: u32 = 11;
pub(crate) const FACTS: u32 = 12;
pub(crate) const ROLLUP_KEYS: u32 = 13;
pub(crate) const ROLLUP_ROWS: u32 = 14;
pub(crate) const TEMPLATES: u32 = 15;
pub(crate) const LOG_RUNS: u32 = 16;
pub(crate) const WORDS: u32 = 17;
pub(crate) const LOG_TRACES: u32 = 18;
/// Sections in the head, and all.
const HEAD_SECTIONS: usize = 4;
const SECTIONS: usize = 18;

/// The first bytes of the file, which say how long the head is.
pub(crate) const PREFIX_BYTES: u64 = 20;

/// The head of an index, read.
#[derive(Debug)]
pub(crate) struct Index {
    pub summary: Summary,
    /// Where the facts of traces are.
    pub facts: FactsPlaces,
    /// Where each filter ends in its section, by row group and attribute column; empty where none were
    /// built.
    filter_ends: Vec<u32>,
    /// Where the runs and words of log records are.
    pub logs: LogPlaces,
    /// Where the sections are in the file.
    places: [Range<u64>; SECTIONS + 1],
}

/// An index under construction.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    pub summary: Summary,
    pub traces: Vec<TraceEntry>,
    pub facts: FactsBuilder,
    pub filters: Vec<Option<Filter>>,
    pub logs: LogsBuilder,
    pub templates: SegmentTemplates,
    pub rollup: RollupBuilder,
    pub exceptions: Exceptions,
    pub versions: Versions,
}

impl IndexBuilder {
    /// The bytes of the file.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let mut summary = Vec::new();
        self.summary.put(&mut summary);
        let [ids, order, counts, trace_filter] = TraceTable::encode(&self.traces)?;
        let [facts_places, facts] = self.facts.encode()?;
        let (mut filter_lengths, mut filters) = (Vec::new(), Vec::new());
        for filter in &self.filters {
            let start = filters.len();
            if let Some(filter) = filter {
                let mut piece = Vec::new();
                filter.put(&mut piece);
                put_checked(&mut filters, &piece);
            }
            put_varint(&mut filter_lengths, (filters.len() - start) as u64);
        }
        let [rollup_keys, rollup_rows] = self.rollup.encode()?;
        let logs = self.logs.encode()?;
        let sections: [(u32, Vec<u8>); SECTIONS] = [
            (SUMMARY, summary),
            (FILTER_LENGTHS, filter_lengths),
            (FACTS_PLACES, facts_places),
            (LOG_PLACES, logs.places),
            (TRACE_IDS, ids),
            (TRACE_ORDER, order),
            (TRACE_COUNTS, counts),
            (TRACE_FILTER, trace_filter),
            (EXCEPTIONS, exceptions::write(&self.exceptions)?),
            (VERSIONS, self.versions.write()?),
            (FILTERS, filters),
            (FACTS, facts),
            (ROLLUP_KEYS, rollup_keys),
            (ROLLUP_ROWS, rollup_rows),
            (TEMPLATES, self.templates.write()?),
            (LOG_RUNS, logs.runs),
            (WORDS, logs.words),
            (LOG_TRACES, logs.traces),
        ];
        let mut out = Vec::new();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        out.extend_from_slice(&[0; PREFIX_BYTES as usize - 6]);
        out.extend_from_slice(&(sections.len() as u32).to_le_bytes());
        let mut offset = (out.len() + sections.len() * 20) as u64;
        for (kind, bytes) in &sections {
            out.extend_from_slice(&kind.to_le_bytes());
            out.extend_from_slice(&offset.to_le_bytes());
            out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
            offset += bytes.len() as u64;
        }
        let (head, behind) = sections.split_at(HEAD_SECTIONS);
        head.iter().for_each(|(_, bytes)| out.extend_from_slice(bytes));
        let head_bytes = out.len() as u64;
        let crc32c = crc32c::crc32c(&out[PREFIX_BYTES as usize..]);
        out[8..16].copy_from_slice(&head_bytes.to_le_bytes());
        out[16..20].copy_from_slice(&crc32c.to_le_bytes());
        behind.iter().for_each(|(_, bytes)| out.extend_from_slice(bytes));
        Ok(out)
    }
}

/// How long the head of a file is, from its first [`PREFIX_BYTES`].
pub(crate) fn head_bytes(prefix: &[u8]) -> Result<u64> {
    let mut reader = Reader::new(prefix);
    if reader.array::<4>()? != MAGIC {
        return Err(Error::corrupt("an index does not start with its magic"));
    }
    let version = u16::from_le_bytes(reader.array()?);
    if version != FORMAT_VERSION {
        return Err(Error::corrupt(format!(
            "an index has version {version}, this program knows {FORMAT_VERSION}"
        )));
    }
    reader.take(2)?;
    Ok(u64::from_le_bytes(reader.array()?))
}

impl Index {
    /// Reads the head of a file of so many bytes.
    pub(crate) fn read(head: &Bytes, file_bytes: u64) -> Result<Self> {
        let mut reader = Reader::new(head);
        if head_bytes(reader.take(PREFIX_BYTES as usize - 4)?)? != head.len() as u64 {
            return Err(Error::corrupt("the head of an index is cut off"));
        }
        let expected = u32::from_le_bytes(reader.array()?);
        let crc32c = crc32c::crc32c(reader.rest());
        if crc32c != expected {
            return Err(Error::corrupt(format!(
                "the head of an index has crc32c {crc32c:08x}, it says {expected:08x}"
            )));
        }
        let count = u32::from_le_bytes(reader.array()?);
        let mut places = [const { 0..0 }; SECTIONS + 1];
        for _ in 0..count {
            let kind = u32::from_le_bytes(reader.array()?) as usize;
            let offset = u64::from_le_bytes(reader.array()?);
            let end = offset.saturating_add(u64::from_le_bytes(reader.array()?));
            let bytes = if kind <= HEAD_SECTIONS { head.len() as u64 } else { file_bytes };
            if end > bytes {
                return Err(Error::corrupt(format!("section {kind} of an index is cut off")));
            }
            if let Some(place) = places.get_mut(kind) {
                *place = offset..end;
            }
        }
        let section = |kind: u32| {
            let place = &places[kind as usize];
            head.slice(place.start as usize..place.end as usize)
        };
        let summary = Summary::read(&section(SUMMARY))?;
        let filter_ends = read_filter_ends(&section(FILTER_LENGTHS), &summary)?;
        Ok(Self {
            facts: FactsPlaces::read(&section(FACTS_PLACES))?,
            logs: LogPlaces::read(&section(LOG_PLACES))?,
            summary,
            filter_ends,
            places,
        })
    }

    /// Where a section is in the file.
    pub(crate) fn place(&self, kind: u32) -> Range<u64> {
        self.places[kind as usize].clone()
    }

    /// Where a piece of a section is in the file.
    pub(crate) fn piece(&self, kind: u32, piece: Range<u64>) -> Result<Range<u64>> {
        let place = &self.places[kind as usize];
        let (start, end) =
            (place.start.saturating_add(piece.start), place.start.saturating_add(piece.end));
        if end > place.end || start > end {
            return Err(Error::corrupt(format!("a piece of section {kind} is cut off")));
        }
        Ok(start..end)
    }

    /// Where the filter of an attribute column in a row group is in its section; none if there is none.
    pub(crate) fn filter_place(&self, row_group: usize, column: usize) -> Option<Range<u64>> {
        let at = row_group * self.summary.columns.len() + column;
        let end = u64::from(*self.filter_ends.get(at)?);
        let start = if at == 0 { 0 } else { u64::from(self.filter_ends[at - 1]) };
        (end > start).then_some(start..end)
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let places = self.facts.memory_bytes() + self.filter_ends.len() * 4;
        places + self.logs.memory_bytes() + self.summary.memory_bytes()
    }
}

fn read_filter_ends(bytes: &[u8], summary: &Summary) -> Result<Vec<u32>> {
    let mut reader = Reader::new(bytes);
    let mut ends = Vec::new();
    let mut end = 0u64;
    while !reader.is_empty() {
        end = end.saturating_add(reader.varint()?);
        ends.push(u32::try_from(end).map_err(|_| Error::corrupt("filters of 4 GiB"))?);
    }
    let expected = summary.row_groups.len() * summary.columns.len();
    if !ends.is_empty() && ends.len() != expected {
        return Err(Error::corrupt(format!("{} filters, expected {expected}", ends.len())));
    }
    Ok(ends)
}
