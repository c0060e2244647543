//! The leaves of a trace scan, compiled: which rows of a slab, or of a head, each finds.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use hashbrown::HashSet;
use throughline_model::TraceId;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::places::Places;
use super::{SIGNAL, TraceScanRequest};
use crate::Result;
use crate::scan::head::{matching_rows, project};
use crate::scan::plan::{Guard, Plan};
use crate::scan::{ScanOrder, ScanRequest, ScanStats, prune};
use crate::segment::index::summary::RowGroupSummary;
use crate::segment::open::{Opened, Segment};

/// The compiled leaves.
pub(super) struct Leaves {
    time: TimeRange,
    /// By leaf.
    plans: Vec<Leaf>,
}

/// One leaf, for row groups that lie in the range and for those that its edges cut.
struct Leaf {
    inside: Plan,
    cut: Plan,
}

impl Leaves {
    pub(super) fn new(request: &TraceScanRequest) -> Result<Self> {
        let time = request.time;
        let plan = |predicates: Vec<Predicate>, time: TimeRange| {
            let columns = request.columns.clone();
            let order = ScanOrder::Any;
            Plan::new(SIGNAL, ScanRequest { columns, predicates, time, order, limit: None })
        };
        let leaf = |predicates: &Vec<Predicate>| {
            let mut cut = starts_in(&time);
            cut.extend(predicates.iter().cloned());
            // Overlap is a weaker condition than a start in the range: it only prunes pages.
            Ok(Leaf { inside: plan(predicates.clone(), TimeRange::ALL)?, cut: plan(cut, time)? })
        };
        Ok(Self { time, plans: request.leaves.iter().map(leaf).collect::<Result<_>>()? })
    }

    pub(super) fn len(&self) -> usize {
        self.plans.len()
    }

    /// The plan of a leaf for a row group.
    pub(super) fn plan(&self, leaf: usize, group: &RowGroupSummary) -> &Plan {
        let leaf = &self.plans[leaf];
        if starts_inside(group, &self.time) { &leaf.inside } else { &leaf.cut }
    }

    /// Whether some leaf may find a row in a row group, from keys and filters alone.
    pub(super) fn any_may_match(&self, opened: &Opened, row_group: usize) -> Result<bool> {
        for leaf in &self.plans {
            let predicates = &leaf.inside.predicates;
            if prune::segment_may_match(opened, predicates)
                && prune::group_may_match(opened, row_group, predicates)?
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The ordinals of the traces that the leaves name, if all of them name some.
    pub(super) fn named_traces(&self, segment: &Segment) -> Result<Option<Vec<u32>>> {
        let mut ordinals = Vec::new();
        for leaf in &self.plans {
            let Some(traces) = &leaf.inside.traces else { return Ok(None) };
            for id in traces {
                ordinals.extend(segment.find_trace(*id)?);
            }
        }
        Ok(Some(ordinals))
    }

    /// The rows of the heads that some leaf finds.
    pub(super) fn rows_in_heads(
        &self,
        places: &Places,
        request: &TraceScanRequest,
        guard: &Arc<Guard>,
    ) -> Result<Vec<RecordBatch>> {
        let mut found = Vec::new();
        for batch in places.heads() {
            let any = self.found_in_head(batch, guard)?;
            if any.count_set_bits() > 0 {
                let kept = filter_record_batch(batch, &BooleanArray::new(any, None))?;
                found.push(project(SIGNAL, &kept, &super::gather::columns(request))?);
            }
        }
        Ok(found)
    }

    fn found_in_head(&self, batch: &RecordBatch, guard: &Guard) -> Result<BooleanBuffer> {
        guard.check()?;
        ScanStats::add(&guard.stats.rows_scanned, batch.num_rows() as u64);
        self.rows_of_head(batch)
    }

    /// Which rows of a head some leaf finds.
    pub(super) fn rows_of_head(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        let mut any = BooleanBuffer::new_unset(batch.num_rows());
        for leaf in &self.plans {
            any = &any | &matching_rows(&leaf.cut, batch)?;
        }
        Ok(any)
    }

    /// The traces in the heads of which some leaf finds a span.
    pub(super) fn traces_in_heads(
        &self,
        places: &Places,
        guard: &Arc<Guard>,
    ) -> Result<Vec<TraceId>> {
        let (mut seen, mut found) = (HashSet::new(), Vec::new());
        for batch in places.heads() {
            let any = self.found_in_head(batch, guard)?;
            let ids = super::places::ids(batch)?;
            for row in any.set_indices() {
                let id = TraceId::from_slice(ids.value(row))?;
                if seen.insert(id) {
                    found.push(id);
                }
            }
        }
        Ok(found)
    }
}

/// Whether all spans of a row group start in a range.
pub(super) fn starts_inside(group: &RowGroupSummary, time: &TimeRange) -> bool {
    time.contains(group.min_time_ns) && time.contains(group.max_time_ns)
}

/// The conditions of a start in a range.
pub(super) fn starts_in(time: &TimeRange) -> Vec<Predicate> {
    let start = |op| Predicate { target: Target::Column(col::START_TIME.to_owned()), op };
    let mut all = Vec::new();
    if time.start_ns != i64::MIN {
        all.push(start(Op::Ge(Operand::Int(time.start_ns))));
    }
    if time.end_ns != i64::MAX {
        all.push(start(Op::Lt(Operand::Int(time.end_ns))));
    }
    all
}
