//! What there is to ask about: services, operations, attribute names and values.

use crate::QueryStatsSnapshot;

/// A name with how often it occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameCount {
    /// The name.
    pub name: String,
    /// Items that carry it, of those that were looked at.
    pub count: u64,
}

/// Names, most frequent first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Names {
    /// The names.
    pub names: Vec<NameCount>,
    /// Whether not everything was looked at or listed: there may be more.
    pub truncated: bool,
    /// What the look did.
    pub stats: QueryStatsSnapshot,
}

/// The most names in one answer.
pub const NAMES_MAX: usize = 1000;
