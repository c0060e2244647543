//! The records around one record of a stream.
//!
//! ```text
//! id → the record, and how many say the same
//!    → windows of time, each eight times as long as the one before, away from it on either side,
//!      until enough records of its stream are in them                      times and resources alone
//!    → the whole records between the outermost ones, in the order (time, content)
//! ```

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use futures::TryStreamExt;
use throughline_model::Value;
use throughline_model::origin::Resource;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::origins;
use throughline_model::time::{HOUR_NS, SECOND_NS, TimeRange};
use throughline_storage::View;
use throughline_storage::scan::{self, ScanColumn, ScanContext, ScanOrder, ScanRequest};

use super::LogRecord;
use super::id::{Contents, LogId};
use super::read::{by_content, read_logs};
use super::search::whole_records;
use super::text::equal;
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// The most records on one side.
pub const CONTEXT_MAX: usize = 500;
/// How far from the record its context may lie.
pub const CONTEXT_REACH_NS: i64 = 24 * HOUR_NS;
/// The first window of time on either side, and how many times longer each next one is.
const WINDOW_NS: i64 = SECOND_NS;
const WINDOW_GROWTH: i64 = 8;
/// Attributes of a resource that a scan is asked for, so that it reads less.
const RESOURCE_PREDICATES_MAX: usize = 8;

/// What makes records a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContextBy {
    /// The same resource, all of it.
    #[default]
    Resource,
    /// The same service.
    Service,
}

/// Which records are asked for.
#[derive(Clone, Copy, Debug)]
pub struct ContextSearch {
    /// The record in the middle.
    pub id: LogId,
    /// How many before it, at most [`CONTEXT_MAX`].
    pub before: usize,
    /// How many after it, at most [`CONTEXT_MAX`].
    pub after: usize,
    /// What makes a stream.
    pub by: ContextBy,
}

/// A record among its neighbours.
#[derive(Clone, Debug)]
pub struct LogContext {
    /// The records before it, the oldest first; of one time in the order of a search.
    pub before: Vec<LogRecord>,
    /// The record.
    pub record: LogRecord,
    /// The records after it, the oldest first.
    pub after: Vec<LogRecord>,
    /// How many records that say the same as the first of `after` come before that, for
    /// [`super::log_ids`].
    pub repeats: usize,
    /// The range of time that was looked at: where it ends at [`CONTEXT_REACH_NS`] with fewer records
    /// than asked for, there may be more beyond.
    pub looked: TimeRange,
    /// What the search did; `partial` names segments whose rows it lacks.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// The records of its stream before and after a record. An error of the kind `NotFound` if there
    /// is no such record.
    pub async fn log_context(
        &self,
        search: &ContextSearch,
        ctx: &QueryContext,
    ) -> Result<LogContext> {
        for (field, wanted) in [("before", search.before), ("after", search.after)] {
            if wanted > CONTEXT_MAX {
                let message = format!("{field} is {wanted}, allowed are 0 to {CONTEXT_MAX}");
                return Err(Error::invalid(field, message));
            }
        }
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let look = Look { view: &admitted.view, scan: &budget.scan };
        let mut found = budget.run(look.context(search)).await?;
        budget.stats.add_rows(found.before.len() + 1 + found.after.len());
        found.stats = budget.stats.snapshot();
        Ok(found)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

// The record in the middle: how many say the same, and how many of these come before it.
struct Middle {
    record: LogRecord,
    equals: usize,
    number: usize,
}

// The records that belong together.
struct Stream {
    predicates: Vec<Predicate>,
    /// The whole resource; none if the service alone decides.
    resource: Option<Arc<Resource>>,
}

struct Look<'a> {
    view: &'a Arc<View>,
    scan: &'a ScanContext,
}

impl Look<'_> {
    async fn context(&self, search: &ContextSearch) -> Result<LogContext> {
        let middle = self.middle(&search.id).await?;
        let stream = Stream::of(&middle.record, search.by);
        let at_ns = middle.record.time_ns;
        let start_ns = self.reach(&stream, Side::Before, at_ns, search.before).await?;
        let end_ns = self.reach(&stream, Side::After, at_ns, search.after).await?;
        let older = TimeRange { start_ns, end_ns: at_ns.saturating_add(1) };
        let newer = TimeRange { start_ns: at_ns, end_ns: end_ns.saturating_add(1) };
        let before = self.beside(&stream, &middle, Side::Before, older, search.before).await?;
        let after = self.beside(&stream, &middle, Side::After, newer, search.after).await?;
        let looked = TimeRange { start_ns, end_ns: newer.end_ns };
        // The twins of the record in the middle, and itself, if the first after it is one.
        let is_twin = after.first().is_some_and(|first| in_order(first, &middle.record).is_eq());
        let repeats = if is_twin { middle.number + 1 } else { 0 };
        let stats = QueryStatsSnapshot::default();
        Ok(LogContext { before, record: middle.record, after, repeats, looked, stats })
    }

