//! The rows of a word.
//!
//! ```text
//! postings := ((gap << 1 | run) varint, [rows - 2 varint, if run])*
//! ```
//! `gap` counts rows since the end of the entry before. Rows of a segment lie by service and template,
//! so that a word of a template fills runs and a word of a variable comes in short gaps.

use throughline_model::codec::{Reader, put_varint};

use crate::segment::row_set::RowSet;
use crate::{Error, Result};

/// Rows from the first up to and with the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    pub first: u32,
    pub last: u32,
}

/// Appends the postings of the rows of ascending runs that do not touch.
pub(super) fn put(runs: &[Run], out: &mut Vec<u8>) {
    let mut end = 0;
    for run in runs {
        let gap = u64::from(run.first - end);
        let more = u64::from(run.last - run.first);
        put_varint(out, gap << 1 | u64::from(more > 0));
        if more > 0 {
            put_varint(out, more - 1);
        }
        end = run.last + 1;
    }
}

/// Adds the rows of postings to a set.
pub(super) fn read(bytes: &[u8], into: &mut RowSet) -> Result<()> {
    let mut reader = Reader::new(bytes);
    let mut at = 0u64;
    while !reader.is_empty() {
        let head = reader.varint()?;
        let len = if head & 1 == 1 { reader.varint()?.saturating_add(2) } else { 1 };
        let start = at.saturating_add(head >> 1);
        at = start.saturating_add(len);
        if at > into.rows() as u64 {
            return Err(Error::corrupt(format!("postings name row {at} of {}", into.rows())));
        }
        into.insert_range(start as usize..at as usize);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn postings_read_back(rows in proptest::collection::btree_set(0u32..1000, 0..400)) {
            let mut bytes = Vec::new();
            let mut runs: Vec<Run> = Vec::new();
            for row in &rows {
                match runs.last_mut() {
                    Some(run) if run.last + 1 == *row => run.last = *row,
                    _ => runs.push(Run { first: *row, last: *row }),
                }
            }
            put(&runs, &mut bytes);
            let mut set = RowSet::none(1000);
            read(&bytes, &mut set).expect("reads back");
            prop_assert_eq!(set.iter().map(|row| row as u32).collect::<Vec<_>>(), rows.iter().copied().collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_rows_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = read(&bytes, &mut RowSet::none(500));
        }
    }
}
