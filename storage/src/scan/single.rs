//! One attribute of many rows as `Dictionary<UInt32, Binary>` of encoded values.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, DictionaryArray, MapArray, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::UInt32Type;
use throughline_model::dict::Interner;
use throughline_model::predicate::Target;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};

use crate::Result;
use crate::segment::rows::ValueReader;

const NONE: u32 = u32::MAX;

/// The column under construction. Sources are added by precedence: a row keeps its first value.
pub(crate) struct SingleAttribute {
    numbers: Vec<u32>,
    values: Interner,
    // Whether an empty attribute of the item leaves its row to the sources behind it.
    passes_empty: bool,
}

impl SingleAttribute {
    pub(crate) fn new(target: &Target, rows: usize) -> Self {
        let passes_empty = matches!(target, Target::PresentAttribute(_));
        Self { numbers: vec![NONE; rows], values: Interner::default(), passes_empty }
    }

    fn number(&mut self, value: &[u8]) -> Result<u32> {
        if self.passes_empty && matches!(ValueRef::read(value)?, ValueRef::Empty) {
            return Ok(NONE);
        }
        Ok(self.values.intern(value)?)
    }

    /// Values of an attribute column.
    pub(crate) fn add_values(&mut self, reader: &ValueReader<'_>) -> Result<()> {
        let mut scratch = Vec::new();
        let mut known: Vec<u32> = Vec::new();
        for row in 0..self.numbers.len() {
            if self.numbers[row] != NONE || reader.array.is_null(row) {
                continue;
            }
            let key = reader.keys().map(|keys| keys.value(row) as usize);
            if let Some(number) = key.and_then(|key| known.get(key)).filter(|n| **n != NONE) {
                self.numbers[row] = *number;
                continue;
            }
            scratch.clear();
            reader.put(row, &mut scratch);
            let number = self.values.intern(&scratch)?;
            self.numbers[row] = number;
            if let Some(key) = key {
                known.resize(known.len().max(key + 1), NONE);
                known[key] = number;
            }
        }
        Ok(())
    }

    /// Values inside encoded sets.
    pub(crate) fn add_sets(&mut self, sets: &BinaryArray, key: &str) -> Result<()> {
        for row in 0..self.numbers.len() {
            if self.numbers[row] == NONE
                && sets.is_valid(row)
                && let Some(value) = attrs::get(sets.value(row), key)
            {
                self.numbers[row] = self.number(value)?;
            }
        }
        Ok(())
    }

    /// Values inside a map of attributes.
    pub(crate) fn add_map(&mut self, map: &MapArray, key: &str) -> Result<()> {
        let keys = map.keys().as_dictionary::<UInt32Type>();
        let Some(wanted) = key_number(map, key) else { return Ok(()) };
        let values = map.values().as_binary::<i32>();
        let offsets = map.value_offsets();
        for row in 0..self.numbers.len() {
            let entries = offsets[row] as usize..offsets[row + 1] as usize;
            let keys = keys.keys().values();
            let found = entries.clone().find(|i| keys[*i] == wanted);
            if let (NONE, Some(found)) = (self.numbers[row], found) {
                self.numbers[row] = self.number(values.value(found))?;
            }
        }
        Ok(())
    }

    /// Values of resources.
    pub(crate) fn add_resource(&mut self, column: &ArrayRef, key: &str) -> Result<()> {
        self.add_origin(column, |bytes| Ok(attrs::get(origin::resource_attrs(bytes)?, key)))
    }

    /// Values of scopes.
    pub(crate) fn add_scope(&mut self, column: &ArrayRef, key: &str) -> Result<()> {
        self.add_origin(column, |bytes| Ok(attrs::get(origin::scope_parts(bytes)?.3, key)))
    }

    fn add_origin(
        &mut self,
        column: &ArrayRef,
        value: impl Fn(&[u8]) -> Result<Option<&[u8]>>,
    ) -> Result<()> {
        let column = column.as_dictionary::<UInt32Type>();
        let origins = column.values().as_binary::<i32>();
        let mut numbers = Vec::with_capacity(origins.len());
        for i in 0..origins.len() {
            numbers.push(match value(origins.value(i))? {
                Some(value) => self.values.intern(value)?,
                None => NONE,
            });
        }
        for (number, key) in self.numbers.iter_mut().zip(column.keys().values()) {
            if *number == NONE {
                *number = numbers[*key as usize];
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let valid = self.numbers.iter().map(|number| *number != NONE).collect::<Vec<_>>();
        let keys = self.numbers.iter().map(|number| if *number == NONE { 0 } else { *number });
        let keys = UInt32Array::new(keys.collect(), Some(NullBuffer::from(valid)));
        let values = Arc::new(self.values.into_binary());
        Ok(Arc::new(DictionaryArray::<UInt32Type>::try_new(keys, values)?))
    }
}

/// The number of a key in a map's dictionary.
pub(crate) fn key_number(map: &MapArray, key: &str) -> Option<u32> {
    let keys = map.keys().as_dictionary::<UInt32Type>();
    let names = keys.values().as_string::<i32>();
    (0..names.len()).find(|i| names.value(*i) == key).map(|i| i as u32)
}
