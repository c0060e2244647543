//! The data model: what a span, a log record, a series and a sample are, in columns.
//!
//! Place in the flow: `ingest` fills the batch builders here, `storage` keeps the batches, `query`
//! reads them back. Nothing in this crate does I/O.
//!
//! - [`ids`], [`time`], [`value`], [`attrs`]: the scalars and their binary codec
//! - [`schema`]: every Arrow schema and column name, once
//! - [`dict`], [`columns`]: columns under construction
//! - [`span`], [`log_record`], [`metric`]: batch builders and row views
//! - [`exception`]: which exceptions are the same
//! - [`exponential`]: buckets of distributions
//! - [`predicate`]: conditions that `query` pushes down and `storage` evaluates
//! - [`words`]: what a word of a text is
pub mod attrs;
pub mod batch;
pub mod codec;
pub mod columns;
pub mod dict;
mod error;
pub mod exception;
pub mod exponential;
pub mod go_regex;
pub mod histogram;
pub mod ids;
pub mod log_record;
pub mod metric;
pub mod origin;
pub mod predicate;
pub mod schema;
pub mod signal;
pub mod span;
pub mod template;
pub mod time;
pub mod value;
pub mod words;

pub use batch::Batch;
pub use error::{Error, ErrorKind, Result};
pub use ids::{SpanId, TraceId};
pub use signal::Signal;
pub use value::Value;
