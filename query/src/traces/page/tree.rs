//! Who is whose parent: ids become row numbers, and chains that never end are cut.
//!
//! The parent of a span is the span of the trace that has the id it names. Where several have it, the
//! one of the span's own service comes first, then the earliest. A SERVER span that shares its id with
//! a CLIENT span, as Zipkin's tracers write both halves of a call, is the child of that half.

use super::columns::Rows;
use super::{NO_PARENT, flag};

const SERVER: i32 = 2;
const CLIENT: i32 = 3;

/// Parents and children by row.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// By row; [`NO_PARENT`] for none.
    pub parent: Vec<i32>,
    /// By row: [`flag::ROOT`], [`flag::ORPHAN`] and [`flag::CYCLE`].
    pub flags: Vec<u16>,
    /// By row: how many spans stand above.
    pub depth: Vec<u32>,
    /// Every row, parents before their children.
    pub order: Vec<u32>,
    first_child: Vec<u32>,
    children: Vec<u32>,
}

impl Tree {
    pub fn of(rows: &Rows) -> Self {
        let mut parent = Vec::with_capacity(rows.len());
        let mut flags = Vec::with_capacity(rows.len());
        let ids = Ids::of(rows);
        for row in 0..rows.len() {
            let found = ids.parent(rows, row);
            parent.push(found.map_or(NO_PARENT, |parent| parent as i32));
            flags.push(match (rows.has_parent[row], found) {
                (_, Some(_)) => 0,
                (true, None) => flag::ORPHAN,
                (false, None) => flag::ROOT,
            });
        }
        cut_cycles(&mut parent, &mut flags);
        let (first_child, children) = children(&parent);
        let mut tree = Self {
            depth: vec![0; parent.len()],
            order: Vec::new(),
            parent,
            flags,
            first_child,
            children,
        };
        tree.walk();
        tree
    }

    /// The children of a row, by start.
    pub fn children(&self, row: usize) -> &[u32] {
        &self.children[self.first_child[row] as usize..self.first_child[row + 1] as usize]
    }

    /// The parent's row.
    pub fn parent(&self, row: usize) -> Option<usize> {
        usize::try_from(self.parent[row]).ok()
    }

    fn walk(&mut self) {
        let tops = (0..self.parent.len()).filter(|row| self.parent[*row] == NO_PARENT);
        let mut order = tops.map(|row| row as u32).collect::<Vec<_>>();
        let mut next = 0;
        while let Some(row) = order.get(next).copied() {
            let depth = self.depth[row as usize] + 1;
            let at = self.first_child[row as usize] as usize
                ..self.first_child[row as usize + 1] as usize;
            for child in &self.children[at] {
                self.depth[*child as usize] = depth;
                order.push(*child);
            }
            next += 1;
        }
        self.order = order;
    }
}

// Rows by span id.
struct Ids(Vec<(u64, u32)>);

impl Ids {
    fn of(rows: &Rows) -> Self {
        let mut ids = rows.id.iter().zip(0..).map(|(id, row)| (*id, row)).collect::<Vec<_>>();
        ids.sort_unstable();
        Self(ids)
    }

    fn with(&self, id: u64) -> impl Iterator<Item = usize> {
        let first = self.0.partition_point(|entry| entry.0 < id);
        let same = self.0[first..].iter().take_while(move |entry| entry.0 == id);
        same.map(|entry| entry.1 as usize)
    }

    fn parent(&self, rows: &Rows, row: usize) -> Option<usize> {
        if rows.kind[row] == SERVER {
            let half = self.with(rows.id[row]).find(|other| rows.kind[*other] == CLIENT);
            if half.is_some() {
                return half;
            }
        }
        if !rows.has_parent[row] {
            return None;
        }
        let mut found = None;
        for other in self.with(rows.parent_id[row]).filter(|other| *other != row) {
            if rows.service[other] == rows.service[row] {
                return Some(other);
            }
            found = found.or(Some(other));
        }
        found
    }
}

// Cuts each chain of parents that returns to where it was, above its earliest span.
fn cut_cycles(parent: &mut [i32], flags: &mut [u16]) {
    const NEW: u32 = 0;
    let mut seen = vec![NEW; parent.len()];
    for start in 0..parent.len() {
        let walk = start as u32 + 1;
        let mut at = start as i32;
        while at != NO_PARENT && seen[at as usize] == NEW {
            seen[at as usize] = walk;
            at = parent[at as usize];
        }
        if at == NO_PARENT || seen[at as usize] != walk {
            continue;
        }
        let (mut earliest, mut next) = (at, parent[at as usize]);
        while next != at {
            earliest = earliest.min(next);
            next = parent[next as usize];
        }
        parent[earliest as usize] = NO_PARENT;
        flags[earliest as usize] |= flag::CYCLE;
    }
}

// For each row where its children begin, and the children, in the order of rows.
fn children(parent: &[i32]) -> (Vec<u32>, Vec<u32>) {
    let mut first = vec![0u32; parent.len() + 1];
    let with_parent = || parent.iter().zip(0u32..).filter(|(parent, _)| **parent != NO_PARENT);
    with_parent().for_each(|(parent, _)| first[*parent as usize + 1] += 1);
    for row in 0..parent.len() {
        first[row + 1] += first[row];
    }
    let mut next = first.clone();
    let mut children = vec![0; first[parent.len()] as usize];
    for (parent, row) in with_parent() {
        let at = &mut next[*parent as usize];
        children[*at as usize] = row;
        *at += 1;
    }
    (first, children)
}
