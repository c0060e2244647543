//! How many spans of two sets have which value, within bounds of memory.
//!
//! Values of a key are counted exactly until there are more than [`VALUES_MAX`] of them. Then only
//! counts by hash are kept, and a second look at the spans ([`Tally::begin_recount`]) counts exactly the
//! values whose hash is frequent: what is found does not depend on the order of rows. Keys with many
//! different numbers are kept as distributions.

use std::hash::{DefaultHasher, Hasher};

use hashbrown::HashMap;
use throughline_model::exponential::Distribution;
use throughline_model::value::ValueRef;

use crate::Result;

/// Different values of a key that are counted one by one.
const VALUES_MAX: usize = 4096;
/// Different values of all keys that are counted one by one.
const VALUES_TOTAL_MAX: usize = 100_000;
/// Different numbers of a key above which they are a distribution.
const NUMBERS_MAX: usize = 32;
/// Keys that are looked at.
const KEYS_MAX: usize = 1000;
/// Bytes of a value that are compared.
const VALUE_BYTES_MAX: usize = 256;
/// Counts by hash of a key with too many values.
const HASHES: usize = 2048;
/// What a tally may take: the values with their entries, and counts by hash of every other key.
pub const TALLY_BYTES: usize =
    VALUES_TOTAL_MAX * (VALUE_BYTES_MAX / 2 + 64) + KEYS_MAX / 2 * HASHES * 16;
/// Of a key with too many values, those are found that at least this part of a set has.
pub const FREQUENT_SHARE: f64 = 0.01;

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A field of spans: `name`, `kind`, `status`, …
    Field,
    /// Attributes of spans.
    Span,
    /// Attributes of resources.
    Resource,
    /// Attributes of scopes.
    Scope,
}

/// The values of one key.
pub struct KeyTally {
    pub place: Place,
    pub key: String,
    /// Spans of each set that have the key.
    pub present: [u64; 2],
    /// Spans of each set by encoded value.
    pub values: HashMap<Vec<u8>, [u64; 2]>,
    /// The numbers of each set, where there are any.
    pub numbers: [Distribution; 2],
    /// Whether numbers are not among `values`.
    pub is_distribution: bool,
    /// Whether only frequent values are among `values`.
    pub is_cut: bool,
    hashes: Vec<[u64; 2]>,
    /// The row that was counted last, since only the first of equal keys counts.
    last_row: u64,
    different_numbers: usize,
}

/// The tally of two sets.
#[derive(Default)]
pub struct Tally {
    pub keys: Vec<KeyTally>,
    /// Spans of each set.
    pub spans: [u64; 2],
    /// Keys that were not looked at, a key more than once if many spans have it.
    pub keys_over: u64,
    numbers: HashMap<(Place, String), usize>,
    values: usize,
    recounts: bool,
    row: u64,
}

impl Tally {
    /// The number of a key; none if there are too many keys.
    pub fn key(&mut self, place: Place, key: &str) -> Option<usize> {
        if let Some(number) = self.numbers.get(&Probe(place, key)) {
            return Some(*number);
        }
        if self.recounts {
            return None;
        }
        if self.keys.len() >= KEYS_MAX {
            self.keys_over += 1;
            return None;
        }
        let number = self.keys.len();
        self.numbers.insert((place, key.to_owned()), number);
        self.keys.push(KeyTally {
            place,
            key: key.to_owned(),
            present: [0; 2],
            values: HashMap::new(),
            numbers: Default::default(),
            is_distribution: false,
            is_cut: false,
            hashes: Vec::new(),
            last_row: 0,
            different_numbers: 0,
        });
        Some(number)
    }

    /// Counts spans of a set.
    pub fn add_spans(&mut self, set: usize, spans: u64) {
        if !self.recounts {
            self.spans[set] += spans;
        }
    }

    /// Begins a row, or rows that are counted together.
    pub fn begin_row(&mut self) {
        self.row += 1;
    }

