//! How many users were affected, in bounded memory.
//!
//! The users with the smallest hashes are kept. While they are few, they are all; later the largest
//! hash that is kept tells how dense they lie, and so how many there are. Sums are exact in this sense:
//! the smallest hashes of all are among the smallest of the parts.

use std::collections::BTreeMap;

use throughline_model::codec::{Reader, put_bytes, put_varint};
use xxhash_rust::xxh3::xxh3_64;

use crate::Result;

/// Hashes that are kept: up to here the count is exact, past it within some 6 %.
const HASHES_MAX: usize = 256;
/// Users that are kept by name.
pub(crate) const NAMES_MAX: usize = 8;

/// The users who met exceptions of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// The smallest hashes; the smallest of these with the name.
    smallest: BTreeMap<u64, Option<String>>,
}

impl Users {
    /// Counts a user.
    pub fn add(&mut self, name: &str) {
        self.put(xxh3_64(name.as_bytes()), Some(name));
    }

    /// Adds those of another.
    pub fn add_all(&mut self, other: &Users) {
        other.smallest.iter().for_each(|(hash, name)| self.put(*hash, name.as_deref()));
    }

    fn put(&mut self, hash: u64, name: Option<&str>) {
        let full = self.smallest.len() == HASHES_MAX;
        let largest = self.smallest.last_key_value().map_or(0, |(largest, _)| *largest);
        if self.smallest.contains_key(&hash) || (full && hash > largest) {
            return;
        }
        let named_up_to = self.smallest.keys().nth(NAMES_MAX - 1);
        let name = name.filter(|_| named_up_to.is_none_or(|last| hash < *last));
        self.smallest.insert(hash, name.map(str::to_owned));
        if full {
            self.smallest.pop_last();
        }
        if let Some((_, unnamed)) = self.smallest.iter_mut().nth(NAMES_MAX) {
            *unnamed = None;
        }
    }

    /// How many there are; an estimate if [`Users::is_exact`] says no.
    pub fn count(&self) -> u64 {
        match self.smallest.last_key_value() {
            Some((largest, _)) if !self.is_exact() => {
                let part_of_all = *largest as f64 / u64::MAX as f64;
                ((HASHES_MAX - 1) as f64 / part_of_all).round() as u64
            }
            _ => self.smallest.len() as u64,
        }
    }

    /// Whether the count is no estimate.
    pub fn is_exact(&self) -> bool {
        self.smallest.len() < HASHES_MAX
    }

    /// Some of them by name: always the same ones of the same users.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.smallest.values().flatten().map(String::as_str)
    }

    pub(super) fn put_bytes(&self, out: &mut Vec<u8>) {
        put_varint(out, self.smallest.len() as u64);
        for (hash, name) in &self.smallest {
            out.extend_from_slice(&hash.to_le_bytes());
            put_bytes(out, name.as_deref().unwrap_or_default().as_bytes());
        }
    }

    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut users = Self::default();
        for _ in 0..reader.varint()? {
            let hash = u64::from_le_bytes(reader.array()?);
            let name = reader.str()?;
            users.put(hash, (!name.is_empty()).then_some(name));
        }
        Ok(users)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.smallest.len() * 48
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(range: std::ops::Range<u32>) -> Users {
        let mut users = Users::default();
        range.for_each(|i| users.add(&format!("user-{i}")));
        users
    }

    #[test]
    fn counts_are_exact_and_then_near() {
        for (count, exact) in [(0, true), (1, true), (255, true), (5_000, false), (100_000, false)]
        {
            let users = users(0..count);
            assert_eq!(users.is_exact(), exact, "{count}");
            let off = users.count().abs_diff(u64::from(count)) as f64 / f64::from(count.max(1));
            assert!(off <= if exact { 0.0 } else { 0.25 }, "{count}: {}", users.count());
            assert_eq!(users.names().count(), NAMES_MAX.min(count as usize));
        }
    }

    #[test]
    fn a_sum_is_that_of_all() {
        let all = users(0..3_000);
        let mut sum = users(2_000..3_000);
        sum.add_all(&users(0..1_500));
        sum.add_all(&users(1_000..2_500));
        assert_eq!(sum, all);
        let mut bytes = Vec::new();
        sum.put_bytes(&mut bytes);
        assert_eq!(Users::read(&mut Reader::new(&bytes)).expect("reads"), all);
    }
}
