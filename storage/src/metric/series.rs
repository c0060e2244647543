//! Tables of series: one row a series in [`schema::series`], sorted and distinct.
//!
//! Place in the flow: heads carry a small series table with each request, segments one for all their
//! chunks. [`union`] makes one table of many, for a flush, a merge and a read alike, and says which
//! row of it each input row became.
//!
//! Rows are sorted by metric name, service, resource and attributes (then by the rest of the
//! identity), so that similar series are neighbours. The order depends on nothing but identities:
//! any two tables agree on it. Where inputs differ in what is not identity (description, metadata),
//! the greatest by bytes stays, whatever the order of inputs.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BooleanArray, FixedSizeBinaryArray, Int32Array,
    RecordBatch,
};
use arrow::datatypes::{DataType, Int32Type, UInt32Type};
use hashbrown::HashTable;
use throughline_model::columns::{BinaryColumn, IdColumn};
use throughline_model::dict::{DictBuilder, Interner};
use throughline_model::metric::{MetricKind, SeriesIdentity};
use throughline_model::schema::{self, col};

use crate::{Error, Result};

/// Columns that are dictionaries, in the order of [`SeriesColumns::dicts`].
const DICTS: [&str; 6] =
    [col::METRIC_NAME, col::SERVICE_NAME, col::RESOURCE, col::SCOPE, col::UNIT, col::DESCRIPTION];
const NAME: usize = 0;
const RESOURCE: usize = 2;
const SCOPE: usize = 3;
const UNIT: usize = 4;
const DESCRIPTION: usize = 5;

/// A dictionary column of strings or byte strings.
#[derive(Clone, Copy, Debug)]
pub struct DictColumn<'a> {
    keys: &'a [u32],
    offsets: &'a [i32],
    bytes: &'a [u8],
}

impl<'a> DictColumn<'a> {
    fn new(array: &'a ArrayRef) -> Option<Self> {
        let dict = array.as_dictionary_opt::<UInt32Type>()?;
        let values = dict.values();
        let (offsets, bytes) = match values.data_type() {
            DataType::Utf8 => {
                let values = values.as_string_opt::<i32>()?;
                (values.value_offsets(), values.value_data())
            }
            DataType::Binary => {
                let values = values.as_binary_opt::<i32>()?;
                (values.value_offsets(), values.value_data())
            }
            _ => return None,
        };
        Some(Self { keys: dict.keys().values(), offsets, bytes })
    }

    /// The number of the row's value in the dictionary.
    pub fn key(&self, row: usize) -> usize {
        self.keys[row] as usize
    }

    /// How many values the dictionary has.
    pub fn values(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// A value of the dictionary.
    pub fn value(&self, key: usize) -> &'a [u8] {
        &self.bytes[self.offsets[key] as usize..self.offsets[key + 1] as usize]
    }

    /// The value of a row.
    pub fn at(&self, row: usize) -> &'a [u8] {
        self.value(self.key(row))
    }

    /// The value of a row of a column of strings.
    pub fn text(&self, row: usize) -> &'a str {
        std::str::from_utf8(self.at(row)).unwrap_or_default()
    }
}

/// The columns of a series table, borrowed.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // named as in the schema
pub struct SeriesColumns<'a> {
    pub ids: &'a FixedSizeBinaryArray,
    dicts: [DictColumn<'a>; DICTS.len()],
    pub kinds: &'a [i32],
    pub temporalities: &'a [i32],
    pub are_monotonic: &'a BooleanArray,
    pub attributes: &'a BinaryArray,
    pub metadata: &'a BinaryArray,
}

impl<'a> SeriesColumns<'a> {
    /// The columns of a batch in [`schema::series`].
    pub fn new(batch: &'a RecordBatch) -> Result<Self> {
        Self::find(batch)
            .ok_or_else(|| Error::corrupt("a series table has other columns than expected"))
    }

