//! Exceptions by group: which there are, since when, how many, whom they meet, and what was decided.
//!
//! The groups come from the indexes of segments and from heads (`storage::scan::fold_exceptions`), what
//! was decided from the catalog; whether a resolved group has come back is seen when it is asked, so no
//! job has to watch for it. Counts are kept by minute: a range of time is widened to whole minutes.

mod cursor;
mod gather;
mod list;
mod state;

use std::collections::BTreeMap;

use throughline_model::exception::{Fingerprint, Frame};
use throughline_model::time::TimeRange;
use throughline_storage::segment::{
    ExceptionOrigin, ExceptionSample, ExceptionSource, ExceptionText,
};
use throughline_storage::{Decision, ExceptionState};

use crate::QueryStatsSnapshot;

pub use state::{ExceptionChange, TEXT_BYTES_MAX};

/// The largest page of groups.
pub const GROUPS_PAGE_MAX: usize = 500;
/// The most steps that occurrences are counted in.
pub const STEPS_MAX: usize = 1500;
/// The most groups that one question looks at.
pub const GROUPS_MAX: usize = 50_000;

/// How a group stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExceptionStatus {
    /// Nobody decided anything, or ignored it until a time that has passed.
    New,
    /// It was resolved and has not come back.
    Resolved,
    /// It is ignored.
    Ignored,
    /// It was resolved and has come back.
    Regressed,
}

impl ExceptionStatus {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::New, Self::Resolved, Self::Ignored, Self::Regressed];

    /// The name that API and SQL know it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Resolved => "resolved",
            Self::Ignored => "ignored",
            Self::Regressed => "regressed",
        }
    }

    // What a decision means now; `came_back` says whether it happened since.
    fn of(state: Option<&ExceptionState>, came_back: bool, now_ns: i64) -> Self {
        match state {
            None => Self::New,
            Some(ExceptionState { decision: Decision::Resolved, .. }) if came_back => {
                Self::Regressed
            }
            Some(ExceptionState { decision: Decision::Resolved, .. }) => Self::Resolved,
            Some(state) if state.ignored_until_ns.is_some_and(|until| until <= now_ns) => Self::New,
            Some(_) => Self::Ignored,
        }
    }
}

/// In which order groups come, the largest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExceptionOrder {
    /// By the last occurrence.
    #[default]
    LastSeen,
    /// By the first occurrence.
    FirstSeen,
    /// By the number of occurrences in the range.
    Count,
}

/// What a group must meet, all of it.
#[derive(Clone, Debug, Default)]
pub struct ExceptionSearch {
    /// It occurred in this range. Counts are those in the range.
    pub time: Option<TimeRange>,
    /// It occurred in one of these services; empty for any. Occurrences in others do not count.
    pub services: Vec<String>,
    /// It stands in one of these ways; empty for any.
    pub statuses: Vec<ExceptionStatus>,
    /// Words that all occur in its type or message, in either case.
    pub text: String,
    /// Steps in which occurrences are counted over time; the range must have a start and an end.
    pub step_ns: Option<i64>,
    /// Which groups come first.
    pub order: ExceptionOrder,
    /// Groups a page, 1 to [`GROUPS_PAGE_MAX`].
    pub limit: usize,
    /// Where the page before ended.
    pub cursor: Option<String>,
}

/// A page of groups.
#[derive(Clone, Debug, Default)]
pub struct ExceptionPage {
    /// The groups, in the order asked for.
    pub groups: Vec<ExceptionDetail>,
    /// Groups that match, on all pages.
    pub total: u64,
    /// Cursor of the next page; none when there is nothing more.
    pub next: Option<String>,
    /// Occurrences that belong to groups past the bounds of an index: no group counts them.
    pub left_out: u64,
    /// Whether there were more than [`GROUPS_MAX`] groups: some were not looked at.
    pub truncated: bool,
    /// What the look did; `partial` names segments whose exceptions it lacks.
    pub stats: QueryStatsSnapshot,
}

/// A group of exceptions.
#[derive(Clone, Debug)]
pub struct ExceptionDetail {
    /// Its name.
    pub fingerprint: Fingerprint,
    /// Type, message and stack trace of its newest occurrence, shortened.
    pub text: ExceptionText,
    /// The frames of that stack trace, the innermost first.
    pub frames: Vec<Frame>,
    /// How it stands.
    pub status: ExceptionStatus,
    /// What was decided, if anything was.
    pub state: Option<ExceptionState>,
    /// The first occurrence of all that are stored.
    pub first_seen_ns: i64,
    /// The last of them.
    pub last_seen_ns: i64,
    /// Occurrences in the range.
    pub count: u64,
    /// The services and versions they come from.
    pub origins: Vec<OriginCount>,
    /// Occurrences over time, by version; none unless steps were asked for.
    pub steps: Option<ExceptionSteps>,
    /// Some of the newest, each of another trace, the newest first.
    pub samples: Vec<ExceptionSample>,
    /// Users who met it, in all of the time that is stored.
    pub users: UserCount,
}

/// Occurrences of a group from one origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginCount {
    /// Service and version.
    pub service: String,
    /// Empty where the resource names none.
    pub version: String,
    /// What carried them.
    pub source: ExceptionSource,
    /// The first of all that are stored.
    pub first_seen_ns: i64,
    /// The last of them.
    pub last_seen_ns: i64,
    /// Those in the range.
    pub count: u64,
}

/// Occurrences over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExceptionSteps {
    /// Start of the first step, a whole minute.
    pub start_ns: i64,
    /// Length of each.
    pub step_ns: i64,
    /// Counts by version, none left out.
    pub counts: BTreeMap<String, Vec<u64>>,
}

/// How many users there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserCount {
    /// So many, exactly or nearly.
    pub count: u64,
    /// Whether that is exact.
    pub is_exact: bool,
    /// A few of them.
    pub names: Vec<String>,
}

// Whether an occurrence at this time and place makes a resolved group one that has come back.
fn is_regression(state: &ExceptionState, origin: &ExceptionOrigin, last_ns: i64) -> bool {
    state.decision == Decision::Resolved
        && last_ns > state.changed_at_ns
        && state.resolved_in_version.as_ref() != Some(&origin.version)
}
