//! What a column's type is called in JSON answers.

use arrow::datatypes::{DataType, Field};

use throughline_query::sql::{KIND_ATTRIBUTES, KIND_KEY};

/// The name of a column's type: `string`, `int64`, `timestamp`, `id`, `list<…>`, …
pub fn name(field: &Field) -> String {
    match field.metadata().get(KIND_KEY) {
        Some(kind) => kind.clone(),
        None => of(field.data_type()),
    }
}

/// Whether the texts of a column are the JSON of attribute sets.
pub fn is_attributes(field: &Field) -> bool {
    field.data_type() == &DataType::Utf8
        && field.metadata().get(KIND_KEY).is_some_and(|kind| kind == KIND_ATTRIBUTES)
}

fn of(data_type: &DataType) -> String {
    let name = match data_type {
        DataType::Null => "null",
        DataType::Boolean => "bool",
        DataType::Int8 => "int8",
        DataType::Int16 => "int16",
        DataType::Int32 => "int32",
        DataType::Int64 => "int64",
        DataType::UInt8 => "uint8",
        DataType::UInt16 => "uint16",
        DataType::UInt32 => "uint32",
        DataType::UInt64 => "uint64",
        DataType::Float16 => "float16",
        DataType::Float32 => "float32",
        DataType::Float64 => "float64",
        DataType::Timestamp(..) => "timestamp",
        DataType::Date32 | DataType::Date64 => "date",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Duration(_) => "duration",
        DataType::Interval(_) => "interval",
        DataType::FixedSizeBinary(8 | 16) => "id",
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => "binary",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string",
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => return format!("list<{}>", name(item)),
        DataType::Struct(_) => "struct",
        DataType::Union(..) => "union",
        DataType::Map(..) => "map",
        DataType::Dictionary(_, values) => return of(values),
        DataType::RunEndEncoded(_, values) => return name(values),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => {
            return format!("decimal({precision},{scale})");
        }
    };
    name.to_owned()
}
