//! Columns as numbers into their distinct values: what [`super::chunk`] writes.
//!
//! Rows reach a writer as dictionary arrays or as few distinct values, so their numbers are mostly
//! known before a value is looked at; Parquet's own writer would hash every one of them again.

use arrow::array::{Array, ArrayRef, AsArray, DictionaryArray};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type, UInt32Type};
use hashbrown::HashMap;
use throughline_model::dict::Interner;

use crate::Result;

/// The distinct values of a column.
#[derive(Debug)]
pub(crate) enum Values {
    Bytes(Interner),
    Int32(Vec<i32>),
    UInt32(Vec<u32>),
    Int64(Vec<i64>),
    Double(Vec<f64>),
}

impl Values {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Values::Bytes(values) => values.len(),
            Values::Int32(values) => values.len(),
            Values::UInt32(values) => values.len(),
            Values::Int64(values) => values.len(),
            Values::Double(values) => values.len(),
        }
    }
}

/// A column in numbers.
#[derive(Debug)]
pub(super) struct DictionaryColumn {
    /// The rows that have a value, ascending; all if none are listed.
    pub rows: Option<Vec<u32>>,
    /// The number of each of these rows' values.
    pub numbers: Vec<u32>,
    /// In the order of their first row; each has one.
    pub values: Values,
}

/// Dictionaries of up to so many values always serve.
const VALUES_FEW: usize = 64;

// A dictionary with nearly as many values as there are rows saves nothing.
fn serves(bytes_max: usize, values: usize, bytes: usize, rows: usize) -> bool {
    values * 4 + bytes <= bytes_max && (values <= VALUES_FEW || values * 10 <= rows * 9)
}

impl DictionaryColumn {
    /// The numbers of an array's values; none if a dictionary would not serve.
    pub(super) fn of_array(array: &ArrayRef, bytes_max: usize) -> Result<Option<Self>> {
        let rows = present(array);
        Ok(match array.data_type() {
            DataType::Dictionary(..) => {
                let dictionary: &DictionaryArray<UInt32Type> = array.as_dictionary();
                let keys = dictionary.keys().values();
                let numbers = match &rows {
                    Some(rows) => rows.iter().map(|row| keys[*row as usize]).collect(),
                    None => keys.to_vec(),
                };
                let values = dictionary.values();
                if let Some(values) = values.as_string_opt::<i32>() {
                    Self::of_numbers(
                        rows,
                        numbers,
                        |i| values.value(i as usize).as_bytes(),
                        bytes_max,
                    )?
                } else {
                    let values = values.as_binary::<i32>();
                    Self::of_numbers(rows, numbers, |i| values.value(i as usize), bytes_max)?
                }
            }
            DataType::UInt32 => {
                let values = array.as_primitive::<UInt32Type>().values();
                Self::of_fixed(rows, values, |value| u64::from(*value), Values::UInt32, bytes_max)
            }
            DataType::Int32 => {
                let values = array.as_primitive::<Int32Type>().values();
                Self::of_fixed(rows, values, |value| *value as u32 as u64, Values::Int32, bytes_max)
            }
            DataType::Int64 => {
                let values = array.as_primitive::<Int64Type>().values();
                Self::of_fixed(rows, values, |value| *value as u64, Values::Int64, bytes_max)
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().values();
                Self::of_fixed(rows, values, |value| value.to_bits(), Values::Double, bytes_max)
            }
            _ => None,
        })
    }

