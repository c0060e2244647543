//! Answers in plain types: ids as hex digits, attribute sets as JSON objects, text as `Utf8`.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, GenericListArray, OffsetSizeTrait, RecordBatch, RecordBatchOptions,
    StringBuilder, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef, UInt32Type};
use throughline_model::attrs;

use super::ids::hex;
use super::sets::set_type;
use crate::{Error, Result};

/// Metadata of a field: what its text is.
pub const KIND_KEY: &str = "throughline.kind";
/// [`KIND_KEY`] of a column whose texts are JSON objects: whole attribute sets.
pub const KIND_ATTRIBUTES: &str = "attributes";
/// [`KIND_KEY`] of a column whose texts are ids or other bytes in hex digits.
pub const KIND_ID: &str = "id";

/// The schema of the answer to a plan with this schema.
pub(crate) fn plain_schema(schema: &Schema) -> SchemaRef {
    Arc::new(Schema::new(schema.fields().iter().map(plain_field).collect::<Vec<_>>()))
}

fn plain_field(field: &FieldRef) -> FieldRef {
    let (data_type, kind) = match field.data_type() {
        DataType::Binary => (DataType::Utf8, Some(KIND_ID)),
        set if *set == set_type() => (DataType::Utf8, Some(KIND_ATTRIBUTES)),
        DataType::Utf8View | DataType::LargeUtf8 => (DataType::Utf8, None),
        DataType::Dictionary(_, values) if values.is_string() => (DataType::Utf8, None),
        DataType::List(item) => (DataType::List(plain_field(item)), None),
        DataType::LargeList(item) => (DataType::LargeList(plain_field(item)), None),
        DataType::Struct(fields) => {
            (DataType::Struct(fields.iter().map(plain_field).collect()), None)
        }
        other => (other.clone(), None),
    };
    let metadata = kind.map(|kind| HashMap::from([(KIND_KEY.to_owned(), kind.to_owned())]));
    Arc::new(
        Field::new(field.name(), data_type, field.is_nullable())
            .with_metadata(metadata.unwrap_or_default()),
    )
}

/// A batch of a plan in the answer's types.
pub(crate) fn plain_batch(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| plain_column(column, field.data_type()))
        .collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), columns, &options)?)
}

fn plain_column(column: &ArrayRef, plain: &DataType) -> Result<ArrayRef> {
    if column.data_type() == plain {
        return Ok(column.clone());
    }
    Ok(match (column.data_type(), plain) {
        (DataType::Binary, DataType::Utf8) => hex_column(column),
        (set, DataType::Utf8) if *set == set_type() => json_column(column)?,
        (_, DataType::List(item)) => list_column(column.as_list::<i32>(), item)?,
        (_, DataType::LargeList(item)) => list_column(column.as_list::<i64>(), item)?,
        (_, DataType::Struct(fields)) => {
            let of = column.as_struct();
            let columns = of
                .columns()
                .iter()
                .zip(fields)
                .map(|(column, field)| plain_column(column, field.data_type()))
                .collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new(fields.clone(), columns, of.nulls().cloned())?)
        }
        _ => cast(column, plain)?,
    })
}

fn list_column<O: OffsetSizeTrait>(
    list: &GenericListArray<O>,
    item: &FieldRef,
) -> Result<ArrayRef> {
    let values = plain_column(list.values(), item.data_type())?;
    let (offsets, nulls) = (list.offsets().clone(), list.nulls().cloned());
    Ok(Arc::new(GenericListArray::<O>::try_new(item.clone(), offsets, values, nulls)?))
}

fn hex_column(column: &ArrayRef) -> ArrayRef {
    let mut texts = StringBuilder::with_capacity(column.len(), column.len() * 32);
    column.as_binary::<i32>().iter().for_each(|id| texts.append_option(id.map(hex)));
    Arc::new(texts.finish())
}

fn json_column(column: &ArrayRef) -> Result<ArrayRef> {
    let dict = column
        .as_dictionary_opt::<UInt32Type>()
        .ok_or_else(|| Error::internal("an attribute set is no dictionary"))?;
    let sets = dict.values().as_binary::<i64>();
    let mut texts = StringBuilder::new();
    for key in dict.keys() {
        match key {
            Some(key) => texts.append_value(attrs::to_json(sets.value(key as usize))?.to_string()),
            None => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}
