//! Arrow columns in the words of the API: JSON cells, type names, and the schema of IPC streams.

pub mod cell;
pub mod column_type;
pub mod ipc;

use arrow::datatypes::{DataType, Field};

/// Key of the field metadata that says what a column of bytes means.
pub const KIND_KEY: &str = "throughline.kind";
/// Its value for an encoded attribute set.
pub const KIND_ATTRIBUTES: &str = "attributes";

/// The largest integer that every JSON reader takes exactly: 2⁵³.
pub const EXACT_MAX: u64 = 1 << 53;

/// Whether the column holds encoded attribute sets.
pub fn is_attributes(field: &Field) -> bool {
    fn is_binary(data_type: &DataType) -> bool {
        match data_type {
            DataType::Binary | DataType::LargeBinary | DataType::BinaryView => true,
            DataType::Dictionary(_, values) => is_binary(values),
            _ => false,
        }
    }
    field.metadata().get(KIND_KEY).is_some_and(|kind| kind == KIND_ATTRIBUTES)
        && is_binary(field.data_type())
}

/// Lowercase hex digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// The name of a double that JSON has no number for, as protobuf's JSON mapping writes it.
pub fn non_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
