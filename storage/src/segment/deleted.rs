//! Rows of a segment that are deleted and still in its files, until it is rewritten without them.
//!
//! ```text
//! deleted := crc32c u32 LE of what follows | varint row groups | group*
//! group   := varint rows | varint runs | (varint rows before the run, varint rows of it)*
//! ```
//! Kept in the catalog, one for each segment; a view holds those that its reads leave out.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::codec::{Reader, put_varint};
use ulid::Ulid;

use super::index::section::{checked, put_checked};
use super::row_set::RowSet;
use crate::{Error, Result};

/// Row groups of a segment at most.
const GROUPS_MAX: u64 = 1 << 20;
/// Rows of a row group at most.
const ROWS_MAX: u64 = 1 << 32;

/// The deleted rows of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeletedRows {
    groups: Vec<RowSet>,
    count: u64,
    /// Whether somebody asked for the deletion of some of them: then the segment is rewritten soon.
    pub is_requested: bool,
}

impl DeletedRows {
    /// By row group.
    pub fn new(groups: Vec<RowSet>, is_requested: bool) -> Self {
        let count = groups.iter().map(|group| group.count() as u64).sum();
        Self { groups, count, is_requested }
    }

    /// How many rows there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Those of a row group, if it has any.
    pub fn group(&self, row_group: usize) -> Option<&RowSet> {
        self.groups.get(row_group).filter(|group| !group.is_empty())
    }

    /// The same rows, asked for by somebody or not.
    pub fn requested(self, is_requested: bool) -> Self {
        Self { is_requested, ..self }
    }

    /// These and others of the same segment.
    pub fn united(mut self, other: &Self) -> Self {
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.unite(other);
        }
        Self::new(self.groups, self.is_requested || other.is_requested)
    }

    /// These without others of the same segment.
    pub fn without(mut self, other: &Self) -> Self {
        for (own, other) in self.groups.iter_mut().zip(&other.groups) {
            own.subtract(other);
        }
        Self::new(self.groups, self.is_requested)
    }

    /// The bytes that the catalog keeps.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.groups.len() as u64);
        for group in &self.groups {
            put_varint(&mut out, group.rows() as u64);
            let runs = group.runs();
            put_varint(&mut out, runs.len() as u64);
            let mut at = 0;
            for run in runs {
                put_varint(&mut out, (run.start - at) as u64);
                put_varint(&mut out, run.len() as u64);
                at = run.end;
            }
        }
        let mut framed = Vec::with_capacity(out.len() + 4);
        put_checked(&mut framed, &out);
        framed
    }

    /// Reads what [`DeletedRows::encode`] wrote.
    pub fn decode(bytes: &[u8], is_requested: bool) -> Result<Self> {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        let content = checked(&bytes)?;
        let mut reader = Reader::new(&content);
        let too_much = || Error::corrupt("deleted rows: more than a segment has");
        let groups = reader.varint()?;
        if groups > GROUPS_MAX {
            return Err(too_much());
        }
        let mut all = Vec::new();
        for _ in 0..groups {
            let (rows, runs) = (reader.varint()?, reader.varint()?);
            if rows > ROWS_MAX || runs > rows {
                return Err(too_much());
            }
            let mut set = RowSet::none(rows as usize);
            let mut at = 0u64;
            for _ in 0..runs {
                let start = at.saturating_add(reader.varint()?);
                at = start.saturating_add(reader.varint()?);
                if at > rows {
                    return Err(too_much());
                }
                set.insert_range(start as usize..at as usize);
            }
            all.push(set);
        }
        Ok(Self::new(all, is_requested))
    }
}

/// The deleted rows of a view, by segment. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Deletions(Arc<HashMap<Ulid, Arc<DeletedRows>>>);

impl Deletions {
    /// Those of a segment, if it has any.
    pub(crate) fn of(&self, segment: Ulid) -> Option<&Arc<DeletedRows>> {
        self.0.get(&segment)
    }

    /// Puts rows of segments in place of those before, and forgets segments.
    pub(crate) fn change(&mut self, put: Vec<(Ulid, Arc<DeletedRows>)>, forget: &[Ulid]) {
        if put.is_empty() && !forget.iter().any(|id| self.0.contains_key(id)) {
            return;
        }
        let all = Arc::make_mut(&mut self.0);
        all.extend(put);
        forget.iter().for_each(|id| _ = all.remove(id));
    }

    /// How many rows are deleted and still in files.
    pub fn rows(&self) -> u64 {
        self.0.values().map(|rows| rows.count()).sum()
    }

    /// How many of them a segment has.
    pub fn rows_of(&self, segment: Ulid) -> u64 {
        self.of(segment).map_or(0, |rows| rows.count())
    }

    /// How many segments have such rows.
    pub fn segments(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups() -> impl Strategy<Value = Vec<RowSet>> {
        let group = (1usize..200, proptest::collection::vec((0usize..200, 0usize..20), 0..6));
        let set = group.prop_map(|(rows, runs)| {
            let mut set = RowSet::none(rows);
            runs.iter().for_each(|(start, len)| set.insert_range(*start..start + len));
            set
        });
        proptest::collection::vec(set, 0..5)
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(groups in groups(), at in 0usize..400, bit in 0u8..8) {
            let deleted = DeletedRows::new(groups, true);
            let mut bytes = deleted.encode();
            prop_assert_eq!(&DeletedRows::decode(&bytes, true).expect("reads"), &deleted);
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(DeletedRows::decode(&bytes, true).is_err());
        }
    }
}
