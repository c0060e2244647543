//! Attributes from maps to columns: which keys get a column, and each value into its place.
//!
//! The first value of a key in a row goes to the column of its key and type, if there is one. All
//! others go to the rest, in their order: later values of the same key, rare keys, arrays, kvlists,
//! bytes and empty values. Reading back puts columns before the rest, so the first of equal keys
//! stays the first.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;
use throughline_model::attrs;
use throughline_model::columns::BinaryColumn;
use throughline_model::dict::Interner;
use throughline_model::schema::col;

use super::dictionary::DictionaryColumn;
use super::gather::{Gather, column_offset, same_values};
use super::layout::{AttributeColumn, AttributeKind, fits_column, value_tag};
use crate::{Error, Result};

/// A key in fewer than one of so many rows has no column.
const ROWS_PER_COLUMN_VALUE_MAX: u64 = 100;
/// Tags that are counted apart; unknown ones count as the last.
pub(crate) const TAGS: usize = 8;

/// How often each key occurs, by the tag of its value.
#[derive(Clone, Debug, Default)]
pub(crate) struct AttributeCounts {
    pub keys: HashMap<String, [u64; TAGS]>,
    /// Bytes of all keys and values.
    pub bytes: u64,
}

impl AttributeCounts {
    pub(crate) fn of(batches: &[RecordBatch]) -> Result<Self> {
        let mut counts = Self::default();
        let mut local: Vec<[u64; TAGS]> = Vec::new();
        for batch in batches {
            let map = attributes_of(batch)?;
            let keys = map.keys().as_dictionary::<UInt32Type>();
            let names = keys.values().as_string::<i32>();
            let values = map.values().as_binary::<i32>();
            local.clear();
            local.resize(names.len(), [0; TAGS]);
            let offsets = map.value_offsets();
            let (first, last) = (offsets[0] as usize, offsets[batch.num_rows()] as usize);
            for i in first..last {
                let number = value_tag(values.value(i)) as usize;
                local[keys.keys().value(i) as usize][number.min(TAGS - 1)] += 1;
            }
            let ends = values.value_offsets();
            counts.bytes += (ends[last] - ends[first]) as u64;
            for (key, found) in local.iter().enumerate() {
                if found.iter().any(|count| *count > 0) {
                    counts.add(names.value(key), found);
                }
            }
        }
        Ok(counts)
    }

    pub(crate) fn add(&mut self, key: &str, found: &[u64; TAGS]) {
        let counts = self.keys.entry_ref(key).or_insert([0; TAGS]);
        counts.iter_mut().zip(found).for_each(|(count, more)| *count += more);
    }

    /// The keys and types that get a column, sorted by name.
    pub(crate) fn columns(&self, rows: u64, columns_max: usize) -> Vec<AttributeColumn> {
        let mut frequent = Vec::new();
        for (key, counts) in &self.keys {
            for (number, count) in counts.iter().enumerate() {
                let enough = *count > 0 && *count * ROWS_PER_COLUMN_VALUE_MAX >= rows;
                if let (true, Some(kind)) = (enough, AttributeKind::from_tag(number as u8)) {
                    frequent.push((*count, key.as_str(), kind));
                }
            }
        }
        frequent.sort_unstable_by(|a, b| b.0.cmp(&a.0).then_with(|| (a.1, a.2).cmp(&(b.1, b.2))));
        frequent.truncate(columns_max);
        frequent.sort_unstable_by(|a, b| (a.1, a.2).cmp(&(b.1, b.2)));
        frequent
            .into_iter()
            .map(|(_, key, kind)| AttributeColumn { key: key.to_owned(), kind, repeats: true })
            .collect()
    }
}

/// The attributes map of a batch in an item schema.
pub(crate) fn attributes_of(batch: &RecordBatch) -> Result<&arrow::array::MapArray> {
    batch
        .column_by_name(col::ATTRIBUTES)
        .and_then(|column| column.as_map_opt())
        .ok_or_else(|| Error::invalid(format!("a batch has no map '{}'", col::ATTRIBUTES)))
}

