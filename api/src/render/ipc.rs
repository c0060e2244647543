//! Results as an Arrow IPC stream that any reader understands: attribute sets become maps of text,
//! dictionaries become plain columns.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, MapBuilder, MapFieldNames, RecordBatch, StringBuilder,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use throughline_model::attrs;
use throughline_model::value::ValueRef;

use super::is_attributes;
use crate::error::{ApiError, Result};

/// Media type of the stream.
pub const ARROW_STREAM: &str = "application/vnd.apache.arrow.stream";

/// Writes the stream piece by piece: the schema, each batch, the end.
pub struct IpcWriter {
    writer: StreamWriter<Vec<u8>>,
    shown: SchemaRef,
}

impl IpcWriter {
    /// A writer for results of this schema.
    pub fn new(schema: &Schema) -> Result<Self> {
        let fields: Vec<Field> = schema.fields().iter().map(|field| shown_field(field)).collect();
        let shown = Arc::new(Schema::new(fields));
        Ok(Self { writer: StreamWriter::try_new(Vec::new(), &shown)?, shown })
    }

    /// Appends a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let schema = batch.schema();
        let columns = schema.fields().iter().zip(batch.columns()).zip(self.shown.fields());
        let columns = columns
            .map(|((field, column), shown)| shown_column(field, column, shown.data_type()))
            .collect::<Result<Vec<_>>>()?;
        let shown = RecordBatch::try_new(self.shown.clone(), columns)?;
        Ok(self.writer.write(&shown)?)
    }

    /// Writes the end of the stream.
    pub fn finish(&mut self) -> Result<()> {
        Ok(self.writer.finish()?)
    }

    /// What was written since it was taken last.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }
}

fn shown_field(field: &Field) -> Field {
    let data_type = match field.data_type() {
        _ if is_attributes(field) => text_map(),
        DataType::Dictionary(_, values) => values.as_ref().clone(),
        other => other.clone(),
    };
    // Nullable always: a column of a dictionary may hold null values without saying so.
    Field::new(field.name(), data_type, true)
}

fn text_map() -> DataType {
    let names = MapFieldNames::default();
    let entries = Fields::from(vec![
        Field::new(names.key, DataType::Utf8, false),
        Field::new(names.value, DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new(names.entry, DataType::Struct(entries), false)), false)
}

fn shown_column(field: &Field, column: &ArrayRef, shown: &DataType) -> Result<ArrayRef> {
    if is_attributes(field) {
        return attribute_map(column);
    }
    if column.data_type() == shown { Ok(column.clone()) } else { Ok(cast(column, shown)?) }
}

fn attribute_map(column: &ArrayRef) -> Result<ArrayRef> {
    let plain = cast(column, &DataType::Binary)?;
    let sets = plain.as_binary::<i32>();
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in 0..sets.len() {
        if sets.is_null(row) {
            map.append(false)?;
            continue;
        }
        for entry in attrs::iter(sets.value(row)) {
            let (key, value) = entry.map_err(corrupt)?;
            let text = ValueRef::read(value).and_then(|value| value.text()).map_err(corrupt)?;
            map.keys().append_value(key);
            map.values().append_option(text);
        }
        map.append(true)?;
    }
    Ok(Arc::new(map.finish()))
}

fn corrupt(err: throughline_model::Error) -> ApiError {
    ApiError::internal(err.to_string())
}

#[cfg(test)]
mod tests {
    use arrow::array::{BinaryArray, DictionaryArray, Int64Array};
    use arrow::datatypes::UInt32Type;
    use arrow::ipc::reader::StreamReader;
    use throughline_model::Value;

    use super::super::{KIND_ATTRIBUTES, KIND_KEY};
    use super::*;

    #[test]
    fn a_stream_reads_back_in_plain_types() {
        let kind = [(KIND_KEY.to_owned(), KIND_ATTRIBUTES.to_owned())].into();
        let schema = Arc::new(Schema::new(vec![
            Field::new("n", DataType::Int64, false),
            Field::new("name", throughline_model::schema::dict_utf8(), false),
            Field::new("attributes", DataType::Binary, true).with_metadata(kind),
        ]));
        let set = attrs::encode([("a", &Value::Int(1)), ("b", &Value::Empty)]);
        let names: DictionaryArray<UInt32Type> = ["x", "y"].into_iter().collect();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![1, 2])),
            Arc::new(names),
            Arc::new(BinaryArray::from_opt_vec(vec![Some(&set), None])),
        ];
        let batch = RecordBatch::try_new(schema.clone(), columns).expect("valid");

        let mut writer = IpcWriter::new(&schema).expect("writes");
        let mut stream = writer.take();
        writer.write(&batch).expect("writes");
        stream.extend(writer.take());
        writer.finish().expect("writes");
        stream.extend(writer.take());

        let batches: Vec<RecordBatch> = StreamReader::try_new(stream.as_slice(), None)
            .expect("reads")
            .collect::<std::result::Result<_, _>>()
            .expect("reads");
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].column(1).as_string::<i32>().value(1), "y");
        let map = batches[0].column(2).as_map();
        assert!(map.is_null(1));
        let entries = map.value(0);
        assert_eq!(entries.column(0).as_string::<i32>().value(0), "a");
        assert_eq!(entries.column(1).as_string::<i32>().value(0), "1");
        assert!(entries.column(1).is_null(1));
    }
}