    /// Counts `rows` rows of a set that have this encoded value.
    pub fn add(&mut self, key: usize, value: &[u8], set: usize, rows: u64) -> Result<()> {
        let tally = &mut self.keys[key];
        if tally.last_row == self.row {
            return Ok(());
        }
        tally.last_row = self.row;
        let before = tally.values.len();
        let number = match ValueRef::read(value)? {
            ValueRef::Int(number) => Some(number as f64),
            ValueRef::Double(number) => Some(number),
            _ => None,
        };
        let value = &value[..value.len().min(VALUE_BYTES_MAX)];
        if self.recounts {
            tally.recount(value, set, rows);
        } else {
            tally.count(value, number, set, rows);
        }
        self.values = (self.values + tally.values.len()).saturating_sub(before);
        if self.values > VALUES_TOTAL_MAX && !self.recounts {
            self.shrink();
        }
        Ok(())
    }

    // Cuts the key with most values.
    fn shrink(&mut self) {
        let largest = self.keys.iter_mut().max_by_key(|key| key.values.len());
        if let Some(largest) = largest {
            self.values -= largest.values.len();
            largest.cut();
        }
    }

    /// Makes ready for a second look at the same spans. False if none is needed.
    pub fn begin_recount(&mut self) -> bool {
        let spans = self.spans;
        let mut needed = false;
        for key in &mut self.keys {
            let frequent = |counts: &[u64; 2]| is_frequent(*counts, spans);
            key.hashes.iter_mut().for_each(|counts| {
                let keep = frequent(counts);
                needed |= keep;
                *counts = if keep { *counts } else { [0; 2] };
            });
        }
        self.recounts = true;
        self.row += 1;
        needed
    }

    /// Drops what a second look found to be rare.
    pub fn finish(&mut self) {
        let spans = self.spans;
        for key in self.keys.iter_mut().filter(|key| key.is_cut) {
            key.values.retain(|_, counts| is_frequent(*counts, spans));
        }
    }
}

/// Whether enough spans of one of the sets are counted.
fn is_frequent(counts: [u64; 2], spans: [u64; 2]) -> bool {
    (0..2).any(|set| counts[set] > 0 && counts[set] as f64 >= FREQUENT_SHARE * spans[set] as f64)
}

impl KeyTally {
    fn count(&mut self, value: &[u8], number: Option<f64>, set: usize, rows: u64) {
        self.present[set] += rows;
        if let Some(number) = number {
            self.numbers[set].add(number, rows as f64);
            if self.is_distribution {
                return;
            }
        }
        if self.is_cut {
            self.hashes[hash(value)][set] += rows;
            return;
        }
        let values = self.values.len();
        self.values.entry_ref(value).or_insert([0; 2])[set] += rows;
        if self.values.len() == values {
            return;
        }
        self.different_numbers += usize::from(number.is_some());
        if self.different_numbers > NUMBERS_MAX {
            self.make_distribution();
        }
        if self.values.len() > VALUES_MAX {
            self.cut();
        }
    }

    /// Leaves numbers to the distribution.
    pub fn make_distribution(&mut self) {
        self.is_distribution = true;
        self.values.retain(|value, _| {
            !matches!(ValueRef::read(value), Ok(ValueRef::Int(_) | ValueRef::Double(_)))
        });
    }

    fn cut(&mut self) {
        self.is_cut = true;
        self.hashes = vec![[0; 2]; HASHES];
        for (value, counts) in self.values.drain() {
            let all = &mut self.hashes[hash(&value)];
            (0..2).for_each(|set| all[set] += counts[set]);
        }
        self.values.shrink_to_fit();
    }

    fn recount(&mut self, value: &[u8], set: usize, rows: u64) {
        if !self.is_cut || self.hashes[hash(value)] == [0; 2] {
            return;
        }
        if let Some(counts) = self.values.get_mut(value) {
            counts[set] += rows;
        } else if self.values.len() < VALUES_MAX {
            let mut counts = [0; 2];
            counts[set] = rows;
            self.values.insert(value.to_vec(), counts);
        }
    }
}

// The same in every run.
fn hash(value: &[u8]) -> usize {
    let mut hasher = DefaultHasher::new();
    hasher.write(value);
    (hasher.finish() % HASHES as u64) as usize
}

// Finds a key without owning it.
struct Probe<'a>(Place, &'a str);

impl std::hash::Hash for Probe<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }
}

impl hashbrown::Equivalent<(Place, String)> for Probe<'_> {
    fn equivalent(&self, key: &(Place, String)) -> bool {
        self.0 == key.0 && self.1 == key.1
    }
}
