//! What goes over the wire of a context.

use serde::Serialize;
use throughline_query::logs as query;
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use super::super::wire::{LogRecord, log_records};
use crate::render::value::time;

/// A record among its neighbours.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogContext {
    /// The records before it, the oldest first.
    pub before: Vec<LogRecord>,
    /// The record.
    pub record: LogRecord,
    /// The records after it, the oldest first.
    pub after: Vec<LogRecord>,
    /// From when on was looked: with fewer records before it than asked for, and this a day before
    /// it, there may be more.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:59:59.000000000Z")]
    pub looked_from: i64,
    /// Until when was looked, likewise; this time is not in it.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:01.000000000Z")]
    pub looked_to: i64,
    /// What the search cost.
    pub stats: Stats,
}

impl LogContext {
    /// The context of the record with this id.
    pub fn new(context: query::LogContext, id: query::LogId) -> Self {
        Self {
            before: log_records(context.before, 0),
            record: LogRecord::new(context.record, id),
            after: log_records(context.after, context.repeats),
            looked_from: context.looked.start_ns,
            looked_to: context.looked.end_ns,
            stats: context.stats.into(),
        }
    }
}
