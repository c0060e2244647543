//! Rows of one row group, as bits.

use std::ops::Range;

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};

/// Some of the rows of a row group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowSet {
    words: Vec<u64>,
    rows: usize,
}

impl RowSet {
    /// None of so many rows.
    pub(crate) fn none(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)], rows }
    }

    /// All of so many rows.
    pub(crate) fn all(rows: usize) -> Self {
        let mut set = Self { words: vec![u64::MAX; rows.div_ceil(64)], rows };
        set.trim();
        set
    }

    /// The rows of a selection over so many.
    pub(crate) fn of_selection(selection: &RowSelection, rows: usize) -> Self {
        let mut set = Self::none(rows);
        let mut at = 0;
        for selector in selection.iter() {
            let end = at + selector.row_count;
            if !selector.skip {
                set.insert_range(at..end);
            }
            at = end;
        }
        set
    }

    // Bits behind the last row stay zero.
    fn trim(&mut self) {
        if let (Some(last), used @ 1..) = (self.words.last_mut(), self.rows % 64) {
            *last &= u64::MAX >> (64 - used);
        }
    }

    /// How many rows there are to choose from.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How many are in it.
    pub(crate) fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    #[cfg(test)]
    pub(crate) fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// Adds a row; one behind the last is left out.
    pub(crate) fn insert(&mut self, row: usize) {
        if row < self.rows {
            self.words[row / 64] |= 1 << (row % 64);
        }
    }

    /// Adds rows; those behind the last are left out.
    pub(crate) fn insert_range(&mut self, range: Range<usize>) {
        let (start, end) = (range.start, range.end.min(self.rows));
        if start >= end {
            return;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let low = u64::MAX << (start % 64);
        let high = u64::MAX >> (63 - (end - 1) % 64);
        if first == last {
            self.words[first] |= low & high;
            return;
        }
        self.words[first] |= low;
        self.words[first + 1..last].fill(u64::MAX);
        self.words[last] |= high;
    }

    /// How many of a range are in it.
    pub(crate) fn count_range(&self, range: Range<usize>) -> usize {
        let (start, end) = (range.start, range.end.min(self.rows));
        if start >= end {
            return 0;
        }
        let (first, last) = (start / 64, (end - 1) / 64);
        let low = u64::MAX << (start % 64);
        let high = u64::MAX >> (63 - (end - 1) % 64);
        if first == last {
            return (self.words[first] & low & high).count_ones() as usize;
        }
        let middle = self.words[first + 1..last].iter().map(|word| word.count_ones());
        let middle = middle.sum::<u32>();
        let ends = (self.words[first] & low).count_ones() + (self.words[last] & high).count_ones();
        (middle + ends) as usize
    }

    /// Keeps what the other has too.
    pub(crate) fn intersect(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= other);
    }

    /// Adds what the other has.
    pub(crate) fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Takes out what the other has.
    pub(crate) fn subtract(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word &= !other);
    }

    /// What is not in it.
    pub(crate) fn complement(mut self) -> Self {
        self.words.iter_mut().for_each(|word| *word = !*word);
        self.trim();
        self
    }

    /// The rows, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = usize> {
        self.words.iter().enumerate().flat_map(|(number, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = left.trailing_zeros() as usize;
                left &= left.checked_sub(1)?;
                Some(number * 64 + bit)
            })
        })
    }

    /// Rows that follow each other, ascending.
    pub(crate) fn runs(&self) -> Vec<Range<usize>> {
        let mut runs = Vec::new();
        let mut at = self.next(0, false).min(self.rows);
        while at < self.rows {
            let end = self.next(at, true).min(self.rows);
            runs.push(at..end);
            at = self.next(end, false).min(self.rows);
        }
        runs
    }

    /// The rows as a selection.
    pub(crate) fn selection(&self) -> RowSelection {
        let mut selectors: Vec<RowSelector> = Vec::new();
        let mut at = 0;
        while at < self.rows {
            let start = self.next(at, false).min(self.rows);
            if start > at {
                selectors.push(RowSelector::skip(start - at));
            }
            let end = self.next(start, true).min(self.rows);
            if end > start {
                selectors.push(RowSelector::select(end - start));
            }
            at = end;
        }
        RowSelection::from(selectors)
    }

    // The first row from `row` on that is in the set, or (if `absent`) that is not.
    fn next(&self, row: usize, absent: bool) -> usize {
        let flip = if absent { u64::MAX } else { 0 };
        let mut number = row / 64;
        let Some(word) = self.words.get(number) else { return self.rows };
        let mut word = (word ^ flip) & (u64::MAX << (row % 64));
        while word == 0 {
            number += 1;
            let Some(next) = self.words.get(number) else { return self.rows };
            word = next ^ flip;
        }
        number * 64 + word.trailing_zeros() as usize
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(of: &BTreeSet<usize>, rows: usize) -> RowSet {
        let mut set = RowSet::none(rows);
        of.iter().for_each(|row| set.insert(*row));
        set
    }

    proptest! {
        #[test]
        fn sets_are_sets(
            rows in 1usize..300,
            a in proptest::collection::btree_set(0usize..300, 0..60),
            b in proptest::collection::btree_set(0usize..300, 0..60),
            range in (0usize..320, 0usize..320),
        ) {
            let (a, b) = (&a, &b);
            let inside = |s: &BTreeSet<usize>| s.iter().copied().filter(|r| *r < rows).collect::<BTreeSet<_>>();
            let (sa, sb) = (inside(a), inside(b));
            let listed = |set: &RowSet| set.iter().collect::<BTreeSet<_>>();
            let (x, y) = (set(a, rows), set(b, rows));
            prop_assert_eq!(listed(&x), sa.clone());
            prop_assert_eq!(x.count(), sa.len());
            let mut both = x.clone();
            both.intersect(&y);
            prop_assert_eq!(listed(&both), &sa & &sb);
            let mut either = x.clone();
            either.unite(&y);
            prop_assert_eq!(listed(&either), &sa | &sb);
            let mut rest = x.clone();
            rest.subtract(&y);
            prop_assert_eq!(listed(&rest), &sa - &sb);
            prop_assert_eq!(listed(&x.clone().complement()), &(0..rows).collect::<BTreeSet<_>>() - &sa);
            prop_assert_eq!(RowSet::of_selection(&x.selection(), rows), x.clone());
            let runs = x.runs();
            prop_assert!(runs.windows(2).all(|two| two[0].end < two[1].start));
            prop_assert_eq!(runs.into_iter().flatten().collect::<BTreeSet<_>>(), sa.clone());
            let range = range.0..range.1.max(range.0);
            let within = sa.iter().filter(|row| range.contains(row)).count();
            prop_assert_eq!(x.count_range(range.clone()), within);
            let mut with = x.clone();
            with.insert_range(range.clone());
            let expected = range.filter(|row| *row < rows).collect::<BTreeSet<_>>();
            prop_assert_eq!(listed(&with), &sa | &expected);
        }
    }
}
