//! The skeleton of a trace, and what it shares with the facts: rows, tree and adjusted times.
//!
//! Two reads: a few narrow columns of the whole trace; then, piece by piece, the events and links of
//! its spans, of which only the presence is kept, so that large ones are never in memory together.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::TimestampNanosecondType;
use datafusion::execution::memory_pool::MemoryReservation;
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::columns::{self, Rows};
use super::skew::{self, Times};
use super::tree::Tree;
use super::{SKELETON_SPANS_MAX, Skeleton, SkeletonResult, flag};
use crate::engine::Admitted;
use crate::traces::lookup;
use crate::{Engine, Error, ErrorKind, QueryContext, Result};

const STATUS_ERROR: i32 = 2;
/// Memory of a span while its trace is worked on: in the batches, in columns twice while they are
/// sorted, in the tree, and in facts.
const SPAN_BYTES: usize = 256;

impl Engine {
    /// The skeleton of a trace; `None` if nothing is stored of it. The range is a hint as in
    /// [`Engine::trace`]. Spans that differ in nothing a skeleton shows count once.
    pub async fn trace_skeleton(
        &self,
        id: TraceId,
        hint: Option<TimeRange>,
        ctx: &QueryContext,
    ) -> Result<Option<SkeletonResult>> {
        let admitted = self.admit(ctx).await?;
        let found = admitted.budget.run(load(self, &admitted, id, hint)).await?;
        let Some(loaded) = found else {
            let stats = admitted.budget.stats.snapshot();
            let skeleton = Skeleton { trace_id: id, ..Skeleton::default() };
            // Nothing found is an answer only if everything could be read.
            let unsure = !stats.scan.partial.is_empty();
            return Ok(unsure.then_some(SkeletonResult { skeleton, stats }));
        };
        admitted.budget.stats.add_rows(loaded.rows.len());
        let skeleton = off_worker(&admitted, move || loaded.skeleton(id)).await?;
        Ok(Some(SkeletonResult { skeleton, stats: admitted.budget.stats.snapshot() }))
    }
}

/// A trace ready to be asked about.
pub struct Loaded {
    pub rows: Rows,
    pub tree: Tree,
    pub shifts: Vec<i64>,
    pub times: Times,
    /// Earliest start as sent.
    pub start_ns: i64,
    /// Latest end as sent.
    pub end_ns: i64,
    /// Bits of events and links by row.
    present: Vec<u16>,
    _memory: MemoryReservation,
}

/// Runs work on columns off the async workers.
pub async fn off_worker<T: Send + 'static>(
    admitted: &Admitted,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let task = admitted.budget.scan.tracker.spawn_blocking(work);
    let done = async {
        task.await.map_err(|err| Error::internal(format!("a trace was not worked out: {err}")))
    };
    admitted.budget.run(done).await
}

/// Reads the columns of a trace and finds its tree and times.
pub async fn load(
    engine: &Engine,
    admitted: &Admitted,
    id: TraceId,
    hint: Option<TimeRange>,
) -> Result<Option<Loaded>> {
    let (view, context) = (&admitted.view, &admitted.budget.scan);
    let batches = lookup::find(view, id, Some(columns::read()), hint, context).await?;
    let count = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    if count == 0 {
        return Ok(None);
    }
    let most = SKELETON_SPANS_MAX.min(admitted.budget.rows_max);
    if count > most {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("trace {id} has {count} spans, the most of a skeleton are {most}"),
        ));
    }
    let memory = engine.sessions().reserve(&admitted.budget, "trace", count * SPAN_BYTES)?;
    let mut loaded = off_worker(admitted, move || Loaded::of(&batches, memory)).await??;
    loaded.read_presence(admitted, id).await?;
    Ok(Some(loaded))
}

impl Loaded {
    fn of(batches: &[RecordBatch], memory: MemoryReservation) -> Result<Self> {
        let rows = columns::rows_of(batches)?;
        let tree = Tree::of(&rows);
        let shifts = skew::shifts(&rows, &tree);
        let times = Times::of(&rows, &shifts);
        let start_ns = rows.start.iter().copied().min().unwrap_or_default();
        let end_ns = (0..rows.len()).map(|row| rows.end(row)).max().unwrap_or_default();
        let present = vec![0; rows.len()];
        Ok(Self { rows, tree, shifts, times, start_ns, end_ns, present, _memory: memory })
    }

