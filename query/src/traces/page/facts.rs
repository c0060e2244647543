//! The facts of a trace, those that are asked for.

use std::sync::Arc;

use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId};

use super::backlinks::{self, Backlinks};
use super::critical_path::{Piece, critical_path};
use super::flag;
use super::operations::{Operation, operations};
use super::peers::{self, Peers};
use super::self_time::self_times;
use super::skeleton::{Loaded, load, off_worker};
use super::skew::{self, Skew};
use crate::{Engine, QueryContext, QueryStatsSnapshot, Result};

/// A fact that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Moves that make up for clocks that do not agree.
    Skew,
    /// Whom the root waits for, when.
    CriticalPath,
    /// The time in which no child ran, by span.
    SelfTime,
    /// How many spans stand above, by span.
    Depth,
    /// Spans whose parent is not in the trace.
    Orphans,
    /// Spans that start after their parent or root has ended.
    Late,
    /// Statistics by service and name.
    Operations,
    /// How long spans of the same service and name take elsewhere.
    Peers,
    /// Spans of other traces that link here.
    Backlinks,
}

impl Fact {
    /// All facts with their names.
    pub const NAMES: [(&str, Fact); 9] = [
        ("skew", Fact::Skew),
        ("critical_path", Fact::CriticalPath),
        ("self_time", Fact::SelfTime),
        ("depth", Fact::Depth),
        ("orphans", Fact::Orphans),
        ("late", Fact::Late),
        ("operations", Fact::Operations),
        ("peers", Fact::Peers),
        ("backlinks", Fact::Backlinks),
    ];
}

/// A span whose parent is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Orphan {
    /// Its place in the skeleton.
    pub span: u32,
    /// The parent it names.
    pub parent_span_id: SpanId,
}

/// A span that starts after what it belongs to has ended; adjusted times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateSpan {
    /// Its place in the skeleton.
    pub span: u32,
    /// From its parent's end to its start; 0 if it is not late for its parent.
    pub after_parent_ns: i64,
    /// From the end of the top of its tree to its start; 0 if it is not late for it.
    pub after_root_ns: i64,
}

/// Moves that make up for skew.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Moves {
    /// Places of moved spans, and how far each is moved: adjusted start = start + shift.
    pub shifts: Vec<(u32, i64)>,
    /// By pair of services and clocks.
    pub skews: Vec<Skew>,
}

/// The facts asked for. Numbers of spans are places in the skeleton.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // the fields are those of `Fact`
pub struct TraceFacts {
    pub trace_id: TraceId,
    pub span_count: u64,
    /// Earliest start as sent, nanoseconds since the epoch.
    pub start_ns: i64,
    pub skew: Option<Moves>,
    pub critical_path: Option<Vec<Piece>>,
    pub self_ns: Option<Vec<i64>>,
    pub depth: Option<Vec<u32>>,
    pub orphans: Option<Vec<Orphan>>,
    pub late: Option<Vec<LateSpan>>,
    /// The operations, and how many more there are.
    pub operations: Option<(Vec<Operation>, u64)>,
    pub peers: Option<Peers>,
    pub backlinks: Option<Backlinks>,
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Facts of a trace; `None` if nothing is stored of it. The range is a hint as in
    /// [`Engine::trace`].
    pub async fn trace_facts(
        &self,
        id: TraceId,
        hint: Option<TimeRange>,
        facts: &[Fact],
        ctx: &QueryContext,
    ) -> Result<Option<TraceFacts>> {
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let Some(loaded) = budget.run(load(self, &admitted, id, hint)).await? else {
            let facts = TraceFacts {
                trace_id: id,
                stats: budget.stats.snapshot(),
                ..TraceFacts::default()
            };
            // Nothing found is an answer only if everything could be read.
            return Ok((!facts.stats.scan.partial.is_empty()).then_some(facts));
        };
        budget.stats.add_rows(loaded.rows.len());
        let loaded = Arc::new(loaded);
        let (worked_on, wanted) = (loaded.clone(), facts.to_vec());
        let mut found = off_worker(&admitted, move || worked_on.facts(id, &wanted)).await?;
        if facts.contains(&Fact::Peers) {
            found.peers = Some(budget.run(peers::peers(&admitted, &loaded)).await?);
        }
        if facts.contains(&Fact::Backlinks) {
            found.backlinks = Some(budget.run(backlinks::backlinks(&admitted, id, &loaded)).await?);
        }
        found.stats = budget.stats.snapshot();
        Ok(Some(found))
    }
}

impl Loaded {
    // What the trace alone tells.
    fn facts(&self, trace_id: TraceId, facts: &[Fact]) -> TraceFacts {
        let wants = |fact| facts.contains(&fact);
        let own = wants(Fact::SelfTime) || wants(Fact::Operations);
        let self_ns = own.then(|| self_times(&self.tree, &self.times));
        let in_operations = self_ns.as_ref().filter(|_| wants(Fact::Operations));
        TraceFacts {
            trace_id,
            span_count: self.rows.len() as u64,
            start_ns: self.start_ns,
            skew: wants(Fact::Skew).then(|| self.moves()),
            critical_path: wants(Fact::CriticalPath)
                .then(|| critical_path(&self.tree, &self.times, self.start_ns)),
            operations: in_operations.map(|self_ns| operations(&self.rows, self_ns)),
            self_ns: self_ns.filter(|_| wants(Fact::SelfTime)),
            depth: wants(Fact::Depth).then(|| self.tree.depth.clone()),
            orphans: wants(Fact::Orphans).then(|| self.orphans()),
            late: wants(Fact::Late).then(|| self.late()),
            ..TraceFacts::default()
        }
    }

    fn moves(&self) -> Moves {
        let moved = self.shifts.iter().zip(0u32..).filter(|(shift, _)| **shift != 0);
        Moves {
            shifts: moved.map(|(shift, row)| (row, *shift)).collect(),
            skews: skew::report(&self.rows, &self.tree, &self.shifts),
        }
    }

    fn orphans(&self) -> Vec<Orphan> {
        let flags = self.tree.flags.iter().zip(0u32..);
        let orphans = flags.filter(|(flags, _)| **flags & flag::ORPHAN != 0);
        let orphan = |(_, span): (&u16, u32)| Orphan {
            span,
            parent_span_id: SpanId(self.rows.parent_id[span as usize].to_be_bytes()),
        };
        orphans.map(orphan).collect()
    }

    fn late(&self) -> Vec<LateSpan> {
        let mut top_end = vec![0; self.rows.len()];
        let mut late = Vec::new();
        for row in self.tree.order.iter().map(|row| *row as usize) {
            let Some(parent) = self.tree.parent(row) else {
                top_end[row] = self.times.end[row];
                continue;
            };
            top_end[row] = top_end[parent];
            let after = |end: i64| self.times.start[row].saturating_sub(end).max(0);
            let (after_parent_ns, after_root_ns) =
                (after(self.times.end[parent]), after(top_end[parent]));
            if after_parent_ns > 0 || after_root_ns > 0 {
                late.push(LateSpan { span: row as u32, after_parent_ns, after_root_ns });
            }
        }
        late.sort_unstable_by_key(|late| late.span);
        late
    }
}
