//! Reading rollups: operations with their rates, errors and durations, and the edges of the service
//! map, from heads and segments as one.
//!
//! Place in the flow: `query` asks [`read_operations`] or [`read_edges`] about a view; both sum what
//! segments counted when they were written and roll up the heads. Everything here blocks: callers run
//! it off the async workers.
//!
//! A range of time that cuts a bucket is answered from the rows of that bucket, so that answers are
//! exact at both ends. A trace that lies in several slabs is put together and rolled up again, so
//! that pairs across segments and heads count as those inside one do.
//!
//! A segment that does not read back is named in the statistics (`partial`) and left out.

mod bounds;
mod cuts;
mod edges;
mod exemplars;
mod operations;
mod parts;
mod sums;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use throughline_model::exponential::Distribution;
use throughline_model::time::{HOUR_NS, TimeRange};
use ulid::Ulid;

pub use crate::segment::rollup::{ConnectionType, ROLLUP_KEYS_MAX, ROLLUP_NS};
pub use bounds::last_start;
pub use edges::read_edges;
pub use exemplars::{ExemplarSpan, read_exemplars};
pub use operations::read_operations;

use crate::segment::open::Segment;
use crate::segment::rollup::columns::DurationColumns;
use crate::{Error, ErrorKind, Result};

/// How long before or after a span's segment the other half of a pair, or another part of its trace,
/// is looked for. Spans that last longer reach as far as they last.
pub const PAIR_REACH_NS: i64 = HOUR_NS;

/// Which operations to read.
#[derive(Clone, Copy, Debug)]
pub struct OperationsRequest {
    /// Spans that start in it.
    pub time: TimeRange,
    /// Whether durations and exemplars are wanted, or only counts.
    pub durations: bool,
    /// Whether buckets that the range cuts are answered from their rows. Without it they are left
    /// out, and [`Coverage::time`] says what was answered.
    pub cut_buckets: bool,
    /// The steps that the answer tells apart, if it does not tell names apart: what lies in one of
    /// them may come as one row, in its first bucket and under the empty name. Without them every
    /// bucket and name has rows of its own.
    pub nameless_steps: Option<Steps>,
}

/// Steps of time, all of one length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps {
    /// Where one of them starts.
    pub origin_ns: i64,
    /// How long each is; `i64::MAX` for a single one.
    pub step_ns: i64,
}

impl Steps {
    /// One step for all of time.
    pub const ONE: Self = Self { origin_ns: i64::MIN, step_ns: i64::MAX };

    /// Whether two times lie in one step.
    fn hold(&self, first_ns: i64, last_ns: i64) -> bool {
        let step = |time_ns: i64| {
            (i128::from(time_ns) - i128::from(self.origin_ns)).div_euclid(self.step_ns.into())
        };
        self.step_ns == i64::MAX || step(first_ns) == step(last_ns)
    }
}

/// What an answer covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// The part of the range that was answered: all of it if cut buckets were wanted, else the whole
    /// buckets inside it; none if there are none.
    pub time: Option<TimeRange>,
    /// Whether every operation came with its name. If not, spans of further names stand under the
    /// empty one: whoever needs all names reads the rows.
    pub names_complete: bool,
}

/// An operation: spans of one service, name, kind and status.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationKey {
    /// The service.
    pub service: Arc<str>,
    /// The spans' name.
    pub name: Arc<str>,
    /// `SpanKind` as a number.
    pub kind: i32,
    /// `StatusCode` as a number.
    pub status_code: i32,
}

/// Counts of some operations in some buckets. The same operation and bucket may come again in other
/// rows, which add up.
#[derive(Clone, Debug, Default)]
pub struct OperationRows {
    /// Numbers of operations.
    pub keys: Vec<u32>,
    /// Starts of the buckets, multiples of [`ROLLUP_NS`].
    pub starts_ns: Vec<i64>,
    /// Spans.
    pub counts: Vec<u64>,
    /// How many spans these stand for, by their sampling probability.
    pub weighted: Vec<f64>,
    /// Their durations, where they were asked for.
    pub durations: Option<OperationDurations>,
}

/// Durations of [`OperationRows`], row by row.
#[derive(Clone, Debug)]
pub struct OperationDurations {
    columns: DurationColumns,
    slowest: Vec<SpanRef>,
}

impl OperationDurations {
    /// Sum of the durations of a row in nanoseconds.
    pub fn sum_ns(&self, row: usize) -> i64 {
        self.columns.sums_ns[row]
    }

    /// Durations of a row that are zero or negative.
    pub fn zero(&self, row: usize) -> u64 {
        self.columns.zeros[row]
    }