/// Attributes of a row group, in columns.
pub(crate) struct Routed {
    /// In the order of the attribute columns.
    pub columns: Vec<AttributeValues>,
    /// The encoded sets of what has no column.
    pub rest: BinaryColumn,
    /// Keys that occur in the rest.
    pub rest_keys: Vec<String>,
}

const NO_COLUMN: u16 = u16::MAX;

struct Key {
    columns: [u16; TAGS],
    /// The last row (plus one) that had this key.
    row_seen: u32,
    in_rest: bool,
}

/// Sends the attributes of the rows to their columns.
pub(crate) fn route(gather: &Gather<'_>, columns: &[AttributeColumn]) -> Result<Routed> {
    let mut names = Interner::default();
    let mut keys: Vec<Key> = Vec::new();
    let maps = gather.batches.iter().map(attributes_of).collect::<Result<Vec<_>>>()?;
    let mut numbers: Vec<Arc<Vec<u32>>> = Vec::with_capacity(maps.len());
    let mut last: Option<ArrayRef> = None;
    for map in &maps {
        let dictionary = map.keys().as_dictionary::<UInt32Type>().values();
        let same = last.as_ref().is_some_and(|last| same_values(last, dictionary));
        match numbers.last() {
            Some(known) if same => numbers.push(known.clone()),
            _ => {
                let strings = dictionary.as_string::<i32>();
                let local = (0..strings.len())
                    .map(|i| Ok(names.intern(strings.value(i).as_bytes())?))
                    .collect::<Result<Vec<u32>>>()?;
                numbers.push(Arc::new(local));
            }
        }
        last = Some(dictionary.clone());
    }
    keys.resize_with(names.len(), || Key {
        columns: [NO_COLUMN; TAGS],
        row_seen: 0,
        in_rest: false,
    });
    for (i, column) in columns.iter().enumerate() {
        // A key that no batch has gets a number of its own, past `keys`: it is never looked up.
        let number = names.intern(column.key.as_bytes())? as usize;
        if let Some(key) = keys.get_mut(number) {
            key.columns[column.kind as usize] = i as u16;
        }
    }
    let mut values = columns.iter().map(|c| AttributeValues::new(c.kind)).collect::<Vec<_>>();
    let mut rest = BinaryColumn::default();
    let sources = maps
        .iter()
        .map(|map| {
            let entries = map.keys().as_dictionary::<UInt32Type>();
            (map.value_offsets(), entries.keys().values().as_ref(), map.values().as_binary::<i32>())
        })
        .collect::<Vec<(&[i32], &[u32], _)>>();
    for (row, at) in gather.order.iter().enumerate() {
        let (offsets, entry_keys, entry_values) = &sources[at.batch as usize];
        let local = &numbers[at.batch as usize];
        let (first, end) = (offsets[at.row as usize], offsets[at.row as usize + 1]);
        for i in first as usize..end as usize {
            let value = entry_values.value(i);
            let number = local[entry_keys[i] as usize];
            let key = &mut keys[number as usize];
            let first_of_key = key.row_seen != row as u32 + 1;
            key.row_seen = row as u32 + 1;
            let column = key.columns[(value_tag(value) as usize).min(TAGS - 1)];
            let placed = first_of_key
                && column != NO_COLUMN
                && values[column as usize].push(row as u32, value)?;
            if !placed {
                key.in_rest = true;
                let name = std::str::from_utf8(names.get(number)).unwrap_or_default();
                attrs::put_encoded(&mut rest.bytes, name, value);
            }
        }
        rest.end_row_or_null()?;
    }
    let rest_keys = (0..keys.len() as u32).filter(|i| keys[*i as usize].in_rest);
    let rest_keys = rest_keys.map(|i| String::from_utf8_lossy(names.get(i)).into_owned()).collect();
    Ok(Routed { columns: values, rest, rest_keys })
}

/// The values of one attribute column and the rows that have them, ascending.
pub(crate) struct AttributeValues {
    rows: Vec<u32>,
    data: Data,
}

