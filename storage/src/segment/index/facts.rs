//! What a list says of each trace of a segment, so that no row is read for it.
//!
//! ```text
//! places := varint traces | varint blocks, varint bytes of each          a block holds TRACES_A_BLOCK
//! blocks := (crc32c u32 LE | block)*                                     read one by one
//! block  := zstd of: varint strings, (len, bytes)*
//!          | (zigzag start − start of the one before, varint duration, root u8, varint service of the
//!             head, varint name of the head, varint spans, varint errors, varint orphans
//!             | varint services, (varint service, varint spans, varint errors)*)*
//! ```
//! The head of a trace is its root, or its first span where no root is among the rows. Strings are
//! numbered by block.

use std::ops::Range;

use bytes::Bytes;
use throughline_model::codec::{Reader, put_bytes, put_varint};
use throughline_model::dict::Interner;

use super::section::{CHECKSUM_BYTES, checked, put_checked};
use crate::{Error, Result};

/// Traces that are packed together: a lookup unpacks one block.
const TRACES_A_BLOCK: usize = 256;
/// Bytes that a block may unpack to.
const BLOCK_BYTES_MAX: usize = 64 << 20;

/// What is known of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceFacts {
    /// Earliest start.
    pub start_ns: i64,
    /// Latest end minus earliest start.
    pub duration_ns: i64,
    /// Whether a span without parent is there.
    pub has_root: bool,
    /// Service of the root, or of the earliest span.
    pub head_service: String,
    /// Name of the same span.
    pub head_name: String,
    /// Spans.
    pub spans: u64,
    /// Spans with status ERROR.
    pub errors: u64,
    /// Spans whose parent is not there.
    pub orphans: u64,
    /// Service, its spans, and of these those with status ERROR.
    pub services: Vec<(String, u64, u64)>,
}

/// The facts of a trace under construction; strings are numbers of [`FactsBuilder::strings`].
#[derive(Clone, Debug, Default)]
pub(crate) struct RawFacts {
    pub start_ns: i64,
    pub duration_ns: i64,
    pub has_root: bool,
    pub head_service: u32,
    pub head_name: u32,
    pub errors: u32,
    pub orphans: u32,
    /// Service, spans, errors.
    pub services: Vec<(u32, u32, u32)>,
}

/// The facts of a segment under construction, by ordinal.
#[derive(Debug, Default)]
pub(crate) struct FactsBuilder {
    pub strings: Interner,
    open: Vec<RawFacts>,
    blocks: Vec<Vec<u8>>,
    traces: u64,
}

impl FactsBuilder {
    pub(crate) fn push(&mut self, facts: RawFacts) -> Result<()> {
        self.open.push(facts);
        self.traces += 1;
        if self.open.len() == TRACES_A_BLOCK {
            let block = self.block()?;
            self.blocks.push(block);
            self.open.clear();
        }
        Ok(())
    }

    // The open traces as a block.
    fn block(&self) -> Result<Vec<u8>> {
        let mut local: Vec<u32> = Vec::new();
        let mut rows = Vec::new();
        let mut last = 0i64;
        let mut number = |string: u32| match local.iter().position(|known| *known == string) {
            Some(at) => at as u64,
            None => {
                local.push(string);
                local.len() as u64 - 1
            }
        };
        for facts in &self.open {
            put_varint(&mut rows, zigzag(facts.start_ns.wrapping_sub(last)));
            last = facts.start_ns;
            put_varint(&mut rows, facts.duration_ns as u64);
            rows.push(u8::from(facts.has_root));
            put_varint(&mut rows, number(facts.head_service));
            put_varint(&mut rows, number(facts.head_name));
            let spans = facts.services.iter().map(|(_, spans, _)| u64::from(*spans)).sum();
            put_varint(&mut rows, spans);
            put_varint(&mut rows, u64::from(facts.errors));
            put_varint(&mut rows, u64::from(facts.orphans));
            put_varint(&mut rows, facts.services.len() as u64);
            for (service, spans, errors) in &facts.services {
                put_varint(&mut rows, number(*service));
                put_varint(&mut rows, u64::from(*spans));
                put_varint(&mut rows, u64::from(*errors));
            }
        }
        let mut block = Vec::new();
        put_varint(&mut block, local.len() as u64);
        for string in &local {
            put_bytes(&mut block, self.strings.get(*string));
        }
        block.extend_from_slice(&rows);
        zstd::bulk::compress(&block, 1)
            .map_err(|err| Error::invalid(format!("could not compress facts: {err}")))
    }

