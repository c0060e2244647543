//! What the rows of a row group of log records have in common with their neighbours: minute, service,
//! template and severity. Rows are sorted by (bucket, service, template, time), so a few thousand runs
//! say it of all of them; counts, bytes and histograms are sums over runs, and conditions on these columns
//! are decided without reading any.
//!
//! ```text
//! section := (crc32c u32 LE | zstd of runs)*        one a row group
//! runs    := varint n | n × varint rows | n × zigzag varint difference of minutes
//!            | n × varint service | n × varint template | n × zigzag varint severity
//!            | n × varint rows on the minute
//!            | n × varint bytes of their bodies | n × varint bytes of the bodies of all rows
//! ```
//! Services and templates are numbers of the segment's lists. Rows on the minute, those whose time is
//! the first nanosecond of it, come first in their run: intervals that are closed at their end count
//! them with the minute before.

use std::ops::Range;

use bytes::Bytes;
use hashbrown::HashMap;
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
#[derive(Clone, Debug, Default)]
pub(crate) struct LogRuns {
    runs: Vec<Run>,
    /// The same without templates, which are what makes runs many; known of those that were read.
    sums: Vec<Sum>,
}

/// What all rows of a minute, service and severity have that are on the minute, or that are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sum {
    pub minute: i64,
    pub service: u32,
    pub severity: i32,
    pub is_on_minute: bool,
    pub rows: usize,
    /// What their bodies have.
    pub bytes: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    key: LogKey,
    end: u32,
    on_minute: Amount,
    all: Amount,
}

/// How many rows, and how many bytes their bodies have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Amount {
    rows: u32,
    bytes: u64,
}

impl Amount {
    fn add(&mut self, bytes: u32) {
        self.rows += 1;
        self.bytes += u64::from(bytes);
    }
}

/// A stretch of rows that share a key and are on the minute, or that share it and are not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub key: LogKey,
    pub rows: Range<usize>,
    pub is_on_minute: bool,
    /// What their bodies have.
    pub bytes: u64,
}

impl Run {
    fn rows(&self) -> Range<usize> {
        (self.end - self.all.rows) as usize..self.end as usize
    }
}

impl LogRuns {
    /// Adds a row with a body of so many bytes, which is on the minute or not.
    pub(crate) fn push(&mut self, key: LogKey, is_on_minute: bool, bytes: u32) {
        let end = self.runs.last().map_or(0, |run| run.end);
        if self.runs.last().is_none_or(|last| last.key != key) {
            let (on_minute, all) = (Amount::default(), Amount::default());
            self.runs.push(Run { key, end, on_minute, all });
        }
        let Some(last) = self.runs.last_mut() else { return };
        last.end += 1;
        last.all.add(bytes);
        if is_on_minute {
            last.on_minute.add(bytes);
        }
    }

    /// How many rows there are.
    pub(crate) fn rows(&self) -> usize {
        self.runs.last().map_or(0, |run| run.end as usize)
    }

