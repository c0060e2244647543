//! Columns under construction that batch builders share: attributes, byte strings, ids.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, FixedSizeBinaryArray, MapArray, StringArray, StructArray,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field};

use crate::dict::DictBuilder;
use crate::{Error, Result, schema};

/// Attributes and bytes of values for which room is made before they come, at most.
const ENTRIES_AHEAD_MAX: usize = 64 * 1024;
const BYTES_AHEAD_MAX: usize = 1024 * 1024;

/// `Map<Dictionary<UInt32, Utf8>, Binary>` under construction: one entry an attribute.
///
/// Push the attributes of a row, then close it with [`AttributesBuilder::end_row`].
#[derive(Debug)]
pub struct AttributesBuilder {
    keys: DictBuilder,
    values: BinaryColumn,
    row_ends: Vec<i32>,
    /// Rows to come whose room is reserved once the first of them shows how large a row is.
    rows_awaited: usize,
}

impl Default for AttributesBuilder {
    fn default() -> Self {
        Self {
            keys: DictBuilder::default(),
            values: BinaryColumn::default(),
            row_ends: vec![0],
            rows_awaited: 0,
        }
    }
}

impl AttributesBuilder {
    /// Makes room for so many more rows, each about as large as the first of them.
    pub fn reserve(&mut self, rows: usize) {
        self.row_ends.reserve(rows);
        self.rows_awaited = rows;
    }

    /// Adds an attribute to the open row; `fill` appends the encoded value.
    pub fn push(&mut self, key: &str, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let number = self.key_number(key.as_bytes())?;
        self.push_numbered(number, fill)
    }

    /// The number of a key (which must be UTF-8), to push attributes with.
    pub fn key_number(&mut self, key: &[u8]) -> Result<u32> {
        self.keys.values.intern(key)
    }

    /// The key of a number.
    pub fn key(&self, number: u32) -> &[u8] {
        self.keys.values.get(number)
    }

    /// Adds an attribute to the open row, whose key has a number already.
    pub fn push_numbered(&mut self, key: u32, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        self.keys.push_number(key);
        fill(&mut self.values.bytes);
        self.values.end_row()
    }

    /// Adds an attribute whose value is already encoded.
    pub fn push_encoded(&mut self, key: &str, value: &[u8]) -> Result<()> {
        self.push(key, |out| out.extend_from_slice(value))
    }

    /// Closes the row.
    pub fn end_row(&mut self) {
        let first = *self.row_ends.last().unwrap_or(&0) as usize;
        self.row_ends.push(self.keys.len() as i32);
        let rows = std::mem::take(&mut self.rows_awaited);
        if rows > 1 {
            let entries = (self.keys.len() - first).saturating_mul(rows - 1).min(ENTRIES_AHEAD_MAX);
            let bytes = self.values.len_from(first).saturating_mul(rows - 1);
            self.keys.reserve(entries);
            self.values.reserve(entries, bytes.min(BYTES_AHEAD_MAX));
        }
    }

    /// Forgets the attributes of the open row (its item was refused).
    pub fn abandon_row(&mut self) {
        let len = *self.row_ends.last().unwrap_or(&0) as usize;
        self.keys.truncate(len);
        self.values.truncate(len);
    }

    /// The column.
    pub fn finish(self) -> Result<ArrayRef> {
        let entries = StructArray::new(
            schema::attributes_entry(),
            vec![self.keys.finish_strings()?, Arc::new(self.values.finish_required())],
            None,
        );
        let field = Field::new("entries", DataType::Struct(schema::attributes_entry()), false);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.row_ends));
        Ok(Arc::new(MapArray::new(Arc::new(field), offsets, entries, None, false)))
    }
}

/// A `Binary` (or `Utf8`) column under construction: append to [`BinaryColumn::bytes`], then
/// [`BinaryColumn::end_row`].
#[derive(Debug)]
pub struct BinaryColumn {
    /// The bytes of all rows; what was appended since the last end of a row is the open row.
    pub bytes: Vec<u8>,
    offsets: Vec<i32>,
    /// Empty until a row is null.
    valid: Vec<bool>,
}

impl Default for BinaryColumn {
    fn default() -> Self {
        Self { bytes: Vec::new(), offsets: vec![0], valid: Vec::new() }
    }
}

