//! Steps of a range of time, and the cells that the windows of all steps cut it into.
//!
//! Windows end at steps and overlap where they are longer than a step. Every place where one begins
//! or ends is a cut, and the entries between two cuts belong to the same windows: so an entry is
//! counted once, in its cell, and each window is put together out of cells at the end.

use super::super::error::{Error, Result};

/// The moments for which a query is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// The first, in nanoseconds since the epoch.
    pub start_ns: i64,
    /// None is later.
    pub end_ns: i64,
    /// Their distance; zero for one moment only.
    pub step_ns: i64,
}

impl Grid {
    /// One moment.
    pub fn instant(time_ns: i64) -> Self {
        Self { start_ns: time_ns, end_ns: time_ns, step_ns: 0 }
    }

    /// Whether it is one moment that was asked for as such.
    pub fn is_instant(&self) -> bool {
        self.step_ns == 0
    }

    /// How many moments there are.
    pub fn steps(&self) -> usize {
        if self.step_ns <= 0 {
            return 1;
        }
        let span = self.end_ns.saturating_sub(self.start_ns).max(0);
        usize::try_from(span / self.step_ns).unwrap_or(usize::MAX - 1) + 1
    }

    /// The time of a step.
    pub fn time_ns(&self, step: usize) -> i64 {
        self.start_ns.saturating_add(self.step_ns.saturating_mul(step as i64))
    }

    pub(super) fn check(&self, steps_max: usize) -> Result<()> {
        if self.step_ns < 0 || self.end_ns < self.start_ns {
            return Err(Error::limit("the range ends before it starts"));
        }
        let steps = self.steps();
        if steps > steps_max {
            let message = format!("the range has {steps} steps, and {steps_max} are allowed");
            return Err(Error::limit(message));
        }
        Ok(())
    }
}

/// The cells of one window length and offset.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    start_ns: i64,
    step_ns: i64,
    range_ns: i64,
    offset_ns: i64,
    steps: i64,
}

impl Cuts {
    pub fn new(grid: &Grid, range_ns: i64, offset_ns: i64) -> Self {
        let (start_ns, step_ns) = (grid.start_ns, grid.step_ns.max(1));
        Self { start_ns, step_ns, range_ns, offset_ns, steps: grid.steps() as i64 }
    }

    /// How many cells there are.
    pub fn len(&self) -> usize {
        2 * self.steps as usize
    }

    /// The cell of a time; none if it is in no window.
    pub fn cell(&self, time_ns: i64) -> Option<usize> {
        let since = time_ns.saturating_add(self.offset_ns).saturating_sub(self.start_ns);
        let first = ceil_div(since, self.step_ns).clamp(0, self.steps);
        let behind = since.saturating_add(self.range_ns);
        let behind = ceil_div(behind, self.step_ns).clamp(0, self.steps);
        (first < behind).then_some((first + behind) as usize)
    }

    /// The first step whose window has the cell, and the first behind it whose window has not.
    pub fn steps_of(&self, cell: usize) -> (usize, usize) {
        let (sum, whole) = (cell as i64, self.range_ns / self.step_ns);
        let first = if sum <= whole.min(self.steps) {
            0
        } else if whole >= self.steps || sum >= 2 * self.steps - whole {
            sum - self.steps
        } else {
            (sum - whole) / 2
        };
        (first as usize, (sum - first) as usize)
    }

    /// The times that any window has: after the first, up to and with the second.
    pub fn range(&self) -> (i64, i64) {
        let last = self.start_ns.saturating_add((self.steps - 1).saturating_mul(self.step_ns));
        let end = last.saturating_sub(self.offset_ns);
        let start = self.start_ns.saturating_sub(self.offset_ns).saturating_sub(self.range_ns);
        (start, end)
    }

    /// The last times of all cells that touch a window, ascending.
    pub fn times(&self) -> Vec<i64> {
        let mut times = Vec::with_capacity(self.len());
        for step in 0..self.steps {
            let at = self.start_ns.saturating_add(step.saturating_mul(self.step_ns));
            let end = at.saturating_sub(self.offset_ns);
            times.extend([end.saturating_sub(self.range_ns), end]);
        }
        times.sort_unstable();
        times.dedup();
        times
    }
}

fn ceil_div(value: i64, by: i64) -> i64 {
    value.div_euclid(by) + i64::from(value.rem_euclid(by) != 0)
}
