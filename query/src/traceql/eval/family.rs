//! Children, and the numbers of a nested set.

use throughline_storage::scan::NO_PARENT;

use super::batch::Spans;
use super::column::Column;
use super::value::Val;
use crate::Result;

/// The children of every span of a batch.
pub(crate) struct Family {
    /// By row: where its children begin in `children`. A parent of several rows with one id is the
    /// first of them.
    starts: Vec<u32>,
    /// By start, then id.
    children: Vec<u32>,
    /// Left, right and parent by row.
    nested: Vec<(i64, i64, i64)>,
}

impl Family {
    pub(super) fn new(spans: &Spans) -> Result<Self> {
        let rows = spans.rows();
        let parents = &spans.structure()?.parents;
        let mut order = (0..rows as u32).collect::<Vec<_>>();
        spans.sort(&mut order)?;
        let mut starts = vec![0u32; rows + 1];
        let here = |row: u32| Some(parents[row as usize]).filter(|p| (*p as usize) < rows);
        for row in &order {
            if let Some(parent) = here(*row) {
                starts[parent as usize + 1] += 1;
            }
        }
        (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        let mut next = starts.clone();
        let mut children = vec![0; starts[rows] as usize];
        for row in &order {
            if let Some(parent) = here(*row) {
                let at = &mut next[parent as usize];
                children[*at as usize] = *row;
                *at += 1;
            }
        }
        let mut family = Self { starts, children, nested: vec![(0, 0, 0); rows] };
        let mut counters = vec![0i64; spans.traces().len()];
        let mut visited = vec![false; rows];
        for row in order.into_iter().filter(|row| parents[*row as usize] == NO_PARENT) {
            let trace = spans.trace_of_row()[row as usize] as usize;
            family.walk(row, &mut counters[trace], &mut visited, spans)?;
        }
        Ok(family)
    }

    fn children_of(&self, row: u32) -> &[u32] {
        let (start, end) = (self.starts[row as usize], self.starts[row as usize + 1]);
        &self.children[start as usize..end as usize]
    }

    // Depth first without recursion: traces may be deep.
    fn walk(
        &mut self,
        root: u32,
        counter: &mut i64,
        visited: &mut [bool],
        spans: &Spans,
    ) -> Result<()> {
        let twins = spans.structure()?.twins.as_ref();
        let id_row = |row: u32| twins.map_or(row, |twins| twins[row as usize]);
        let mut stack = vec![(root, -1i64, false)];
        while let Some((row, parent, leaving)) = stack.pop() {
            if leaving {
                *counter += 1;
                self.nested[row as usize].1 = *counter;
                continue;
            }
            if std::mem::replace(&mut visited[row as usize], true) {
                continue;
            }
            *counter += 1;
            let left = *counter;
            self.nested[row as usize] = (left, 0, parent);
            stack.push((row, parent, true));
            // Of several spans with one id the first that is reached has the children.
            let of = id_row(row) as usize;
            let (start, end) = (self.starts[of] as usize, self.starts[of + 1] as usize);
            stack.extend(self.children[start..end].iter().rev().map(|child| (*child, left, false)));
        }
        Ok(())
    }

    /// How many spans name each span as their parent.
    pub(super) fn child_counts(&self, spans: &Spans) -> Result<Column> {
        let twins = spans.structure()?.twins.as_ref();
        let count = |row: usize| {
            let row = twins.map_or(row as u32, |twins| twins[row]);
            Val::Int(self.children_of(row).len() as i64)
        };
        Ok(Column::Mixed((0..spans.rows()).map(count).collect()))
    }

    /// One of the numbers of the nested set.
    pub(super) fn nested(&self, which: fn(&(i64, i64, i64)) -> i64) -> Column {
        Column::Mixed(self.nested.iter().map(|nested| Val::Int(which(nested))).collect())
    }
}
