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
use super::postings::Run;
use super::{Pieces, TERM_BYTES_MAX, checked_frames, postings, rare};
use crate::segment::index::section::put_checked;
use crate::{Error, Result};

/// A word with a digit is rare in a row group with at most so many rows of it.
const RARE_ROWS_MAX: u32 = 8;
/// Words, one a row, past which a row group gets no index: bodies of megabytes.
const PAIRS_MAX: usize = 16 << 20;
/// Words of a row that are compared with those of the row before.
const WORDS_KEPT_MAX: usize = 512;
/// Bytes of distinct words past which it gets none.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// Words of rows under collection.
#[derive(Default)]
struct Vocabulary {
    table: HashTable<u32>,
    text: String,
    terms: Vec<Term>,
    /// Neighbouring rows with a word, by number of the word: of each word in row order.
    runs: Vec<(u32, Run)>,
    /// Words of all rows, as many as rows have them.
    pairs: usize,
}

struct Term {
    hash: u64,
    start: u32,
    len: u32,
    rows: u32,
    /// The last run, which is not among the others yet.
    run: Run,
}

impl Vocabulary {
    fn word(&self, term: &Term) -> &str {
        &self.text[term.start as usize..(term.start + term.len) as usize]
    }

    // The number of a word, which is new or not.
    fn number(&mut self, word: &str) -> u32 {
        let start = self.text.len();
        fold(word, &mut self.text);
        let folded = &self.text[start..];
        let hash = xxh3_64(folded.as_bytes());
        let same = |number: &u32| {
            let term = &self.terms[*number as usize];
            term.hash == hash && self.word(term) == folded
        };
        if let Some(number) = self.table.find(hash, same) {
            self.text.truncate(start);
            return *number;
        }
        let number = self.terms.len() as u32;
        let len = (self.text.len() - start) as u32;
        self.terms.push(Term { hash, start: start as u32, len, rows: 0, run: Run::default() });
        let terms = &self.terms;
        self.table.insert_unique(hash, number, |other| terms[*other as usize].hash);
        number
    }

    fn add(&mut self, number: u32, row: u32) {
        let term = &mut self.terms[number as usize];
        if term.rows > 0 && term.run.last == row {
            return;
        }
        if term.rows > 0 && term.run.last + 1 == row {
            term.run.last = row;
        } else {
            if term.rows > 0 {
                self.runs.push((number, term.run));
            }
            term.run = Run { first: row, last: row };
        }
        term.rows += 1;
        self.pairs += 1;
    }

    fn is_too_large(&self) -> bool {
        self.pairs > PAIRS_MAX || self.text.len() > TEXT_BYTES_MAX
    }

    fn is_rare(&self, term: &Term) -> bool {
        let digits = || self.word(term).bytes().any(|byte| byte.is_ascii_digit());
        term.len as usize > TERM_BYTES_MAX || (term.rows <= RARE_ROWS_MAX && digits())
    }

    // The runs of every word, word after word; where each word's begin.
    fn by_word(&self) -> (Vec<u32>, Vec<Run>) {
        // One run of each is not among the others.
        let mut counts = vec![1u32; self.terms.len()];
        self.runs.iter().for_each(|(number, _)| counts[*number as usize] += 1);
        let mut starts = Vec::with_capacity(self.terms.len() + 1);
        let mut at = 0;
        for count in counts {
            starts.push(at);
            at += count;
        }
        let mut places = starts.clone();
        let mut runs = vec![Run::default(); at as usize];
        let last = self.terms.iter().enumerate().map(|(number, term)| (number as u32, term.run));
        for (number, run) in self.runs.iter().copied().chain(last) {
            let place = &mut places[number as usize];
            runs[*place as usize] = run;
            *place += 1;
        }
        starts.push(at);
        (starts, runs)
    }
}

/// The words of rows. Neighbours look alike, so a word is most often the one in its place before.
struct Collector<'b> {
    vocabulary: Vocabulary,
    before: Vec<(&'b str, u32)>,
}

impl<'b> Collector<'b> {
    fn add(&mut self, body: &'b str, row: u32) {
        for (at, word) in words(body).enumerate() {
            let before = self.before.get(at).filter(|(known, _)| *known == word);
            let number = match before {
                Some((_, number)) => *number,
                None => {
                    let number = self.vocabulary.number(word);
                    match self.before.get_mut(at) {
                        Some(place) => *place = (word, number),
                        None if at < WORDS_KEPT_MAX => self.before.push((word, number)),
                        None => {}
                    }
                    number
                }
            };
            self.vocabulary.add(number, row);
        }
    }
}

/// The pieces of the index of a row group; none where it would be too large.
pub(crate) fn build(bodies: &StringArray) -> Result<Option<Pieces>> {
    if bodies.len() > rare::ROWS_MAX {
        return Ok(None);
    }
    let mut collector = Collector { vocabulary: Vocabulary::default(), before: Vec::new() };
    for row in (0..bodies.len()).filter(|row| bodies.is_valid(*row)) {
        collector.add(bodies.value(row), row as u32);
        if collector.vocabulary.is_too_large() {
            return Ok(None);
        }
    }
    let vocabulary = collector.vocabulary;
    let (starts, runs) = vocabulary.by_word();
    let runs_of = |number: usize| &runs[starts[number] as usize..starts[number + 1] as usize];
    let (rare, mut common): (Vec<_>, Vec<_>) = (0..vocabulary.terms.len())
        .partition(|number| vocabulary.is_rare(&vocabulary.terms[*number]));
    common.sort_unstable_by_key(|number| vocabulary.word(&vocabulary.terms[*number]));
    let (dictionary, postings) = dictionary(&vocabulary, &common, &runs_of).map_err(failed)?;
    let mut shards: Vec<Vec<(u64, u32)>> = vec![Vec::new(); rare::SHARDS];
    let mut letters = Letters::default();
    for number in rare {
        let term = &vocabulary.terms[number];
        letters.add(vocabulary.word(term));
        let shard = &mut shards[rare::shard_of(term.hash)];
        let rows = runs_of(number).iter().flat_map(|run| run.first..=run.last);
        shard.extend(rows.map(|row| (term.hash, row)));
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
    runs_of: &dyn Fn(usize) -> &'r [Run],
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let mut postings = Vec::new();
    let mut builder = TermDictionaryBuilder::create(Vec::new())?;
    for number in common {
        let term = &vocabulary.terms[*number];
        let start = postings.len();
        postings::put(runs_of(*number), &mut postings);
        let info = TermInfo {
            doc_freq: term.rows,
            postings_range: start..postings.len(),
            positions_range: 0..0,
        };
        builder.insert(vocabulary.word(term), &info)?;
    }
    Ok((builder.finish()?, postings))
}