    /// Renumbers numbers of values that may hold more than these rows use.
    pub(super) fn of_numbers<'v>(
        rows: Option<Vec<u32>>,
        mut numbers: Vec<u32>,
        value: impl Fn(u32) -> &'v [u8],
        bytes_max: usize,
    ) -> Result<Option<Self>> {
        let count = numbers.iter().max().map_or(0, |max| *max as usize + 1);
        let mut renumbered = vec![u32::MAX; count];
        let mut values = Interner::default();
        let mut bytes = 0;
        for number in &mut numbers {
            let slot = &mut renumbered[*number as usize];
            if *slot == u32::MAX {
                let value = value(*number);
                bytes += value.len();
                *slot = values.intern(value)?;
            }
            *number = *slot;
        }
        let serves = serves(bytes_max, values.len(), bytes, numbers.len());
        Ok(serves.then_some(Self { rows, numbers, values: Values::Bytes(values) }))
    }

    /// Numbers texts that are not numbered yet. `rows` have one each, in order.
    pub(super) fn of_texts<'v>(
        rows: &[u32],
        texts: impl Iterator<Item = &'v [u8]>,
        bytes_max: usize,
    ) -> Result<Option<Self>> {
        let mut values = Interner::default();
        let mut numbers = Vec::with_capacity(rows.len());
        let (mut last, mut number) = (&[][..], u32::MAX);
        let mut bytes = 0;
        for text in texts {
            // Neighbours are often equal, since rows are sorted.
            if number == u32::MAX || text != last {
                number = values.intern(text)?;
                if number as usize == values.len() - 1 {
                    bytes += text.len();
                    if values.len() * 4 + bytes > bytes_max {
                        return Ok(None);
                    }
                }
                last = text;
            }
            numbers.push(number);
        }
        let serves = serves(bytes_max, values.len(), bytes, numbers.len());
        let rows = Some(rows.to_vec());
        Ok(serves.then_some(Self { rows, numbers, values: Values::Bytes(values) }))
    }

    fn of_fixed<T: Copy>(
        rows: Option<Vec<u32>>,
        all: &[T],
        bits: impl Fn(&T) -> u64,
        values_of: impl Fn(Vec<T>) -> Values,
        bytes_max: usize,
    ) -> Option<Self> {
        let mut known: HashMap<u64, u32> = HashMap::new();
        let mut values: Vec<T> = Vec::new();
        let mut numbers = Vec::with_capacity(rows.as_ref().map_or(all.len(), Vec::len));
        let mut last = None;
        let width = size_of::<T>();
        let mut number_of = |value: &T| {
            let bits = bits(value);
            match last {
                Some((known, number)) if known == bits => return Some(number),
                _ => {}
            }
            let next = known.len() as u32;
            let number = *known.entry(bits).or_insert(next);
            if number == next {
                values.push(*value);
                if values.len() * width > bytes_max {
                    return None;
                }
            }
            last = Some((bits, number));
            Some(number)
        };
        match &rows {
            Some(rows) => {
                for row in rows {
                    numbers.push(number_of(&all[*row as usize])?);
                }
            }
            None => {
                for value in all {
                    numbers.push(number_of(value)?);
                }
            }
        }
        let serves = serves(bytes_max, values.len(), values.len() * (width - 4), numbers.len());
        serves.then(|| Self { rows, numbers, values: values_of(values) })
    }

    /// Numbers, with the values of only some rows, of fixed width.
    pub(super) fn of_ints(rows: &[u32], values: &[i64], bytes_max: usize) -> Option<Self> {
        let column = Self::of_fixed(None, values, |v| *v as u64, Values::Int64, bytes_max)?;
        Some(Self { rows: Some(rows.to_vec()), ..column })
    }

    /// As [`Self::of_ints`].
    pub(super) fn of_doubles(rows: &[u32], values: &[f64], bytes_max: usize) -> Option<Self> {
        let column = Self::of_fixed(None, values, |v| v.to_bits(), Values::Double, bytes_max)?;
        Some(Self { rows: Some(rows.to_vec()), ..column })
    }
}

// The rows that are not null, if any is.
fn present(array: &ArrayRef) -> Option<Vec<u32>> {
    if array.null_count() == 0 {
        return None;
    }
    let nulls = array.nulls()?;
    Some(nulls.valid_indices().map(|row| row as u32).collect())
}