    async fn middle(&self, id: &LogId) -> Result<Middle> {
        let time = TimeRange { start_ns: id.time_ns, end_ns: id.time_ns.saturating_add(1) };
        let mut batches = self.rows(whole_records(), Vec::new(), time);
        let (mut contents, mut equals, mut found) = (Contents::default(), 0, None);
        while let Some(batch) = batches.try_next().await? {
            for record in read_logs(&batch)? {
                if contents.of(&record) == id.content {
                    equals += 1;
                    found.get_or_insert(record);
                }
            }
        }
        let number = id.number as usize;
        match found {
            Some(record) if number < equals => Ok(Middle { record, equals, number }),
            _ => {
                let message = format!("there is no log record '{id}'");
                Err(Error::new(ErrorKind::NotFound, message))
            }
        }
    }

    // The time of the outermost record wanted on a side; where there are fewer, how far was looked.
    async fn reach(&self, stream: &Stream, side: Side, at_ns: i64, wanted: usize) -> Result<i64> {
        let Some((oldest_ns, newest_ns)) = self.view.logs.start_bounds() else { return Ok(at_ns) };
        if wanted == 0 {
            return Ok(at_ns);
        }
        let furthest_ns = match side {
            Side::Before => oldest_ns.max(at_ns.saturating_sub(CONTEXT_REACH_NS)),
            Side::After => newest_ns.min(at_ns.saturating_add(CONTEXT_REACH_NS)),
        };
        let (mut edge_ns, mut width_ns, mut times) = (at_ns, WINDOW_NS, Vec::new());
        // Widths grow: the reach of a day ends this after six windows.
        while times.len() < wanted && edge_ns != furthest_ns {
            let next_ns = match side {
                Side::Before => edge_ns.saturating_sub(width_ns).max(furthest_ns),
                Side::After => edge_ns.saturating_add(width_ns).min(furthest_ns),
            };
            // Without the edge, with the next one.
            let window = match side {
                Side::Before => TimeRange { start_ns: next_ns, end_ns: edge_ns },
                Side::After => TimeRange {
                    start_ns: edge_ns.saturating_add(1),
                    end_ns: next_ns.saturating_add(1),
                },
            };
            self.add_times(stream, side, window, wanted, &mut times).await?;
            (edge_ns, width_ns) = (next_ns, width_ns.saturating_mul(WINDOW_GROWTH));
        }
        Ok(if times.len() < wanted { edge_ns } else { times[wanted - 1] })
    }

