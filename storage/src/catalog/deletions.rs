//! What was deleted of log records on request.

use ulid::Ulid;

/// Deletions that are remembered; the oldest that are done make room.
pub(crate) const DELETIONS_MAX: i64 = 10_000;

/// A deletion of log records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogDeletion {
    /// Names it.
    pub id: Ulid,
    /// When it was asked for, and reads began to leave the records out; nanoseconds since the epoch.
    pub asked_at_ns: i64,
    /// What was asked for, in the words of whoever asked.
    pub query: String,
    /// The first time that records could have.
    pub start_ns: i64,
    /// The time before which theirs lay.
    pub end_ns: i64,
    /// Records that were deleted.
    pub rows: u64,
    /// Segments that still hold some of them in their files. None: they are gone.
    pub segments_left: u64,
}
