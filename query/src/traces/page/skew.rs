//! Makes up for clocks that do not agree.
//!
//! A span that was timed by another clock than its parent, and whose parent waits for it, lies inside
//! its parent. Where it does not, it is moved to the middle of it, as if the way there took as long as
//! the way back; where it is longer than its parent and starts before it, to its parent's start. What
//! was timed by the parent's clock moves with the parent.

use super::columns::Rows;
use super::tree::Tree;

const PRODUCER: i32 = 4;
const CONSUMER: i32 = 5;

/// How far the clock of a child was off its parent's, seen in one or more calls.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Skew {
    /// Service of the parents.
    pub parent_service: String,
    /// Their clock, such as `host.name=a1`.
    pub parent_clock: String,
    /// Service of the children.
    pub child_service: String,
    /// Their clock.
    pub child_clock: String,
    /// Children that were moved.
    pub moved: u64,
    /// The smallest, the middle and the largest move, in nanoseconds; positive is later.
    pub shift_min_ns: i64,
    /// See `shift_min_ns`.
    pub shift_median_ns: i64,
    /// See `shift_min_ns`.
    pub shift_max_ns: i64,
}

/// Starts and ends of spans after their moves, in nanoseconds since the epoch. No end is before its
/// start.
#[derive(Clone, Debug, Default)]
pub struct Times {
    pub start: Vec<i64>,
    pub end: Vec<i64>,
}

impl Times {
    pub fn of(rows: &Rows, shifts: &[i64]) -> Self {
        let moved = |row: usize, time_ns: i64| time_ns.saturating_add(shifts[row]);
        Self {
            start: (0..rows.len()).map(|row| moved(row, rows.start[row])).collect(),
            end: (0..rows.len()).map(|row| moved(row, rows.end(row))).collect(),
        }
    }
}

/// How far each span moves, in nanoseconds.
pub fn shifts(rows: &Rows, tree: &Tree) -> Vec<i64> {
    let mut shifts = vec![0i64; rows.len()];
    for row in tree.order.iter().map(|row| *row as usize) {
        let Some(parent) = tree.parent(row) else { continue };
        shifts[row] = if rows.clock[row] == rows.clock[parent] {
            shifts[parent]
        } else if waits(rows, parent, row) {
            let start = rows.start[parent].saturating_add(shifts[parent]);
            let end = rows.end(parent).saturating_add(shifts[parent]);
            fit((rows.start[row], rows.end(row)), (start, end))
        } else {
            0
        };
    }
    shifts
}

// Messages are taken up whenever their reader comes to it.
fn waits(rows: &Rows, parent: usize, child: usize) -> bool {
    rows.kind[child] != CONSUMER && rows.kind[parent] != PRODUCER
}

// The move that brings one interval into the other.
fn fit(inner: (i64, i64), outer: (i64, i64)) -> i64 {
    let earliest = outer.0.saturating_sub(inner.0);
    let latest = outer.1.saturating_sub(inner.1);
    if earliest <= 0 && 0 <= latest {
        0
    } else if earliest <= latest {
        earliest.midpoint(latest)
    } else {
        earliest.max(0) // it is longer than its parent
    }
}

/// The moves by pair of services and clocks.
pub fn report(rows: &Rows, tree: &Tree, shifts: &[i64]) -> Vec<Skew> {
    let mut moves = Vec::new();
    for (row, shift_ns) in shifts.iter().enumerate().filter(|(_, shift_ns)| **shift_ns != 0) {
        let Some(parent) = tree.parent(row) else { continue };
        if rows.clock[row] != rows.clock[parent] {
            let pair =
                (rows.service[parent], rows.clock[parent], rows.service[row], rows.clock[row]);
            moves.push((pair, *shift_ns));
        }
    }
    moves.sort_unstable();
    let mut all = moves
        .chunk_by(|a, b| a.0 == b.0)
        .map(|same| {
            let (parent_service, parent_clock, child_service, child_clock) = same[0].0;
            let service = |number: u32| rows.services[number as usize].clone();
            let clock = |number: u32| rows.clocks[number as usize].clone();
            Skew {
                parent_service: service(parent_service),
                parent_clock: clock(parent_clock),
                child_service: service(child_service),
                child_clock: clock(child_clock),
                moved: same.len() as u64,
                shift_min_ns: same[0].1,
                shift_median_ns: same[(same.len() - 1) / 2].1,
                shift_max_ns: same[same.len() - 1].1,
            }
        })
        .collect::<Vec<_>>();
    all.sort();
    all
}
