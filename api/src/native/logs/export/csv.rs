//! A table as CSV (RFC 4180): a cell with a comma, a quote or a control character stands in quotes,
//! where everything but the quote itself is written as it is. Lines end with CR LF.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type, Schema, TimestampNanosecondType, UInt32Type};
use throughline_model::time::format_rfc3339;

use crate::error::{ApiError, Result};

/// Appends the line of names.
pub fn write_names(out: &mut Vec<u8>, schema: &Schema) {
    for (i, field) in schema.fields().iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        write_text(out, field.name());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends the rows of a table. A null is an empty cell, an empty text is `""`.
pub fn write_rows(out: &mut Vec<u8>, rows: &RecordBatch) -> Result<()> {
    for row in 0..rows.num_rows() {
        for (i, column) in rows.columns().iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            if column.is_valid(row) {
                write_cell(out, column, row)?;
            }
        }
        out.extend_from_slice(b"\r\n");
    }
    Ok(())
}

fn write_cell(out: &mut Vec<u8>, column: &dyn Array, row: usize) -> Result<()> {
    match column.data_type() {
        DataType::Utf8 => write_text(out, column.as_string::<i32>().value(row)),
        DataType::Timestamp(..) => {
            let time_ns = column.as_primitive::<TimestampNanosecondType>().value(row);
            out.extend_from_slice(format_rfc3339(time_ns).as_bytes());
        }
        DataType::Int32 => {
            let number = column.as_primitive::<Int32Type>().value(row);
            out.extend_from_slice(number.to_string().as_bytes());
        }
        DataType::UInt32 => {
            let number = column.as_primitive::<UInt32Type>().value(row);
            out.extend_from_slice(number.to_string().as_bytes());
        }
        other => return Err(ApiError::internal(format!("a column of {other} has no CSV"))),
    }
    Ok(())
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    let is_special = |c: char| c == ',' || c == '"' || c.is_control();
    let has_edge = text.is_empty() || text.starts_with(' ') || text.ends_with(' ');
    if !has_edge && !text.contains(is_special) {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
