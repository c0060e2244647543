//! Sequences of times that many chunks share: all series of a sender carry the same ones, so each
//! distinct sequence is stored once and chunks name it by number.
//!
//! ```text
//! page := (varint len | varint bytes | integers)*        see `codec::ints`
//! ```
//! Sequences are numbered in the order of first use, and pages are small: the sequences of
//! neighbouring chunks lie in few pages.

use std::io::Write;
use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::codec::{Reader, put_bytes, put_varint};
use xxhash_rust::xxh3::xxh3_128;

use super::codec::ints;
use super::index::{IndexWriter, SectionKind};
use crate::{Error, Result};

const PAGE_BYTES: usize = 64 * 1024;

/// Numbers sequences and writes each distinct one once.
#[derive(Default)]
pub struct SequenceWriter {
    known: HashMap<u128, u32>,
    page: Vec<u8>,
    page_first: u32,
    next: u32,
    raw: Vec<u8>,
    encoded: Vec<u8>,
}

impl SequenceWriter {
    /// The number of a sequence.
    pub fn put<W: Write>(&mut self, times: &[i64], index: &mut IndexWriter<'_, W>) -> Result<u32> {
        self.raw.clear();
        times.iter().for_each(|time| self.raw.extend_from_slice(&time.to_le_bytes()));
        let hash = xxh3_128(&self.raw);
        if let Some(number) = self.known.get(&hash) {
            return Ok(*number);
        }
        let number = self.next;
        self.next += 1;
        self.known.insert(hash, number);
        self.encoded.clear();
        ints::encode(times, &mut self.encoded);
        put_varint(&mut self.page, times.len() as u64);
        put_bytes(&mut self.page, &self.encoded);
        if self.page.len() >= PAGE_BYTES {
            self.end_page(index)?;
        }
        Ok(number)
    }

    /// Writes what is left.
    pub fn end_page<W: Write>(&mut self, index: &mut IndexWriter<'_, W>) -> Result<()> {
        if self.next > self.page_first {
            let count = self.next - self.page_first;
            index.section(SectionKind::Sequences, self.page_first, count, &self.page)?;
        }
        self.page.clear();
        self.page_first = self.next;
        Ok(())
    }
}

/// The sequences of a page.
pub fn decode_page(bytes: &[u8], count: u32) -> Result<Vec<Arc<[i64]>>> {
    let mut reader = Reader::new(bytes);
    let mut sequences = Vec::new();
    let mut times = Vec::new();
    for _ in 0..count {
        let len = usize::try_from(reader.varint()?).unwrap_or(usize::MAX);
        let mut encoded = Reader::new(reader.bytes()?);
        times.clear();
        ints::decode(&mut encoded, len, &mut times)?;
        sequences.push(Arc::from(times.as_slice()));
    }
    match reader.rest().len() {
        0 => Ok(sequences),
        left => Err(Error::corrupt(format!("{left} bytes are left at the end of a page of times"))),
    }
}
