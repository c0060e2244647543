//! The traces of a segment: rows carry a trace's ordinal, this table says its id.
//!
//! ```text
//! ids    := crc32c u32 LE | 16 bytes a trace, by ordinal
//! order  := crc32c u32 LE | ordinals in the order of their ids, bit-packed, ⌈log₂ n⌉ bits each
//!           (little endian)
//! counts := crc32c u32 LE | zstd of (varint rows, varint first time − first time of the one before)*,
//!           by ordinal
//! filter := crc32c u32 LE | filter of the ids (see `filter`)
//! ```
//! A lookup reads the filter of each segment, and the table only of those that may hold the id.
//! Ordinals are numbered by the first time of the trace. An id may stand twice, where a trace has
//! more rows than a slab.

use bytes::Bytes;
use throughline_model::TraceId;
use throughline_model::codec::{Reader, put_varint};

use super::filter::{Filter, value_hash};
use super::section::{CHECKSUM_BYTES, checked, put_checked};
use crate::{Error, Result};

/// What a writer knows of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceEntry {
    pub id: TraceId,
    pub first_time_ns: i64,
    pub rows: u32,
}

/// The table of a segment.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceTable {
    ids: Bytes,
    order: Bytes,
}

impl TraceTable {
    /// The sections of a table: ids, order, counts, filter.
    pub(crate) fn encode(entries: &[TraceEntry]) -> Result<[Vec<u8>; 4]> {
        let mut ids = Vec::with_capacity(entries.len() * 16);
        entries.iter().for_each(|entry| ids.extend_from_slice(&entry.id.0));
        let mut sorted = (0..entries.len() as u32).collect::<Vec<_>>();
        sorted.sort_unstable_by_key(|ordinal| (entries[*ordinal as usize].id, *ordinal));
        let mut counts = Vec::new();
        let mut last = 0i64;
        for entry in entries {
            put_varint(&mut counts, u64::from(entry.rows));
            put_varint(&mut counts, entry.first_time_ns.wrapping_sub(last) as u64);
            last = entry.first_time_ns;
        }
        let counts = zstd::bulk::compress(&counts, 1)
            .map_err(|err| Error::invalid(format!("could not compress trace counts: {err}")))?;
        let hashes = entries.iter().map(|entry| value_hash(&entry.id.0)).collect();
        let mut filter = Vec::new();
        Filter::of(&hashes).put(&mut filter);
        let order = pack(&sorted, width(entries.len()));
        Ok([ids, order, counts, filter].map(|piece| {
            let mut section = Vec::with_capacity(piece.len() + CHECKSUM_BYTES as usize);
            put_checked(&mut section, &piece);
            section
        }))
    }

    /// A table from its sections of ids and order.
    pub(crate) fn read(ids: &Bytes, order: &Bytes) -> Result<Self> {
        let table = Self { ids: checked(ids)?, order: checked(order)? };
        let bits = table.len() as u64 * u64::from(width(table.len()));
        let enough = table.order.len() as u64 * 8 >= bits;
        if !table.ids.len().is_multiple_of(16) || !enough {
            return Err(Error::corrupt("the trace table of a segment has an impossible length"));
        }
        Ok(table)
    }

    /// How many ordinals there are.
    pub(crate) fn len(&self) -> usize {
        self.ids.len() / 16
    }

    /// The ids by ordinal, 16 bytes each.
    pub(crate) fn ids(&self) -> &[u8] {
        &self.ids
    }

    /// The id of an ordinal.
    pub(crate) fn id(&self, ordinal: u32) -> Result<TraceId> {
        let at = ordinal as usize * 16;
        let bytes = self.ids.get(at..at + 16);
        let bytes = bytes.ok_or_else(|| {
            Error::corrupt(format!("trace ordinal {ordinal} of {} traces", self.len()))
        })?;
        Ok(TraceId::from_slice(bytes)?)
    }

    /// The ordinals of an id, ascending.
    pub(crate) fn find(&self, id: TraceId) -> Result<Vec<u32>> {
        let (len, width) = (self.len(), width(self.len()));
        let (mut low, mut high) = (0, len);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.id(unpack(&self.order, width, middle))? < id {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let mut found = Vec::new();
        while low < len {
            let ordinal = unpack(&self.order, width, low);
            if self.id(ordinal)? != id {
                break;
            }
            found.push(ordinal);
            low += 1;
        }
        Ok(found)
    }

    /// All entries by ordinal, for a merge; `counts` is their section.
    pub(crate) fn entries(&self, counts: &Bytes) -> Result<Vec<TraceEntry>> {
        const BYTES_PER_ENTRY_MAX: usize = 20;
        let counts =
            crate::inflate::inflate(&checked(counts)?, self.len() * BYTES_PER_ENTRY_MAX)
                .map_err(|err| Error::corrupt(format!("trace counts do not decompress: {err}")))?;
        let mut reader = Reader::new(&counts);
        let mut last = 0i64;
        (0..self.len() as u32)
            .map(|ordinal| {
                let rows = reader.varint()? as u32;
                last = last.wrapping_add(reader.varint()? as i64);
                Ok(TraceEntry { id: self.id(ordinal)?, first_time_ns: last, rows })
            })
            .collect()
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.ids.len() + self.order.len()
    }
}

fn width(len: usize) -> u32 {
    usize::BITS - len.saturating_sub(1).leading_zeros()
}

fn pack(numbers: &[u32], width: u32) -> Vec<u8> {
    // Eight spare bytes, so that every number can be read as part of one 64-bit word.
    let mut out = vec![0u8; (numbers.len() * width as usize).div_ceil(8) + 8];
    for (i, number) in numbers.iter().enumerate() {
        let bit = i * width as usize;
        let word = u64::from(*number) << (bit % 8);
        let bytes = &mut out[bit / 8..bit / 8 + 8];
        bytes.iter_mut().zip(word.to_le_bytes()).for_each(|(byte, more)| *byte |= more);
    }
    out
}

fn unpack(bytes: &[u8], width: u32, index: usize) -> u32 {
    let bit = index * width as usize;
    let mut word = [0u8; 8];
    if let Some(found) = bytes.get(bit / 8..bit / 8 + 8) {
        word.copy_from_slice(found);
    }
    (u64::from_le_bytes(word) >> (bit % 8)) as u32 & ((1u64 << width) - 1) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_find_every_id_and_no_other() {
        for count in [0u32, 1, 2, 3, 255, 256, 257, 5_000] {
            let id = |i: u32| TraceId(xxhash_rust::xxh3::xxh3_128(&i.to_le_bytes()).to_be_bytes());
            let mut entries = (0..count)
                .map(|i| TraceEntry {
                    id: id(i),
                    first_time_ns: -5 + i64::from(i) * 1_000,
                    rows: i % 300 + 1,
                })
                .collect::<Vec<_>>();
            if count > 10 {
                entries.push(TraceEntry { id: id(7), first_time_ns: i64::MAX - 1, rows: 9 });
            }
            let [ids, order, counts, _] = TraceTable::encode(&entries).expect("encodes");
            let table = TraceTable::read(&ids.into(), &order.into()).expect("reads back");
            assert_eq!(table.entries(&counts.into()).expect("decodes"), entries);
            for i in 0..count {
                let expected = if i == 7 && count > 10 { vec![7, count] } else { vec![i] };
                assert_eq!(table.find(id(i)).expect("finds"), expected);
            }
            assert_eq!(table.find(id(count + 1)).expect("looks"), Vec::<u32>::new());
        }
    }
}
