//! Takes rows out of many batches into one column at a time, in a given order.
//!
//! A writer sorts row references, never rows: each column is then copied once, straight into the
//! order of the file, with one remap of its dictionary a batch.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryArray, DictionaryArray,
    FixedSizeBinaryArray, PrimitiveArray, RecordBatch, StringArray, UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, TimestampNanosecondType, UInt32Type,
};
use throughline_model::dict::Interner;

use crate::{Error, Result};

/// A row of one of several batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RowRef {
    pub batch: u32,
    pub row: u32,
}

/// Batches in one item schema, and the rows to take from them.
pub(crate) struct Gather<'a> {
    pub batches: &'a [RecordBatch],
    pub order: &'a [RowRef],
}

impl Gather<'_> {
    /// The column of an item field.
    pub(crate) fn column(&self, field: &Field) -> Result<ArrayRef> {
        let index = self.index(field.name())?;
        Ok(match field.data_type() {
            DataType::UInt32 => Arc::new(self.primitive::<UInt32Type>(index)),
            DataType::Int32 => Arc::new(self.primitive::<Int32Type>(index)),
            DataType::Int64 => Arc::new(self.primitive::<Int64Type>(index)),
            DataType::Timestamp(..) => {
                Arc::new(self.primitive::<TimestampNanosecondType>(index).with_timezone("UTC"))
            }
            DataType::Dictionary(..) => self.dictionary(index)?,
            DataType::FixedSizeBinary(width) => self.ids(index, *width),
            DataType::Binary => self.binary(index)?,
            DataType::Utf8 => self.strings(index)?,
            other => return Err(Error::invalid(format!("no writer for columns of {other}"))),
        })
    }

    /// The position of a column in the batches.
    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        let schema = self.batches.first().map(RecordBatch::schema);
        schema
            .and_then(|schema| schema.index_of(name).ok())
            .ok_or_else(|| Error::invalid(format!("a batch has no column '{name}'")))
    }

    /// The values of a column without nulls.
    pub(crate) fn values<T: ArrowPrimitiveType>(&self, index: usize) -> Vec<T::Native> {
        let slices = self
            .batches
            .iter()
            .map(|batch| batch.column(index).as_primitive::<T>().values().as_ref())
            .collect::<Vec<&[T::Native]>>();
        self.order.iter().map(|at| slices[at.batch as usize][at.row as usize]).collect()
    }

    fn primitive<T: ArrowPrimitiveType>(&self, index: usize) -> PrimitiveArray<T> {
        PrimitiveArray::new(ScalarBuffer::from(self.values::<T>(index)), None)
    }

    fn ids(&self, index: usize, width: i32) -> ArrayRef {
        let columns = self
            .batches
            .iter()
            .map(|batch| batch.column(index).as_fixed_size_binary())
            .collect::<Vec<_>>();
        let mut bytes = Vec::with_capacity(self.order.len() * width as usize);
        for at in self.order {
            bytes.extend_from_slice(columns[at.batch as usize].value(at.row as usize));
        }
        let nulls = self.nulls(index);
        Arc::new(FixedSizeBinaryArray::new(width, Buffer::from_vec(bytes), nulls))
    }

    fn nulls(&self, index: usize) -> Option<NullBuffer> {
        let columns = self.batches.iter().map(|batch| batch.column(index)).collect::<Vec<_>>();
        if columns.iter().all(|column| column.null_count() == 0) {
            return None;
        }
        Some(
            self.order
                .iter()
                .map(|at| columns[at.batch as usize].is_valid(at.row as usize))
                .collect(),
        )
    }

    fn dictionary(&self, index: usize) -> Result<ArrayRef> {
        let unified = Unified::of(self.batches, index)?;
        let keys = self.batches.iter().map(|batch| dictionary_keys(batch, index));
        let keys = keys.collect::<Vec<&[u32]>>();
        let numbers = self.order.iter().map(|at| {
            let key = keys[at.batch as usize][at.row as usize];
            unified.maps[at.batch as usize][key as usize]
        });
        let numbers = UInt32Array::from_iter_values(numbers);
        let strings =
            self.batches[0].column(index).data_type() == &throughline_model::schema::dict_utf8();
        let values: ArrayRef = if strings {
            Arc::new(unified.values.into_strings()?)
        } else {
            Arc::new(unified.values.into_binary())
        };
        Ok(Arc::new(DictionaryArray::<UInt32Type>::try_new(numbers, values)?))
    }

    fn bytes<'b>(
        &self,
        index: usize,
        value: impl Fn(usize, usize) -> &'b [u8],
    ) -> Result<(OffsetBuffer<i32>, Buffer, Option<NullBuffer>)> {
        let nulls = self.nulls(index);
        let mut bytes = Vec::new();
        let mut offsets = Vec::with_capacity(self.order.len() + 1);
        offsets.push(0);
        for (i, at) in self.order.iter().enumerate() {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(i)) {
                bytes.extend_from_slice(value(at.batch as usize, at.row as usize));
            }
            offsets.push(column_offset(bytes.len())?);
        }
        Ok((OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes), nulls))
    }

    fn binary(&self, index: usize) -> Result<ArrayRef> {
        let columns = self
            .batches
            .iter()
            .map(|batch| batch.column(index).as_binary::<i32>())
            .collect::<Vec<_>>();
        let (offsets, values, nulls) = self.bytes(index, |batch, row| columns[batch].value(row))?;
        Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls)?))
    }

    fn strings(&self, index: usize) -> Result<ArrayRef> {
        let columns = self
            .batches
            .iter()
            .map(|batch| batch.column(index).as_string::<i32>())
            .collect::<Vec<_>>();
        let (offsets, values, nulls) =
            self.bytes(index, |batch, row| columns[batch].value(row).as_bytes())?;
        Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?))
    }
}

