//! Rows in which several words vary at once, and rows that a template found elsewhere covers.
//!
//! In rows of one statement the words that vary are rarer than those that do not. So the rarest word
//! of a row is taken out, then the rarest two, and so on: if enough other rows are left equal, and
//! differ from each other in each place that was taken out, those places vary. That variables show by
//! how often words occur is the idea of SLCT (Vaarandi, IPOM 2003).

use hashbrown::{HashMap, HashSet};

use super::columns::{Groups, WORDS_MIN, mixed};
use super::tokens::ANY;

/// Words of a row that are taken out together.
const SET_MAX: usize = 8;

/// Rows that a set must leave equal: many enough that they are not alike by chance.
const ROWS_MIN: u32 = 5;

/// Sets of variable places that are tried on rows of one form.
const COVERS_MAX: usize = 16;

/// Words that stay constant in a row that another covers.
const COVER_CONSTANTS_MIN: usize = 2;

/// What was seen of one set in rows that are equal without it.
#[derive(Default)]
struct Seen {
    rows: u32,
    /// Distinct words in each place of the set, in the order of places.
    words: [u32; SET_MAX],
}

/// A row without the words of a set.
struct Rest {
    key: u64,
    /// In the order of places.
    set: Vec<usize>,
}

impl Groups {
    /// Replaces sets of words that vary together; says whether there were any.
    pub(super) fn mask_sets(&mut self) -> bool {
        let frequencies = self.frequencies();
        let rests: Vec<Vec<Rest>> =
            (0..self.rows.len()).map(|row| self.rests(row, &frequencies)).collect();
        let mut seen: HashMap<u64, Seen> = HashMap::new();
        let mut words = HashSet::new();
        for (row, rests) in rests.iter().enumerate() {
            for rest in rests {
                let seen = seen.entry(rest.key).or_default();
                seen.rows += 1;
                for (place, &at) in rest.set.iter().enumerate() {
                    let word = self.tokens.key(self.rows[row][at]);
                    let fresh = words.insert(rest.key ^ mixed(at, word).rotate_left(17));
                    seen.words[place] += u32::from(fresh);
                }
            }
        }
        let mut changed = false;
        for (row, rests) in rests.iter().enumerate() {
            let varies = rests.iter().find(|rest| {
                let seen = &seen[&rest.key];
                let words = &seen.words[..rest.set.len()];
                seen.rows >= ROWS_MIN && words.iter().all(|&words| words >= WORDS_MIN)
            });
            let Some(rest) = varies else { continue };
            for &at in &rest.set {
                self.rows[row][at] = self.tokens.variable(self.rows[row][at]);
            }
            changed = true;
        }
        changed
    }

    /// Rows of each form that have a word in a place.
    fn frequencies(&self) -> HashMap<u64, u32> {
        let mut frequencies = HashMap::new();
        for row in &self.rows {
            let form = self.form(row);
            for (at, &token) in row.iter().enumerate().skip(1).step_by(2) {
                *frequencies.entry(form ^ mixed(at, self.tokens.key(token))).or_default() += 1;
            }
        }
        frequencies
    }

    /// A row without its rarest two words, its rarest three, and so on, while enough are constant.
    fn rests(&self, row: usize, frequencies: &HashMap<u64, u32>) -> Vec<Rest> {
        let tokens = &self.rows[row];
        let form = self.form(tokens);
        let mut order: Vec<(u32, usize)> = (1..tokens.len())
            .step_by(2)
            .filter(|&at| self.may_vary(row, at))
            .map(|at| (frequencies[&(form ^ mixed(at, self.tokens.key(tokens[at])))], at))
            .collect();
        order.sort_unstable();
        let constants = self.constants(row);
        let mut rests = Vec::new();
        let mut key = self.hash(tokens);
        let mut set = Vec::new();
        for (_, at) in order.into_iter().take(SET_MAX) {
            let token = self.tokens.key(tokens[at]);
            key = key.wrapping_add(mixed(at, ANY)).wrapping_sub(mixed(at, token));
            set.push(at);
            if set.len() * 2 > constants {
                break;
            }
            if set.len() >= 2 {
                let mut set = set.clone();
                set.sort_unstable();
                let places = set.iter().fold(0, |sum: u64, &at| sum.wrapping_add(mixed(at, 1)));
                rests.push(Rest { key: key ^ places.rotate_left(32), set });
            }
        }
        rests
    }

    /// What rows must share to be compared: their separators, at the same places.
    fn form(&self, row: &[u32]) -> u64 {
        row.iter().enumerate().step_by(2).fold(row.len() as u64, |sum, (at, &token)| {
            sum.wrapping_add(mixed(at, self.tokens.key(token)))
        })
    }

    /// A row that a row of more variables covers becomes part of it; says whether there was any.
    pub(super) fn mask_covered(&mut self) -> bool {
        let mut hashes = HashSet::new();
        let mut covers: HashMap<u64, HashMap<Vec<usize>, u32>> = HashMap::new();
        for (number, row) in self.rows.iter().enumerate() {
            let places: Vec<usize> =
                (1..row.len()).step_by(2).filter(|&at| self.tokens.key(row[at]) == ANY).collect();
            if places.is_empty() || self.constants(number) < COVER_CONSTANTS_MIN {
                continue;
            }
            hashes.insert(self.hash(row));
            *covers.entry(self.form(row)).or_default().entry(places).or_default() += 1;
        }
        let covers: HashMap<u64, Vec<Vec<usize>>> =
            covers.into_iter().map(|(form, places)| (form, commonest(places))).collect();
        let mut changed = false;
        for row in 0..self.rows.len() {
            let form = self.form(&self.rows[row]);
            let Some(covers) = covers.get(&form) else { continue };
            let hash = self.hash(&self.rows[row]);
            let constants = self.constants(row);
            let cover = covers.iter().find(|places| {
                let masked = places.iter().filter(|&&at| self.may_vary(row, at));
                let less = masked.clone().count();
                let key = masked.fold(hash, |key, &at| {
                    let token = self.tokens.key(self.rows[row][at]);
                    key.wrapping_add(mixed(at, ANY)).wrapping_sub(mixed(at, token))
                });
                less > 0 && constants >= less + COVER_CONSTANTS_MIN && hashes.contains(&key)
            });
            for &at in cover.into_iter().flatten() {
                self.rows[row][at] = self.tokens.variable(self.rows[row][at]);
                changed = true;
            }
        }
        changed
    }
}

/// The sets of places that most rows have; of those alike, the first.
fn commonest(places: HashMap<Vec<usize>, u32>) -> Vec<Vec<usize>> {
    let mut order: Vec<(Vec<usize>, u32)> = places.into_iter().collect();
    order.sort_unstable_by(|(a, a_rows), (b, b_rows)| b_rows.cmp(a_rows).then_with(|| a.cmp(b)));
    order.truncate(COVERS_MAX);
    order.into_iter().map(|(places, _)| places).collect()
}
