//! Structural operators: which spans of two sides are related, exactly.
//!
//! Works on ids, not on rows: the rows of a trace that share a span id are one parent. A row stands
//! for its id by the first row with it (`Structure::twins`).

use hashbrown::{HashMap, HashSet};
use throughline_storage::scan::NO_PARENT;

use super::batch::Spans;
use crate::Result;
use crate::traceql::ast::SpansetOp;

/// The related spans of two sides: of `right`, and of both with `union`; with `negated` the spans of
/// `right` that are not related. Rows are those of one trace, ascending, and so is the answer.
pub(super) fn relate(
    spans: &Spans,
    op: SpansetOp,
    (negated, union): (bool, bool),
    left: &[u32],
    right: &[u32],
) -> Result<Vec<u32>> {
    let structure = spans.structure()?;
    let tree = Tree { parents: &structure.parents, twins: structure.twins.as_deref() };
    let related = tree.related(op, left, right);
    if negated {
        let related = related.into_iter().collect::<HashSet<_>>();
        return Ok(right.iter().copied().filter(|row| !related.contains(row)).collect());
    }
    if !union {
        return Ok(related);
    }
    let back = match op {
        SpansetOp::Child => SpansetOp::Parent,
        SpansetOp::Parent => SpansetOp::Child,
        SpansetOp::Descendant => SpansetOp::Ancestor,
        SpansetOp::Ancestor => SpansetOp::Descendant,
        other => other,
    };
    let mut both = tree.related(back, right, left);
    both.extend(related);
    both.sort_unstable();
    both.dedup();
    Ok(both)
}

struct Tree<'a> {
    parents: &'a [u32],
    twins: Option<&'a [u32]>,
}

impl Tree<'_> {
    fn id(&self, row: u32) -> u32 {
        self.twins.map_or(row, |twins| twins[row as usize])
    }

    fn parent(&self, row: u32) -> u32 {
        self.parents[row as usize]
    }

    // The spans of `right` that stand in the relation to one of `left`.
    fn related(&self, op: SpansetOp, left: &[u32], right: &[u32]) -> Vec<u32> {
        let of_right = |keep: &dyn Fn(u32) -> bool| {
            right.iter().copied().filter(|row| keep(*row)).collect::<Vec<_>>()
        };
        match op {
            SpansetOp::And | SpansetOp::Or => Vec::new(),
            SpansetOp::Child => {
                let ids = left.iter().map(|row| self.id(*row)).collect::<HashSet<_>>();
                of_right(&|row| ids.contains(&self.parent(row)))
            }
            SpansetOp::Parent => {
                let parents = left.iter().map(|row| self.parent(*row)).collect::<HashSet<_>>();
                of_right(&|row| parents.contains(&self.id(row)))
            }
            SpansetOp::Sibling => {
                // Of each parent one child of the left, and whether there is another.
                let mut children: HashMap<u32, (u32, bool)> = HashMap::new();
                for row in left.iter().filter(|row| self.parent(**row) != NO_PARENT) {
                    children
                        .entry(self.parent(*row))
                        .and_modify(|(_, more)| *more = true)
                        .or_insert((*row, false));
                }
                of_right(&|row| {
                    children.get(&self.parent(row)).is_some_and(|(one, more)| *more || *one != row)
                })
            }
            SpansetOp::Descendant => self.descendants(left, right),
            SpansetOp::Ancestor => {
                let ids = self.ancestor_ids(left);
                of_right(&|row| ids.contains(&self.id(row)))
            }
        }
    }

    // Ids of all ancestors of some rows. An id of several rows has the parents of all of them.
    fn ancestor_ids(&self, of: &[u32]) -> HashSet<u32> {
        let rows_of_id = self.rows_of_ids();
        let mut found = HashSet::new();
        let mut open = of.iter().map(|row| self.parent(*row)).collect::<Vec<_>>();
        while let Some(id) = open.pop() {
            if id as usize >= self.parents.len() || !found.insert(id) {
                continue; // not here, or known
            }
            match &rows_of_id {
                None => open.push(self.parent(id)),
                Some(rows) => {
                    let rows = rows.get(&id).into_iter().flatten();
                    open.extend(rows.map(|row| self.parent(*row)));
                }
            }
        }
        found
    }

    // None if every id has one row.
    fn rows_of_ids(&self) -> Option<HashMap<u32, Vec<u32>>> {
        let twins = self.twins?;
        let mut rows: HashMap<u32, Vec<u32>> = HashMap::new();
        for (row, id) in twins.iter().enumerate() {
            rows.entry(*id).or_default().push(row as u32);
        }
        Some(rows)
    }

    fn descendants(&self, left: &[u32], right: &[u32]) -> Vec<u32> {
        let wanted = left.iter().map(|row| self.id(*row)).collect::<HashSet<_>>();
        if wanted.is_empty() {
            return Vec::new();
        }
        let rows_of_id = self.rows_of_ids();
        // Whether an id, or an ancestor of it, is wanted.
        let mut known: HashMap<u32, bool> = HashMap::new();
        let mut below = |row: u32| {
            let (mut seen, mut open) = (HashSet::new(), vec![self.parent(row)]);
            let mut found = false;
            while let Some(id) = open.pop() {
                if id as usize >= self.parents.len() {
                    continue;
                }
                if let Some(answer) = known.get(&id) {
                    found |= *answer;
                } else if wanted.contains(&id) {
                    found = true;
                } else if seen.insert(id) {
                    match &rows_of_id {
                        None => open.push(self.parent(id)),
                        Some(rows) => {
                            let rows = rows.get(&id).into_iter().flatten();
                            open.extend(rows.map(|row| self.parent(*row)));
                        }
                    }
                }
                if found {
                    break;
                }
            }
            // With one row an id the chain is one line, and its answer that of each id on it.
            if rows_of_id.is_none() || !found {
                known.extend(seen.into_iter().map(|id| (id, found)));
            }
            found
        };
        right.iter().copied().filter(|row| below(*row)).collect()
    }
}
