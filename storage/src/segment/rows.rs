//! From file columns back to the columns of the item schema.
//!
//! Undoes what [`super::layout`] describes: ordinals become trace ids, places become parent span
//! ids, attribute columns and the rest become the map or a single attribute.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, RecordBatch,
    RecordBatchOptions, TimestampNanosecondArray, UInt32Array,
};
use arrow::buffer::{Buffer, NullBuffer};
use arrow::datatypes::{
    Field, Float64Type, Int64Type, Schema, TimestampNanosecondType, UInt32Type,
};
use throughline_model::columns::AttributesBuilder;
use throughline_model::predicate::Target;
use throughline_model::schema::{self, col};
use throughline_model::value::{put_bool, put_double, put_int, put_string};
use throughline_model::{Signal, attrs};

use super::layout::{AttributeKind, DELAY, PARENT, PARENT_FIRST, PARENT_NONE, REST, TRACE};
use super::open::{Meter, Opened, Segment};
use super::spans::RowsByTrace;
use crate::scan::ScanColumn;
use crate::scan::single::SingleAttribute;
use crate::{Error, Result};

/// Makes item columns out of the columns of one row group.
pub(crate) struct Assembler<'a> {
    pub segment: &'a Segment,
    pub opened: &'a Opened,
    pub row_group: usize,
}

/// Where the parents of the rows at hand are.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parents {
    /// Anywhere in the slab.
    InSlab,
    /// Among the rows of the batch, which holds whole traces.
    InBatch,
}

/// An attribute column of a batch, or none if it was not read because it holds nothing.
pub(crate) struct AttributeArray<'a> {
    pub kind: AttributeKind,
    pub array: Option<&'a ArrayRef>,
}

