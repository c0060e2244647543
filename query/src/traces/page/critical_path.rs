//! The critical path: at each moment of the root, the span that it waits for.
//!
//! From the end of a span backwards: the child that ends last before the moment is what the span waited
//! for; between such children it worked itself. What a child does after its parent has ended delays
//! nobody and is left out.

use super::skew::Times;
use super::tree::Tree;
use super::{NO_PARENT, flag};

/// A part of the critical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The span's place in the skeleton; -1 where no stored span is known to have worked.
    pub span: i32,
    /// Where it begins, adjusted, relative to the start of the trace, in nanoseconds.
    pub from_ns: i64,
    /// Where it ends.
    pub to_ns: i64,
}

// A span whose part is being found, from its end to its start.
struct Frame {
    span: i32,
    from_ns: i64,
    to_ns: i64,
    /// What is before this is not found yet.
    at_ns: i64,
    /// Children in `Walk::by_end`.
    next: usize,
    children_end: usize,
}

/// The pieces by time, without gap or overlap. They cover the first span without parent; where none
/// is stored, the whole trace.
pub fn critical_path(tree: &Tree, times: &Times, start_ns: i64) -> Vec<Piece> {
    let mut walk = Walk::new(tree, times);
    let root = (0..tree.parent.len()).find(|row| tree.flags[*row] & flag::ROOT != 0);
    let first = match root {
        Some(root) => walk.frame(root, times.start[root], times.end[root]),
        None => walk.frame_of_all(),
    };
    let mut stack = Vec::from_iter(first);
    while let Some(frame) = stack.last_mut() {
        match walk.step(frame) {
            Some(child) => stack.push(child),
            None => {
                stack.pop();
            }
        }
    }
    walk.pieces.reverse();
    for piece in &mut walk.pieces {
        piece.from_ns = piece.from_ns.saturating_sub(start_ns);
        piece.to_ns = piece.to_ns.saturating_sub(start_ns);
    }
    walk.pieces
}

struct Walk<'a> {
    tree: &'a Tree,
    times: &'a Times,
    /// Where the children of a row begin in `by_end`; those of the missing root stand behind the last.
    first: Vec<usize>,
    /// Children of each row, the last to end first.
    by_end: Vec<u32>,
    /// Found so far, the last first.
    pieces: Vec<Piece>,
}

impl<'a> Walk<'a> {
    fn new(tree: &'a Tree, times: &'a Times) -> Self {
        let rows = tree.parent.len();
        let (mut first, mut by_end) = (Vec::with_capacity(rows + 2), Vec::with_capacity(rows));
        let last_first = |row: &u32| {
            (std::cmp::Reverse(times.end[*row as usize]), times.start[*row as usize], *row)
        };
        for row in 0..rows {
            first.push(by_end.len());
            by_end.extend_from_slice(tree.children(row));
            by_end[first[row]..].sort_unstable_by_key(last_first);
        }
        first.push(by_end.len());
        by_end.extend((0..rows as u32).filter(|row| tree.parent[*row as usize] == NO_PARENT));
        by_end[first[rows]..].sort_unstable_by_key(last_first);
        first.push(by_end.len());
        Self { tree, times, first, by_end, pieces: Vec::new() }
    }

    fn frame(&self, row: usize, from_ns: i64, to_ns: i64) -> Option<Frame> {
        let (next, children_end) = (self.first[row], self.first[row + 1]);
        let span = if row == self.tree.parent.len() { NO_PARENT } else { row as i32 };
        (from_ns < to_ns).then_some(Frame {
            span,
            from_ns,
            to_ns,
            at_ns: to_ns,
            next,
            children_end,
        })
    }

    // Of a root that is not stored: everything without parent is its child.
    fn frame_of_all(&self) -> Option<Frame> {
        let from_ns = self.times.start.iter().min()?;
        let to_ns = self.times.end.iter().max()?;
        self.frame(self.tree.parent.len(), *from_ns, *to_ns)
    }

    // Goes back to the end of the next child and hands it out, or to the start of the span.
    fn step(&mut self, frame: &mut Frame) -> Option<Frame> {
        while frame.next < frame.children_end && frame.at_ns > frame.from_ns {
            let child = self.by_end[frame.next] as usize;
            frame.next += 1;
            let from_ns = self.times.start[child].max(frame.from_ns);
            let to_ns = self.times.end[child].min(frame.to_ns);
            if to_ns > frame.at_ns {
                continue; // it ran beside one that ended later
            }
            if let Some(inner) = self.frame(child, from_ns, to_ns) {
                self.add(frame.span, to_ns, frame.at_ns);
                frame.at_ns = from_ns;
                return Some(inner);
            }
        }
        self.add(frame.span, frame.from_ns, frame.at_ns);
        None
    }

    fn add(&mut self, span: i32, from_ns: i64, to_ns: i64) {
        if from_ns < to_ns {
            self.pieces.push(Piece { span, from_ns, to_ns });
        }
    }
}
