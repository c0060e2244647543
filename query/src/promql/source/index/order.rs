//! The order of entries by labels, kept as entries come.

use std::cmp::Ordering;
use std::sync::Arc;

use super::Entry;

/// The order.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// Entries by the labels of their first part, then by id.
    sorted: Vec<u32>,
    /// The place of each entry in it.
    ranks: Vec<u32>,
}

impl Order {
    /// Takes in the entries that are not in it yet.
    pub fn extend(&mut self, entries: &[Arc<Entry>]) {
        let known = self.ranks.len();
        if known == entries.len() {
            return;
        }
        let compare = |a: u32, b: u32| compare(&entries[a as usize], &entries[b as usize]);
        let mut new = (known as u32..entries.len() as u32).collect::<Vec<_>>();
        new.sort_unstable_by(|a, b| compare(*a, *b));
        let mut merged = Vec::with_capacity(entries.len());
        let mut old = self.sorted.as_slice();
        for number in new {
            let before = old.partition_point(|own| compare(*own, number) == Ordering::Less);
            merged.extend_from_slice(&old[..before]);
            merged.push(number);
            old = &old[before..];
        }
        merged.extend_from_slice(old);
        self.ranks.resize(entries.len(), 0);
        for (rank, number) in merged.iter().enumerate() {
            self.ranks[*number as usize] = rank as u32;
        }
        self.sorted = merged;
    }

    /// Puts entries in order.
    pub fn sort(&self, entries: &mut [u32]) {
        entries.sort_unstable_by_key(|number| self.ranks[*number as usize]);
    }
}

fn compare(a: &Entry, b: &Entry) -> Ordering {
    let labels = |entry: &Entry| entry.parts.first().map(|part| part.labels.clone());
    labels(a).cmp(&labels(b)).then_with(|| a.id.cmp(&b.id))
}
