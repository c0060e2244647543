//! One Arrow cell as JSON text.
//!
//! ids → hex · other bytes → base64 · timestamps → RFC 3339 with nanoseconds · integers → numbers
//! up to 2⁵³, else strings · NaN and infinities → strings · decimals, dates, durations and intervals
//! → strings · lists → arrays · structs, maps and attribute sets → objects

use arrow::array::{
    Array, AsArray, BooleanArray, GenericListArray, GenericListViewArray, OffsetSizeTrait,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Field, Float16Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, RunEndIndexType, TimeUnit, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type,
    UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use throughline_model::time::format_rfc3339;

use super::column_type::is_attributes;
use super::{EXACT_MAX, hex, non_finite};
use crate::error::{ApiError, Result};

/// Appends the JSON of one cell.
pub fn write(out: &mut Vec<u8>, field: &Field, array: &dyn Array, row: usize) -> Result<()> {
    if array.is_null(row) {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    if is_attributes(field) {
        write_exact_json(out, array.as_string::<i32>().value(row));
        return Ok(());
    }
    match array.data_type() {
        DataType::Null => out.extend_from_slice(b"null"),
        DataType::Boolean => write_bool(out, array.as_boolean(), row),
        DataType::Utf8 => write_string(out, array.as_string::<i32>().value(row)),
        DataType::LargeUtf8 => write_string(out, array.as_string::<i64>().value(row)),
        DataType::Utf8View => write_string(out, array.as_string_view().value(row)),
        DataType::FixedSizeBinary(8 | 16) => {
            write_quoted(out, &hex(array.as_fixed_size_binary().value(row)));
        }
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => {
            write_quoted(out, &STANDARD.encode(bytes_at(array, row)?));
        }
        data_type if data_type.is_integer() => write_integer(out, integer_at(array, row)),
        data_type if data_type.is_floating() => write_float(out, array, row),
        DataType::Timestamp(unit, _) => write_timestamp(out, array, *unit, row)?,
        _ => write_nested(out, field, array, row)?,
    }
    Ok(())
}

fn write_nested(out: &mut Vec<u8>, field: &Field, array: &dyn Array, row: usize) -> Result<()> {
    match array.data_type() {
        DataType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            let key = dictionary_key(dictionary.keys(), row);
            // The values have the field's meaning; their type is looked up in the array.
            write(out, field, dictionary.values().as_ref(), key)
        }
        DataType::RunEndEncoded(ends, _) => match ends.data_type() {
            DataType::Int16 => write_run::<Int16Type>(out, field, array, row),
            DataType::Int32 => write_run::<Int32Type>(out, field, array, row),
            _ => write_run::<Int64Type>(out, field, array, row),
        },
        DataType::List(item) => write_list(out, item, array.as_list::<i32>(), row),
        DataType::LargeList(item) => write_list(out, item, array.as_list::<i64>(), row),
        DataType::ListView(item) => write_view(out, item, array.as_list_view::<i32>(), row),
        DataType::LargeListView(item) => write_view(out, item, array.as_list_view::<i64>(), row),
        DataType::FixedSizeList(item, _) => {
            write_items(out, item, array.as_fixed_size_list().value(row).as_ref())
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            write_object(out, fields.iter().zip(columns), |out, (field, column)| {
                write_string(out, field.name());
                out.push(b':');
                write(out, field, column.as_ref(), row)
            })
        }
        DataType::Map(entries, _) => write_map(out, entries, array, row),
        DataType::Union(fields, _) => {
            let union = array.as_union();
            let type_id = union.type_id(row);
            let field = fields.iter().find(|(id, _)| *id == type_id).map_or(field, |(_, f)| f);
            write(out, field, union.child(type_id).as_ref(), union.value_offset(row))
        }
        // Dates, times of day, durations, intervals and decimals: Arrow's own text.
        _ => {
            write_quoted(out, &display(array, row)?);
            Ok(())
        }
    }
}

/// Appends a JSON string with its escapes.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
    if text.as_bytes().iter().all(is_plain) {
        return write_quoted(out, text);
    }
    out.push(b'"');
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            control if control < ' ' => {
                out.extend_from_slice(format!("\\u{:04x}", control as u32).as_bytes());
            }
            other => out.extend_from_slice(other.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    out.push(b'"');
}

// JSON text in which integers past 2⁵³ become strings; everything else stays as it is.
fn write_exact_json(out: &mut Vec<u8>, text: &str) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'"' => string_end(bytes, at),
            b'-' | b'0'..=b'9' => number_end(bytes, at),
            _ => at + 1,
        };
        let token = &text[at..end];
        let is_wide = token.parse::<i64>().is_ok_and(|n| n.unsigned_abs() > EXACT_MAX);
        if is_wide {
            write_quoted(out, token);
        } else {
            out.extend_from_slice(token.as_bytes());
        }
        at = end;
    }
}

fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

fn number_end(bytes: &[u8], start: usize) -> usize {
    let is_number = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
    start + bytes[start..].iter().take_while(|byte| is_number(byte)).count()
}

fn write_object<T>(
    out: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    mut write_item: impl FnMut(&mut Vec<u8>, T) -> Result<()>,
) -> Result<()> {
    out.push(b'{');
    for (i, item) in items.enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_item(out, item)?;
    }
    out.push(b'}');
    Ok(())
}

