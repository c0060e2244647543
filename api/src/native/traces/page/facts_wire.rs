//! What goes over the wire of a trace's facts. Numbers of spans are places in the skeleton.

use serde::Serialize;
use throughline_model::{SpanId, TraceId};
use throughline_query::traces::page as query;
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use super::wire::exact;
use crate::render::value::{exact_i64, text, time};

/// The facts that were asked for; the others are absent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub struct TraceFacts {
    /// The trace's id in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Earliest start as sent; times below are relative to it.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// Spans.
    pub span_count: u64,
    /// Moves that make up for clocks that do not agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skew: Option<SkewFacts>,
    /// Whom the root waits for, when, over adjusted times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub critical_path: Option<CriticalPath>,
    /// Of each span, the time in which none of its children ran, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "optional_exact")]
    pub self_time_ns: Option<Vec<i64>>,
    /// Of each span, how many stand above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<Vec<u32>>,
    /// Spans whose parent is not in the trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orphans: Option<Vec<Orphan>>,
    /// Spans that start after their parent or the top of their tree ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late: Option<Vec<LateSpan>>,
    /// Statistics by service and name, most self time first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations: Option<Vec<Operation>>,
    /// Operations that were left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operations_cut: Option<u64>,
    /// How long spans of the same service and name take around this trace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peers: Option<Peers>,
    /// Spans of other traces that link here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlinks: Option<Backlinks>,
    /// What the lookup cost.
    pub stats: Stats,
}

fn optional_exact<S: serde::Serializer>(
    numbers: &Option<Vec<i64>>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    exact(numbers.as_deref().unwrap_or_default(), serializer)
}

/// Moves that make up for skew, in columns: adjusted start = start + shift.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkewFacts {
    /// Spans that are moved.
    pub span: Vec<u32>,
    /// How far, in nanoseconds; positive is later.
    #[serde(serialize_with = "exact")]
    pub shift_ns: Vec<i64>,
    /// By pair of services and clocks.
    pub pairs: Vec<SkewPair>,
}

/// How far the clock of children was off their parents'.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkewPair {
    /// Service of the parents.
    pub parent_service: String,
    /// Their clock.
    #[schema(example = "host.name=a1")]
    pub parent_clock: String,
    /// Service of the children.
    pub child_service: String,
    /// Their clock.
    pub child_clock: String,
    /// Children that were moved.
    pub moved: u64,
    /// The smallest move.
    #[serde(serialize_with = "exact_i64")]
    pub shift_min_ns: i64,
    /// The middle one.
    #[serde(serialize_with = "exact_i64")]
    pub shift_median_ns: i64,
    /// The largest.
    #[serde(serialize_with = "exact_i64")]
    pub shift_max_ns: i64,
}

/// The critical path in columns, by time, without gap or overlap.
#[derive(Debug, Serialize, ToSchema)]
pub struct CriticalPath {
    /// The span; -1 where none that is stored is known to have worked.
    pub span: Vec<i32>,
    /// Where the piece begins.
    #[serde(serialize_with = "exact")]
    pub from_ns: Vec<i64>,
    /// Where it ends.
    #[serde(serialize_with = "exact")]
    pub to_ns: Vec<i64>,
}

/// A span whose parent is not stored.
#[derive(Debug, Serialize, ToSchema)]
pub struct Orphan {
    /// The span.
    pub span: u32,
    /// The parent that it names, in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub parent_span_id: SpanId,
}

/// A span that starts late, by adjusted times.
#[derive(Debug, Serialize, ToSchema)]
pub struct LateSpan {
    /// The span.
    pub span: u32,
    /// From its parent's end to its start; 0 if it is not late for its parent.
    #[serde(serialize_with = "exact_i64")]
    pub after_parent_ns: i64,
    /// From the end of the top of its tree to its start; 0 if it is not late for it.
    #[serde(serialize_with = "exact_i64")]
    pub after_root_ns: i64,
}

/// Spans of one service and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TraceOperation)]
pub struct Operation {
    /// The service.
    pub service: String,
    /// The name.
    pub name: String,
    /// Spans.
    pub count: u64,
    /// Those with status error.
    pub errors: u64,
    /// Sum of durations.
    #[serde(serialize_with = "exact_i64")]
    pub total_ns: i64,
    /// Sum of self times.
    #[serde(serialize_with = "exact_i64")]
    pub self_ns: i64,
    /// Duration that half of them do not exceed.
    #[serde(serialize_with = "exact_i64")]
    pub p50_ns: i64,
    /// Duration that 95 % of them do not exceed.
    #[serde(serialize_with = "exact_i64")]
    pub p95_ns: i64,
    /// Longest duration.
    #[serde(serialize_with = "exact_i64")]
    pub max_ns: i64,
    /// Their part of all self time, 0 to 1.
    pub share: f64,
}

