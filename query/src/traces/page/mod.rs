//! What the page of a trace shows: its skeleton, its facts, and single spans in full.
//!
//! ```text
//! columns of the trace ─ columns ─▶ Rows ─ tree ─▶ parents, depth ─ skew ─▶ adjusted starts
//!                                                        │
//!        Skeleton ◀──────────────────────────────────────┤
//!        critical path, self time, orphans, late spans ◀─┤   facts
//!        operations ◀────────────────────────────────────┘
//!        peers, backlinks ◀─ scans of other traces around this one
//! ```
//! Everything works on columns with a row number a span; spans are in the order of their starts. The
//! exact meaning of each fact: `docs/trace-page.md`.

mod backlinks;
mod columns;
mod critical_path;
mod details;
mod facts;
mod operations;
mod peers;
mod self_time;
mod skeleton;
mod skew;
mod tree;

use throughline_model::{SpanId, TraceId};

use crate::QueryStatsSnapshot;

pub use backlinks::{BACKLINKS_MAX, Backlink, Backlinks};
pub use critical_path::Piece;
pub use details::DETAILS_MAX;
pub use facts::{Fact, LateSpan, Moves, Orphan, TraceFacts};
pub use operations::{OPERATIONS_MAX, Operation};
pub use peers::{PeerGroup, Peers};
pub use skew::Skew;

pub(super) use self_time::self_times;
pub(super) use skeleton::{Loaded, load, off_worker};

/// The parent of a span that has none in its trace.
pub const NO_PARENT: i32 = -1;

/// The most spans of a trace that has a skeleton.
pub const SKELETON_SPANS_MAX: usize = 300_000;

/// Bits of [`Skeleton::flags`].
pub mod flag {
    /// The span names no parent.
    pub const ROOT: u16 = 1;
    /// It names one that is not in the trace.
    pub const ORPHAN: u16 = 1 << 1;
    /// Its status is ERROR.
    pub const ERROR: u16 = 1 << 2;
    /// It has events.
    pub const EVENTS: u16 = 1 << 3;
    /// It has links.
    pub const LINKS: u16 = 1 << 4;
    /// It starts after its parent has ended.
    pub const LATE_FOR_PARENT: u16 = 1 << 5;
    /// It starts after the top of its tree has ended.
    pub const LATE_FOR_ROOT: u16 = 1 << 6;
    /// Its parent is left out, since the chain of parents would never end.
    pub const CYCLE: u16 = 1 << 7;
    /// It was moved to make up for the skew of clocks.
    pub const MOVED: u16 = 1 << 8;
}

/// Every span of a trace, in columns: one entry a span, by start, then id.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Skeleton {
    /// The trace.
    pub trace_id: TraceId,
    /// Earliest start, nanoseconds since the epoch.
    pub start_ns: i64,
    /// Latest end minus earliest start.
    pub duration_ns: i64,
    /// Distinct names, services and clocks, which the columns number.
    pub names: Vec<String>,
    /// See `names`.
    pub services: Vec<String>,
    /// See `names`: what tells apart the clocks of the spans, such as `host.name=a1`.
    pub clocks: Vec<String>,
    /// Ids.
    pub span_id: Vec<SpanId>,
    /// Places of the parents; [`NO_PARENT`] for none.
    pub parent: Vec<i32>,
    /// Starts as sent, relative to `start_ns`.
    pub start: Vec<i64>,
    /// Ends minus starts as sent; may be negative.
    pub duration: Vec<i64>,
    /// Names by number.
    pub name: Vec<u32>,
    /// Services by number.
    pub service: Vec<u32>,
    /// Clocks by number.
    pub clock: Vec<u32>,
    /// `SpanKind` as sent.
    pub kind: Vec<i32>,
    /// `StatusCode` as sent.
    pub status: Vec<i32>,
    /// Bits of [`flag`].
    pub flags: Vec<u16>,
}

impl Skeleton {
    /// How many spans there are.
    pub fn len(&self) -> usize {
        self.span_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.span_id.is_empty()
    }
}

/// A skeleton with what it cost.
#[derive(Clone, Debug, Default)]
pub struct SkeletonResult {
    /// The skeleton.
    pub skeleton: Skeleton,
    /// What the lookup did; `partial` names segments whose spans it lacks.
    pub stats: QueryStatsSnapshot,
}
