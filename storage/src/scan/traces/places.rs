//! Where the traces of a scan lie: in which heads, and whether in more than one place.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{AsArray, BooleanArray, FixedSizeBinaryArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use hashbrown::{HashMap, HashSet};
use throughline_model::TraceId;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::filter::Leaves;
use super::{SIGNAL, TraceScanRequest};
use crate::head::Heads;
use crate::scan::group::times;
use crate::scan::head::project;
use crate::segment::Segment;
use crate::{Error, Result};

/// So many traces are looked up one by one in every segment; after that it is cheaper to sort all.
const LOOKUPS_MAX: usize = 4_000;

/// Rows `start..end` of a batch that belong to one trace.
#[derive(Clone, Copy)]
struct Run {
    batch: u32,
    start: u32,
    end: u32,
}

/// The places of a scan.
pub(super) struct Places {
    segments: Vec<Arc<Segment>>,
    heads: Heads<RecordBatch>,
    in_heads: HashMap<TraceId, Vec<Run>>,
    /// Traces of rows in the heads that do not start in the range.
    beside: HashSet<TraceId>,
    lookups: AtomicUsize,
    /// The first halves of ids that occur more than once, once it is worth to know them all.
    split: OnceLock<HashSet<u64>>,
}

impl Places {
    pub(super) fn new(
        segments: Vec<Arc<Segment>>,
        heads: Heads<RecordBatch>,
        time: TimeRange,
        together: bool,
    ) -> Result<Self> {
        let mut in_heads: HashMap<TraceId, Vec<Run>> = HashMap::new();
        let mut beside = HashSet::new();
        for (number, batch) in heads.iter().enumerate().filter(|_| together) {
            let ids = ids(batch)?;
            let starts = times(batch, col::START_TIME)?;
            let mut open: Option<(TraceId, Run)> = None;
            for (row, start_ns) in starts.iter().enumerate() {
                let id = TraceId::from_slice(ids.value(row))?;
                let row = row as u32;
                match &mut open {
                    Some((of, run)) if *of == id && time.contains(*start_ns) => run.end = row + 1,
                    _ => {
                        let run = Run { batch: number as u32, start: row, end: row + 1 };
                        let next = time.contains(*start_ns).then_some((id, run));
                        if next.is_none() {
                            beside.insert(id);
                        }
                        if let Some((of, run)) = std::mem::replace(&mut open, next) {
                            in_heads.entry(of).or_default().push(run);
                        }
                    }
                }
            }
            if let Some((of, run)) = open {
                in_heads.entry(of).or_default().push(run);
            }
        }
        let (lookups, split) = (AtomicUsize::new(0), OnceLock::new());
        Ok(Self { segments, heads, in_heads, beside, lookups, split })
    }

    pub(super) fn segments(&self) -> &[Arc<Segment>] {
        &self.segments
    }

    pub(super) fn heads(&self) -> impl Iterator<Item = &RecordBatch> {
        self.heads.iter()
    }

    /// Whether a trace has rows in the heads, in the range or not.
    pub(super) fn is_in_heads(&self, id: TraceId) -> bool {
        self.in_heads.contains_key(&id) || self.beside.contains(&id)
    }

    /// Whether a trace that a slab holds has rows elsewhere too. A segment that cannot be read has
    /// none.
    pub(super) fn is_split(&self, id: TraceId) -> Result<bool> {
        if self.in_heads.contains_key(&id) {
            return Ok(true);
        }
        if self.lookups.fetch_add(1, Ordering::Relaxed) >= LOOKUPS_MAX {
            let all = self.split.get_or_init(|| self.find_split());
            if !all.contains(&half(&id.0)) {
                return Ok(false);
            }
        }
        let mut found = 0;
        for segment in &self.segments {
            found += segment.find_trace(id).map_or(0, |ordinals| ordinals.len());
            if found > 1 {
                return Ok(true);
            }
        }
        Ok(false)
    }

    // May name a few too many: a half is not the whole id.
    fn find_split(&self) -> HashSet<u64> {
        let mut halves = Vec::new();
        for segment in &self.segments {
            let Ok(traces) = segment.traces() else { continue };
            halves.extend(traces.ids().chunks_exact(16).map(half));
        }
        halves.sort_unstable();
        halves.windows(2).filter(|two| two[0] == two[1]).map(|two| two[0]).collect()
    }

    /// The rows of traces in the heads, in the columns of the request, with their ids.
    pub(super) fn rows_in_heads(
        &self,
        wanted: &[TraceId],
        request: &TraceScanRequest,
        leaves: &Leaves,
    ) -> Result<Vec<RecordBatch>> {
        let mut rows: HashMap<u32, Vec<u32>> = HashMap::new();
        for run in wanted.iter().filter_map(|id| self.in_heads.get(id)).flatten() {
            rows.entry(run.batch).or_default().extend(run.start..run.end);
        }
        let columns = super::gather::columns(request);
        let mut out = Vec::with_capacity(rows.len());
        for (number, batch) in self.heads.iter().enumerate() {
            if let Some(rows) = rows.remove(&(number as u32)) {
                let mut taken = take_record_batch(batch, &UInt32Array::from(rows))?;
                if !request.whole {
                    let found = BooleanArray::new(leaves.rows_of_head(&taken)?, None);
                    taken = filter_record_batch(&taken, &found)?;
                }
                out.push(project(SIGNAL, &taken, &columns)?);
            }
        }
        Ok(out)
    }
}

/// The trace ids of a batch.
pub(super) fn ids(batch: &RecordBatch) -> Result<&FixedSizeBinaryArray> {
    let ids = batch.column_by_name(col::TRACE_ID);
    Ok(ids.ok_or_else(|| Error::invalid("a batch has no trace ids"))?.as_fixed_size_binary())
}

// The half that is random in every scheme of ids: some begin with a time.
fn half(id: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&id[8..16]);
    u64::from_be_bytes(bytes)
}
