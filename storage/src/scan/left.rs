//! The rows of a row group that a scan has left, in the form that was cheapest to come by.

use std::ops::Range;

use arrow::buffer::BooleanBuffer;
use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

use super::prune;
use crate::segment::row_set::RowSet;

/// The rows of a row group that are left.
#[derive(Clone, Debug)]
pub(crate) struct Left {
    rows: Rows,
    count: usize,
}

#[derive(Clone, Debug)]
enum Rows {
    All,
    Selection(RowSelection),
    Set(RowSet),
}

impl Left {
    /// All of so many rows.
    pub(crate) fn all(rows: usize) -> Self {
        Self { rows: Rows::All, count: rows }
    }

    pub(crate) fn of_set(set: RowSet) -> Self {
        let count = set.count();
        let rows = if count == set.rows() { Rows::All } else { Rows::Set(set) };
        Self { rows, count }
    }

    pub(crate) fn of_selection(selection: RowSelection) -> Self {
        Self { count: selection.row_count(), rows: Rows::Selection(selection) }
    }

    /// How many rows are left.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// What a reader selects; none for all rows.
    pub(crate) fn selection(&self) -> Option<RowSelection> {
        match &self.rows {
            Rows::All => None,
            Rows::Selection(selection) => Some(selection.clone()),
            Rows::Set(set) => Some(set.selection()),
        }
    }

    /// The rows that are left, of so many.
    pub(crate) fn set(&self, total: usize) -> RowSet {
        match &self.rows {
            Rows::All => RowSet::all(total),
            Rows::Selection(selection) => RowSet::of_selection(selection, total),
            Rows::Set(set) => set.clone(),
        }
    }

    /// The rows that are left, of so many, ascending.
    pub(crate) fn rows(&self, total: usize) -> Vec<u32> {
        match &self.rows {
            Rows::All => (0..total as u32).collect(),
            Rows::Set(set) => set.iter().map(|row| row as u32).collect(),
            Rows::Selection(selection) => {
                let mut rows = Vec::with_capacity(self.count);
                let mut at = 0u32;
                for selector in selection.iter() {
                    let end = at + selector.row_count as u32;
                    if !selector.skip {
                        rows.extend(at..end);
                    }
                    at = end;
                }
                rows
            }
        }
    }

    /// The same as selectors and how many there are, for keeping; none if there are more than so many.
    pub(crate) fn compact(&self, selectors_max: usize) -> Option<(Self, usize)> {
        match &self.rows {
            Rows::All => Some((self.clone(), 0)),
            Rows::Set(set)
                if self.count > selectors_max && set.rows() - self.count > selectors_max =>
            {
                None
            }
            Rows::Selection(_) | Rows::Set(_) => {
                let selection = self.selection()?;
                let selectors = selection.iter().count();
                (selectors <= selectors_max).then(|| (Self::of_selection(selection), selectors))
            }
        }
    }

    /// Of so many rows only those in the ranges.
    pub(crate) fn only(self, ranges: Vec<Range<usize>>, total: usize) -> Self {
        if ranges.len() == 1 && ranges[0] == (0..total) {
            return self;
        }
        self.intersection(RowSelection::from_consecutive_ranges(ranges.into_iter(), total))
    }

    pub(crate) fn intersection(self, other: RowSelection) -> Self {
        match self.rows {
            Rows::All => Self::of_selection(other),
            Rows::Selection(selection) => Self::of_selection(selection.intersection(&other)),
            Rows::Set(mut set) => {
                set.intersect(&RowSet::of_selection(&other, set.rows()));
                Self::of_set(set)
            }
        }
    }

    /// Only rows that are in a set too.
    pub(crate) fn within(self, other: &RowSet) -> Self {
        let mut set = self.set(other.rows());
        set.intersect(other);
        Self::of_set(set)
    }

    /// Of the rows that are left only those that a mask over them keeps.
    pub(crate) fn refine(self, keep: BooleanBuffer) -> Self {
        let count = keep.count_set_bits();
        if count == self.count {
            return self;
        }
        if let Rows::Set(mut set) = self.rows {
            let mut kept = RowSet::none(set.rows());
            for (place, row) in set.iter().enumerate() {
                if keep.value(place) {
                    kept.insert(row);
                }
            }
            set = kept;
            return Self { rows: Rows::Set(set), count };
        }
        let selection = match self.rows {
            Rows::Selection(selection) => Some(selection),
            _ => None,
        };
        Self { rows: Rows::Selection(prune::refine(selection, keep)), count }
    }
}

/// Bytes of a kept selector.
pub(crate) const SELECTOR_BYTES: usize = size_of::<RowSelector>();