/// Where the spans of a trace stand among their peers.
#[derive(Debug, Serialize, ToSchema)]
pub struct Peers {
    /// Peers start in this range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub start: i64,
    /// End of the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub end: i64,
    /// By service and name.
    pub groups: Vec<PeerGroup>,
    /// The group of each span; null where its operation was left out.
    pub group: Vec<Option<u32>>,
    /// How many percent of its peers each span is not shorter than.
    pub percentile: Vec<f32>,
    /// Operations that were left out.
    pub operations_cut: u64,
    /// Whether there are more peers than were looked at.
    pub truncated: bool,
}

/// Durations of one service and name around the trace, exact to 4.4 %.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeerGroup {
    /// The service.
    pub service: String,
    /// The name.
    pub name: String,
    /// Spans, those of this trace included.
    pub count: u64,
    /// Duration that 50 % do not exceed.
    pub p50_ns: f64,
    /// 75 %.
    pub p75_ns: f64,
    /// 90 %.
    pub p90_ns: f64,
    /// 99 %.
    pub p99_ns: f64,
}

/// Who links here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backlinks {
    /// The spans, by start.
    pub spans: Vec<Backlink>,
    /// Where was looked.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub start: i64,
    /// End of the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub end: i64,
    /// Spans with links that were looked at, the newest first.
    pub spans_looked_at: u64,
    /// Whether a limit ended the look: there may be more.
    pub truncated: bool,
}

/// A span that links here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Backlink {
    /// Its trace.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String)]
    pub trace_id: TraceId,
    /// Its id.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String)]
    pub span_id: SpanId,
    /// Its service.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String)]
    pub start_time: i64,
    /// The span of this trace that it links to.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String)]
    pub linked_span_id: SpanId,
}

impl From<query::TraceFacts> for TraceFacts {
    fn from(facts: query::TraceFacts) -> Self {
        let (operations, operations_cut) = facts.operations.unzip();
        let list = |operations: Vec<query::Operation>| operations.into_iter().map(operation);
        let orphan = |found: query::Orphan| Orphan {
            span: found.span,
            parent_span_id: found.parent_span_id,
        };
        let late = |found: query::LateSpan| LateSpan {
            span: found.span,
            after_parent_ns: found.after_parent_ns,
            after_root_ns: found.after_root_ns,
        };
        Self {
            trace_id: facts.trace_id,
            start_time: facts.start_ns,
            span_count: facts.span_count,
            skew: facts.skew.map(skew),
            critical_path: facts.critical_path.map(|pieces| CriticalPath {
                span: pieces.iter().map(|piece| piece.span).collect(),
                from_ns: pieces.iter().map(|piece| piece.from_ns).collect(),
                to_ns: pieces.iter().map(|piece| piece.to_ns).collect(),
            }),
            self_time_ns: facts.self_ns,
            depth: facts.depth,
            orphans: facts.orphans.map(|all| all.into_iter().map(orphan).collect()),
            late: facts.late.map(|all| all.into_iter().map(late).collect()),
            operations: operations.map(|all| list(all).collect()),
            operations_cut,
            peers: facts.peers.map(peers),
            backlinks: facts.backlinks.map(backlinks),
            stats: facts.stats.into(),
        }
    }
}

fn skew(moves: query::Moves) -> SkewFacts {
    let pair = |skew: query::Skew| SkewPair {
        parent_service: skew.parent_service,
        parent_clock: skew.parent_clock,
        child_service: skew.child_service,
        child_clock: skew.child_clock,
        moved: skew.moved,
        shift_min_ns: skew.shift_min_ns,
        shift_median_ns: skew.shift_median_ns,
        shift_max_ns: skew.shift_max_ns,
    };
    let (span, shift_ns) = moves.shifts.into_iter().unzip();
    SkewFacts { span, shift_ns, pairs: moves.skews.into_iter().map(pair).collect() }
}

fn operation(operation: query::Operation) -> Operation {
    Operation {
        service: operation.service,
        name: operation.name,
        count: operation.count,
        errors: operation.errors,
        total_ns: operation.total_ns,
        self_ns: operation.self_ns,
        p50_ns: operation.p50_ns,
        p95_ns: operation.p95_ns,
        max_ns: operation.max_ns,
        share: operation.share,
    }
}

fn peers(peers: query::Peers) -> Peers {
    let group = |group: query::PeerGroup| PeerGroup {
        service: group.service,
        name: group.name,
        count: group.count,
        p50_ns: group.p50_ns,
        p75_ns: group.p75_ns,
        p90_ns: group.p90_ns,
        p99_ns: group.p99_ns,
    };
    Peers {
        start: peers.start_ns,
        end: peers.end_ns,
        groups: peers.groups.into_iter().map(group).collect(),
        group: peers.group,
        percentile: peers.percentile,
        operations_cut: peers.operations_cut,
        truncated: peers.truncated,
    }
}

fn backlinks(found: query::Backlinks) -> Backlinks {
    let link = |link: query::Backlink| Backlink {
        trace_id: link.trace_id,
        span_id: link.span_id,
        service: link.service,
        name: link.name,
        start_time: link.start_time_ns,
        linked_span_id: link.linked_span_id,
    };
    Backlinks {
        spans: found.links.into_iter().map(link).collect(),
        start: found.start_ns,
        end: found.end_ns,
        spans_looked_at: found.spans_looked_at,
        truncated: found.truncated,
    }
}
