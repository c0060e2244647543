//! Settings of a store. Data only; components (clock, decoder, tracker) are arguments.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use throughline_model::Signal;
use throughline_model::predicate::Predicate;
use throughline_model::time::{MINUTE_NS, SECOND_NS};
use tokio::sync::watch;

use crate::io::{Disk, LocalDisk};
use crate::status::Progress;

const MIB: u64 = 1024 * 1024;

/// Settings of a store, with defaults for a machine of 512 MiB.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The folder that everything lives in.
    pub data_dir: PathBuf,
    /// The file system; tests put a faulty one.
    pub disk: Arc<dyn Disk>,
    /// Length of a log file.
    pub wal_file_bytes: u64,
    /// How long a group commit gathers requests after the first.
    pub commit_window: Duration,
    /// At how many bytes of bodies it stops gathering.
    pub commit_bytes: u64,
    /// Size at which a live head is sealed.
    pub head_bytes: u64,
    /// What all heads may hold together.
    pub heads_bytes_max: u64,
    /// Age at which the live head of spans or of logs is sealed.
    pub head_age_ns: i64,
    /// Age at which the live head of metrics is sealed.
    pub metrics_head_age_ns: i64,
    /// A head that got nothing for so long is sealed before its age.
    pub head_idle_ns: i64,
    /// How long an append waits for room in the heads before it is refused.
    pub append_patience: Duration,
    /// How long a body stays in the deduplication window.
    pub dedup_age_ns: i64,
    /// How many bodies stay in the deduplication window.
    pub dedup_entries_max: usize,
    /// Memory for segment footers, indexes and filters.
    pub cache_bytes: u64,
    /// Age at which rows are dropped, per signal; none is kept for ever.
    pub retention: Retention,
    /// Classes of log records that are kept for another time than `retention` says; a record belongs to the
    /// first whose conditions it meets.
    pub log_classes: Vec<RetentionClass>,
    /// Bytes of segments above which the oldest windows are dropped.
    pub segments_bytes_max: Option<u64>,
    /// Bytes of the disk that are left free: below, appends are refused.
    pub disk_reserve_bytes: u64,
    /// How often heads, backlog, disk and replaced files are looked at.
    pub tick: Duration,
    /// Bytes a second that the scrub reads at most.
    pub scrub_bytes_per_second: u64,
    /// Whether flush, compaction, retention and scrub run by themselves. Tests drive them.
    pub background: bool,
    /// Where the progress of opening is told.
    pub progress: Option<watch::Sender<Progress>>,
}

/// Age at which rows are dropped, per signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Of spans.
    pub traces_ns: Option<i64>,
    /// Of log records.
    pub logs_ns: Option<i64>,
    /// Of series and points.
    pub metrics_ns: Option<i64>,
}

/// Log records that are kept for a time of their own.
#[derive(Clone, Debug)]
pub struct RetentionClass {
    /// What it is called.
    pub name: String,
    /// What its records meet, all of it.
    pub predicates: Vec<Predicate>,
    /// Age at which they are deleted; none for never.
    pub keep_ns: Option<i64>,
}

impl Retention {
    /// Of a signal.
    pub fn of(&self, signal: Signal) -> Option<i64> {
        match signal {
            Signal::Traces => self.traces_ns,
            Signal::Logs => self.logs_ns,
            Signal::Metrics => self.metrics_ns,
        }
    }
}

impl StoreOptions {
    /// The defaults for a folder.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            disk: Arc::new(LocalDisk),
            wal_file_bytes: 64 * MIB,
            commit_window: Duration::from_millis(2),
            commit_bytes: MIB,
            head_bytes: 32 * MIB,
            heads_bytes_max: 160 * MIB,
            head_age_ns: 10 * SECOND_NS,
            metrics_head_age_ns: 5 * MINUTE_NS,
            head_idle_ns: 20 * SECOND_NS,
            append_patience: Duration::from_secs(2),
            dedup_age_ns: 15 * MINUTE_NS,
            dedup_entries_max: 1_000_000,
            cache_bytes: 64 * MIB,
            retention: Retention::default(),
            log_classes: Vec::new(),
            segments_bytes_max: None,
            disk_reserve_bytes: 256 * MIB,
            tick: Duration::from_secs(1),
            scrub_bytes_per_second: 8 * MIB,
            background: true,
            progress: None,
        }
    }

    /// Age at which the live head of a signal is sealed.
    pub(crate) fn head_age_of(&self, signal: Signal) -> i64 {
        match signal {
            Signal::Metrics => self.metrics_head_age_ns,
            Signal::Traces | Signal::Logs => self.head_age_ns,
        }
    }
}
