//! Log search, page by page.
//!
//! ```text
//! scan the times of matching records → the time of the page's last record
//!   → scan whole records up to that time → sort by (time, content) → cut the page
//! ```
//! A cursor is `<time in nanoseconds>.<records of that time that pages before have shown>`.

use std::collections::BinaryHeap;
use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::{self, col};
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::scan::{self, ScanColumn, ScanContext, ScanOrder, ScanRequest};

use super::read::{by_content, read_logs};
use super::text::{self, equal};
use super::{LOGS_PAGE_MAX, LogOrder, LogPage, LogRecord, LogSearch};
use crate::{Engine, Error, QueryContext, Result};

/// Records of one time that pages can go through.
const SHOWN_MAX: usize = 1_000_000;

impl Engine {
    /// A page of the log records that match.
    pub async fn search_logs(&self, search: &LogSearch, ctx: &QueryContext) -> Result<LogPage> {
        if search.limit == 0 || search.limit > LOGS_PAGE_MAX {
            return Err(Error::invalid(
                "limit",
                format!("limit is {}, allowed are 1 to {LOGS_PAGE_MAX}", search.limit),
            ));
        }
        let after = search.cursor.as_deref().map(parse_cursor).transpose()?;
        let predicates = predicates(search)?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let time = search.order.rest_of(search.time.unwrap_or(TimeRange::ALL), after);
        let walk = Walk {
            view: &admitted.view,
            scan: &budget.scan,
            predicates,
            time,
            order: search.order,
        };
        let shown = after.map_or(0, |(_, shown)| shown);
        let mut page = budget.run(walk.page(shown, search.limit)).await?;
        budget.stats.add_rows(page.records.len());
        page.stats = budget.stats.snapshot();
        Ok(page)
    }
}

impl LogOrder {
    /// What of a range of time is left after a cursor, the cursor's own time included.
    pub(super) fn rest_of(self, mut time: TimeRange, after: Option<(i64, usize)>) -> TimeRange {
        match (after, self) {
            (None, _) => {}
            (Some((t, _)), LogOrder::NewestFirst) => {
                time.end_ns = time.end_ns.min(t.saturating_add(1));
            }
            (Some((t, _)), LogOrder::OldestFirst) => time.start_ns = time.start_ns.max(t),
        }
        time
    }
}

/// The time that a cursor names, and how many records of it were shown.
pub(super) fn parse_cursor(cursor: &str) -> Result<(i64, usize)> {
    cursor
        .split_once('.')
        .and_then(|(t, shown)| Some((t.parse().ok()?, shown.parse().ok()?)))
        .filter(|(_, shown)| *shown <= SHOWN_MAX)
        .ok_or_else(|| {
            Error::invalid("cursor", format!("'{cursor}' is no cursor of a page of log records"))
        })
}

/// The conditions of a search, but its range of time.
pub fn predicates(search: &LogSearch) -> Result<Vec<Predicate>> {
    let mut all = text::predicates(&search.text)?;
    all.extend(search.filters.iter().cloned());
    let severity = |op| Predicate { target: Target::Column(col::SEVERITY_NUMBER.to_owned()), op };
    all.extend(search.severity_min.map(|min| severity(Op::Ge(Operand::Int(i64::from(min))))));
    all.extend(search.severity_max.map(|max| severity(Op::Le(Operand::Int(i64::from(max))))));
    if !search.services.is_empty() {
        let services = search.services.iter().cloned().map(Operand::Str).collect();
        let target = Target::Column(col::SERVICE_NAME.to_owned());
        all.push(Predicate { target, op: Op::In(services) });
    }
    all.extend(search.trace_id.map(|id| equal(col::TRACE_ID, Operand::Bytes(id.0.to_vec()))));
    all.extend(search.span_id.map(|id| equal(col::SPAN_ID, Operand::Bytes(id.0.to_vec()))));
    Ok(all)
}

/// All columns of log records, for [`read_logs`].
pub(super) fn whole_records() -> Vec<ScanColumn> {
    let column = |field: &Arc<arrow::datatypes::Field>| match field.name().as_str() {
        col::ATTRIBUTES => ScanColumn::Attributes,
        name => ScanColumn::Fixed(name.to_owned()),
    };
    schema::logs().fields().iter().map(column).collect()
}

/// One search under way.
pub(super) struct Walk<'a> {
    pub view: &'a Arc<View>,
    pub scan: &'a ScanContext,
    pub predicates: Vec<Predicate>,
    pub time: TimeRange,
    pub order: LogOrder,
}

