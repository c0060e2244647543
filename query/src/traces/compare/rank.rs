//! Which values two sets of spans differ in most.
//!
//! For each value: its share in A minus its share in B, and how much of that is more than chance: the
//! near end of the 99.9 % interval of the difference of two proportions after Agresti and Caffo (one
//! success and one failure added to each set). Values are ranked by that bound; where the interval
//! holds zero they are left out.

use throughline_model::Value;
use throughline_model::exponential::{Distribution, upper_bound};
use throughline_model::value::tag;

use super::sets::{Difference, Spread, Test};
use super::tally::{KeyTally, Place, Tally};
use crate::Result;

/// Standard errors to each side of the interval: 99.9 %.
const Z: f64 = 3.29;

/// The differences, largest first, and how many values do not differ more than by chance.
pub fn rank(tally: &Tally) -> Result<(Vec<Difference>, u64)> {
    let mut all = Vec::new();
    let mut alike = 0;
    for key in &tally.keys {
        let first = all.len();
        for (value, counts) in &key.values {
            let test = Test::Is(shown(value)?);
            all.push(difference(key, test, *counts, tally.spans));
        }
        if key.is_distribution {
            all.extend(best_cut(key, tally.spans));
        }
        let before = all.len();
        let best = all[first..].iter().map(|found| found.bound).fold(0.0, f64::max);
        let mut kept = all.split_off(first);
        kept.retain(|found| found.bound > 0.0);
        all.append(&mut kept);
        alike += (before - all.len()) as u64;
        if key.place != Place::Field {
            let exists = difference(key, Test::Exists, key.present, tally.spans);
            if exists.bound > best {
                all.push(exists);
            }
        }
    }
    all.sort_by(|a, b| {
        b.bound
            .total_cmp(&a.bound)
            .then_with(|| (a.place, &a.key).cmp(&(b.place, &b.key)))
            .then_with(|| a.test.key().cmp(&b.test.key()))
    });
    Ok((all, alike))
}

// Values that were cut may end inside a character or a structure.
fn shown(bytes: &[u8]) -> Result<Value> {
    if let Ok(value) = Value::decode(bytes) {
        return Ok(value);
    }
    Ok(match bytes {
        [tag::STRING, text @ ..] => Value::String(String::from_utf8_lossy(text).into_owned()),
        [_, rest @ ..] => Value::Bytes(rest.to_vec()),
        [] => Value::decode(bytes)?,
    })
}

fn difference(key: &KeyTally, test: Test, counts: [u64; 2], spans: [u64; 2]) -> Difference {
    let share = |set: usize| match spans[set] {
        0 => 0.0,
        spans => counts[set] as f64 / spans as f64,
    };
    let spread = |set: usize| Spread::of(&key.numbers[set]);
    Difference {
        place: key.place,
        key: key.key.clone(),
        test,
        counts,
        shares: [share(0), share(1)],
        bound: bound(counts, spans),
        spreads: [spread(0), spread(1)],
    }
}

/// How large the difference of two shares is at least, whichever way it goes; 0 where it may be chance.
pub fn bound(counts: [u64; 2], spans: [u64; 2]) -> f64 {
    let size = |set: usize| spans[set] as f64 + 2.0;
    let share = |set: usize| (counts[set] as f64 + 1.0) / size(set);
    let variance = |set: usize| share(set) * (1.0 - share(set)) / size(set);
    let error = (variance(0) + variance(1)).sqrt();
    ((share(0) - share(1)).abs() - Z * error).max(0.0)
}

// The bound of numbers that parts the sets best.
fn best_cut(key: &KeyTally, spans: [u64; 2]) -> Option<Difference> {
    let mut buckets: Vec<i32> =
        key.numbers.iter().flat_map(|numbers| numbers.buckets.keys().copied()).collect();
    buckets.sort_unstable();
    buckets.dedup();
    let mut above = [0, 1].map(|set| positive(&key.numbers[set]));
    let mut best: Option<(f64, f64, [u64; 2])> = None;
    for bucket in buckets {
        let counts = above.map(|count| count.round() as u64);
        let found = bound(counts, spans);
        if best.is_none_or(|(most, _, _)| found > most) {
            best = Some((found, upper_bound(bucket - 1), counts));
        }
        for (above, numbers) in above.iter_mut().zip(&key.numbers) {
            *above -= numbers.buckets.get(&bucket).copied().unwrap_or_default();
        }
    }
    best.map(|(_, at, counts)| difference(key, Test::Above(at), counts, spans))
}

fn positive(numbers: &Distribution) -> f64 {
    numbers.buckets.values().sum()
}

impl Test {
    // For a stable order of equal differences.
    fn key(&self) -> (u8, Vec<u8>) {
        match self {
            Test::Exists => (0, Vec::new()),
            Test::Above(number) => (1, number.to_be_bytes().to_vec()),
            Test::Is(value) => (2, value.to_bytes()),
        }
    }
}