    /// The runs: what rows have, and which rows.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (LogKey, Range<usize>)> {
        self.runs.iter().map(|run| (run.key, run.rows()))
    }

    /// The same in two: the rows on the minute come first in their run.
    pub(crate) fn stretches(&self) -> impl Iterator<Item = Stretch> {
        self.runs.iter().flat_map(|run| {
            let Run { key, on_minute, all, .. } = *run;
            let rows = run.rows();
            let middle = rows.start + on_minute.rows as usize;
            let first = Stretch {
                key,
                rows: rows.start..middle,
                is_on_minute: true,
                bytes: on_minute.bytes,
            };
            let bytes = all.bytes - on_minute.bytes;
            let rest = Stretch { key, rows: middle..rows.end, is_on_minute: false, bytes };
            [first, rest].into_iter().filter(|stretch| !stretch.rows.is_empty())
        })
    }

    /// What rows have in common but for their templates, in no order.
    pub(crate) fn sums(&self) -> &[Sum] {
        &self.sums
    }

    fn sum_up(&mut self) {
        let mut places: HashMap<(i64, u32, i32, bool), usize> = HashMap::new();
        let mut sums: Vec<Sum> = Vec::new();
        for Stretch { key, rows, is_on_minute, bytes } in self.stretches() {
            let LogKey { minute, service, severity, .. } = key;
            let at = *places.entry((minute, service, severity, is_on_minute)).or_insert(sums.len());
            match sums.get_mut(at) {
                Some(sum) => {
                    sum.rows += rows.len();
                    sum.bytes += bytes;
                }
                None => {
                    let rows = rows.len();
                    sums.push(Sum { minute, service, severity, is_on_minute, rows, bytes });
                }
            }
        }
        sums.shrink_to_fit();
        self.sums = sums;
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
        for run in &self.runs {
            put_varint(&mut plain, zigzag(run.key.minute.wrapping_sub(before)));
            before = run.key.minute;
        }
        let numbers = |of: fn(&LogKey) -> u32| self.runs.iter().map(move |run| of(&run.key));
        numbers(|key| key.service).for_each(|n| put_varint(&mut plain, u64::from(n)));
        numbers(|key| key.template).for_each(|n| put_varint(&mut plain, u64::from(n)));
        for run in &self.runs {
            put_varint(&mut plain, zigzag(i64::from(run.key.severity)));
        }
        let amounts: [fn(&Run) -> u64; 3] =
            [|run| u64::from(run.on_minute.rows), |run| run.on_minute.bytes, |run| run.all.bytes];
        for amount in amounts {
            self.runs.iter().for_each(|run| put_varint(&mut plain, amount(run)));
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
        let none = Amount::default();
        let mut runs = vec![Run { key, end: 0, on_minute: none, all: none }; count];
        let mut end = 0u32;
        for run in &mut runs {
            run.all.rows = reader.varint()? as u32;
            end = end
                .checked_add(run.all.rows)
                .ok_or_else(|| Error::corrupt("runs have too many rows"))?;
            run.end = end;
        }
        let mut minute = 0i64;
        for run in &mut runs {
            minute = minute.wrapping_add(unzigzag(reader.varint()?));
            run.key.minute = minute;
        }
        for run in &mut runs {
            run.key.service = reader.varint()? as u32;
        }
        for run in &mut runs {
            run.key.template = reader.varint()? as u32;
        }
        for run in &mut runs {
            run.key.severity = unzigzag(reader.varint()?) as i32;
        }
        for run in &mut runs {
            run.on_minute.rows = reader.varint()? as u32;
        }
        for run in &mut runs {
            run.on_minute.bytes = reader.varint()?;
        }
        for run in &mut runs {
            run.all.bytes = reader.varint()?;
            let (part, all) = (run.on_minute, run.all);
            if part.rows > all.rows || part.bytes > all.bytes {
                let Amount { rows, bytes } = part;
                return Err(Error::corrupt(format!(
                    "{rows} rows with {bytes} bytes on the minute in a run of {} with {}",
                    all.rows, all.bytes
                )));
            }
        }
        let mut read = Self { runs, sums: Vec::new() };
        read.sum_up();
        Ok(read)
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.runs.len() * size_of::<Run>() + self.sums.len() * size_of::<Sum>()
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
        fn runs_read_back(rows in proptest::collection::vec((any::<i64>(), 0u32..4, 0u32..4, any::<i32>(), 1usize..4, 0usize..3, any::<u32>()), 0..60)) {
            let mut runs = LogRuns::default();
            let mut keys = Vec::new();
            let (mut on_minute, mut bytes_on_minute, mut all_bytes) = (0, 0, 0);
            for (minute, service, template, severity, times, firsts, bytes) in rows {
                for nth in 0..times {
                    let key = LogKey { minute, service, template, severity };
                    keys.push(key);
                    all_bytes += u64::from(bytes);
                    if nth < firsts {
                        on_minute += 1;
                        bytes_on_minute += u64::from(bytes);
                    }
                    runs.push(key, nth < firsts, bytes);
                }
            }
            let mut piece = Vec::new();
            runs.put(&mut piece).expect("is written");
            let read = LogRuns::read(&Bytes::from(piece)).expect("reads back");
            prop_assert_eq!(&read.runs, &runs.runs);
            let listed = read.iter().flat_map(|(key, rows)| rows.map(move |_| key)).collect::<Vec<_>>();
            prop_assert_eq!(&listed, &keys);
            let stretched = read.stretches().flat_map(|s| s.rows.map(move |_| s.key)).collect::<Vec<_>>();
            prop_assert_eq!(stretched, keys);
            let firsts = || read.stretches().filter(|stretch| stretch.is_on_minute);
            prop_assert_eq!(firsts().map(|stretch| stretch.rows.len()).sum::<usize>(), on_minute);
            prop_assert_eq!(firsts().map(|stretch| stretch.bytes).sum::<u64>(), bytes_on_minute);
            prop_assert_eq!(read.stretches().map(|stretch| stretch.bytes).sum::<u64>(), all_bytes);
            prop_assert_eq!(read.sums().iter().map(|sum| sum.bytes).sum::<u64>(), all_bytes);
            for sum in read.sums() {
                let is_of = |s: &Stretch| {
                    (s.key.minute, s.key.service, s.key.severity, s.is_on_minute)
                        == (sum.minute, sum.service, sum.severity, sum.is_on_minute)
                };
                let rows = read.stretches().filter(is_of).map(|stretch| stretch.rows.len());
                prop_assert_eq!(rows.sum::<usize>(), sum.rows);
            }
        }
    }
}
