//! Spans of a batch by the values of `by`: a number for each combination.

use std::rc::Rc;

use hashbrown::HashMap;

use crate::Result;
use crate::traceql::ast::Field;
use crate::traceql::eval::Spans;
use crate::traceql::eval::column::{Column, NIL, group_key};
use crate::traceql::eval::value::Val;

/// Combinations up to so many are looked up in a table instead of a map.
const TABLE_MAX: usize = 1 << 16;

/// The groups of a batch.
pub(super) struct Groups {
    /// By row.
    pub of_row: Vec<u32>,
    /// Values of each group, in the order of `by`.
    pub values: Vec<Vec<Val>>,
}

impl Groups {
    /// Groups the given rows; all others have a group without meaning.
    pub fn new(spans: &Spans, by: &[Field], rows: &[u32]) -> Result<Self> {
        let mut groups =
            Self { of_row: vec![0; spans.rows()], values: vec![Vec::with_capacity(by.len())] };
        for field in by {
            let column = spans.column(field)?;
            groups.split(&column, spans.rows(), rows);
        }
        Ok(groups)
    }

    fn split(&mut self, column: &Rc<Column>, all: usize, rows: &[u32]) {
        let (numbers, mut values) = column.numbered(all);
        // Lists count by their first element, which other lists may share.
        let mut known: HashMap<Vec<u8>, u32> = HashMap::new();
        let mut same = Vec::with_capacity(values.len() + 1);
        for (at, value) in values.iter_mut().enumerate() {
            *value = value.first().clone();
            same.push(*known.entry(group_key(value)).or_insert(at as u32));
        }
        let nil = *known.entry(group_key(&Val::Nil)).or_insert(values.len() as u32);
        same.push(nil);
        values.push(Val::Nil);
        let width = values.len();
        let mut next: Vec<Vec<Val>> = Vec::new();
        let mut table = Vec::new();
        let mut map: HashMap<usize, u32> = HashMap::new();
        let is_table = self.values.len().saturating_mul(width) <= TABLE_MAX;
        if is_table {
            table.resize(self.values.len() * width, NIL);
        }
        for row in rows {
            let row = *row as usize;
            let number = match numbers[row] {
                NIL => nil,
                number => same[number as usize],
            };
            let place = self.of_row[row] as usize * width + number as usize;
            let slot = if is_table { &mut table[place] } else { map.entry(place).or_insert(NIL) };
            if *slot == NIL {
                *slot = next.len() as u32;
                let mut of_group = self.values[self.of_row[row] as usize].clone();
                of_group.push(values[number as usize].clone());
                next.push(of_group);
            }
            self.of_row[row] = *slot;
        }
        self.values = next;
    }
}

/// Bytes that name a group.
pub(super) fn key(values: &[Val]) -> Vec<u8> {
    let mut key = Vec::new();
    for value in values {
        let one = group_key(value);
        key.extend_from_slice(&(one.len() as u32).to_le_bytes());
        key.extend_from_slice(&one);
    }
    key
}