enum Data {
    Text {
        bytes: Vec<u8>,
        ends: Vec<i32>,
    },
    /// Texts that came numbered; there may be more of them than are used.
    Numbered {
        numbers: Vec<u32>,
        texts: Interner,
    },
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Double(Vec<f64>),
}

impl AttributeValues {
    pub(crate) fn new(kind: AttributeKind) -> Self {
        let data = match kind {
            AttributeKind::String => Data::Text { bytes: Vec::new(), ends: Vec::new() },
            AttributeKind::Bool => Data::Bool(Vec::new()),
            AttributeKind::Int => Data::Int(Vec::new()),
            AttributeKind::Double => Data::Double(Vec::new()),
        };
        Self { rows: Vec::new(), data }
    }

    /// Of texts that are mostly numbered already; [`Self::push_number`] adds such a one.
    pub(crate) fn numbered_texts(texts: Interner) -> Self {
        Self { rows: Vec::new(), data: Data::Numbered { numbers: Vec::new(), texts } }
    }

    /// Adds a text by its number; false if the texts of this column are not numbered.
    pub(crate) fn push_number(&mut self, row: u32, number: u32) -> bool {
        let Data::Numbered { numbers, .. } = &mut self.data else { return false };
        numbers.push(number);
        self.rows.push(row);
        true
    }

