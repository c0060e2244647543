//! Dictionary columns under construction: each distinct byte string of a batch is kept once.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, DictionaryArray, StringArray, UInt32Array};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::UInt32Type;
use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64;

use crate::{Error, Result};

/// Distinct byte strings, numbered in the order of their first appearance.
#[derive(Debug, Default)]
pub struct Interner {
    table: HashTable<u32>,
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Interner {
    /// The number of `entry`, which is added if it is new. An error when 2³² − 1 bytes or entries
    /// are exceeded; callers bound their batches far below.
    pub fn intern(&mut self, entry: &[u8]) -> Result<u32> {
        let hash = xxh3_64(entry);
        if let Some(found) = self.table.find(hash, |i| slot(&self.bytes, &self.ends, *i) == entry) {
            return Ok(*found);
        }
        let end = self.bytes.len() + entry.len();
        if end > i32::MAX as usize {
            return Err(Error::invalid(format!(
                "distinct strings of a batch exceed {} bytes",
                i32::MAX
            )));
        }
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(entry);
        self.ends.push(end as u32);
        let (bytes, ends) = (&self.bytes, &self.ends);
        self.table.insert_unique(hash, number, |i| xxh3_64(slot(bytes, ends, *i)));
        Ok(number)
    }

    /// The number of an entry that has one.
    pub fn find(&self, entry: &[u8]) -> Option<u32> {
        let eq = |i: &u32| slot(&self.bytes, &self.ends, *i) == entry;
        self.table.find(xxh3_64(entry), eq).copied()
    }

    /// How many distinct entries there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is no entry yet.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The entry of a number that [`Interner::intern`] returned.
    pub fn get(&self, number: u32) -> &[u8] {
        slot(&self.bytes, &self.ends, number)
    }

    fn into_parts(self) -> (OffsetBuffer<i32>, Buffer) {
        let offsets =
            std::iter::once(0).chain(self.ends.iter().map(|end| *end as i32)).collect::<Vec<_>>();
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(self.bytes))
    }

    /// The entries as an Arrow array of strings. Entries must have been UTF-8.
    pub fn into_strings(self) -> Result<StringArray> {
        let (offsets, values) = self.into_parts();
        StringArray::try_new(offsets, values, None).map_err(|err| Error::invalid(err.to_string()))
    }

    /// The entries as an Arrow array of byte strings.
    pub fn into_binary(self) -> BinaryArray {
        let (offsets, values) = self.into_parts();
        BinaryArray::new(offsets, values, None)
    }
}

fn slot<'a>(bytes: &'a [u8], ends: &[u32], number: u32) -> &'a [u8] {
    let index = number as usize;
    let start = if index == 0 { 0 } else { ends[index - 1] as usize };
    &bytes[start..ends[index] as usize]
}

/// A `Dictionary<UInt32, Utf8>` or `Dictionary<UInt32, Binary>` column without nulls.
#[derive(Debug, Default)]
pub struct DictBuilder {
    keys: Vec<u32>,
    /// The distinct values. Rows of a run can intern once and [`DictBuilder::push_number`] often.
    pub values: Interner,
}

impl DictBuilder {
    /// Appends a row.
    pub fn push(&mut self, value: &[u8]) -> Result<()> {
        // Neighbours are often equal.
        let number = match self.keys.last() {
            Some(last) if self.values.get(*last) == value => *last,
            _ => self.values.intern(value)?,
        };
        self.keys.push(number);
        Ok(())
    }

    /// Makes room for so many more rows.
    pub fn reserve(&mut self, rows: usize) {
        self.keys.reserve(rows);
    }

    /// Appends a row whose value was interned before.
    pub fn push_number(&mut self, number: u32) {
        self.keys.push(number);
    }

    /// Rows so far.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether there is no row yet.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Drops rows past `len`; their values stay in the dictionary.
    pub fn truncate(&mut self, len: usize) {
        self.keys.truncate(len);
    }

    /// The column of strings.
    pub fn finish_strings(self) -> Result<ArrayRef> {
        let values = Arc::new(self.values.into_strings()?);
        Ok(Arc::new(DictionaryArray::<UInt32Type>::new(UInt32Array::from(self.keys), values)))
    }

    /// The column of byte strings.
    pub fn finish_binary(self) -> ArrayRef {
        let values = Arc::new(self.values.into_binary());
        Arc::new(DictionaryArray::<UInt32Type>::new(UInt32Array::from(self.keys), values))
    }
}
