//! A trace in a list, out of a few columns of its spans.

use std::collections::{HashMap, HashSet};

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType};
use throughline_model::TraceId;
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_storage::scan::ScanColumn;
use throughline_storage::segment::TraceFacts;

use super::{ServiceCount, Status, TraceSummary};
use crate::{Error, Result};

const COLUMNS: [&str; 7] = [
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::NAME,
    col::SERVICE_NAME,
    col::START_TIME,
    col::DURATION_NS,
    col::STATUS_CODE,
];

/// The columns that a summary is made of.
pub(crate) fn columns() -> Vec<ScanColumn> {
    COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec()
}

/// A summary under way.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    // The best span to name the trace after so far.
    head: Option<Head>,
    start_ns: Option<i64>,
    end_ns: i64,
    spans: u64,
    errors: u64,
    services: HashMap<String, (u64, u64)>,
    ids: HashSet<[u8; 8]>,
    // Parents named, each as often as it is.
    parents: Vec<[u8; 8]>,
}

// A root comes before others, an earlier span before a later one.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Head {
    has_parent: bool,
    start_ns: i64,
    span_id: Vec<u8>,
    service: String,
    operation: String,
}

impl Summary {
    /// Adds some spans of a batch.
    pub fn add_rows(
        &mut self,
        batch: &RecordBatch,
        rows: impl Iterator<Item = usize>,
    ) -> Result<()> {
        let column = |name: &str| -> Result<&ArrayRef> {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::internal(format!("a trace was read without {name}")))
        };
        let ids = column(col::SPAN_ID)?.as_fixed_size_binary();
        let parents = column(col::PARENT_SPAN_ID)?;
        let (names, services) = (column(col::NAME)?, column(col::SERVICE_NAME)?);
        let starts = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        let durations = column(col::DURATION_NS)?.as_primitive::<Int64Type>();
        let statuses = column(col::STATUS_CODE)?.as_primitive::<Int32Type>();
        for row in rows {
            let start_ns = starts.value(row);
            let service = dict_str(services.as_ref(), row);
            let error = u64::from(statuses.value(row) == Status::Error as i32);
            let head = Head {
                has_parent: parents.is_valid(row),
                start_ns,
                span_id: ids.value(row).to_vec(),
                service: service.to_owned(),
                operation: dict_str(names.as_ref(), row).to_owned(),
            };
            self.ids.extend(id(ids.value(row)));
            if parents.is_valid(row) {
                self.parents.extend(id(parents.as_fixed_size_binary().value(row)));
            }
            if self.head.as_ref().is_none_or(|best| head < *best) {
                self.head = Some(head);
            }
            let end_ns = start_ns.saturating_add(durations.value(row).max(0));
            self.end_ns = if self.start_ns.is_none() { end_ns } else { self.end_ns.max(end_ns) };
            self.start_ns = Some(self.start_ns.map_or(start_ns, |start| start.min(start_ns)));
            self.spans += 1;
            self.errors += error;
            let counts = self.services.entry(service.to_owned()).or_default();
            *counts = (counts.0 + 1, counts.1 + error);
        }
        Ok(())
    }

    /// The summary of a trace that nothing has to be read for.
    pub fn of_facts(facts: TraceFacts, trace_id: TraceId, matched_spans: u64) -> TraceSummary {
        let count =
            |(name, span_count, error_count)| ServiceCount { name, span_count, error_count };
        let mut services = facts.services.into_iter().map(count).collect::<Vec<_>>();
        services.sort_by(|a, b| (b.span_count, &a.name).cmp(&(a.span_count, &b.name)));
        TraceSummary {
            trace_id,
            root_service: facts.head_service,
            root_operation: facts.head_name,
            has_root: facts.has_root,
            start_time_ns: facts.start_ns,
            duration_ns: facts.duration_ns,
            span_count: facts.spans,
            error_count: facts.errors,
            orphan_count: facts.orphans,
            matched_spans,
            services,
        }
    }

    /// The summary.
    pub fn finish(self, trace_id: TraceId, matched_spans: u64) -> TraceSummary {
        let start_time_ns = self.start_ns.unwrap_or_default();
        let count =
            |(name, (span_count, error_count))| ServiceCount { name, span_count, error_count };
        let mut services = self.services.into_iter().map(count).collect::<Vec<_>>();
        services.sort_by(|a, b| (b.span_count, &a.name).cmp(&(a.span_count, &b.name)));
        let orphans = self.parents.iter().filter(|parent| !self.ids.contains(*parent));
        let orphan_count = orphans.count() as u64;
        let has_root = self.head.as_ref().is_some_and(|head| !head.has_parent);
        let (root_service, root_operation) =
            self.head.map(|head| (head.service, head.operation)).unwrap_or_default();
        TraceSummary {
            trace_id,
            root_service,
            root_operation,
            has_root,
            start_time_ns,
            duration_ns: self.end_ns.saturating_sub(start_time_ns),
            span_count: self.spans,
            error_count: self.errors,
            orphan_count,
            matched_spans,
            services,
        }
    }
}

fn id(bytes: &[u8]) -> Option<[u8; 8]> {
    bytes.try_into().ok()
}
