//! Which words of shapes vary. Two rows of one statement have the same separators and the same words
//! at most places; where many rows differ in one word alone, that word is a variable.

use hashbrown::{HashMap, HashSet};

use super::tokens::{self, ANY, Cut, Tokens};

/// Rounds of generalisation: in each, rows that became equal count as one.
const ROUNDS_MAX: usize = 8;

/// Distinct words in one place that make it a variable, all else being equal.
pub(super) const WORDS_MIN: u32 = 4;
/// The same for the first word of a row, which mostly names what happens.
const FIRST_WORDS_MIN: u32 = 5;
/// The same where few other words are constant: such rows may be alike by chance.
const BARE_WORDS_MIN: u32 = 20;
/// Words of a row that are no variable, below which it is bare.
const CONSTANTS_MIN: usize = 2;
/// The same with a first word that differs.
const FIRST_CONSTANTS_MIN: usize = 4;

/// Keys whose value is a message.
const MESSAGE_KEYS: &[&str] = &["msg", "message", "event", "log"];

/// Passes over all cuts: what one cut joins, an earlier one may find more alike.
const PASSES_MAX: usize = 3;

/// The template of each shape.
pub(super) fn templates(shapes: &[&str]) -> Vec<String> {
    // Sorted, so that what rows are joined into does not depend on which came first.
    let mut order: Vec<usize> = (0..shapes.len()).collect();
    order.sort_unstable_by_key(|&shape| shapes[shape]);
    let mut distinct: Vec<String> = order.iter().map(|&shape| shapes[shape].to_owned()).collect();
    let mut of_shape = vec![0; shapes.len()];
    for (place, &shape) in order.iter().enumerate() {
        of_shape[shape] = place;
    }
    for _ in 0..PASSES_MAX {
        let before = distinct.len();
        for cut in [Cut::Fine, Cut::Blanks, Cut::Values] {
            let (texts, of_text) = generalised(&distinct, cut);
            for place in &mut of_shape {
                *place = of_text[*place];
            }
            distinct = texts;
        }
        if distinct.len() == before {
            break;
        }
    }
    of_shape.iter().map(|&place| distinct[place].clone()).collect()
}

/// Rows of equal keys.
pub(super) struct Groups {
    cut: Cut,
    pub(super) tokens: Tokens,
    pub(super) rows: Vec<Vec<u32>>,
    /// The row of each text.
    of_text: Vec<usize>,
}

/// Fewer texts that cover `texts`, and which of them covers each.
fn generalised(texts: &[String], cut: Cut) -> (Vec<String>, Vec<usize>) {
    let mut tokens = Tokens::new();
    let rows = texts.iter().map(|text| tokens::cut(text, cut, &mut tokens)).collect();
    let mut groups = Groups { cut, tokens, rows, of_text: (0..texts.len()).collect() };
    groups.join();
    for _ in 0..ROUNDS_MAX {
        let changed = groups.mask_columns();
        groups.join();
        if !changed {
            // Dearer, and less sure: only once nothing else is left to do.
            let sets = groups.mask_sets();
            groups.join();
            let covered = groups.mask_covered();
            groups.join();
            if !sets && !covered {
                break;
            }
        }
    }
    let texts = (0..groups.rows.len()).map(|row| groups.text(row)).collect();
    (texts, groups.of_text)
}

impl Groups {
    /// Rows with equal keys become one that covers them all.
    fn join(&mut self) {
        let mut first: HashMap<u64, usize> = HashMap::new();
        let mut joined: Vec<Vec<u32>> = Vec::new();
        let mut moved = Vec::with_capacity(self.rows.len());
        for row in std::mem::take(&mut self.rows) {
            let mut place = *first.entry(self.hash(&row)).or_insert(joined.len());
            if place < joined.len() && !self.equal(&joined[place], &row) {
                // Hashes that collide: the row stays alone.
                place = joined.len();
            }
            moved.push(place);
            if place == joined.len() {
                joined.push(row);
                continue;
            }
            for (at, token) in row.into_iter().enumerate() {
                let kept = &mut joined[place][at];
                *kept = if at % 2 == 0 {
                    self.tokens.merged_separator(*kept, token)
                } else {
                    self.tokens.merged(*kept, token)
                };
            }
        }
        self.rows = joined;
        for place in &mut self.of_text {
            *place = moved[*place];
        }
    }

    fn equal(&self, one: &[u32], other: &[u32]) -> bool {
        let same = |(a, b): (&u32, &u32)| self.tokens.key(*a) == self.tokens.key(*b);
        one.len() == other.len() && one.iter().zip(other).all(same)
    }

