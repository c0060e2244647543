//! How many log records there are, and how many bytes their bodies have, by interval of time, service, severity and template.
//!
//! Place in the flow: histograms, top lists, rates and patterns ask [`tally_logs`]. The rows that meet
//! the conditions are found as a scan finds them; what they have is then summed over the runs of their
//! row group (`segment::log_runs`), and a column is read only for runs that an interval cuts, or of which
//! only some rows meet the conditions while bytes are asked for.
//!
//! ```text
//! segments → row groups → rows that meet the conditions → runs → counts by key
//! heads    → batches    → rows that meet the conditions ---------^
//! ```

mod sums;
mod worker;

use std::sync::Arc;

use parking_lot::Mutex;
use throughline_model::Signal;
use throughline_model::predicate::Predicate;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::run::{Job, WORKERS};
use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest};
use crate::view::{Tier, View};
use crate::{Error, ErrorKind, Result};
use sums::Sums;
use worker::Worker;

/// Counts that one tally may have.
pub const TALLY_ROWS_MAX: usize = 1_000_000;

/// What to count.
#[derive(Clone, Debug)]
pub struct TallyRequest {
    /// Conditions, all of which a record meets.
    pub predicates: Vec<Predicate>,
    /// The times that are looked at.
    pub time: TimeRange,
    /// How time is cut.
    pub intervals: Intervals,
    /// What else tells counts apart.
    pub by: TallyBy,
    /// Whether the bytes of bodies are summed, too.
    pub sums_bytes: bool,
}

/// What tells counts apart, beside time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TallyBy {
    /// The name of the service.
    pub service: bool,
    /// The severity number.
    pub severity: bool,
    /// The template of the body.
    pub template: bool,
}

/// How time is cut into intervals, each with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intervals {
    /// One interval, number 0.
    One,
    /// `[origin + n × step, origin + (n + 1) × step)` has number n. The step is at least 1 ns.
    Steps {
        /// Where number 0 starts.
        origin_ns: i64,
        /// How long an interval is.
        step_ns: i64,
    },
    /// Between times that ascend, `(times[n - 1], times[n]]` has number n; what is after the last has
    /// the number of times.
    Until(Arc<[i64]>),
}

impl Intervals {
    /// The number of the interval in which a time lies.
    pub fn number(&self, time_ns: i64) -> i64 {
        match self {
            Self::One => 0,
            Self::Steps { origin_ns, step_ns } => {
                let since = i128::from(time_ns) - i128::from(*origin_ns);
                since.div_euclid(i128::from((*step_ns).max(1))) as i64
            }
            Self::Until(times) => times.partition_point(|end| *end < time_ns) as i64,
        }
    }

    // The number of all times from one to another; none if they have several.
    fn number_of_all(&self, first_ns: i64, last_ns: i64) -> Option<i64> {
        let first = self.number(first_ns);
        (first == self.number(last_ns)).then_some(first)
    }
}

/// Counts by what was asked for; the rest is zero.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The counts, in no order.
    pub rows: Vec<TallyRow>,
    /// The services that rows point into.
    pub services: Vec<Arc<str>>,
    /// The templates that rows point into.
    pub templates: Vec<TallyTemplate>,
}

/// A template in a tally.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyTemplate {
    /// The hash of its text.
    pub hash: u64,
    /// What bodies look like.
    pub text: Arc<str>,
}

/// One count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyRow {
    /// The interval's number.
    pub interval: i64,
    /// Place among the services.
    pub service: u32,
    /// Severity number.
    pub severity: i32,
    /// Place among the templates.
    pub template: u32,
    /// How many records.
    pub count: u64,
    /// Bytes of their bodies, if they were asked for.
    pub body_bytes: u64,
}

/// Counts the log records of a view. Must be called on a tokio runtime.
pub async fn tally_logs(
    view: &Arc<View>,
    request: TallyRequest,
    context: &ScanContext,
) -> Result<Tally> {
    tally_tier(&view.logs, request, context).await
}

/// The same of some heads and segments.
pub(super) async fn tally_tier(
    tier: &Tier,
    request: TallyRequest,
    context: &ScanContext,
) -> Result<Tally> {
    let (intervals, by, sums_bytes) = (request.intervals.clone(), request.by, request.sums_bytes);
    let job = Arc::new(Job::new(Signal::Logs, tier, scan_request(request), context)?);
    let sums = Arc::new(Mutex::new(Sums::default()));
    let workers = job.segments_left().clamp(1, WORKERS);
    let tasks = (0..workers).map(|_| {
        let (job, sums, intervals) = (job.clone(), sums.clone(), intervals.clone());
        context.tracker.spawn_blocking(move || {
            let mut worker = Worker::new(&job, &intervals, by, sums_bytes);
            worker.run()?;
            sums.lock().merge(worker.sums)
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        // A worker that dies must not look like the end of the counts.
        task.await.map_err(|_| {
            Error::new(ErrorKind::Closed, "a tally panicked; see the server's log")
        })??;
    }
    let sums = std::mem::take(&mut *sums.lock());
    Ok(sums.finish())
}

// What a head's batch is reduced to, and what a scan for it asks.
fn scan_request(request: TallyRequest) -> ScanRequest {
    let mut columns = vec![col::TIME, col::SERVICE_NAME, col::SEVERITY_NUMBER];
    if request.by.template {
        columns.extend([col::TEMPLATE, col::TEMPLATE_ID]);
    }
    if request.sums_bytes {
        columns.push(col::BODY);
    }
    ScanRequest {
        columns: columns.into_iter().map(|name| ScanColumn::Fixed(name.to_owned())).collect(),
        predicates: request.predicates,
        time: request.time,
        order: ScanOrder::Any,
        limit: None,
    }
}
