//! Segments: the bundle `<ulid>.parquet` + `<ulid>.idx` and its lean catalog row.
//!
//! Place in the flow: a flush writes the rows of a head ([`write_spans`], [`write_logs`]), compaction
//! rewrites several segments as one ([`merge`]), a scan opens a [`Segment`]. A written segment never
//! changes.
//!
//! - `layout`: the file's columns and encodings; `attributes`: which keys get one
//! - `gather`: rows of many batches into columns; `spans`, `logs`: in which order
//! - `dictionary`: values as numbers; `chunk`: a column of numbers in pages; `hybrid`: their packing
//! - `writer`: row groups, footer, index; `index`: what is known without reading rows
//! - `trace_facts`: what a list shows of each trace, for the index
//! - `facts`: what is derived from rows beside them: `exceptions` by group, `versions` by service
//! - `open`: footer, index and columns of a segment; `pages`: their bytes; `rows`: file columns back to item columns
//! - `rollup`: rates, errors, durations and the service map, counted when spans are written
//! - `log_runs`: what neighbouring log records share; `templates`: what their bodies look like;
//!   `log_parts` reads both and the words
//! - `words`: which rows of log records have a word; `row_set`: rows of a row group as bits
//! - `soundness`: whether its bytes are still what was written
mod attributes;
mod chunk;
pub(crate) mod deleted;
mod dictionary;
pub(crate) mod exceptions;
pub(crate) mod facts;
pub(crate) mod gather;
mod hybrid;
pub(crate) mod index;
pub(crate) mod layout;
pub(crate) mod log_parts;
pub(crate) mod log_runs;
pub(crate) mod log_traces;
mod logs;
mod merge;
pub(crate) mod open;
mod pages;
pub(crate) mod rollup;
pub(crate) mod row_set;
pub(crate) mod rows;
pub(crate) mod runs;
pub(crate) mod soundness;
pub(crate) mod spans;
pub(crate) mod templates;
#[cfg(test)]
pub(crate) mod tests;
mod trace_facts;
pub(crate) mod versions;
pub(crate) mod words;
mod writer;

use serde::{Deserialize, Serialize};
use throughline_model::Signal;
use throughline_model::time::TimeRange;
use ulid::Ulid;

use crate::io::SegmentSink;

pub use deleted::Deletions;
pub use exceptions::{
    ExceptionCounts, ExceptionGroup, ExceptionOrigin, ExceptionSample, ExceptionSource,
    ExceptionText, Exceptions, SAMPLES_MAX, Users,
};
pub use index::facts::TraceFacts;
pub use layout::{Layout, SpanOrder};
pub(crate) use logs::mine;
pub use logs::write_logs;
pub(crate) use merge::merge_without;
pub use merge::{merge, merge_with};
pub use open::Segment;
pub use spans::{write_spans, write_spans_with};
pub use templates::SegmentTemplates;
pub use versions::{Run, Versions};

/// What the catalog knows of a segment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SegmentMeta {
    /// Names the files.
    pub id: Ulid,
    /// Which item schema the rows have.
    pub signal: Signal,
    /// Whose rows they are; one tenant a segment.
    pub tenant: String,
    /// 0 from a flush, 1 and 2 from compaction.
    pub level: u8,
    /// Start of the compaction window that the rows' times fall into.
    pub window_start_ns: i64,
    /// End of that window, exclusive.
    pub window_end_ns: i64,
    /// First nanosecond of any row.
    pub min_time_ns: i64,
    /// Last nanosecond of any row (for spans: of their ends), inclusive.
    pub max_time_ns: i64,
    /// Rows.
    pub rows: u64,
    /// Length of `<ulid>.parquet`.
    pub data_bytes: u64,
    /// Length of `<ulid>.idx`.
    pub index_bytes: u64,
    /// crc32c of `<ulid>.parquet`.
    pub data_crc32c: u32,
    /// crc32c of `<ulid>.idx`.
    pub index_crc32c: u32,
    /// Version of the layout.
    pub format_version: u16,
    /// When the segment was written.
    pub created_at_ns: i64,
}

impl SegmentMeta {
    /// The name of the Parquet file.
    pub fn data_name(&self) -> String {
        format!("{}.parquet", self.id)
    }

    /// The name of the index file.
    pub fn index_name(&self) -> String {
        format!("{}.idx", self.id)
    }
}

/// What a writer is told about the segment that it writes.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// The segment's id.
    pub id: Ulid,
    /// Whose rows they are.
    pub tenant: String,
    /// The level.
    pub level: u8,
    /// The compaction window.
    pub window: TimeRange,
    /// The time of writing.
    pub created_at_ns: i64,
}

/// Where a writer puts the two files of a bundle. Whoever made the sinks syncs them.
#[derive(Debug)]
pub struct Sinks {
    /// `<ulid>.parquet`.
    pub data: SegmentSink,
    /// `<ulid>.idx`.
    pub index: SegmentSink,
}