    // Which spans have events and links. Spans of one id and start share the answer.
    async fn read_presence(&mut self, admitted: &Admitted, id: TraceId) -> Result<()> {
        let columns = [col::SPAN_ID, col::START_TIME, col::EVENTS, col::LINKS];
        let of_trace = Predicate {
            target: Target::Column(col::TRACE_ID.to_owned()),
            op: Op::Eq(Operand::Bytes(id.0.to_vec())),
        };
        let request = ScanRequest {
            columns: columns.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
            predicates: vec![of_trace],
            time: TimeRange { start_ns: self.start_ns, end_ns: self.end_ns.saturating_add(1) },
            order: ScanOrder::Any,
            limit: None,
        };
        let context = admitted.budget.scan.clone();
        let mut batches = scan::scan_spans(Arc::clone(&admitted.view), request, context);
        while let Some(batch) = batches.try_next().await? {
            self.note_presence(&batch)?;
        }
        Ok(())
    }

    fn note_presence(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| {
            let column = batch.column_by_name(name);
            column.ok_or_else(|| Error::internal(format!("a trace was read without {name}")))
        };
        let (events, links) = (column(col::EVENTS)?, column(col::LINKS)?);
        if events.null_count() == events.len() && links.null_count() == links.len() {
            return Ok(());
        }
        let ids = column(col::SPAN_ID)?.as_fixed_size_binary();
        let starts = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>().values();
        for row in 0..batch.num_rows() {
            let bits = [(events, flag::EVENTS), (links, flag::LINKS)]
                .iter()
                .filter(|(array, _)| array.is_valid(row))
                .fold(0, |bits, (_, bit)| bits | bit);
            if bits != 0 {
                let id = u64::from_be_bytes(SpanId::from_slice(ids.value(row))?.0);
                self.set(starts[row], id, bits);
            }
        }
        Ok(())
    }

    fn set(&mut self, start_ns: i64, id: u64, bits: u16) {
        let key = |row: usize| (self.rows.start[row], self.rows.id[row]);
        let (mut row, mut end) = (0, self.rows.len());
        while row < end {
            let middle = row.midpoint(end);
            if key(middle) < (start_ns, id) { row = middle + 1 } else { end = middle }
        }
        while row < self.rows.len() && key(row) == (start_ns, id) {
            self.present[row] |= bits;
            row += 1;
        }
    }

    /// The flags of each row.
    pub fn flags(&self) -> Vec<u16> {
        let rows = &self.rows;
        let mut top_end = vec![0i64; rows.len()];
        let mut flags = vec![0; rows.len()];
        for row in self.tree.order.iter().map(|row| *row as usize) {
            let mut bits = self.tree.flags[row] | self.present[row];
            let start = self.times.start[row];
            match self.tree.parent(row) {
                None => top_end[row] = self.times.end[row],
                Some(parent) => {
                    top_end[row] = top_end[parent];
                    if start > self.times.end[parent] {
                        bits |= flag::LATE_FOR_PARENT;
                    }
                    if start > top_end[parent] {
                        bits |= flag::LATE_FOR_ROOT;
                    }
                }
            }
            if rows.status[row] == STATUS_ERROR {
                bits |= flag::ERROR;
            }
            if self.shifts[row] != 0 {
                bits |= flag::MOVED;
            }
            flags[row] = bits;
        }
        flags
    }

    fn skeleton(self, trace_id: TraceId) -> Skeleton {
        let flags = self.flags();
        let rows = self.rows;
        let start = rows.start.iter().map(|start| start.saturating_sub(self.start_ns)).collect();
        Skeleton {
            trace_id,
            start_ns: self.start_ns,
            duration_ns: self.end_ns.saturating_sub(self.start_ns),
            span_id: rows.id.iter().map(|id| SpanId(id.to_be_bytes())).collect(),
            parent: self.tree.parent,
            start,
            duration: rows.duration,
            name: rows.name,
            service: rows.service,
            clock: rows.clock,
            kind: rows.kind,
            status: rows.status,
            flags,
            names: rows.names,
            services: rows.services,
            clocks: rows.clocks,
        }
    }
}
