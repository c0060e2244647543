//! What a store says about itself, for `/api/v1/status` and `/metrics`.

use serde::{Deserialize, Serialize};
use throughline_model::Signal;

/// How far opening a store has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Progress {
    /// Bytes of log files to replay.
    pub wal_bytes_total: u64,
    /// Bytes of log files that were replayed.
    pub wal_bytes_done: u64,
    /// Requests that were replayed.
    pub requests: u64,
    /// Whether the store is open.
    pub done: bool,
}

/// A segment or a piece of the log that did not read back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The segment's id, or the name of the side file.
    pub name: String,
    /// What was found.
    pub why: String,
    /// When.
    pub at_ns: i64,
}

/// The segments of one level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LevelStatus {
    /// The level.
    pub level: u8,
    /// Segments.
    pub segments: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of Parquet files.
    pub data_bytes: u64,
    /// Bytes of index files.
    pub index_bytes: u64,
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SignalStatus {
    /// Which.
    pub signal: Signal,
    /// Its levels that have segments.
    pub levels: Vec<LevelStatus>,
    /// Rows in the heads.
    pub head_rows: u64,
    /// Bytes of memory in the heads.
    pub head_bytes: u64,
    /// Heads that wait for their flush.
    pub heads_sealed: u64,
    /// Files of the log.
    pub wal_files: u64,
    /// Bytes of the log's files.
    pub wal_bytes: u64,
    /// The last request in the log.
    pub wal_last_seq: u64,
    /// The last request that stands in segments.
    pub wal_checkpoint_seq: u64,
}

/// Work that is not done yet.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BacklogStatus {
    /// Compactions that could run now.
    pub ready: u64,
    /// Windows that will be compacted when they have been quiet for a while.
    pub waiting: u64,
    /// What runs now.
    pub running: Option<String>,
}

/// What has happened since the store was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Requests appended.
    pub requests: u64,
    /// Rows and points appended.
    pub rows: u64,
    /// Requests that a known body answered.
    pub duplicates: u64,
    /// Syncs of the logs.
    pub commits: u64,
    /// Heads flushed.
    pub flushes: u64,
    /// Compactions done.
    pub compactions: u64,
    /// Bytes that flushes and compactions wrote.
    pub segment_bytes_written: u64,
    /// Segments that the scrub found whole.
    pub scrubbed: u64,
    /// Segments that retention dropped.
    pub segments_expired: u64,
}

/// A store, at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreStatus {
    /// Per signal.
    pub signals: Vec<SignalStatus>,
    /// Compaction that is not done yet.
    pub backlog: BacklogStatus,
    /// Nothing in the heads, nothing sealed, no backlog, nothing running.
    pub settled: bool,
    /// Damage that was found and set aside.
    pub quarantined: Vec<Quarantined>,
    /// The last replay.
    pub replay: Progress,
    /// Bytes that the heads hold and may hold.
    pub heads_bytes: u64,
    /// The limit of `heads_bytes`.
    pub heads_bytes_max: u64,
    /// Bytes of all segments.
    pub segments_bytes: u64,
    /// Bytes free on the disk, when last looked at.
    pub disk_available_bytes: u64,
    /// Bodies in the deduplication window.
    pub dedup_entries: u64,
    /// Replaced segments whose files wait for their last reader.
    pub segments_released: u64,
    /// Why the store has stopped taking writes, if it has.
    pub failed: Option<String>,
    /// Since the store was opened.
    pub counters: Counters,
}
