//! Values and Arrow columns in the words of the API: JSON cells, type names, IPC streams.

pub mod cell;
pub mod column_type;
pub mod ipc;
pub mod value;

/// The largest integer that every JSON reader takes exactly: 2⁵³.
pub const EXACT_MAX: u64 = 1 << 53;

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