    fn find(batch: &'a RecordBatch) -> Option<Self> {
        let numbers = |name: &str| -> Option<&'a [i32]> {
            Some(batch.column_by_name(name)?.as_primitive_opt::<Int32Type>()?.values())
        };
        let mut dicts = [DictColumn { keys: &[], offsets: &[], bytes: &[] }; DICTS.len()];
        for (dict, name) in dicts.iter_mut().zip(DICTS) {
            *dict = DictColumn::new(batch.column_by_name(name)?)?;
        }
        Some(Self {
            ids: batch.column_by_name(col::SERIES_ID)?.as_fixed_size_binary_opt()?,
            dicts,
            kinds: numbers(col::METRIC_KIND)?,
            temporalities: numbers(col::TEMPORALITY)?,
            are_monotonic: batch.column_by_name(col::IS_MONOTONIC)?.as_boolean_opt()?,
            attributes: batch.column_by_name(col::ATTRIBUTES)?.as_binary_opt::<i32>()?,
            metadata: batch.column_by_name(col::METADATA)?.as_binary_opt::<i32>()?,
        })
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.kinds.len()
    }

    /// Whether there is no series.
    pub fn is_empty(&self) -> bool {
        self.kinds.is_empty()
    }

    /// Metric names.
    pub fn names(&self) -> DictColumn<'a> {
        self.dicts[NAME]
    }

    /// Encoded resources.
    pub fn resources(&self) -> DictColumn<'a> {
        self.dicts[RESOURCE]
    }

    /// Encoded scopes.
    pub fn scopes(&self) -> DictColumn<'a> {
        self.dicts[SCOPE]
    }

    /// The dictionary column of that name.
    pub fn dict(&self, name: &str) -> Option<DictColumn<'a>> {
        DICTS.iter().position(|other| *other == name).map(|i| self.dicts[i])
    }

    /// The id of a series.
    pub fn id(&self, row: usize) -> [u8; 16] {
        let mut id = [0; 16];
        id.copy_from_slice(self.ids.value(row));
        id
    }

    /// The identity of a series.
    pub fn identity(&self, row: usize) -> Result<SeriesIdentity<'a>> {
        let kind = self.kinds[row];
        Ok(SeriesIdentity {
            resource: self.resources().at(row),
            scope: self.scopes().at(row),
            name: self.names().text(row),
            unit: self.dicts[UNIT].text(row),
            kind: MetricKind::from_i32(kind)
                .ok_or_else(|| Error::corrupt(format!("a series of metric kind {kind}")))?,
            temporality: self.temporalities[row],
            is_monotonic: self.are_monotonic.value(row),
            attributes: self.attributes.value(row),
        })
    }

    /// Whether a series is a sum that only grows until it starts again.
    pub fn is_counter(&self, row: usize) -> bool {
        const CUMULATIVE: i32 = 2;
        self.kinds[row] == MetricKind::Sum as i32
            && self.temporalities[row] == CUMULATIVE
            && self.are_monotonic.value(row)
    }
}

/// One distinct series of a union: where it was met, and numbers of its values.
struct Entry {
    batch: u32,
    row: u32,
    /// Interned values, in the order of [`DICTS`].
    values: [u32; DICTS.len()],
    /// Where the greatest metadata was met.
    metadata: (u32, u32),
}

/// One sorted table of all distinct series of the batches, and for each batch the row in it that each
/// row became.
pub fn union(batches: &[&RecordBatch]) -> Result<(RecordBatch, Vec<Vec<u32>>)> {
    let columns =
        batches.iter().map(|batch| SeriesColumns::new(batch)).collect::<Result<Vec<_>>>()?;
    let mut union = Union { columns: &columns, interners: Default::default(), entries: Vec::new() };
    let mut rows = union.collect()?;
    let order = union.sorted();
    let mut ranks = vec![0u32; order.len()];
    order.iter().enumerate().for_each(|(rank, entry)| ranks[*entry as usize] = rank as u32);
    rows.iter_mut().flatten().for_each(|row| *row = ranks[*row as usize]);
    Ok((union.build(&order)?, rows))
}

struct Union<'a> {
    columns: &'a [SeriesColumns<'a>],
    interners: [Interner; DICTS.len()],
    entries: Vec<Entry>,
}

