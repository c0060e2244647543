//! Builds the word index of a row group from its bodies, in row order.

use std::io;

use arrow::array::{Array, StringArray};
use hashbrown::HashTable;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionaryBuilder;
use throughline_model::codec::{put_bytes, put_varint};
use throughline_model::words::{fold, words};
use xxhash_rust::xxh3::xxh3_64;

use super::letters::Letters;
use super::{Pieces, TERM_BYTES_MAX, checked_frames, postings, rare};
use crate::segment::index::section::put_checked;
use crate::{Error, Result};

/// A word with a digit is rare in a row group with at most so many rows of it.
const RARE_ROWS_MAX: u32 = 8;
/// Words, one a row, past which a row group gets no index: bodies of megabytes.
const PAIRS_MAX: usize = 16 << 20;
/// Bytes of distinct words past which it gets none.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Words of rows under collection.
#[derive(Default)]
struct Vocabulary {
    table: HashTable<u32>,
    text: String,
    terms: Vec<Term>,
    /// Words (by number) and their rows, in row order.
    pairs: Vec<(u32, u32)>,
}

struct Term {
    hash: u64,
    start: u32,
    len: u32,
    rows: u32,
    last_row: u32,
}

impl Vocabulary {
    fn word(&self, term: &Term) -> &str {
        &self.text[term.start as usize..(term.start + term.len) as usize]
    }

    fn add(&mut self, word: &str, row: u32) {
        let start = self.text.len();
        fold(word, &mut self.text);
        let folded = &self.text[start..];
        let hash = xxh3_64(folded.as_bytes());
        let same = |number: &u32| {
            let term = &self.terms[*number as usize];
            term.hash == hash && self.word(term) == folded
        };
        let number = match self.table.find(hash, same) {
            Some(number) => {
                self.text.truncate(start);
                *number
            }
            None => {
                let number = self.terms.len() as u32;
                let len = (self.text.len() - start) as u32;
                let start = start as u32;
                self.terms.push(Term { hash, start, len, rows: 0, last_row: u32::MAX });
                let terms = &self.terms;
                self.table.insert_unique(hash, number, |other| terms[*other as usize].hash);
                number
            }
        };
        let term = &mut self.terms[number as usize];
        if term.last_row != row {
            term.last_row = row;
            term.rows += 1;
            self.pairs.push((number, row));
        }
    }

    fn is_too_large(&self) -> bool {
        self.pairs.len() > PAIRS_MAX || self.text.len() > TEXT_BYTES_MAX
    }

    fn is_rare(&self, term: &Term) -> bool {
        let digits = || self.word(term).bytes().any(|byte| byte.is_ascii_digit());
        term.len as usize > TERM_BYTES_MAX || (term.rows <= RARE_ROWS_MAX && digits())
    }

    // The rows of every word, word after word; where each word's begin.
    fn by_word(&self) -> (Vec<u32>, Vec<u32>) {
        let mut ends = Vec::with_capacity(self.terms.len() + 1);
        let mut at = 0;
        for term in &self.terms {
            ends.push(at);
            at += term.rows;
        }
        let mut places = ends.clone();
        let mut rows = vec![0; self.pairs.len()];
        for (number, row) in &self.pairs {
            let place = &mut places[*number as usize];
            rows[*place as usize] = *row;
            *place += 1;
        }
        ends.push(at);
        (ends, rows)
    }
}

/// The pieces of the index of a row group; none where it would be too large.
pub(crate) fn build(bodies: &StringArray) -> Result<Option<Pieces>> {
    if bodies.len() > rare::ROWS_MAX {
        return Ok(None);
    }
    let mut vocabulary = Vocabulary::default();
    for row in (0..bodies.len()).filter(|row| bodies.is_valid(*row)) {
        words(bodies.value(row)).for_each(|word| vocabulary.add(word, row as u32));
        if vocabulary.is_too_large() {
            return Ok(None);
        }
    }
    let (starts, rows) = vocabulary.by_word();
    let rows_of = |number: usize| &rows[starts[number] as usize..starts[number + 1] as usize];
    let (rare, mut common): (Vec<_>, Vec<_>) = (0..vocabulary.terms.len())
        .partition(|number| vocabulary.is_rare(&vocabulary.terms[*number]));
    common.sort_unstable_by_key(|number| vocabulary.word(&vocabulary.terms[*number]));
    let (dictionary, postings) = dictionary(&vocabulary, &common, &rows_of).map_err(failed)?;
    let mut shards: Vec<Vec<(u64, u32)>> = vec![Vec::new(); rare::SHARDS];
    let mut letters = Letters::default();
    for number in rare {
        let term = &vocabulary.terms[number];
        letters.add(vocabulary.word(term));
        let shard = &mut shards[rare::shard_of(term.hash)];
        shard.extend(rows_of(number).iter().map(|row| (term.hash, *row)));
    }
    let mut head = Vec::new();
    let mut rare_bytes = Vec::new();
    let mut shard_heads = Vec::new();
    for shard in &shards {
        let start = rare_bytes.len();
        if !shard.is_empty() {
            rare::put_shard(shard, &mut rare_bytes);
        }
        put_varint(&mut shard_heads, (rare_bytes.len() - start) as u64);
        shard_heads.extend_from_slice(&crc32c::crc32c(&rare_bytes[start..]).to_le_bytes());
    }
    letters.put(&mut head);
    put_varint(&mut head, bodies.len() as u64);
    head.extend_from_slice(&shard_heads);
    put_bytes(&mut head, &checked_frames(&postings));
    put_bytes(&mut head, &dictionary);
    let mut checked = Vec::new();
    put_checked(&mut checked, &head);
    Ok(Some(Pieces { head: checked, postings, rare: rare_bytes }))
}

fn failed(err: io::Error) -> Error {
    Error::invalid(format!("could not build a dictionary of words: {err}"))
}

fn dictionary<'r>(
    vocabulary: &Vocabulary,
    common: &[usize],
    rows_of: &dyn Fn(usize) -> &'r [u32],
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut postings = Vec::new();
    let mut builder = TermDictionaryBuilder::create(Vec::new())?;
    for number in common {
        let term = &vocabulary.terms[*number];
        let start = postings.len();
        postings::put(rows_of(*number).iter().copied(), &mut postings);
        let info = TermInfo {
            doc_freq: term.rows,
            postings_range: start..postings.len(),
            positions_range: 0..0,
        };
        builder.insert(vocabulary.word(term), &info)?;
    }
    Ok((builder.finish()?, postings))
}
