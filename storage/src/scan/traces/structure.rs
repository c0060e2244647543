//! How the spans of a batch relate: the parent of each.

use arrow::array::{Array, AsArray, RecordBatch};
use hashbrown::HashMap;
use throughline_model::schema::col;

use crate::{Error, Result};

/// The parent of a span that has no parent id.
pub const NO_PARENT: u32 = u32::MAX;

/// Parents by row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Structure {
    /// For each row the row of its parent: the first of its trace with that id; [`NO_PARENT`]
    /// without a parent id. A parent that the batch does not hold has a number past the rows, the
    /// same for all its children.
    pub parents: Vec<u32>,
    /// For each row the first row of its trace with the same span id; `None` if all ids differ.
    pub twins: Option<Vec<u32>>,
}

impl Structure {
    /// From ids: the batch has `span_id` and `parent_span_id`.
    pub(super) fn from_ids(rows: &RecordBatch, trace_of_row: &[u32]) -> Result<Self> {
        let column = |name: &str| {
            let column = rows.column_by_name(name);
            column.ok_or_else(|| Error::invalid(format!("a batch has no column '{name}'")))
        };
        let spans = column(col::SPAN_ID)?.as_fixed_size_binary();
        let parents = column(col::PARENT_SPAN_ID)?.as_fixed_size_binary();
        let mut first: HashMap<(u32, u64), u32> = HashMap::with_capacity(rows.num_rows());
        let mut twins = Vec::with_capacity(rows.num_rows());
        for (row, trace) in trace_of_row.iter().enumerate() {
            twins.push(*first.entry((*trace, number(spans.value(row)))).or_insert(row as u32));
        }
        let are_twins = first.len() < rows.num_rows();
        let mut missing = Missing::new(rows.num_rows());
        let parent = |row: usize| {
            if parents.is_null(row) {
                return NO_PARENT;
            }
            let key = (trace_of_row[row], number(parents.value(row)));
            first.get(&key).copied().unwrap_or_else(|| missing.number(key))
        };
        let parents = (0..rows.num_rows()).map(parent).collect();
        Ok(Self { parents, twins: are_twins.then_some(twins) })
    }
}

/// Numbers for parents that a batch does not hold.
pub(super) struct Missing {
    next: u32,
    known: HashMap<(u32, u64), u32>,
}

impl Missing {
    pub(super) fn new(rows: usize) -> Self {
        Self { next: rows as u32, known: HashMap::new() }
    }

    /// The number of a trace's missing parent.
    pub(super) fn number(&mut self, key: (u32, u64)) -> u32 {
        let next = &mut self.next;
        *self.known.entry(key).or_insert_with(|| {
            *next += 1;
            *next - 1
        })
    }
}

/// A span id as a number.
pub(super) fn number(id: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(id);
    u64::from_be_bytes(bytes)
}