impl Union<'_> {
    /// Finds the distinct series; for each batch, the entry of each row.
    fn collect(&mut self) -> Result<Vec<Vec<u32>>> {
        let columns = self.columns;
        let mut table: HashTable<u32> = HashTable::new();
        let mut rows = Vec::with_capacity(columns.len());
        for (batch, series) in columns.iter().enumerate() {
            let numbers = self.intern(series)?;
            let mut entries_of_rows = Vec::with_capacity(series.len());
            for row in 0..series.len() {
                let id = series.ids.value(row);
                let hash = id_hash(id);
                let id_of =
                    |entry: &Entry| columns[entry.batch as usize].ids.value(entry.row as usize);
                let found = table.find(hash, |i| id_of(&self.entries[*i as usize]) == id).copied();
                let at = match found {
                    Some(known) => {
                        self.keep_greatest(known as usize, (batch, row), &numbers);
                        known
                    }
                    None => {
                        let new = self.entries.len() as u32;
                        let place = (batch as u32, row as u32);
                        let values = std::array::from_fn(|i| numbers[i][series.dicts[i].key(row)]);
                        self.entries.push(Entry {
                            batch: place.0,
                            row: place.1,
                            values,
                            metadata: place,
                        });
                        let entries = &self.entries;
                        table.insert_unique(hash, new, |i| id_hash(id_of(&entries[*i as usize])));
                        new
                    }
                };
                entries_of_rows.push(at);
            }
            rows.push(entries_of_rows);
        }
        Ok(rows)
    }

    /// The numbers of a batch's dictionary values.
    fn intern(&mut self, series: &SeriesColumns<'_>) -> Result<[Vec<u32>; DICTS.len()]> {
        let mut numbers: [Vec<u32>; DICTS.len()] = Default::default();
        for (i, dict) in series.dicts.iter().enumerate() {
            let interner = &mut self.interners[i];
            numbers[i] = (0..dict.values())
                .map(|key| interner.intern(dict.value(key)))
                .collect::<throughline_model::Result<Vec<_>>>()?;
        }
        Ok(numbers)
    }

    /// Of description and metadata, keeps the greatest.
    fn keep_greatest(
        &mut self,
        entry: usize,
        (batch, row): (usize, usize),
        numbers: &[Vec<u32>; DICTS.len()],
    ) {
        let series = &self.columns[batch];
        let entry = &mut self.entries[entry];
        let (old, new) =
            (entry.values[DESCRIPTION], numbers[DESCRIPTION][series.dicts[DESCRIPTION].key(row)]);
        let descriptions = &self.interners[DESCRIPTION];
        if old != new && descriptions.get(old) < descriptions.get(new) {
            entry.values[DESCRIPTION] = new;
        }
        let (old_batch, old_row) = entry.metadata;
        let old = self.columns[old_batch as usize].metadata.value(old_row as usize);
        if old < series.metadata.value(row) {
            entry.metadata = (batch as u32, row as u32);
        }
    }

    /// The entries in the order of the table.
    fn sorted(&self) -> Vec<u32> {
        // Values are compared by rank, so that the sort touches no text but the attributes.
        let ranks: [Vec<u32>; DICTS.len()] = std::array::from_fn(|i| {
            let interner = &self.interners[i];
            let mut order = (0..interner.len() as u32).collect::<Vec<_>>();
            order.sort_unstable_by(|a, b| interner.get(*a).cmp(interner.get(*b)));
            let mut ranks = vec![0; order.len()];
            order.iter().enumerate().for_each(|(rank, n)| ranks[*n as usize] = rank as u32);
            ranks
        });
        let rank = |entry: &Entry, column: usize| ranks[column][entry.values[column] as usize];
        let leading = |entry: &Entry| -> [u32; 3] { std::array::from_fn(|i| rank(entry, i)) };
        let mut order = (0..self.entries.len() as u32).collect::<Vec<_>>();
        order.sort_unstable_by(|a, b| {
            let (a, b) = (&self.entries[*a as usize], &self.entries[*b as usize]);
            leading(a)
                .cmp(&leading(b))
                .then_with(|| self.attributes(a).cmp(self.attributes(b)))
                .then_with(|| rank(a, SCOPE).cmp(&rank(b, SCOPE)))
                .then_with(|| rank(a, UNIT).cmp(&rank(b, UNIT)))
                .then_with(|| self.compare_numbers(a, b))
        });
        order
    }

    fn attributes(&self, entry: &Entry) -> &[u8] {
        self.columns[entry.batch as usize].attributes.value(entry.row as usize)
    }

    fn compare_numbers(&self, a: &Entry, b: &Entry) -> Ordering {
        let numbers = |entry: &Entry| {
            let (series, row) = (&self.columns[entry.batch as usize], entry.row as usize);
            (series.kinds[row], series.temporalities[row], series.are_monotonic.value(row))
        };
        numbers(a).cmp(&numbers(b))
    }

    fn build(self, order: &[u32]) -> Result<RecordBatch> {
        let entries = || order.iter().map(|i| &self.entries[*i as usize]);
        let place = |entry: &Entry| (&self.columns[entry.batch as usize], entry.row as usize);
        let mut ids = IdColumn::<16>::default();
        let (mut attributes, mut metadata) = (BinaryColumn::default(), BinaryColumn::default());
        let (mut kinds, mut temporalities, mut are_monotonic) =
            (Vec::new(), Vec::new(), Vec::new());
        for entry in entries() {
            let (series, row) = place(entry);
            ids.push(Some(&series.id(row)));
            kinds.push(series.kinds[row]);
            temporalities.push(series.temporalities[row]);
            are_monotonic.push(series.are_monotonic.value(row));
            attributes.bytes.extend_from_slice(series.attributes.value(row));
            attributes.end_row()?;
            let (batch, row) = entry.metadata;
            metadata
                .bytes
                .extend_from_slice(self.columns[batch as usize].metadata.value(row as usize));
            metadata.end_row()?;
        }
        let mut dicts = self.interners.map(|values| {
            let mut dict = DictBuilder::default();
            dict.values = values;
            dict
        });
        for entry in order.iter().map(|i| &self.entries[*i as usize]) {
            dicts.iter_mut().zip(entry.values).for_each(|(dict, number)| dict.push_number(number));
        }
        let [name, service, resource, scope, unit, description] = dicts;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(ids.finish_required()),
            name.finish_strings()?,
            Arc::new(Int32Array::from(kinds)),
            Arc::new(Int32Array::from(temporalities)),
            Arc::new(BooleanArray::from(are_monotonic)),
            unit.finish_strings()?,
            description.finish_strings()?,
            service.finish_strings()?,
            resource.finish_binary(),
            scope.finish_binary(),
            Arc::new(attributes.finish_required()),
            Arc::new(metadata.finish_required()),
        ];
        Ok(RecordBatch::try_new(schema::series(), columns)?)
    }
}