    /// Where the blocks are, and the blocks.
    pub(crate) fn encode(&self) -> Result<[Vec<u8>; 2]> {
        let last = if self.open.is_empty() { None } else { Some(self.block()?) };
        let blocks = self.blocks.iter().chain(&last);
        let (mut places, mut out) = (Vec::new(), Vec::new());
        put_varint(&mut places, self.traces);
        put_varint(&mut places, blocks.clone().count() as u64);
        for block in blocks {
            put_varint(&mut places, block.len() as u64 + CHECKSUM_BYTES);
            put_checked(&mut out, block);
        }
        Ok([places, out])
    }
}

/// Where the facts of a segment are.
#[derive(Clone, Debug, Default)]
pub(crate) struct FactsPlaces {
    traces: u64,
    /// Where each block starts in the section, and where the last ends.
    starts: Vec<u64>,
}

impl FactsPlaces {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        if reader.is_empty() {
            return Ok(Self::default());
        }
        let (traces, blocks) = (reader.varint()?, reader.varint()?);
        let mut starts = vec![0u64];
        for _ in 0..blocks {
            starts.push(starts[starts.len() - 1].saturating_add(reader.varint()?));
        }
        if (traces as usize).div_ceil(TRACES_A_BLOCK) != starts.len() - 1 {
            return Err(Error::corrupt(format!("facts of {traces} traces in {blocks} blocks")));
        }
        Ok(Self { traces, starts })
    }

    /// Where the block of an ordinal is in the section.
    pub(crate) fn block(&self, ordinal: u32) -> Result<Range<u64>> {
        if u64::from(ordinal) >= self.traces {
            return Err(Error::corrupt(format!("facts of {} traces, not {ordinal}", self.traces)));
        }
        let block = ordinal as usize / TRACES_A_BLOCK;
        Ok(self.starts[block]..self.starts[block + 1])
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        self.starts.len() * 8
    }
}

/// The facts of an ordinal, from its block.
pub(crate) fn read(ordinal: u32, block: &Bytes) -> Result<TraceFacts> {
    let (packed, place) = (checked(block)?, ordinal as usize % TRACES_A_BLOCK);
    let bytes = crate::inflate::inflate(&packed, unpacked_bytes(&packed))
        .map_err(|err| Error::corrupt(format!("facts do not decompress: {err}")))?;
    let mut reader = Reader::new(&bytes);
    let strings = (0..reader.varint()?).map(|_| Ok(reader.str()?));
    let strings = strings.collect::<Result<Vec<&str>>>()?;
    let string = |number: u64| {
        let string = strings.get(number as usize).map(|string| (*string).to_owned());
        string.ok_or_else(|| Error::corrupt(format!("string {number} of {}", strings.len())))
    };
    let mut last = 0i64;
    for at in 0..=place {
        last = last.wrapping_add(unzigzag(reader.varint()?));
        let duration_ns = reader.varint()? as i64;
        let has_root = reader.array()? == [1];
        let (service, name) = (reader.varint()?, reader.varint()?);
        let (spans, errors) = (reader.varint()?, reader.varint()?);
        let (orphans, count) = (reader.varint()?, reader.varint()?);
        if at < place {
            for _ in 0..count.saturating_mul(3) {
                reader.varint()?;
            }
            continue;
        }
        let services = (0..count)
            .map(|_| Ok((string(reader.varint()?)?, reader.varint()?, reader.varint()?)))
            .collect::<Result<Vec<_>>>()?;
        let (head_service, head_name) = (string(service)?, string(name)?);
        let start_ns = last;
        return Ok(TraceFacts {
            start_ns,
            duration_ns,
            has_root,
            head_service,
            head_name,
            spans,
            errors,
            orphans,
            services,
        });
    }
    Err(Error::corrupt("a block of facts is empty"))
}

// What a frame says that it unpacks to, within reason.
fn unpacked_bytes(packed: &[u8]) -> usize {
    let said = zstd::zstd_safe::get_frame_content_size(packed).ok().flatten();
    said.map_or(BLOCK_BYTES_MAX, |bytes| (bytes as usize).min(BLOCK_BYTES_MAX))
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}