/// An end of a row in a column's bytes.
pub(crate) fn column_offset(bytes: usize) -> Result<i32> {
    i32::try_from(bytes)
        .map_err(|_| Error::invalid(format!("a column of a row group exceeds {} bytes", i32::MAX)))
}

/// The keys of a dictionary column.
pub(crate) fn dictionary_keys(batch: &RecordBatch, index: usize) -> &[u32] {
    batch.column(index).as_dictionary::<UInt32Type>().keys().values()
}

/// The dictionaries of one column of several batches as one.
pub(crate) struct Unified {
    pub values: Interner,
    /// For each batch, its keys' numbers in `values`.
    pub maps: Vec<Arc<Vec<u32>>>,
}

impl Unified {
    pub(crate) fn of(batches: &[RecordBatch], index: usize) -> Result<Self> {
        let mut values = Interner::default();
        let mut maps: Vec<Arc<Vec<u32>>> = Vec::with_capacity(batches.len());
        let mut last: Option<ArrayRef> = None;
        for batch in batches {
            let dictionary = batch.column(index).as_dictionary::<UInt32Type>().values();
            // Batches read from one row group share their dictionary.
            let same = last.as_ref().is_some_and(|last| same_values(last, dictionary));
            let map = match maps.last() {
                Some(map) if same => map.clone(),
                _ => Arc::new(intern_all(&mut values, dictionary)?),
            };
            maps.push(map);
            last = Some(dictionary.clone());
        }
        Ok(Self { values, maps })
    }

    /// Numbers as the ranks of their values by bytes.
    pub(crate) fn ranked(mut self) -> Self {
        let mut sorted = (0..self.values.len() as u32).collect::<Vec<_>>();
        sorted.sort_unstable_by(|a, b| self.values.get(*a).cmp(self.values.get(*b)));
        let mut ranks = vec![0u32; sorted.len()];
        sorted.iter().enumerate().for_each(|(rank, number)| ranks[*number as usize] = rank as u32);
        for map in &mut self.maps {
            let ranked = map.iter().map(|number| ranks[*number as usize]).collect();
            *map = Arc::new(ranked);
        }
        self
    }
}

/// Whether two dictionaries are the same bytes in memory.
pub(crate) fn same_values(a: &ArrayRef, b: &ArrayRef) -> bool {
    Arc::ptr_eq(a, b) || a.to_data().ptr_eq(&b.to_data())
}

fn intern_all(values: &mut Interner, dictionary: &ArrayRef) -> Result<Vec<u32>> {
    let mut map = Vec::with_capacity(dictionary.len());
    if let Some(strings) = dictionary.as_string_opt::<i32>() {
        for i in 0..strings.len() {
            map.push(values.intern(strings.value(i).as_bytes())?);
        }
        return Ok(map);
    }
    let binary = dictionary
        .as_binary_opt::<i32>()
        .ok_or_else(|| Error::invalid(format!("a dictionary of {}", dictionary.data_type())))?;
    for i in 0..binary.len() {
        map.push(values.intern(binary.value(i))?);
    }
    Ok(map)
}