fn id_hash(id: &[u8]) -> u64 {
    // An id is a hash already.
    id.first_chunk::<8>().map_or(0, |chunk| u64::from_le_bytes(*chunk))
}

/// Bytes that a table holds. Columns that were read together share a buffer, which counts once.
pub fn memory_bytes(table: &RecordBatch) -> usize {
    let of = |column: &ArrayRef| column.to_data().get_slice_memory_size().unwrap_or(0);
    table.columns().iter().map(of).sum()
}

/// A table without its ids, as it is stored: they follow from the rest and do not compress.
pub fn without_ids(table: &RecordBatch) -> Result<RecordBatch> {
    let others = (1..table.num_columns()).collect::<Vec<_>>();
    Ok(table.project(&others)?)
}

/// A stored table with its ids.
pub fn with_ids(stored: &RecordBatch) -> Result<RecordBatch> {
    let mut columns = stored.columns().to_vec();
    let zeros = vec![0u8; 16 * stored.num_rows()];
    columns.insert(0, Arc::new(FixedSizeBinaryArray::new(16, zeros.into(), None)));
    let mut table = RecordBatch::try_new(schema::series(), columns)?;
    let mut ids = IdColumn::<16>::default();
    let series = SeriesColumns::new(&table)?;
    for row in 0..series.len() {
        ids.push(Some(&series.identity(row)?.id()));
    }
    let mut columns = table.columns().to_vec();
    columns[0] = Arc::new(ids.finish_required());
    table = RecordBatch::try_new(schema::series(), columns)?;
    Ok(table)
}
