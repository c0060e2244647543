//! What people and pipelines say about the data: the state of a group of exceptions, and changes that
//! no telemetry tells. Kept apart from segments: it outlives them.

use serde::{Deserialize, Serialize};
use throughline_model::exception::Fingerprint;
use throughline_model::time::TimeRange;

/// The most groups of exceptions that have a state.
pub const STATES_MAX: u64 = 100_000;
/// The most posted changes that are kept; of more, those that happened first are forgotten.
pub const CHANGES_MAX: u64 = 20_000;

/// What somebody decided about a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Decision {
    /// It is dealt with; another occurrence is news.
    Resolved,
    /// It is not worth looking at.
    Ignored,
}

/// The state of a group of exceptions, where somebody decided one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionState {
    /// The group.
    pub fingerprint: Fingerprint,
    /// What was decided.
    pub decision: Decision,
    /// When.
    pub changed_at_ns: i64,
    /// By whom; empty where nobody said.
    pub changed_by: String,
    /// For [`Decision::Resolved`]: the version that still had it, whose occurrences are no news.
    pub resolved_in_version: Option<String>,
    /// For [`Decision::Ignored`]: until when.
    pub ignored_until_ns: Option<i64>,
    /// Why, in words.
    pub note: String,
}

/// What kind of change was posted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum PostedKind {
    /// Another version runs.
    Deployment = 1,
    /// Other settings hold.
    Config = 2,
    /// A flag was switched.
    FeatureFlag = 3,
    /// Anything else.
    Other = 4,
}

impl PostedKind {
    /// The kind with this number.
    pub fn from_u8(number: u8) -> Option<Self> {
        let all = [Self::Deployment, Self::Config, Self::FeatureFlag, Self::Other];
        all.into_iter().find(|kind| *kind as u8 == number)
    }
}

/// A change that was posted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedChange {
    /// Its number, given by the catalog.
    pub id: u64,
    /// Of what kind.
    pub kind: PostedKind,
    /// When it happened.
    pub time_ns: i64,
    /// The service that changed; empty for all.
    pub service: String,
    /// The version that runs since; empty where that is not the change.
    pub version: String,
    /// What changed, in words.
    pub title: String,
    /// Where to read more; empty for nowhere.
    pub link: String,
    /// Whatever else was said, as the text of a JSON object.
    pub attributes: String,
}

/// Which posted changes are meant.
#[derive(Clone, Debug)]
pub struct ChangesAsked {
    /// When they happened.
    pub time: TimeRange,
    /// Of this service, and those of all services.
    pub service: Option<String>,
    /// At most so many, the newest.
    pub limit: usize,
}
