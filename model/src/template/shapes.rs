//! The distinct shapes of a segment and how many lines have each. Bounded: see `Shapes::number_of`.

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use super::mask::{BREAK, CLASS, SPACE, WILDCARD};
use super::miner::Limits;

/// First words of a shape that are kept once there are too many shapes, and once there are too many
/// of those.
const COARSE_WORDS: [usize; 2] = [3, 1];

/// Bytes that these words may take.
const COARSE_BYTES_MAX: usize = 128;

/// Distinct shapes, numbered in order of appearance.
#[derive(Debug)]
pub(super) struct Shapes {
    limits: Limits,
    numbers: HashTable<u32>,
    /// Texts, one after the other; shape `n` ends at `ends[n]`.
    text: String,
    ends: Vec<usize>,
    counts: Vec<u64>,
    /// How many shapes were reduced to each of `COARSE_WORDS`.
    coarse: [usize; COARSE_WORDS.len()],
    /// Words of the shapes that were not reduced.
    words: usize,
}

impl Shapes {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            numbers: HashTable::new(),
            text: String::new(),
            ends: Vec::new(),
            counts: Vec::new(),
            coarse: [0; COARSE_WORDS.len()],
            words: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn text(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start..self.ends[number]]
    }

    pub(super) fn count(&self, number: u32) -> u64 {
        self.counts[number as usize]
    }

    /// Counts `count` lines of a shape. Beyond the limits a new shape is reduced to its first words;
    /// beyond those of such shapes too, to a lone wildcard.
    #[inline]
    pub(super) fn add(&mut self, shape: &str, count: u64) -> u32 {
        let hash = xxh3_64(shape.as_bytes());
        let number = match self.find(hash, shape) {
            Some(number) => number,
            None => self.add_new(hash, shape),
        };
        self.counts[number as usize] += count;
        number
    }

    #[inline]
    fn find(&self, hash: u64, shape: &str) -> Option<u32> {
        self.numbers.find(hash, |&number| self.text(number) == shape).copied()
    }

    #[cold]
    fn add_new(&mut self, hash: u64, shape: &str) -> u32 {
        let fine = self.len() - self.coarse.iter().sum::<usize>();
        let bytes = self.text.len() + shape.len();
        let words = self.words + words(shape);
        let Limits { shapes_max, shape_bytes_max, shape_words_max, coarse_shapes_max } =
            self.limits;
        if fine < shapes_max && bytes <= shape_bytes_max && words <= shape_words_max {
            self.words = words;
            return self.insert(hash, shape);
        }
        for (step, &words) in COARSE_WORDS.iter().enumerate() {
            let coarse = coarse(shape, words);
            let hash = xxh3_64(coarse.as_bytes());
            if let Some(number) = self.find(hash, &coarse) {
                return number;
            }
            if self.coarse[step] < coarse_shapes_max {
                self.coarse[step] += 1;
                return self.insert(hash, &coarse);
            }
        }
        let hash = xxh3_64(WILDCARD.as_bytes());
        self.find(hash, WILDCARD).unwrap_or_else(|| self.insert(hash, WILDCARD))
    }

    fn insert(&mut self, hash: u64, shape: &str) -> u32 {
        let number = self.len() as u32;
        self.text.push_str(shape);
        self.ends.push(self.text.len());
        self.counts.push(0);
        let Self { numbers, text, ends, .. } = self;
        let rehash = |&number: &u32| {
            let number = number as usize;
            let start = if number == 0 { 0 } else { ends[number - 1] };
            xxh3_64(&text.as_bytes()[start..ends[number]])
        };
        numbers.insert_unique(hash, number, rehash);
        number
    }
}

/// How many words a shape has at most, empty ones between brackets included.
fn words(shape: &str) -> usize {
    let ends =
        |byte: &u8| CLASS[*byte as usize] & (SPACE | BREAK) != 0 && !matches!(byte, b'<' | b'>');
    1 + shape.as_bytes().iter().filter(|byte| ends(byte)).count()
}

/// The first words of a shape and a wildcard for the rest.
fn coarse(shape: &str, words: usize) -> String {
    let end = shape
        .bytes()
        .enumerate()
        .take(COARSE_BYTES_MAX)
        .filter(|(_, byte)| matches!(byte, b' ' | b'\t' | b'\n'))
        .nth(words - 1)
        .map_or(0, |(at, _)| at + 1);
    let mut coarse = shape[..end].to_owned();
    if !coarse.ends_with(WILDCARD) {
        coarse.push_str(WILDCARD);
    }
    coarse
}
