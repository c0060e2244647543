//! Of a segment of log records: where the pieces of each row group are, and its services.
//!
//! ```text
//! places := varint row groups | (varint bytes of: runs, head of words, postings, rare words)*
//!           | varint services, (len, name)*
//! ```
//! Bytes are zero where there is no such piece.

use std::ops::Range;

use throughline_model::codec::{Reader, put_bytes, put_varint};

use crate::Result;
use crate::segment::log_runs::LogRuns;
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
}

/// Bytes of the sections of log records.
pub(crate) struct LogSections {
    pub places: Vec<u8>,
    pub runs: Vec<u8>,
    pub words: Vec<u8>,
}

impl LogsBuilder {
    pub(crate) fn encode(&self) -> Result<LogSections> {
        let (mut places, mut runs, mut words) = (Vec::new(), Vec::new(), Vec::new());
        if self.runs.is_empty() {
            return Ok(LogSections { places, runs, words });
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
        Ok(LogSections { places, runs, words })
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
        Ok(Self { groups, services })
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        let services = self.services.iter().map(|name| name.len() + 24).sum::<usize>();
        services + self.groups.len() * size_of::<GroupPlaces>()
    }
}