    // Adds the times of a window's records, nearest first, and keeps no more than are wanted.
    async fn add_times(
        &self,
        stream: &Stream,
        side: Side,
        window: TimeRange,
        wanted: usize,
        times: &mut Vec<i64>,
    ) -> Result<()> {
        let columns = [col::TIME, col::RESOURCE].map(|name| ScanColumn::Fixed(name.to_owned()));
        let mut batches = self.rows(columns.to_vec(), stream.predicates.clone(), window);
        let keep = |times: &mut Vec<i64>| {
            times.sort_unstable();
            if side == Side::Before {
                times.reverse();
            }
            times.truncate(wanted);
        };
        while let Some(batch) = batches.try_next().await? {
            let missing = || Error::internal("a scan of log records lacks a column");
            let column = |name| batch.column_by_name(name).ok_or_else(missing);
            let found = column(col::TIME)?.as_primitive::<TimestampNanosecondType>().values();
            let resources = origins(column(col::RESOURCE)?, Resource::decode)?;
            let is_of: Vec<bool> = resources.iter().map(|other| stream.has(other)).collect();
            let numbers = column(col::RESOURCE)?.as_dictionary::<UInt32Type>().keys().values();
            let of_stream = found.iter().zip(numbers).filter(|(_, n)| is_of[**n as usize]);
            times.extend(of_stream.map(|(time, _)| *time));
            keep(times);
        }
        keep(times);
        Ok(())
    }

    // The nearest records on a side, the oldest first.
    async fn beside(
        &self,
        stream: &Stream,
        middle: &Middle,
        side: Side,
        time: TimeRange,
        wanted: usize,
    ) -> Result<Vec<LogRecord>> {
        if wanted == 0 {
            return Ok(Vec::new());
        }
        let (asked, equals) = match side {
            Side::Before => (Ordering::Less, middle.number),
            Side::After => (Ordering::Greater, middle.equals - middle.number - 1),
        };
        let mut near = vec![middle.record.clone(); equals.min(wanted)];
        let mut batches = self.rows(whole_records(), stream.predicates.clone(), time);
        while let Some(batch) = batches.try_next().await? {
            let records = read_logs(&batch)?.into_iter();
            near.extend(records.filter(|record| {
                stream.has(&record.resource) && in_order(record, &middle.record) == asked
            }));
            // Many records of one time: keep no more than are wanted.
            if near.len() > wanted.saturating_mul(2) {
                keep_nearest(&mut near, side, wanted);
            }
        }
        keep_nearest(&mut near, side, wanted);
        Ok(near)
    }

    fn rows(
        &self,
        columns: Vec<ScanColumn>,
        predicates: Vec<Predicate>,
        time: TimeRange,
    ) -> scan::ScanStream {
        let request = ScanRequest { columns, predicates, time, order: ScanOrder::Any, limit: None };
        scan::scan_logs(self.view.clone(), request, self.scan.clone())
    }
}

impl Stream {
    fn of(record: &LogRecord, by: ContextBy) -> Self {
        let service = Operand::Str(record.service_name.clone());
        let mut predicates = vec![equal(col::SERVICE_NAME, service)];
        if by == ContextBy::Service {
            return Self { predicates, resource: None };
        }
        let attributes = &record.resource.attributes;
        let texts = attributes.iter().filter_map(|(key, value)| match value {
            // Of equal keys a condition sees one, which need not be this.
            Value::String(text) if attributes.iter().filter(|(k, _)| k == key).count() == 1 => {
                let target = Target::ResourceAttribute(key.clone());
                Some(Predicate { target, op: Op::Eq(Operand::Str(text.clone())) })
            }
            _ => None,
        });
        predicates.extend(texts.take(RESOURCE_PREDICATES_MAX));
        Self { predicates, resource: Some(record.resource.clone()) }
    }

    // Of rows that meet the predicates.
    fn has(&self, resource: &Resource) -> bool {
        self.resource.as_ref().is_none_or(|own| **own == *resource)
    }
}

fn in_order(a: &LogRecord, b: &LogRecord) -> Ordering {
    a.time_ns.cmp(&b.time_ns).then_with(|| by_content(a, b))
}

fn keep_nearest(records: &mut Vec<LogRecord>, side: Side, wanted: usize) {
    records.sort_by(in_order);
    match side {
        Side::After => records.truncate(wanted),
        Side::Before => drop(records.drain(..records.len().saturating_sub(wanted))),
    }
}
