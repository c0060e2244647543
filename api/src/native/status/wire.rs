//! What goes over the wire of the server's status.

use serde::Serialize;
use throughline_storage::StoreStatus;
use utoipa::ToSchema;

use crate::render::value::time;

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerStatus {
    /// Whether it takes requests.
    pub ready: bool,
    /// The stage of its life in words.
    #[schema(example = "ready")]
    pub stage: String,
    /// What is running.
    pub build: Build,
    /// When the process started.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub started_at: i64,
    /// Seconds since then.
    pub uptime_seconds: f64,
    /// Everything acknowledged is in merged segments, and nothing waits.
    pub settled: bool,
    /// What is stored.
    pub stored: Stored,
    /// Segments, log, heads, backlog, quarantine and replay, in detail.
    #[schema(value_type = Object)]
    pub store: StoreStatus,
}

/// What is running.
#[derive(Debug, Serialize, ToSchema)]
pub struct Build {
    /// The version of the server.
    #[schema(example = "0.1.0")]
    pub version: String,
    /// The commit it was built from, if known.
    pub commit: Option<String>,
}

/// Counts of what is stored, in heads and segments.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Stored {
    /// Spans.
    pub spans: u64,
    /// Log records.
    pub log_records: u64,
    /// Rows of metric segments and points in heads.
    pub metric_rows: u64,
}

/// Whether the server takes requests.
#[derive(Debug, Serialize, ToSchema)]
pub struct Ready {
    /// Whether it does.
    pub ready: bool,
    /// The stage of its life in words, with progress.
    #[schema(example = "replaying the log: 40 %")]
    pub stage: String,
}