impl Assembler<'_> {
    /// The file columns that an item column is made of.
    pub(crate) fn leaves(&self, column: &ScanColumn, parents: Parents) -> Result<Vec<usize>> {
        let leaf = |name: &str| self.opened.leaf(name);
        Ok(match column {
            ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name)) => {
                match name.as_str() {
                    col::TRACE_ID => vec![leaf(TRACE)?],
                    col::OBSERVED_TIME => vec![leaf(col::TIME)?, leaf(DELAY)?],
                    col::PARENT_SPAN_ID => {
                        let mut all = vec![leaf(TRACE)?, leaf(PARENT)?, leaf(name)?];
                        if parents == Parents::InBatch {
                            all.push(leaf(col::SPAN_ID)?);
                        }
                        all
                    }
                    col::ATTRIBUTES => return self.leaves(&ScanColumn::Attributes, parents),
                    name => vec![leaf(name)?],
                }
            }
            ScanColumn::Attributes => {
                let first = self.opened.first_attribute_leaf();
                let columns = self.opened.summary().columns.len();
                let mut all = (first..first + columns).collect::<Vec<_>>();
                all.push(leaf(REST)?);
                all
            }
            ScanColumn::Attribute(Target::Attribute(key)) => self.attribute_leaves(key)?,
            ScanColumn::Attribute(Target::ResourceAttribute(_)) => vec![leaf(col::RESOURCE)?],
            ScanColumn::Attribute(Target::ScopeAttribute(_)) => vec![leaf(col::SCOPE)?],
            ScanColumn::Attribute(Target::AnyAttribute(key) | Target::PresentAttribute(key)) => {
                let mut all = self.attribute_leaves(key)?;
                all.push(leaf(col::RESOURCE)?);
                all
            }
        })
    }

    /// The file columns in which values of a key may be.
    pub(crate) fn attribute_leaves(&self, key: &str) -> Result<Vec<usize>> {
        let summary = self.opened.summary();
        let first = self.opened.first_attribute_leaf();
        let mut all = summary.columns_of(key).map(|i| first + i).collect::<Vec<_>>();
        if summary.rest_may_hold(key) {
            all.push(self.opened.leaf(REST)?);
        }
        Ok(all)
    }

    /// The item columns of a batch of file columns.
    pub(crate) fn assemble(
        &self,
        file: &RecordBatch,
        columns: &[ScanColumn],
        parents: Parents,
        io: &Meter,
    ) -> Result<RecordBatch> {
        let mut fields = Vec::with_capacity(columns.len());
        let mut arrays = Vec::with_capacity(columns.len());
        for column in columns {
            let array = self.column(file, column, parents, io)?;
            fields.push(item_field(self.segment.meta.signal, column)?);
            arrays.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(file.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }

    /// What a merge takes from a batch of file columns: the item columns but for the attributes, then
    /// the attribute columns as they are in the file, then the rest.
    pub(crate) fn assemble_for_merge(&self, file: &RecordBatch, io: &Meter) -> Result<RecordBatch> {
        let columns = merge_columns(self.segment.meta.signal);
        let items = self.assemble(file, &columns, Parents::InSlab, io)?;
        let mut fields = items.schema().fields().to_vec();
        let mut arrays = items.columns().to_vec();
        let first = self.opened.first_attribute_leaf();
        let rest = self.opened.leaf(REST)?;
        for leaf in (first..file.num_columns()).chain([rest]) {
            fields.push(file.schema_ref().fields()[leaf].clone());
            arrays.push(file.column(leaf).clone());
        }
        let options = RecordBatchOptions::new().with_row_count(Some(file.num_rows()));
        Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
    }

    /// One item column of a batch of file columns.
    pub(crate) fn column(
        &self,
        file: &RecordBatch,
        column: &ScanColumn,
        parents: Parents,
        io: &Meter,
    ) -> Result<ArrayRef> {
        match column {
            ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name)) => {
                match name.as_str() {
                    col::TRACE_ID => self.trace_ids(file),
                    col::OBSERVED_TIME => self.observed_times(file),
                    col::PARENT_SPAN_ID => self.parent_ids(file, parents, io),
                    col::ATTRIBUTES => self.attributes(file),
                    name => self.fixed(file, name),
                }
            }
            ScanColumn::Attributes => self.attributes(file),
            ScanColumn::Attribute(target) => self.single(file, target),
        }
    }

    // A column that was left out of the file batch is null throughout.
    fn fixed(&self, file: &RecordBatch, name: &str) -> Result<ArrayRef> {
        if let Some(array) = file.column_by_name(name) {
            return Ok(array.clone());
        }
        let field = item_field(self.segment.meta.signal, &ScanColumn::Fixed(name.to_owned()))?;
        if !field.is_nullable() {
            return Err(Error::invalid(format!("column '{name}' was not read")));
        }
        Ok(arrow::array::new_null_array(field.data_type(), file.num_rows()))
    }

    fn trace_ids(&self, file: &RecordBatch) -> Result<ArrayRef> {
        let rows = file.num_rows();
        let Some(ordinals) = file.column_by_name(TRACE) else {
            return self.fixed(file, col::TRACE_ID);
        };
        let ordinals = ordinals.as_primitive::<UInt32Type>();
        let ids = self.opened.traces.ids();
        let mut bytes = Vec::with_capacity(rows * 16);
        for row in 0..rows {
            let at = ordinals.value(row) as usize * 16;
            match ids.get(at..at + 16) {
                Some(id) if ordinals.is_valid(row) => bytes.extend_from_slice(id),
                None if ordinals.is_valid(row) => {
                    return Err(Error::corrupt(format!(
                        "trace ordinal {} of {} traces",
                        ordinals.value(row),
                        self.opened.traces.len()
                    )));
                }
                _ => bytes.extend_from_slice(&[0; 16]),
            }
        }
        let nulls = ordinals.nulls().cloned();
        Ok(Arc::new(FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes), nulls)?))
    }

    fn observed_times(&self, file: &RecordBatch) -> Result<ArrayRef> {
        let times = self.fixed(file, col::TIME)?;
        let times = times.as_primitive::<TimestampNanosecondType>().values();
        let delays = file.column_by_name(DELAY).map(|delays| delays.as_primitive::<Int64Type>());
        let of_row = |(row, time): (usize, &i64)| match delays {
            Some(delays) if delays.is_valid(row) => time.wrapping_add(delays.value(row)),
            _ => 0,
        };
        let observed = times.iter().enumerate().map(of_row);
        let observed = TimestampNanosecondArray::from_iter_values(observed);
        Ok(Arc::new(observed.with_data_type(schema::timestamp())))
    }

    fn parent_ids(&self, file: &RecordBatch, parents: Parents, io: &Meter) -> Result<ArrayRef> {
        let numbers = |name: &str| {
            let column = file.column_by_name(name).map(|c| c.as_primitive::<UInt32Type>().clone());
            column.ok_or_else(|| Error::invalid(format!("column '{name}' was not read")))
        };
        let (ordinals, places) = (numbers(TRACE)?, numbers(PARENT)?);
        let elsewhere = self.fixed(file, col::PARENT_SPAN_ID)?;
        let elsewhere = elsewhere.as_fixed_size_binary();
        let group = self.opened.row_group(self.row_group)?;
        let (by_trace, spans) = match parents {
            Parents::InSlab => (
                self.segment.trace_rows(self.row_group, io)?,
                self.segment.span_ids(self.row_group, io)?,
            ),
            Parents::InBatch => {
                let spans = self.fixed(file, col::SPAN_ID)?;
                let spans = spans.as_fixed_size_binary();
                let mut ids = Vec::with_capacity(spans.len() * 8);
                (0..spans.len()).for_each(|row| ids.extend_from_slice(spans.value(row)));
                let rows = RowsByTrace::new(ordinals.values(), group.first_trace, group.traces);
                (Arc::new(rows), Arc::new(ids))
            }
        };
        let mut bytes = Vec::with_capacity(places.len() * 8);
        let mut valid = Vec::with_capacity(places.len());
        for (row, place) in places.values().iter().enumerate() {
            valid.push(*place != PARENT_NONE);
            if *place < PARENT_FIRST {
                bytes.extend_from_slice(elsewhere.value(row));
                continue;
            }
            let rows = by_trace.rows(ordinals.value(row).wrapping_sub(group.first_trace));
            let parent = rows.get((*place - PARENT_FIRST) as usize).map(|row| *row as usize * 8);
            let id = parent.and_then(|at| spans.get(at..at + 8));
            let id =
                id.ok_or_else(|| Error::corrupt(format!("a span's parent {place} is not there")));
            bytes.extend_from_slice(id?);
        }
        let nulls = Some(NullBuffer::from(valid));
        Ok(Arc::new(FixedSizeBinaryArray::try_new(8, Buffer::from_vec(bytes), nulls)?))
    }

    /// The attribute columns of a key that were read.
    pub(crate) fn attribute_arrays<'f>(
        &'f self,
        file: &'f RecordBatch,
        key: &str,
    ) -> Vec<AttributeArray<'f>> {
        let summary = self.opened.summary();
        let columns = summary.columns[summary.columns_of(key)].iter();
        let array = |name: &str| file.column_by_name(name);
        columns.map(|c| AttributeArray { kind: c.kind, array: array(&c.name()) }).collect()
    }

    fn attributes(&self, file: &RecordBatch) -> Result<ArrayRef> {
        let columns = self.opened.summary().columns.iter();
        let arrays = columns
            .filter_map(|column| Some((column, file.column_by_name(&column.name())?)))
            .filter(|(_, array)| array.null_count() < array.len())
            .map(|(column, array)| (column.key.as_str(), ValueReader::new(column.kind, array)))
            .collect::<Vec<_>>();
        let rest = file.column_by_name(REST).map(|rest| rest.as_binary::<i32>());
        let rest = rest.filter(|rest| rest.null_count() < rest.len());
        let mut builder = AttributesBuilder::default();
        for row in 0..file.num_rows() {
            for (key, reader) in &arrays {
                if reader.array.is_valid(row) {
                    builder.push(key, |out| reader.put(row, out))?;
                }
            }
            if let Some(set) = rest.filter(|rest| rest.is_valid(row)) {
                for entry in attrs::iter(set.value(row)) {
                    let (key, value) = entry?;
                    builder.push_encoded(key, value)?;
                }
            }
            builder.end_row();
        }
        Ok(builder.finish()?)
    }

    fn single(&self, file: &RecordBatch, target: &Target) -> Result<ArrayRef> {
        let mut single = SingleAttribute::new(target, file.num_rows());
        if let Target::Attribute(key) | Target::AnyAttribute(key) | Target::PresentAttribute(key) =
            target
        {
            for column in self.attribute_arrays(file, key) {
                if let Some(array) = column.array {
                    single.add_values(&ValueReader::new(column.kind, array))?;
                }
            }
            if let Some(rest) = file.column_by_name(REST) {
                single.add_sets(rest.as_binary::<i32>(), key)?;
            }
        }
        match target {
            Target::ResourceAttribute(key)
            | Target::AnyAttribute(key)
            | Target::PresentAttribute(key) => {
                single.add_resource(&self.fixed(file, col::RESOURCE)?, key)?;
            }
            Target::ScopeAttribute(key) => single.add_scope(&self.fixed(file, col::SCOPE)?, key)?,
            Target::Attribute(_) | Target::Column(_) => {}
        }
        single.finish()
    }
}

