//! What an index says of a segment as a whole and of each row group.
//!
//! ```text
//! summary   := varint rows | varint raw bytes | varint row groups, row group*
//!              | varint columns, (len, key | kind u8 | repeats u8)*
//!              | complete u8 | varint keys, (len, key | in rest u8 | 8 × varint count)*
//! row group := varint rows | min, max start i64 LE | max end i64 LE | varint first trace
//!              | varint traces | twins u8
//! ```

use throughline_model::codec::{Reader, put_bytes, put_varint};

use crate::segment::attributes::{AttributeCounts, TAGS};
use crate::segment::layout::{AttributeColumn, AttributeKind};
use crate::{Error, Result};

/// Keys that are named; if there are more, the list says that it is incomplete.
const KEYS_MAX: usize = 16 * 1024;

/// A row group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowGroupSummary {
    pub rows: u32,
    /// First start (spans) or time (logs).
    pub min_time_ns: i64,
    /// Last start or time.
    pub max_time_ns: i64,
    /// Last end of a span; for logs the last time.
    pub max_end_ns: i64,
    /// First ordinal of the traces of a slab of spans.
    pub first_trace: u32,
    /// How many follow it; 0 where ordinals are not contiguous (logs).
    pub traces: u32,
    /// Whether some trace here has two spans of one id.
    pub twins: bool,
}

/// A key of attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeySummary {
    pub key: String,
    /// Whether some value of it is in the rest.
    pub in_rest: bool,
    /// Values by tag.
    pub counts: [u64; TAGS],
}

/// The summary of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    pub rows: u64,
    /// Bytes of attributes, bodies, events and links before encoding.
    pub raw_bytes: u64,
    pub row_groups: Vec<RowGroupSummary>,
    pub columns: Vec<AttributeColumn>,
    /// Whether `keys` names every key.
    pub keys_complete: bool,
    /// Sorted by key.
    pub keys: Vec<KeySummary>,
}

impl Summary {
    /// Sets the keys from their counts.
    pub(crate) fn set_keys(&mut self, counts: &AttributeCounts, in_rest: &dyn Fn(&str) -> bool) {
        let summary = |(key, counts): (&String, &[u64; TAGS])| KeySummary {
            key: key.clone(),
            in_rest: in_rest(key),
            counts: *counts,
        };
        self.keys = counts.keys.iter().map(summary).collect();
        self.keys.sort_unstable_by_key(|key| std::cmp::Reverse(key.counts.iter().sum::<u64>()));
        self.keys_complete = self.keys.len() <= KEYS_MAX;
        self.keys.truncate(KEYS_MAX);
        self.keys.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    }

    /// Whether the rest may hold a value of a key.
    pub(crate) fn rest_may_hold(&self, key: &str) -> bool {
        match self.keys.binary_search_by(|known| known.key.as_str().cmp(key)) {
            Ok(found) => self.keys[found].in_rest,
            Err(_) => !self.keys_complete,
        }
    }

    /// The columns of a key: their positions among the attribute columns.
    pub(crate) fn columns_of(&self, key: &str) -> std::ops::Range<usize> {
        let start = self.columns.partition_point(|column| column.key.as_str() < key);
        let end = self.columns.partition_point(|column| column.key.as_str() <= key);
        start..end
    }

    /// The counts of all keys, for a merge.
    pub(crate) fn attribute_counts(&self, into: &mut AttributeCounts) {
        self.keys.iter().for_each(|key| into.add(&key.key, &key.counts));
    }

    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        put_varint(out, self.rows);
        put_varint(out, self.raw_bytes);
        put_varint(out, self.row_groups.len() as u64);
        for group in &self.row_groups {
            put_varint(out, u64::from(group.rows));
            for time in [group.min_time_ns, group.max_time_ns, group.max_end_ns] {
                out.extend_from_slice(&time.to_le_bytes());
            }
            put_varint(out, u64::from(group.first_trace));
            put_varint(out, u64::from(group.traces));
            out.push(u8::from(group.twins));
        }
        put_varint(out, self.columns.len() as u64);
        for column in &self.columns {
            put_bytes(out, column.key.as_bytes());
            out.extend_from_slice(&[column.kind as u8, u8::from(column.repeats)]);
        }
        out.push(u8::from(self.keys_complete));
        put_varint(out, self.keys.len() as u64);
        for key in &self.keys {
            put_bytes(out, key.key.as_bytes());
            out.push(u8::from(key.in_rest));
            key.counts.iter().for_each(|count| put_varint(out, *count));
        }
    }

    pub(crate) fn read(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let (rows, raw_bytes) = (reader.varint()?, reader.varint()?);
        let row_groups = (0..reader.varint()?)
            .map(|_| {
                Ok(RowGroupSummary {
                    rows: reader.varint()? as u32,
                    min_time_ns: i64::from_le_bytes(reader.array()?),
                    max_time_ns: i64::from_le_bytes(reader.array()?),
                    max_end_ns: i64::from_le_bytes(reader.array()?),
                    first_trace: reader.varint()? as u32,
                    traces: reader.varint()? as u32,
                    twins: reader.array()? == [1],
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let columns = (0..reader.varint()?)
            .map(|_| {
                let key = reader.str()?.to_owned();
                let [kind, repeats] = reader.array()?;
                let kind = AttributeKind::from_tag(kind)
                    .ok_or_else(|| Error::corrupt(format!("column kind {kind} is unknown")))?;
                Ok(AttributeColumn { key, kind, repeats: repeats == 1 })
            })
            .collect::<Result<Vec<_>>>()?;
        let keys_complete = reader.array()? == [1];
        let keys = (0..reader.varint()?)
            .map(|_| {
                let key = reader.str()?.to_owned();
                let in_rest = reader.array()? == [1];
                let mut counts = [0; TAGS];
                for count in &mut counts {
                    *count = reader.varint()?;
                }
                Ok(KeySummary { key, in_rest, counts })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { rows, raw_bytes, row_groups, columns, keys_complete, keys })
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let keys = self.keys.iter().map(|key| key.key.len() + size_of::<KeySummary>());
        let columns = self.columns.iter().map(|c| c.key.len() + size_of::<AttributeColumn>());
        keys.sum::<usize>()
            + columns.sum::<usize>()
            + self.row_groups.len() * size_of::<RowGroupSummary>()
    }
}