    /// Replaces words that vary by wildcards; says whether there were any.
    fn mask_columns(&mut self) -> bool {
        let places = self.places();
        let mut changed = false;
        for row in 0..self.rows.len() {
            let constants = self.constants(row);
            let keys = self.keys(row);
            for (at, key) in keys {
                let varies = places.get(&key).is_some_and(|place| place.varies(at == 1, constants));
                if varies && self.may_vary(row, at) {
                    self.rows[row][at] = self.tokens.variable(self.rows[row][at]);
                    changed = true;
                }
            }
        }
        changed
    }

    fn places(&self) -> HashMap<u64, Place> {
        let mut places: HashMap<u64, Place> = HashMap::new();
        let mut seen = HashSet::new();
        for row in 0..self.rows.len() {
            seen.clear();
            for (at, key) in self.keys(row) {
                if seen.insert(key) {
                    let place = places.entry(key).or_default();
                    place.words += 1;
                    place.any |= self.tokens.key(self.rows[row][at]) == ANY;
                }
            }
        }
        places
    }

    /// Whether the word at `at` is constant so far and no message: what is said under a key such as
    /// `msg` is what tells statements apart.
    pub(super) fn may_vary(&self, row: usize, at: usize) -> bool {
        let tokens = &self.rows[row];
        let text = |at: usize| self.tokens.text(tokens[at]);
        let word = text(at);
        let key = match word.split_once(['=', ':']) {
            Some((key, _)) => key.trim_matches(['"', '{']),
            None if at >= 2
                && text(at - 1).bytes().all(|byte| matches!(byte, b'=' | b':' | b'"')) =>
            {
                text(at - 2)
            }
            None => "",
        };
        self.tokens.key(tokens[at]) != ANY && !MESSAGE_KEYS.contains(&key)
    }

    /// For each word of a row its place, and the hash of the row with a wildcard there. A word that
    /// stands in a row more than once varies everywhere together or only here: it has both hashes.
    fn keys(&self, row: usize) -> Vec<(usize, u64)> {
        let tokens = &self.rows[row];
        let hash = self.hash(tokens);
        let mut repeats: HashMap<u32, (u64, u32)> = HashMap::new();
        for (at, &token) in tokens.iter().enumerate().skip(1).step_by(2) {
            let (difference, times) = repeats.entry(token).or_default();
            *difference = difference.wrapping_add(self.difference(at, token));
            *times += 1;
        }
        let mut keys = Vec::with_capacity(tokens.len() / 2);
        for (at, &token) in tokens.iter().enumerate().skip(1).step_by(2) {
            keys.push((at, hash.wrapping_add(self.difference(at, token))));
            let (difference, times) = repeats[&token];
            if times > 1 {
                keys.push((at, hash.wrapping_add(difference)));
            }
        }
        keys
    }

    /// Words of a row that say something: with a letter, outside of variables. A sign that stands
    /// alone, as in `- - "GET /"`, says something of a row whose values count as words.
    pub(super) fn constants(&self, row: usize) -> usize {
        let letter = |byte: u8| byte.is_ascii_alphabetic() || byte >= 0x80;
        let words = self.rows[row].iter().skip(1).step_by(2);
        let says = |&&token: &&u32| {
            let sign = self.cut == Cut::Values && self.tokens.key(token) != ANY;
            sign || self.tokens.text(token).bytes().any(letter)
        };
        words.filter(says).count()
    }

    /// A sum over the tokens, so that the hash with a token replaced is a subtraction away.
    pub(super) fn hash(&self, row: &[u32]) -> u64 {
        let start = row.len() as u64;
        row.iter()
            .enumerate()
            .fold(start, |sum, (at, &token)| sum.wrapping_add(mixed(at, self.tokens.key(token))))
    }

    /// What a wildcard in place of `token` adds to the hash of a row.
    fn difference(&self, at: usize, token: u32) -> u64 {
        mixed(at, ANY).wrapping_sub(mixed(at, self.tokens.key(token)))
    }

    fn text(&self, row: usize) -> String {
        let mut text = String::new();
        for &token in &self.rows[row] {
            tokens::push(&mut text, self.tokens.text(token));
        }
        text
    }
}

/// What was seen in one place between equal neighbours.
#[derive(Default)]
struct Place {
    words: u32,
    any: bool,
}

impl Place {
    fn varies(&self, first: bool, constants: usize) -> bool {
        let others = constants.saturating_sub(1);
        if others == 0 {
            return false;
        }
        let least = match (first, others) {
            (true, ..FIRST_CONSTANTS_MIN) | (false, ..CONSTANTS_MIN) => BARE_WORDS_MIN,
            (true, _) => FIRST_WORDS_MIN,
            (false, _) => WORDS_MIN,
        };
        self.words >= least || (self.any && self.words >= 2)
    }
}

/// The finaliser of splitmix64 over place and token.
pub(super) fn mixed(at: usize, token: u32) -> u64 {
    let mut bits = (((at as u64) << 32) | u64::from(token)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
