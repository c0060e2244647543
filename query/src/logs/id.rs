//! What singles a log record out: its time, what it says, and which of several that say the same.
//!
//! Records have no number of their own, and their places change with flush and compaction. Their order
//! within one time depends on nothing but what they say (see `read::by_content`), so that records
//! that say the same are neighbours in it and can be counted.

use std::fmt;
use std::sync::Arc;

use throughline_model::origin::{Resource, Scope};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::LogRecord;
use crate::{Error, Result};

/// The address of a log record, as text `<time in nanoseconds>.<content in hex digits>.<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogId {
    /// The record's time.
    pub time_ns: i64,
    /// A hash of everything that it says.
    pub(super) content: u64,
    /// How many records that say the same come before it.
    pub(super) number: u32,
}

impl LogId {
    /// Reads the text of an id; the error is of the field `id`.
    pub fn parse(text: &str) -> Result<Self> {
        let parse = || {
            let (time, rest) = text.split_once('.')?;
            let (content, number) = rest.split_once('.')?;
            Some(Self {
                time_ns: time.parse().ok()?,
                content: u64::from_str_radix(content, 16).ok()?,
                number: number.parse().ok()?,
            })
        };
        parse().ok_or_else(|| Error::invalid("id", format!("'{text}' is no id of a log record")))
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:016x}.{}", self.time_ns, self.content, self.number)
    }
}

/// The ids of records that follow each other in the order of a search, of which `repeats` that say the
/// same as the first came before. In another order records that say the same share an id.
pub fn log_ids(records: &[LogRecord], repeats: usize) -> Vec<LogId> {
    let mut contents = Contents::default();
    let mut ids: Vec<LogId> = Vec::with_capacity(records.len());
    for record in records {
        let (time_ns, content) = (record.time_ns, contents.of(record));
        let number = match ids.last() {
            None => u32::try_from(repeats).unwrap_or(u32::MAX),
            Some(last) if (last.time_ns, last.content) == (time_ns, content) => {
                last.number.saturating_add(1)
            }
            Some(_) => 0,
        };
        ids.push(LogId { time_ns, content, number });
    }
    ids
}

/// Hashes what records say. Neighbours share resource and scope: these are hashed once.
#[derive(Default)]
pub(super) struct Contents {
    resource: Option<(Arc<Resource>, u64)>,
    scope: Option<(Arc<Scope>, u64)>,
    bytes: Vec<u8>,
}

impl Contents {
    /// The hash of a record without its time. Attributes are a set: their order says nothing.
    pub fn of(&mut self, record: &LogRecord) -> u64 {
        let resource = match &self.resource {
            Some((known, hash)) if Arc::ptr_eq(known, &record.resource) => *hash,
            _ => self.resource.insert((record.resource.clone(), hash_resource(record))).1,
        };
        let scope = match &self.scope {
            Some((known, hash)) if Arc::ptr_eq(known, &record.scope) => *hash,
            _ => self.scope.insert((record.scope.clone(), xxh3_64(&record.scope.encode()))).1,
        };
        let mut hash = Xxh3::new();
        for number in [
            resource,
            scope,
            record.observed_time_ns as u64,
            record.severity_number as u64,
            u64::from(record.flags),
            u64::from(record.dropped_attributes_count),
            u64::from(record.has_event_time),
        ] {
            hash.update(&number.to_le_bytes());
        }
        for text in [&record.severity_text, &record.event_name] {
            hash.update(&(text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(&record.trace_id.map_or([0; 16], |id| id.0));
        hash.update(&record.span_id.map_or([0; 8], |id| id.0));
        let bytes = &mut self.bytes;
        bytes.clear();
        match &record.body {
            None => bytes.push(0),
            Some(body) => {
                bytes.push(1);
                body.encode(bytes);
            }
        }
        let mut attributes: Vec<_> = record.attributes.iter().collect();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        for (key, value) in attributes {
            bytes.extend_from_slice(&(key.len() as u64).to_le_bytes());
            bytes.extend_from_slice(key.as_bytes());
            value.encode(bytes);
        }
        hash.update(bytes);
        hash.digest()
    }
}

fn hash_resource(record: &LogRecord) -> u64 {
    xxh3_64(&record.resource.encode())
}
