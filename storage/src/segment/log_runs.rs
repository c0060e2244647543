//! What the rows of a row group of log records have in common with their neighbours: minute, service,
//! template and severity. Rows are sorted by (bucket, service, template, time), so a few thousand runs
//! say it of all of them; counts and histograms are sums over runs, and conditions on these columns are
//! decided without reading any.
//!
//! ```text
//! section := (crc32c u32 LE | zstd of runs)*        one a row group
//! runs    := varint n | n × varint rows | n × zigzag varint difference of minutes
//!            | n × varint service | n × varint template | n × zigzag varint severity
//! ```
//! Services and templates are numbers of the segment's lists.

use std::ops::Range;

use bytes::Bytes;
use throughline_model::codec::{Reader, put_varint};
use throughline_model::time::MINUTE_NS;

use super::index::section::{checked, put_checked};
use super::row_set::RowSet;
use crate::{Error, Result};

/// Bytes that the runs of a row group may inflate to.
const INFLATED_BYTES_MAX: u64 = 16 << 20;

/// What neighbouring rows share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct LogKey {
    /// Minutes since the epoch, rounded down.
    pub minute: i64,
    /// Number of the service in the segment's list.
    pub service: u32,
    /// Number of the template in the segment's list.
    pub template: u32,
    pub severity: i32,
}

/// The minute of a time.
pub(crate) fn minute_of(time_ns: i64) -> i64 {
    time_ns.div_euclid(MINUTE_NS)
}

/// The runs of a row group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogRuns {
    /// What each has, and where it ends.
    runs: Vec<(LogKey, u32)>,
}

impl LogRuns {
    /// Adds a row.
    pub(crate) fn push(&mut self, key: LogKey) {
        match self.runs.last_mut() {
            Some((last, end)) if *last == key => *end += 1,
            last => {
                let end = last.map_or(0, |(_, end)| *end);
                self.runs.push((key, end + 1));
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.runs.last().map_or(0, |(_, end)| *end as usize)
    }

    /// The runs: what rows have, and which rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogKey, Range<usize>)> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|(_, end)| *end));
        self.runs
            .iter()
            .zip(starts)
            .map(|((key, end), start)| (*key, start as usize..*end as usize))
    }

    /// The rows of the runs that are wanted.
    pub(crate) fn rows_where(&self, mut wanted: impl FnMut(&LogKey) -> bool) -> RowSet {
        let mut set = RowSet::none(self.rows());
        for (key, rows) in self.iter() {
            if wanted(&key) {
                set.insert_range(rows);
            }
        }
        set
    }

    /// Appends the piece of a row group.
    pub(crate) fn put(&self, out: &mut Vec<u8>) -> Result<()> {
        let mut plain = Vec::new();
        put_varint(&mut plain, self.runs.len() as u64);
        self.iter().for_each(|(_, rows)| put_varint(&mut plain, rows.len() as u64));
        let mut before = 0i64;
        for (key, _) in &self.runs {
            put_varint(&mut plain, zigzag(key.minute.wrapping_sub(before)));
            before = key.minute;
        }
        let numbers = |of: fn(&LogKey) -> u32| self.runs.iter().map(move |(key, _)| of(key));
        numbers(|key| key.service).for_each(|n| put_varint(&mut plain, u64::from(n)));
        numbers(|key| key.template).for_each(|n| put_varint(&mut plain, u64::from(n)));
        for (key, _) in &self.runs {
            put_varint(&mut plain, zigzag(i64::from(key.severity)));
        }
        let packed = zstd::bulk::compress(&plain, 1)
            .map_err(|err| Error::invalid(format!("could not compress runs: {err}")))?;
        let mut piece = Vec::with_capacity(packed.len() + 5);
        put_varint(&mut piece, plain.len() as u64);
        piece.extend_from_slice(&packed);
        put_checked(out, &piece);
        Ok(())
    }

    /// Reads a piece.
    pub(crate) fn read(piece: &Bytes) -> Result<Self> {
        let piece = checked(piece)?;
        let mut frame = Reader::new(&piece);
        let len = frame.varint()?;
        if len > INFLATED_BYTES_MAX {
            return Err(Error::corrupt(format!("runs of {len} bytes")));
        }
        let plain = crate::inflate::inflate(frame.rest(), len as usize)
            .map_err(|err| Error::corrupt(format!("runs do not decompress: {err}")))?;
        let mut reader = Reader::new(&plain);
        let count = reader.varint()? as usize;
        if count > plain.len() {
            return Err(Error::corrupt(format!("{count} runs in {} bytes", plain.len())));
        }
        let key = LogKey { minute: 0, service: 0, template: 0, severity: 0 };
        let mut runs = vec![(key, 0u32); count];
        let mut end = 0u32;
        for run in &mut runs {
            end = end.saturating_add(reader.varint()? as u32);
            run.1 = end;
        }
        let mut minute = 0i64;
        for (key, _) in &mut runs {
            minute = minute.wrapping_add(unzigzag(reader.varint()?));
            key.minute = minute;
        }
        for (key, _) in &mut runs {
            key.service = reader.varint()? as u32;
        }
        for (key, _) in &mut runs {
            key.template = reader.varint()? as u32;
        }
        for (key, _) in &mut runs {
            key.severity = unzigzag(reader.varint()?) as i32;
        }
        Ok(Self { runs })
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.runs.len() * size_of::<(LogKey, u32)>()
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn runs_read_back(rows in proptest::collection::vec((any::<i64>(), 0u32..4, 0u32..4, any::<i32>(), 1usize..4), 0..60)) {
            let mut runs = LogRuns::default();
            let mut keys = Vec::new();
            for (minute, service, template, severity, times) in rows {
                for _ in 0..times {
                    keys.push(LogKey { minute, service, template, severity });
                    runs.push(LogKey { minute, service, template, severity });
                }
            }
            let mut piece = Vec::new();
            runs.put(&mut piece).expect("is written");
            let read = LogRuns::read(&Bytes::from(piece)).expect("reads back");
            prop_assert_eq!(&read, &runs);
            let listed = read.iter().flat_map(|(key, rows)| rows.map(move |_| key)).collect::<Vec<_>>();
            prop_assert_eq!(listed, keys);
        }
    }
}