    /// Adds an encoded value of the column's type; false if its bytes are not exactly those that
    /// reading the column back would give.
    pub(crate) fn push(&mut self, row: u32, value: &[u8]) -> Result<bool> {
        let number = |value: &[u8]| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&value[1..9]);
            bytes
        };
        match &mut self.data {
            Data::Text { bytes, ends } if fits_column(value, AttributeKind::String) => {
                bytes.extend_from_slice(&value[1..]);
                ends.push(column_offset(bytes.len())?);
            }
            Data::Numbered { numbers, texts } if fits_column(value, AttributeKind::String) => {
                numbers.push(texts.intern(&value[1..])?);
            }
            Data::Bool(flags) if fits_column(value, AttributeKind::Bool) => {
                flags.push(value[1] == 1);
            }
            Data::Int(numbers) if fits_column(value, AttributeKind::Int) => {
                numbers.push(i64::from_le_bytes(number(value)));
            }
            Data::Double(numbers) if fits_column(value, AttributeKind::Double) => {
                numbers.push(f64::from_le_bytes(number(value)));
            }
            _ => return Ok(false),
        }
        self.rows.push(row);
        Ok(true)
    }

    /// How many rows have a value.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that have a value, ascending.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// Whether values are texts.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.data, Data::Text { .. } | Data::Numbered { .. })
    }

    /// The i-th text of a string column.
    pub(crate) fn text(&self, i: usize) -> Option<&[u8]> {
        match &self.data {
            Data::Text { bytes, ends } => {
                let start = if i == 0 { 0 } else { *ends.get(i - 1)? as usize };
                bytes.get(start..*ends.get(i)? as usize)
            }
            Data::Numbered { numbers, texts } => Some(texts.get(*numbers.get(i)?)),
            _ => None,
        }
    }

    /// The texts of a string column; equal ones may be left out.
    pub(crate) fn texts(&self) -> Option<Box<dyn Iterator<Item = &[u8]> + '_>> {
        match &self.data {
            Data::Text { bytes, ends } => Some(Box::new(texts(bytes, ends))),
            Data::Numbered { numbers, texts } => {
                let mut used = vec![false; texts.len()];
                numbers.iter().for_each(|number| used[*number as usize] = true);
                let used = (0..texts.len() as u32).filter(move |number| used[*number as usize]);
                Some(Box::new(used.map(|number| texts.get(number))))
            }
            _ => None,
        }
    }

    /// The column in numbers; none if a dictionary would not serve.
    pub(super) fn numbered(&self, bytes_max: usize) -> Result<Option<DictionaryColumn>> {
        match &self.data {
            Data::Text { bytes, ends } => {
                DictionaryColumn::of_texts(&self.rows, texts(bytes, ends), bytes_max)
            }
            Data::Numbered { numbers, texts } => {
                let rows = Some(self.rows.clone());
                let text = |number| texts.get(number);
                DictionaryColumn::of_numbers(rows, numbers.clone(), text, bytes_max)
            }
            Data::Int(values) => Ok(DictionaryColumn::of_ints(&self.rows, values, bytes_max)),
            Data::Double(values) => Ok(DictionaryColumn::of_doubles(&self.rows, values, bytes_max)),
            Data::Bool(_) => Ok(None),
        }
    }

    /// Whether the values repeat enough for a dictionary, from a sample of them.
    pub(crate) fn repeats(&self) -> bool {
        const SAMPLE: usize = 1024;
        let len = self.len();
        let step = (len / SAMPLE).max(1);
        let picks = (0..len).step_by(step);
        let (distinct_max_percent, hashes) = match &self.data {
            Data::Text { bytes, ends } => {
                let hash = |i: usize| {
                    let start = if i == 0 { 0 } else { ends[i - 1] as usize };
                    xxhash_rust::xxh3::xxh3_64(&bytes[start..ends[i] as usize])
                };
                (90, picks.map(hash).collect::<Vec<_>>())
            }
            Data::Numbered { numbers, .. } => {
                (90, picks.map(|i| u64::from(numbers[i])).collect::<Vec<_>>())
            }
            Data::Int(numbers) => (40, picks.map(|i| numbers[i] as u64).collect()),
            Data::Double(numbers) => (40, picks.map(|i| numbers[i].to_bits()).collect()),
            Data::Bool(_) => return false,
        };
        let sampled = hashes.len();
        let distinct = hashes.into_iter().collect::<hashbrown::HashSet<u64>>().len();
        sampled < 16 || distinct * 100 <= sampled * distinct_max_percent
    }

    /// The column of a row group of `rows_total` rows.
    pub(crate) fn finish(self, rows_total: usize) -> Result<ArrayRef> {
        let rows = self.rows;
        let nulls = (rows.len() < rows_total).then(|| {
            let mut bits = vec![0u8; rows_total.div_ceil(8)];
            rows.iter().for_each(|row| bits[*row as usize / 8] |= 1 << (row % 8));
            NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, rows_total))
        });
        let data = match self.data {
            Data::Numbered { numbers, texts } => {
                let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(numbers.len()));
                for number in numbers {
                    bytes.extend_from_slice(texts.get(number));
                    ends.push(column_offset(bytes.len())?);
                }
                Data::Text { bytes, ends }
            }
            data => data,
        };
        Ok(match data {
            // Spelled out above.
            Data::Numbered { .. } => return Err(Error::invalid("texts are still numbered")),
            Data::Text { bytes, ends } => {
                let mut offsets = Vec::with_capacity(rows_total + 1);
                let mut end = 0;
                for (row, next) in rows.iter().zip(&ends) {
                    offsets.resize(*row as usize + 1, end);
                    end = *next;
                }
                offsets.resize(rows_total + 1, end);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls)?)
            }
            Data::Bool(flags) => {
                let spread = spread(&rows, flags, rows_total);
                Arc::new(BooleanArray::new(BooleanBuffer::from(spread), nulls))
            }
            Data::Int(numbers) => {
                Arc::new(Int64Array::new(spread(&rows, numbers, rows_total).into(), nulls))
            }
            Data::Double(numbers) => {
                Arc::new(Float64Array::new(spread(&rows, numbers, rows_total).into(), nulls))
            }
        })
    }
}

fn texts<'d>(bytes: &'d [u8], ends: &'d [i32]) -> impl Iterator<Item = &'d [u8]> {
    (0..ends.len()).map(move |i| {
        let start = if i == 0 { 0 } else { ends[i - 1] as usize };
        &bytes[start..ends[i] as usize]
    })
}

fn spread<T: Copy + Default>(rows: &[u32], values: Vec<T>, rows_total: usize) -> Vec<T> {
    if rows.len() == rows_total {
        return values;
    }
    let mut out = vec![T::default(); rows_total];
    rows.iter().zip(values).for_each(|(row, value)| out[*row as usize] = value);
    out
}
