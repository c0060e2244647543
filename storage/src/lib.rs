//! Storage: where acknowledged telemetry lives, from the log to the last compaction.
//!
//! Place in the flow: `ingest` appends decoded requests to a [`Store`], `query` scans its [`View`]s.
//!
//! - [`Store`]: claim, append, view, flush, compact, status
//! - [`wal`], `head`, [`segment`], [`metric`]: the levels that a row passes
//! - `catalog`: which segments are true; `dedup`: which bodies are known
//! - `publish`: the one place where a view changes; `tail`: who hears of it;
//!   `maintain`: what happens in the background
//! - [`scan`]: reading a view; [`io`]: every file and sync call
pub mod cache;
mod catalog;
mod core;
mod dedup;
mod error;
mod head;
mod inflate;
pub mod io;
mod maintain;
pub mod metric;
mod open;
mod options;
mod publish;
pub mod scan;
pub mod segment;
mod status;
mod store;
mod tail;
#[cfg(test)]
mod tests;
mod view;
pub mod wal;

pub use cache::Cache;
pub use catalog::deletions::LogDeletion;
pub use catalog::notes::{
    CHANGES_MAX, ChangesAsked, Decision, ExceptionState, PostedChange, PostedKind, STATES_MAX,
};
pub use dedup::{Claim, Ticket};
pub use error::{Error, ErrorKind, Result};
pub use head::{HeadBatch, HeadSlice, Heads};
pub use maintain::delete::DeleteRequest;
pub use options::{Retention, RetentionClass, StoreOptions};
pub use status::{
    BacklogStatus, Counters, LevelStatus, Progress, Quarantined, SignalStatus, StoreStatus,
};
pub use store::Store;
pub use tail::{LogSubscription, TAIL_BATCHES_MAX, TAIL_BYTES_MAX, TAILS_MAX, Tailed};
pub use view::{MetricTier, Tier, View};
pub use wal::{DecodeFn, Encoding, Format, Reply, WalRecord};
