//! Storage: where acknowledged telemetry lives, from the log to the last compaction.
//!
//! Place in the flow: `ingest` appends decoded requests, `query` scans views. See [`io`] for files,
//! [`segment`] for what is on disk, [`scan`] for reading it.
pub mod cache;
mod error;
pub mod io;
pub mod metric;
pub mod scan;
pub mod segment;

pub use error::{Error, ErrorKind, Result};