impl Walk<'_> {
    /// The `limit` records after the first `shown`, and the cursor of what follows them; without
    /// statistics.
    pub(super) async fn page(&self, shown: usize, limit: usize) -> Result<LogPage> {
        // One more than asked for tells whether there is a next page.
        let wanted = shown.saturating_add(limit).saturating_add(1);
        // A trace has few records: reading them at once costs less than looking first which to read.
        let time = match self.is_of_a_trace() {
            true => Some(self.time),
            false => self.reach(wanted).await?,
        };
        let Some(time) = time else { return Ok(LogPage::default()) };
        let mut records = self.records(time, wanted).await?;
        let more = records.len() == wanted;
        records.truncate(shown + limit);
        let next = records.last().filter(|_| more).map(|last| {
            let same = records.iter().rev().take_while(|r| r.time_ns == last.time_ns).count();
            format!("{}.{same}", last.time_ns)
        });
        let page = records.split_off(shown.min(records.len()));
        let repeats = page.first().map_or(0, |first| {
            let repeats =
                |r: &&LogRecord| r.time_ns == first.time_ns && by_content(r, first).is_eq();
            records.iter().rev().take_while(repeats).count()
        });
        Ok(LogPage { records: page, repeats, next, ..LogPage::default() })
    }

    fn is_of_a_trace(&self) -> bool {
        self.predicates.iter().any(|predicate| {
            let is_trace =
                matches!(&predicate.target, Target::Column(name) if name == col::TRACE_ID);
            is_trace && matches!(predicate.op, Op::Eq(_))
        })
    }

    // The range of time that holds the first `wanted` records; none if nothing matches.
    async fn reach(&self, wanted: usize) -> Result<Option<TimeRange>> {
        let times = vec![ScanColumn::Fixed(col::TIME.to_owned())];
        let newest = self.order == LogOrder::NewestFirst;
        let mut request = self.request(times, self.time);
        if newest {
            request.order = ScanOrder::NewestFirst;
            request.limit = Some(wanted);
        }
        let mut batches = scan::scan_logs(self.view.clone(), request, self.scan.clone());
        // The first ones: the greatest on top of the heap is the first to go.
        let mut first = BinaryHeap::with_capacity(wanted.min(LOGS_PAGE_MAX) + 1);
        while let Some(batch) = batches.try_next().await? {
            for t in times_of(&batch)? {
                let rank = if newest { !t } else { t };
                if first.len() < wanted || first.peek().is_some_and(|last| rank < *last) {
                    first.push(rank);
                }
                if first.len() > wanted {
                    first.pop();
                }
            }
        }
        let last = first.peek().copied();
        Ok(last.map(|rank| match newest {
            true => TimeRange { start_ns: !rank, ..self.time },
            false => TimeRange { end_ns: rank.saturating_add(1), ..self.time },
        }))
    }

    // The first `wanted` records in a range of time, in order.
    async fn records(&self, time: TimeRange, wanted: usize) -> Result<Vec<LogRecord>> {
        let request = self.request(whole_records(), time);
        let mut batches = scan::scan_logs(self.view.clone(), request, self.scan.clone());
        let mut records = Vec::new();
        while let Some(batch) = batches.try_next().await? {
            records.extend(read_logs(&batch)?);
            // Many records of one time: keep no more than the page needs.
            if records.len() > wanted.saturating_mul(2) {
                self.cut(&mut records, wanted);
            }
        }
        self.cut(&mut records, wanted);
        Ok(records)
    }

    fn cut(&self, records: &mut Vec<LogRecord>, wanted: usize) {
        records.sort_by(|a, b| {
            let by_time = match self.order {
                LogOrder::NewestFirst => b.time_ns.cmp(&a.time_ns),
                LogOrder::OldestFirst => a.time_ns.cmp(&b.time_ns),
            };
            by_time.then_with(|| by_content(a, b))
        });
        records.truncate(wanted);
    }

    fn request(&self, columns: Vec<ScanColumn>, time: TimeRange) -> ScanRequest {
        let predicates = self.predicates.clone();
        ScanRequest { columns, predicates, time, order: ScanOrder::Any, limit: None }
    }
}

/// The times of a batch of log records.
pub(super) fn times_of(batch: &RecordBatch) -> Result<impl Iterator<Item = i64>> {
    let times = batch
        .column_by_name(col::TIME)
        .ok_or_else(|| Error::internal("a scan of log records answered without time"))?;
    Ok(times.as_primitive::<TimestampNanosecondType>().values().iter().copied())
}
