//! Of a segment of log records: where the pieces of each row group are, and its services.
//!
//! ```text
//! places := varint row groups | (varint bytes of: runs, head of words, postings, rare words)*
//!           | varint services, (len, name)* | varint frames, (varint bytes)* of rows of traces
//! ```
//! Bytes are zero where there is no such piece.

use std::ops::Range;

use throughline_model::codec::{Reader, put_bytes, put_varint};

use crate::Result;
use crate::segment::log_runs::LogRuns;
use crate::segment::log_traces::{FRAME_TRACES, TracesOfRows};
use crate::segment::words::Pieces;

/// Row groups of log records under construction.
#[derive(Debug, Default)]
pub(crate) struct LogsBuilder {
    /// Names of the services that runs have as numbers.
    pub services: Vec<String>,
    /// One a row group.
    pub runs: Vec<LogRuns>,
    /// One a row group; none where there is no word index.
    pub words: Vec<Option<Pieces>>,
    /// The traces of all rows; empty where they are not kept.
    pub traces: TracesOfRows,
}

/// Bytes of the sections of log records.
pub(crate) struct LogSections {
    pub places: Vec<u8>,
    pub runs: Vec<u8>,
    pub words: Vec<u8>,
    pub traces: Vec<u8>,
}

impl LogsBuilder {
    pub(crate) fn encode(&self) -> Result<LogSections> {
        let (mut places, mut runs, mut words) = (Vec::new(), Vec::new(), Vec::new());
        if self.runs.is_empty() {
            return Ok(LogSections { places, runs, words, traces: Vec::new() });
        }
        put_varint(&mut places, self.runs.len() as u64);
        for (number, group) in self.runs.iter().enumerate() {
            let start = runs.len();
            group.put(&mut runs)?;
            put_varint(&mut places, (runs.len() - start) as u64);
            let pieces = self.words.get(number).and_then(Option::as_ref);
            for piece in pieces.map_or([&[][..]; 3], |p| [&p.head, &p.postings, &p.rare]) {
                put_varint(&mut places, piece.len() as u64);
                words.extend_from_slice(piece);
            }
        }
        put_varint(&mut places, self.services.len() as u64);
        self.services.iter().for_each(|name| put_bytes(&mut places, name.as_bytes()));
        let (traces, lengths) = self.traces.encode();
        put_varint(&mut places, lengths.len() as u64);
        lengths.iter().for_each(|bytes| put_varint(&mut places, *bytes));
        Ok(LogSections { places, runs, words, traces })
    }
}

/// Where the pieces of a row group are in their sections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupPlaces {
    pub runs: Range<u64>,
    /// Head, postings, rare words.
    pub words: [Range<u64>; 3],
}

impl GroupPlaces {
    /// Whether the row group has a word index.
    pub(crate) fn has_words(&self) -> bool {
        !self.words[0].is_empty()
    }
}

/// The places of all row groups.
#[derive(Debug, Default)]
pub(crate) struct LogPlaces {
    pub groups: Vec<GroupPlaces>,
    pub services: Vec<String>,
    /// Where each frame of rows of traces ends.
    trace_ends: Vec<u64>,
}

impl LogPlaces {
    pub(crate) fn read(section: &[u8]) -> Result<Self> {
        if section.is_empty() {
            return Ok(Self::default());
        }
        let mut reader = Reader::new(section);
        let (mut runs_end, mut words_end) = (0u64, 0u64);
        let mut groups = Vec::new();
        let after = |end: &mut u64, bytes: u64| {
            let start = *end;
            *end = start.saturating_add(bytes);
            start..*end
        };
        for _ in 0..reader.varint()? {
            let runs = after(&mut runs_end, reader.varint()?);
            let mut words = [const { 0..0 }; 3];
            for piece in &mut words {
                *piece = after(&mut words_end, reader.varint()?);
            }
            groups.push(GroupPlaces { runs, words });
        }
        let services =
            (0..reader.varint()?).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_>>()?;
        let mut end = 0u64;
        let trace_ends = (0..reader.varint()?).map(|_| Ok(after(&mut end, reader.varint()?).end));
        let trace_ends = trace_ends.collect::<Result<_>>()?;
        Ok(Self { groups, services, trace_ends })
    }

    /// Whether rows of traces are kept.
    pub(crate) fn has_traces(&self) -> bool {
        !self.trace_ends.is_empty()
    }

    /// Where the rows of a trace are, by its ordinal; none if it has none.
    pub(crate) fn trace_frame(&self, ordinal: u32) -> Option<Range<u64>> {
        let frame = ordinal as usize / FRAME_TRACES;
        let end = *self.trace_ends.get(frame)?;
        let start = frame.checked_sub(1).map_or(0, |before| self.trace_ends[before]);
        Some(start..end)
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let services = self.services.iter().map(|name| name.len() + 24).sum::<usize>();
        services + self.groups.len() * size_of::<GroupPlaces>() + self.trace_ends.len() * 8
    }
}