// Text that needs no escapes.
fn write_quoted(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

fn write_bool(out: &mut Vec<u8>, array: &BooleanArray, row: usize) {
    out.extend_from_slice(if array.value(row) { b"true" } else { b"false" });
}

// An integer of any width.
fn integer_at(array: &dyn Array, row: usize) -> i128 {
    fn at<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> T::Native {
        array.as_primitive::<T>().value(row)
    }
    match array.data_type() {
        DataType::Int8 => at::<Int8Type>(array, row).into(),
        DataType::Int16 => at::<Int16Type>(array, row).into(),
        DataType::Int32 => at::<Int32Type>(array, row).into(),
        DataType::Int64 => at::<Int64Type>(array, row).into(),
        DataType::UInt8 => at::<UInt8Type>(array, row).into(),
        DataType::UInt16 => at::<UInt16Type>(array, row).into(),
        DataType::UInt32 => at::<UInt32Type>(array, row).into(),
        _ => at::<UInt64Type>(array, row).into(),
    }
}

fn dictionary_key(keys: &dyn Array, row: usize) -> usize {
    usize::try_from(integer_at(keys, row)).expect("a valid dictionary has keys in its range")
}

/// Appends an integer: a number while every reader takes it exactly, else a string.
pub fn write_integer(out: &mut Vec<u8>, number: i128) {
    if number.unsigned_abs() <= u128::from(EXACT_MAX) {
        out.extend_from_slice(number.to_string().as_bytes());
    } else {
        write_quoted(out, &number.to_string());
    }
}

fn write_float(out: &mut Vec<u8>, array: &dyn Array, row: usize) {
    match array.data_type() {
        DataType::Float16 => write_f32(out, array.as_primitive::<Float16Type>().value(row).into()),
        DataType::Float32 => write_f32(out, array.as_primitive::<Float32Type>().value(row)),
        _ => write_f64(out, array.as_primitive::<Float64Type>().value(row)),
    }
}

/// Appends a double.
pub fn write_f64(out: &mut Vec<u8>, number: f64) {
    match serde_json::Number::from_f64(number) {
        Some(finite) => out.extend_from_slice(finite.to_string().as_bytes()),
        None => write_quoted(out, non_finite(number)),
    }
}

// The shortest text that reads back as the same f32, which is not that of its f64.
fn write_f32(out: &mut Vec<u8>, number: f32) {
    if number.is_finite() {
        out.extend_from_slice(format!("{number:?}").as_bytes());
    } else {
        write_quoted(out, non_finite(number.into()));
    }
}

fn write_timestamp(out: &mut Vec<u8>, array: &dyn Array, unit: TimeUnit, row: usize) -> Result<()> {
    let (ticks, scale) = match unit {
        TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().value(row), 1_000_000_000),
        TimeUnit::Millisecond => {
            (array.as_primitive::<TimestampMillisecondType>().value(row), 1_000_000)
        }
        TimeUnit::Microsecond => {
            (array.as_primitive::<TimestampMicrosecondType>().value(row), 1_000)
        }
        TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().value(row), 1),
    };
    match ticks.checked_mul(scale) {
        Some(t_ns) => write_quoted(out, &format_rfc3339(t_ns)),
        None => write_quoted(out, &display(array, row)?),
    }
    Ok(())
}

fn display(array: &dyn Array, row: usize) -> Result<String> {
    let options = FormatOptions::default().with_display_error(false);
    let formatter = ArrayFormatter::try_new(array, &options)?;
    Ok(formatter.value(row).try_to_string()?)
}

fn write_run<R: RunEndIndexType>(
    out: &mut Vec<u8>,
    field: &Field,
    array: &dyn Array,
    row: usize,
) -> Result<()> {
    let Some(runs) = array.as_run_opt::<R>() else {
        return Err(ApiError::internal("a run array has another index type than it says"));
    };
    write(out, field, runs.values().as_ref(), runs.get_physical_index(row))
}

fn write_list<O: OffsetSizeTrait>(
    out: &mut Vec<u8>,
    item: &Field,
    list: &GenericListArray<O>,
    row: usize,
) -> Result<()> {
    write_items(out, item, list.value(row).as_ref())
}

fn write_view<O: OffsetSizeTrait>(
    out: &mut Vec<u8>,
    item: &Field,
    list: &GenericListViewArray<O>,
    row: usize,
) -> Result<()> {
    write_items(out, item, list.value(row).as_ref())
}

fn write_items(out: &mut Vec<u8>, item: &Field, items: &dyn Array) -> Result<()> {
    out.push(b'[');
    for i in 0..items.len() {
        if i > 0 {
            out.push(b',');
        }
        write(out, item, items, i)?;
    }
    out.push(b']');
    Ok(())
}

fn write_map(out: &mut Vec<u8>, entries: &Field, array: &dyn Array, row: usize) -> Result<()> {
    let DataType::Struct(fields) = entries.data_type() else {
        return Err(ApiError::internal("the entries of a map are no struct"));
    };
    let entries = array.as_map().value(row);
    let (keys, values) = (entries.column(0), entries.column(1));
    write_object(out, 0..entries.len(), |out, i| {
        write_key(out, &fields[0], keys.as_ref(), i)?;
        out.push(b':');
        write(out, &fields[1], values.as_ref(), i)
    })
}

// A key of an object is a string whatever its type.
fn write_key(out: &mut Vec<u8>, field: &Field, keys: &dyn Array, row: usize) -> Result<()> {
    let start = out.len();
    write(out, field, keys, row)?;
    if out[start] != b'"' {
        let text = String::from_utf8_lossy(&out[start..]).into_owned();
        out.truncate(start);
        write_string(out, &text);
    }
    Ok(())
}

fn bytes_at(array: &dyn Array, row: usize) -> Result<&[u8]> {
    Ok(match array.data_type() {
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => array.as_binary_view().value(row),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().value(row),
        other => return Err(ApiError::internal(format!("a column of {other} holds no bytes"))),
    })
}

#[cfg(test)]
mod tests;