impl BinaryColumn {
    /// Closes the row.
    pub fn end_row(&mut self) -> Result<()> {
        let end = i32::try_from(self.bytes.len()).map_err(|_| {
            Error::invalid(format!("a column of a batch exceeds {} bytes", i32::MAX))
        })?;
        self.offsets.push(end);
        if !self.valid.is_empty() {
            self.valid.push(true);
        }
        Ok(())
    }

    /// Appends a null row.
    pub fn push_null(&mut self) {
        self.valid.resize(self.offsets.len() - 1, true);
        self.offsets.push(*self.offsets.last().unwrap_or(&0));
        self.valid.push(false);
    }

    /// The bytes of a closed row; none of a null one.
    pub fn row(&self, row: usize) -> &[u8] {
        match (self.offsets.get(row), self.offsets.get(row + 1)) {
            (Some(start), Some(end)) => &self.bytes[*start as usize..*end as usize],
            _ => &[],
        }
    }

    /// Makes room for so many more rows and bytes.
    pub fn reserve(&mut self, rows: usize, bytes: usize) {
        self.offsets.reserve(rows);
        self.bytes.reserve(bytes);
    }

    // Bytes of the rows from one on.
    fn len_from(&self, row: usize) -> usize {
        self.bytes.len() - self.offsets.get(row).map_or(0, |start| *start as usize)
    }

    /// Closes the row, as null if nothing was appended to it.
    pub fn end_row_or_null(&mut self) -> Result<()> {
        if self.bytes.len() == *self.offsets.last().unwrap_or(&0) as usize {
            self.push_null();
            return Ok(());
        }
        self.end_row()
    }

    /// Drops rows past `len`, and the open row.
    pub fn truncate(&mut self, len: usize) {
        self.offsets.truncate(len + 1);
        self.valid.truncate(len);
        self.bytes.truncate(*self.offsets.last().unwrap_or(&0) as usize);
    }

    fn parts(self) -> (OffsetBuffer<i32>, Buffer, Vec<bool>) {
        let offsets = OffsetBuffer::new(ScalarBuffer::from(self.offsets));
        (offsets, Buffer::from_vec(self.bytes), self.valid)
    }

    /// The column without nulls.
    pub fn finish_required(self) -> BinaryArray {
        let (offsets, values, _) = self.parts();
        BinaryArray::new(offsets, values, None)
    }

    /// The column with nulls.
    pub fn finish_optional(self) -> BinaryArray {
        let (offsets, values, valid) = self.parts();
        BinaryArray::new(offsets, values, nulls(valid))
    }

    /// The column as nullable strings; its bytes must be UTF-8.
    pub fn finish_strings(self) -> Result<StringArray> {
        let (offsets, values, valid) = self.parts();
        StringArray::try_new(offsets, values, nulls(valid))
            .map_err(|err| Error::invalid(err.to_string()))
    }
}

fn nulls(valid: Vec<bool>) -> Option<NullBuffer> {
    (!valid.is_empty()).then(|| NullBuffer::from(valid))
}

/// Fixed-size ids under construction; all-zero means null in optional columns.
#[derive(Debug, Default)]
pub struct IdColumn<const N: usize> {
    bytes: Vec<u8>,
    /// Empty until an id is absent.
    valid: Vec<bool>,
}

impl<const N: usize> IdColumn<N> {
    /// Appends an id; an absent one is `None`.
    pub fn push(&mut self, id: Option<&[u8; N]>) {
        if id.is_none() {
            self.valid.resize(self.bytes.len() / N, true);
        }
        self.bytes.extend_from_slice(id.unwrap_or(&[0; N]));
        if id.is_none() || !self.valid.is_empty() {
            self.valid.push(id.is_some());
        }
    }

    /// Makes room for so many more ids.
    pub fn reserve(&mut self, ids: usize) {
        self.bytes.reserve(ids * N);
    }

    /// The column without nulls.
    pub fn finish_required(self) -> FixedSizeBinaryArray {
        FixedSizeBinaryArray::new(N as i32, Buffer::from_vec(self.bytes), None)
    }

    /// The column with nulls.
    pub fn finish_optional(self) -> FixedSizeBinaryArray {
        FixedSizeBinaryArray::new(N as i32, Buffer::from_vec(self.bytes), nulls(self.valid))
    }
}
