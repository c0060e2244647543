//! Where the rows of each service, and of each name, lie in a slab of spans.
//!
//! The rows of a slab are sorted by service and name (ADR 0002), so a few runs say what a page of
//! numbers would: which rows a condition on either holds for. Runs are read once from the column and
//! kept in the cache.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;

use crate::Result;

/// Runs beyond which a column is not worth it.
const RUNS_MAX: usize = 4096;

/// The runs of equal values of a column of texts.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    values: Vec<Box<str>>,
    /// Which value each run has, and where it ends.
    runs: Vec<(u32, u32)>,
    /// Whether the column has more runs, or absent values.
    pub is_unsorted: bool,
}

impl Runs {
    /// Adds rows that follow those so far.
    pub(crate) fn add(&mut self, column: &ArrayRef) -> Result<()> {
        let column = column.as_dictionary::<UInt32Type>();
        self.is_unsorted |= column.null_count() > 0;
        let first = self.runs.last().map_or(0, |(_, end)| *end);
        let texts = column.values().as_string::<i32>();
        let mut known: HashMap<u32, u32> = HashMap::new();
        let keys = column.keys().values();
        let mut row = 0;
        while row < keys.len() && !self.is_unsorted {
            let key = keys[row];
            row += keys[row..].iter().take_while(|other| **other == key).count();
            let value = *known.entry(key).or_insert_with(|| self.value(texts.value(key as usize)));
            let end = first + row as u32;
            match self.runs.last_mut() {
                Some(last) if last.0 == value => last.1 = end,
                _ => self.runs.push((value, end)),
            }
            self.is_unsorted = self.runs.len() > RUNS_MAX;
        }
        if self.is_unsorted {
            (self.values, self.runs) = (Vec::new(), Vec::new());
        }
        Ok(())
    }

    fn value(&mut self, text: &str) -> u32 {
        let known = self.values.iter().rposition(|known| **known == *text);
        known.unwrap_or_else(|| {
            self.values.push(text.into());
            self.values.len() - 1
        }) as u32
    }

    /// The rows whose value is wanted, ascending.
    pub(crate) fn rows(
        &self,
        mut is_wanted: impl FnMut(&str) -> Result<bool>,
    ) -> Result<Vec<Range<usize>>> {
        let wanted = self.values.iter().map(|value| is_wanted(value));
        let wanted = wanted.collect::<Result<Vec<bool>>>()?;
        let mut start = 0;
        let mut rows = Vec::new();
        for (value, end) in &self.runs {
            if wanted[*value as usize] {
                rows.push(start as usize..*end as usize);
            }
            start = *end;
        }
        Ok(rows)
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let texts = self.values.iter().map(|value| value.len() + size_of::<Box<str>>());
        texts.sum::<usize>() + self.runs.len() * 8 + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{DictionaryArray, StringArray, UInt32Array};

    use super::*;

    fn column(values: &[&str], keys: &[u32]) -> ArrayRef {
        let values = Arc::new(StringArray::from(values.to_vec()));
        let keys = UInt32Array::from(keys.to_vec());
        Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, values).expect("a column"))
    }

    #[test]
    fn runs_go_on_over_batches() {
        let mut runs = Runs::default();
        runs.add(&column(&["a", "b"], &[0, 0, 1])).expect("adds");
        runs.add(&column(&["c", "b", "a"], &[1, 1, 0, 2])).expect("adds");
        let rows =
            |wanted: &str| runs.rows(|value| Ok(wanted.contains(value))).expect("never fails");
        assert_eq!(rows("a"), [0..2, 6..7]);
        assert_eq!(rows("b"), vec![Range { start: 2, end: 5 }]);
        assert_eq!(rows("bc"), [2..5, 5..6]);
        assert!(rows("x").is_empty());
    }

    #[test]
    fn what_does_not_repeat_is_no_run() {
        let texts = (0..RUNS_MAX + 1).map(|i| i.to_string()).collect::<Vec<_>>();
        let texts = texts.iter().map(String::as_str).collect::<Vec<_>>();
        let mut runs = Runs::default();
        runs.add(&column(&texts, &(0..texts.len() as u32).collect::<Vec<_>>())).expect("adds");
        assert!(runs.is_unsorted);
    }
}
