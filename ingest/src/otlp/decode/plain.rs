//! The shape that nearly every attribute has, read without a general walk.
//!
//! ```text
//! KeyValue := 0a len key  12 len value                              nothing else, lengths of one byte
//! value    := 0a len text | 10 bool | 18 varint | 21 8 bytes        one field, nothing else
//! ```
//! Anything else, malformed or not, is left to the walk, which gives the same result for what is read
//! here.

use throughline_model::value::{self, tag};

/// A value of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plain<'a> {
    /// ASCII.
    Text(&'a [u8]),
    Bool(bool),
    Int(i64),
    Double(f64),
}

impl Plain<'_> {
    /// Appends the encoded value.
    #[inline]
    pub fn put(self, out: &mut Vec<u8>) {
        match self {
            Plain::Text(text) => {
                out.push(tag::STRING);
                out.extend_from_slice(text);
            }
            Plain::Bool(flag) => value::put_bool(out, flag),
            Plain::Int(number) => value::put_int(out, number),
            Plain::Double(number) => value::put_double(out, number),
        }
    }
}

/// The key (ASCII) and the value of a `KeyValue` message of that shape.
#[inline]
pub fn key_value(message: &[u8]) -> Option<(&[u8], Plain<'_>)> {
    let [0x0a, key_len @ 0..0x80, rest @ ..] = message else { return None };
    let (key, rest) = rest.split_at_checked(usize::from(*key_len)).filter(|(k, _)| k.is_ascii())?;
    let [0x12, value_len @ 0..0x80, value @ ..] = rest else { return None };
    if value.len() != usize::from(*value_len) {
        return None;
    }
    let value = match value {
        [0x0a, len @ 0..0x80, text @ ..] if text.len() == usize::from(*len) && text.is_ascii() => {
            Plain::Text(text)
        }
        [0x10, flag @ 0..=1] => Plain::Bool(*flag == 1),
        [0x18, number @ ..] => Plain::Int(varint(number)? as i64),
        [0x21, number @ ..] => Plain::Double(f64::from_le_bytes(number.try_into().ok()?)),
        _ => return None,
    };
    Some((key, value))
}

// A varint of at most 63 bits that ends where the bytes do.
#[inline]
fn varint(bytes: &[u8]) -> Option<u64> {
    let (last, before) = bytes.split_last()?;
    if *last >= 0x80 || before.len() > 8 {
        return None;
    }
    let mut number = u64::from(*last) << (7 * before.len());
    for (i, byte) in before.iter().enumerate() {
        if *byte < 0x80 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * i);
    }
    Some(number)
}
