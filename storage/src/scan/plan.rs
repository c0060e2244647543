//! A request made ready: conditions compiled, traces named, and the guard of its reads.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use throughline_model::predicate::{Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{Signal, TraceId};
use tokio_util::sync::CancellationToken;
use xxhash_rust::xxh3::xxh3_128;

use super::evaluate::Condition;
use super::{ScanColumn, ScanContext, ScanOrder, ScanRequest, ScanStats, prune};
use crate::segment::open::ReadGuard;
use crate::segment::rows::item_field;
use crate::{Error, ErrorKind, Result};

/// A compiled request.
pub(crate) struct Plan {
    pub signal: Signal,
    pub columns: Vec<ScanColumn>,
    pub predicates: Vec<Predicate>,
    /// One a predicate.
    pub conditions: Vec<Condition>,
    pub time: TimeRange,
    pub order: ScanOrder,
    pub limit: Option<usize>,
    /// The traces asked for; the predicate that names them is among `predicates` too.
    pub traces: Option<Vec<TraceId>>,
    /// Under what the rows that meet the conditions are remembered, if they are.
    key: Option<u128>,
}

impl Plan {
    pub(crate) fn new(signal: Signal, request: ScanRequest) -> Result<Self> {
        for column in &request.columns {
            item_field(signal, column)?;
        }
        for predicate in &request.predicates {
            item_field(signal, &ScanColumn::Attribute(predicate.target.clone()))?;
        }
        let mut predicates = request.predicates;
        predicates.sort_by_key(cost);
        let traces = prune::traces_asked(&predicates);
        let is_kept = traces.is_none() && !predicates.is_empty();
        let key = is_kept.then(|| xxh3_128(format!("{predicates:?}").as_bytes()));
        let conditions = predicates.iter().map(|predicate| Condition::new(&predicate.op));
        Ok(Self {
            signal,
            columns: request.columns,
            conditions: conditions.collect::<Result<_>>()?,
            traces,
            key,
            predicates,
            time: request.time,
            order: request.order,
            limit: request.limit,
        })
    }

    /// Whether templates are asked for, in whatever way.
    pub(crate) fn needs_templates(&self) -> bool {
        let targets = self.predicates.iter().map(|predicate| &predicate.target);
        let mut targets = targets.map(|target| ScanColumn::Attribute(target.clone()));
        self.columns.iter().any(is_template) || targets.any(|column| is_template(&column))
    }

    /// The column that orders rows and that a range of time looks at.
    pub(crate) fn time_column(&self) -> &'static str {
        if self.signal == Signal::Logs { col::TIME } else { col::START_TIME }
    }

    /// Under what the rows of a row group that meet the conditions are remembered; `cut` if the range
    /// of time decides too.
    pub(crate) fn key(&self, cut: bool) -> Option<u128> {
        let key = self.key?;
        if !cut {
            return Some(key);
        }
        let time = [self.time.start_ns, self.time.end_ns].map(i64::to_le_bytes);
        Some(xxh3_128([key.to_le_bytes().as_slice(), time.as_flattened()].concat().as_slice()))
    }

    /// Whether the trace table decides this predicate.
    pub(crate) fn names_traces(&self, predicate: &Predicate) -> bool {
        self.traces.is_some()
            && predicate.target == Target::Column(col::TRACE_ID.to_owned())
            && prune::traces_asked(std::slice::from_ref(predicate)) == self.traces
    }
}

/// Whether a column is derived from templates.
pub(crate) fn is_template(column: &ScanColumn) -> bool {
    let (ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name))) = column else {
        return false;
    };
    matches!(name.as_str(), col::TEMPLATE | col::TEMPLATE_ID)
}

// What it costs to look at a row, roughly: the dear conditions are left for the rows that met the
// others.
fn cost(predicate: &Predicate) -> u8 {
    match &predicate.target {
        Target::Column(name) if matches!(name.as_str(), col::EVENTS | col::LINKS | col::BODY) => 4,
        Target::Column(_) => 0,
        Target::Attribute(_) => 1,
        Target::ResourceAttribute(_) | Target::ScopeAttribute(_) => 2,
        Target::AnyAttribute(_) | Target::PresentAttribute(_) => 3,
    }
}

/// Enforces a scan's limits on every read.
pub(crate) struct Guard {
    pub cancel: CancellationToken,
    pub deadline: Option<Instant>,
    pub bytes_max: u64,
    pub stats: Arc<ScanStats>,
}

impl Guard {
    pub(crate) fn new(context: &ScanContext) -> Arc<Self> {
        Arc::new(Self {
            cancel: context.cancel.clone(),
            deadline: context.deadline,
            bytes_max: context.bytes_max,
            stats: context.stats.clone(),
        })
    }

    /// Called between pieces of work that read nothing.
    pub(crate) fn check(&self) -> Result<()> {
        if self.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the scan was cancelled"));
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(Error::new(ErrorKind::Deadline, "the scan reached its deadline"));
        }
        Ok(())
    }
}

impl ReadGuard for Guard {
    fn before_read(&self, bytes: u64) -> Result<()> {
        self.check()?;
        let before = self.stats.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        if before + bytes > self.bytes_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the scan would read more than {} bytes", self.bytes_max),
            ));
        }
        Ok(())
    }
}