/// Encodes values of an attribute column.
pub(crate) struct ValueReader<'a> {
    pub array: &'a ArrayRef,
    values: Values<'a>,
}

enum Values<'a> {
    Dictionary(&'a UInt32Array, &'a arrow::array::StringArray),
    Strings(&'a arrow::array::StringArray),
    Bools(&'a arrow::array::BooleanArray),
    Ints(&'a [i64]),
    Doubles(&'a [f64]),
}

impl<'a> ValueReader<'a> {
    pub(crate) fn new(kind: AttributeKind, array: &'a ArrayRef) -> Self {
        let values = match kind {
            AttributeKind::String => match array.as_any_dictionary_opt() {
                Some(_) => {
                    let dictionary: &DictionaryArray<UInt32Type> = array.as_dictionary();
                    Values::Dictionary(dictionary.keys(), dictionary.values().as_string())
                }
                None => Values::Strings(array.as_string()),
            },
            AttributeKind::Bool => Values::Bools(array.as_boolean()),
            AttributeKind::Int => Values::Ints(array.as_primitive::<Int64Type>().values()),
            AttributeKind::Double => Values::Doubles(array.as_primitive::<Float64Type>().values()),
        };
        Self { array, values }
    }

    /// Appends the encoded value of a row that has one.
    pub(crate) fn put(&self, row: usize, out: &mut Vec<u8>) {
        match &self.values {
            Values::Dictionary(keys, values) => {
                put_string(out, values.value(keys.value(row) as usize));
            }
            Values::Strings(values) => put_string(out, values.value(row)),
            Values::Bools(values) => put_bool(out, values.value(row)),
            Values::Ints(values) => put_int(out, values[row]),
            Values::Doubles(values) => put_double(out, values[row]),
        }
    }

    /// The dictionary's keys, if the column has one: equal keys are equal values.
    pub(crate) fn keys(&self) -> Option<&'a UInt32Array> {
        match &self.values {
            Values::Dictionary(keys, _) => Some(keys),
            _ => None,
        }
    }
}

/// The field of a column in a scan's batches.
pub(crate) fn item_field(signal: Signal, column: &ScanColumn) -> Result<Field> {
    let item = match signal {
        Signal::Logs => schema::logs(),
        _ => schema::spans(),
    };
    let fixed = |name: &str| {
        if signal == Signal::Logs && matches!(name, col::TEMPLATE | col::TEMPLATE_ID) {
            return Ok(Field::new(name, schema::dict_utf8(), false));
        }
        item.field_with_name(name)
            .cloned()
            .map_err(|_| Error::invalid(format!("{signal} have no column '{name}'")))
    };
    match column {
        ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name)) => fixed(name),
        ScanColumn::Attributes => fixed(col::ATTRIBUTES),
        ScanColumn::Attribute(_) => Ok(Field::new(column.name(), schema::dict_binary(), true)),
    }
}

/// The columns of the item schema but for the attributes.
pub(crate) fn merge_columns(signal: Signal) -> Vec<ScanColumn> {
    let mut columns = item_columns(signal);
    columns.retain(|column| *column != ScanColumn::Attributes);
    columns
}

/// All columns of the item schema.
pub(crate) fn item_columns(signal: Signal) -> Vec<ScanColumn> {
    let item = match signal {
        Signal::Logs => schema::logs(),
        _ => schema::spans(),
    };
    let column = |field: &Arc<Field>| match field.name().as_str() {
        col::ATTRIBUTES => ScanColumn::Attributes,
        name => ScanColumn::Fixed(name.to_owned()),
    };
    item.fields().iter().map(column).collect()
}
