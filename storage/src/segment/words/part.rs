//! A part of the word index, read: its head stays in the cache, postings and shards of rare words are
//! read when they are asked for.

use std::ops::Range;

use bytes::Bytes;
use tantivy::directory::FileSlice;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionary;
use throughline_model::codec::Reader;
use xxhash_rust::xxh3::xxh3_64;

use super::letters::Letters;
use super::{FRAME_BYTES, TERM_BYTES_MAX, postings, rare};
use crate::segment::index::section::checked;
use crate::segment::row_set::RowSet;
use crate::{Error, Result};

/// Terms that a pattern of words may stand for.
const TERMS_MAX: usize = 4096;

/// The head of a part.
pub(crate) struct Part {
    letters: Letters,
    rows: usize,
    shards: Vec<(Range<u64>, u32)>,
    frames: Vec<u32>,
    dictionary: TermDictionary,
    bytes: usize,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Reads bytes of a part: of its postings, or of its rare words.
pub(crate) trait Read {
    /// Bytes of the postings.
    fn postings(&self, range: Range<u64>) -> Result<Bytes>;
    /// Bytes of the rare words.
    fn rare(&self, range: Range<u64>) -> Result<Bytes>;
}

/// Rows in which something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// They have it.
    pub sure: RowSet,
    /// They may have it; none of `sure` is here.
    pub maybe: RowSet,
}

impl Found {
    /// Nothing in so many rows.
    pub(crate) fn none(rows: usize) -> Self {
        Self { sure: RowSet::none(rows), maybe: RowSet::none(rows) }
    }

    /// Nothing is known of so many rows.
    pub(crate) fn unknown(rows: usize) -> Self {
        Self { sure: RowSet::none(rows), maybe: RowSet::all(rows) }
    }

    /// Both.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        // Sure where both are; possible where neither is ruled out.
        let mut possible = self.possible();
        possible.intersect(&other.possible());
        self.sure.intersect(&other.sure);
        possible.subtract(&self.sure);
        self.maybe = possible;
        self
    }

    /// What is not ruled out.
    pub(crate) fn possible(&self) -> RowSet {
        let mut rows = self.sure.clone();
        rows.unite(&self.maybe);
        rows
    }

    /// The same rows, none of them sure.
    pub(crate) fn unsure(self) -> Self {
        Self { maybe: self.possible(), sure: RowSet::none(self.sure.rows()) }
    }
}

impl Part {
    /// Reads a head.
    pub(crate) fn read(piece: &Bytes) -> Result<Self> {
        let piece = checked(piece)?;
        let mut reader = Reader::new(&piece);
        let letters = Letters::read(&mut reader)?;
        let rows = reader.varint()? as usize;
        if rows > rare::ROWS_MAX {
            return Err(Error::corrupt(format!("words of {rows} rows")));
        }
        let mut shards = Vec::with_capacity(rare::SHARDS);
        let mut at = 0u64;
        for _ in 0..rare::SHARDS {
            let end = at.saturating_add(reader.varint()?);
            shards.push((at..end, u32::from_le_bytes(reader.array()?)));
            at = end;
        }
        let (frames, _) = reader.bytes()?.as_chunks::<4>();
        let frames = frames.iter().map(|crc32c| u32::from_le_bytes(*crc32c)).collect::<Vec<_>>();
        let dictionary = TermDictionary::open(FileSlice::from(reader.bytes()?.to_vec()));
        let dictionary = dictionary.map_err(unreadable)?;
        let bytes = piece.len() + letters.memory_bytes() + shards.len() * 24;
        Ok(Self { letters, rows, shards, frames, dictionary, bytes })
    }

    /// Rows that it is about.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes
    }

    /// The rows of a folded word.
    pub(crate) fn word(&self, word: &str, from: &dyn Read) -> Result<Found> {
        let mut found = Found::none(self.rows);
        if word.len() <= TERM_BYTES_MAX
            && let Some(info) = self.dictionary.get(word).map_err(unreadable)?
        {
            self.add(&info, &mut found.sure, from)?;
            return Ok(found);
        }
        let is_rare = word.len() > TERM_BYTES_MAX || word.bytes().any(|b| b.is_ascii_digit());
        if is_rare {
            let hash = xxh3_64(word.as_bytes());
            let (range, crc32c) = &self.shards[rare::shard_of(hash)];
            if range.start < range.end {
                let shard = from.rare(range.clone())?;
                check(&shard, *crc32c)?;
                rare::find(&shard, hash, &mut found.maybe)?;
            }
        }
        Ok(found)
    }

    /// The rows of words that begin with a folded text.
    pub(crate) fn prefix(&self, prefix: &str, from: &dyn Read) -> Result<Found> {
        let mut stream = self.dictionary.range().ge(prefix).into_stream().map_err(unreadable)?;
        let mut terms = Vec::new();
        while let Some((term, info)) = stream.next() {
            if !term.starts_with(prefix.as_bytes()) || terms.len() > TERMS_MAX {
                break;
            }
            terms.push(info.clone());
        }
        self.any_of(terms, prefix, from)
    }

    /// The rows of words that have a folded text in them.
    pub(crate) fn containing(&self, part: &str, from: &dyn Read) -> Result<Found> {
        let finder = memchr::memmem::Finder::new(part.as_bytes());
        let mut stream = self.dictionary.stream().map_err(unreadable)?;
        let mut terms = Vec::new();
        while let Some((term, info)) = stream.next() {
            if finder.find(term).is_some() {
                terms.push(info.clone());
            }
            if terms.len() > TERMS_MAX {
                break;
            }
        }
        self.any_of(terms, part, from)
    }

    // Rows with one of the terms, and where rare words with the part may be: anywhere.
    fn any_of(&self, terms: Vec<TermInfo>, part: &str, from: &dyn Read) -> Result<Found> {
        if terms.len() > TERMS_MAX {
            return Ok(Found::unknown(self.rows));
        }
        let mut found = match self.has_rare() && self.letters.may_have(part) {
            true => Found::unknown(self.rows),
            false => Found::none(self.rows),
        };
        for info in &terms {
            self.add(info, &mut found.sure, from)?;
        }
        found.maybe.subtract(&found.sure);
        Ok(found)
    }

    fn has_rare(&self) -> bool {
        self.shards.last().is_some_and(|(range, _)| range.end > 0)
    }

    fn add(&self, info: &TermInfo, into: &mut RowSet, from: &dyn Read) -> Result<()> {
        let range = &info.postings_range;
        let first = range.start / FRAME_BYTES;
        let last = range.end.div_ceil(FRAME_BYTES);
        let start = first * FRAME_BYTES;
        let frames = from.postings(start as u64..(last * FRAME_BYTES) as u64)?;
        for (number, frame) in frames.chunks(FRAME_BYTES).enumerate() {
            let crc32c = self.frames.get(first + number).copied();
            check(frame, crc32c.unwrap_or_default())?;
        }
        let bytes = frames.get(range.start - start..range.end - start);
        let bytes = bytes.ok_or_else(|| Error::corrupt("postings of a word are cut off"))?;
        postings::read(bytes, into)
    }
}

fn check(bytes: &[u8], expected: u32) -> Result<()> {
    let crc32c = crc32c::crc32c(bytes);
    if crc32c != expected {
        return Err(Error::corrupt(format!(
            "words of a row group have crc32c {crc32c:08x}, expected {expected:08x}"
        )));
    }
    Ok(())
}

fn unreadable(err: std::io::Error) -> Error {
    Error::corrupt(format!("a dictionary of words does not read: {err}"))
}