    /// The exponential buckets of nanoseconds of a row, ascending, with their counts.
    pub fn buckets(&self, row: usize) -> impl Iterator<Item = (i32, u64)> + '_ {
        self.columns.row(row).map(|(bucket, count)| (i32::from(bucket), count))
    }

    /// Adds the durations of a row, in nanoseconds, to a distribution, each `weight` times.
    pub fn add_to(&self, row: usize, weight: f64, into: &mut Distribution) {
        self.columns.add_to(row, weight, into);
    }

    /// The slowest span of a row.
    pub fn slowest(&self, row: usize) -> SpanRef {
        self.slowest[row]
    }
}

/// A span of a view, to be read with [`read_exemplars`] from the same view.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanRef {
    /// The segment; none for a head.
    pub(crate) segment: Option<Ulid>,
    /// Its row group, or the number of the head's batch.
    pub(crate) group: u32,
    pub(crate) row: u32,
}

/// Which edges to read.
#[derive(Clone, Copy, Debug)]
pub struct EdgesRequest {
    /// Calls in it: by the start of the called span, or of the calling one where the called side has
    /// no span.
    pub time: TimeRange,
    /// Sums by steps of this length, a multiple of [`ROLLUP_NS`], that start at its multiples; none
    /// for one sum.
    pub step_ns: Option<i64>,
}

/// Who calls whom.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EdgeKey {
    /// The calling service.
    pub client: Arc<str>,
    /// The called service, or the name of a database, destination or host.
    pub server: Arc<str>,
    /// How it is called.
    pub connection: ConnectionType,
}

/// The calls along one edge in one step of time.
#[derive(Clone, Debug, PartialEq)]
pub struct EdgeRow {
    /// The edge.
    pub edge: Arc<EdgeKey>,
    /// Start of the step, or of the range where no step was asked for.
    pub start_ns: i64,
    /// Calls.
    pub calls: u64,
    /// Calls of which either side has the status of an error.
    pub failed: u64,
    /// How many calls these stand for, by their sampling probability.
    pub weighted_calls: f64,
    /// The same of failed ones.
    pub weighted_failed: f64,
    /// Durations of the calling spans that are clients or producers, in nanoseconds.
    pub client: EdgeSide,
    /// Durations of the called spans, in nanoseconds.
    pub server: EdgeSide,
}

/// Durations on one side of an edge.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgeSide {
    /// Their sum.
    pub sum_ns: f64,
    /// How many lie in each exponential bucket of nanoseconds.
    pub durations: Distribution,
}

/// A range in whole buckets and in what is left of it at its ends.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Split {
    /// Whole buckets.
    whole: TimeRange,
    cuts: Vec<TimeRange>,
}

fn split(time: TimeRange) -> Split {
    if time.is_empty() {
        return Split { whole: time, cuts: Vec::new() };
    }
    let cut_start = time.start_ns.rem_euclid(ROLLUP_NS);
    let start_ns = match (time.start_ns, cut_start) {
        (i64::MIN, _) => i64::MIN,
        (start_ns, 0) => start_ns,
        (start_ns, cut) => start_ns.saturating_add(ROLLUP_NS - cut),
    };
    let end_ns = match time.end_ns {
        i64::MAX => i64::MAX,
        end_ns => end_ns.saturating_sub(end_ns.rem_euclid(ROLLUP_NS)),
    };
    if start_ns >= end_ns {
        let whole = TimeRange { start_ns, end_ns: start_ns };
        return Split { whole, cuts: vec![time] };
    }
    let whole = TimeRange { start_ns, end_ns };
    let before = TimeRange { start_ns: time.start_ns, end_ns: start_ns };
    let after = TimeRange { start_ns: end_ns, end_ns: time.end_ns };
    let is_cut = |cut: &TimeRange| cut.start_ns < cut.end_ns;
    Split { whole, cuts: [before, after].into_iter().filter(is_cut).collect() }
}

/// The range with so much more on both sides.
fn widened(time: TimeRange, before_ns: i64, after_ns: i64) -> TimeRange {
    TimeRange {
        start_ns: time.start_ns.saturating_sub(before_ns),
        end_ns: time.end_ns.saturating_add(after_ns),
    }
}

/// Goes on without a segment that is damaged.
fn tolerate<T>(
    segment: &Segment,
    stats: &super::ScanStats,
    outcome: Result<T>,
) -> Result<Option<T>> {
    match outcome {
        Ok(value) => Ok(Some(value)),
        Err(err) if err.kind() == ErrorKind::Corrupt => {
            segment.mark_corrupt(&err);
            let name = segment.meta.id.to_string();
            let mut partial = stats.partial.lock();
            if !partial.contains(&name) {
                partial.push(name);
            }
            Ok(None)
        }
        Err(err) => Err(err),
    }
}

fn check_step(step_ns: Option<i64>) -> Result<()> {
    match step_ns {
        Some(step) if step <= 0 || step % ROLLUP_NS != 0 => Err(Error::invalid(format!(
            "a step of {step} ns is no multiple of {ROLLUP_NS} ns, the length of a rollup"
        ))),
        _ => Ok(()),
    }
}
