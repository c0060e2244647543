//! One JSON scalar to the payload of one protobuf field, by the rules of the protobuf JSON mapping
//! with OTLP's two exceptions (ids in hex, enums by number).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use throughline_model::codec::{put_bytes, put_varint};

use super::descriptors::Kind;

/// A scalar as the JSON parser hands it over.
#[derive(Clone, Copy, Debug)]
pub enum Scalar<'a> {
    /// Text.
    Str(&'a str),
    /// A number that is not negative and has neither fraction nor exponent.
    Unsigned(u64),
    /// A negative number without fraction and exponent.
    Signed(i64),
    /// Another number.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
}

/// Appends key and payload of a scalar field; an error says what was expected.
pub fn put(out: &mut Vec<u8>, number: u32, kind: Kind, scalar: Scalar<'_>) -> Result<(), String> {
    let key = |out: &mut Vec<u8>, wire_type: u32| {
        put_varint(out, u64::from(number << 3 | wire_type));
    };
    let varint = |out: &mut Vec<u8>, payload: u64| {
        key(out, 0);
        put_varint(out, payload);
    };
    let fixed64 = |out: &mut Vec<u8>, payload: u64| {
        key(out, 1);
        out.extend_from_slice(&payload.to_le_bytes());
    };
    match kind {
        Kind::String => {
            let text = str(scalar, "a string")?;
            key(out, 2);
            put_bytes(out, text.as_bytes());
        }
        Kind::Bytes => {
            let bytes = base64(str(scalar, "base64")?)?;
            key(out, 2);
            put_bytes(out, &bytes);
        }
        Kind::Id => {
            let digits = str(scalar, "hex digits")?;
            key(out, 2);
            put_hex(out, digits)?;
        }
        Kind::Bool => match scalar {
            Scalar::Bool(flag) => varint(out, u64::from(flag)),
            other => return Err(mismatch("true or false", other)),
        },
        Kind::Double => fixed64(out, double(scalar)?.to_bits()),
        Kind::Fixed64 => fixed64(out, unsigned(scalar, u64::MAX)?),
        Kind::Sfixed64 => fixed64(out, signed(scalar, i64::MIN, i64::MAX)? as u64),
        Kind::Fixed32 => {
            let payload = unsigned(scalar, u64::from(u32::MAX))? as u32;
            key(out, 5);
            out.extend_from_slice(&payload.to_le_bytes());
        }
        Kind::Int64 => varint(out, signed(scalar, i64::MIN, i64::MAX)? as u64),
        Kind::Uint64 => varint(out, unsigned(scalar, u64::MAX)?),
        Kind::Uint32 => varint(out, unsigned(scalar, u64::from(u32::MAX))?),
        Kind::Sint32 => {
            let payload = int32(scalar)?;
            varint(out, ((payload << 1) ^ (payload >> 63)) as u64);
        }
        Kind::Enum(names) => varint(out, enumerated(scalar, names)? as u64),
        Kind::Message(_) => return Err(mismatch("an object", scalar)),
    }
    Ok(())
}

fn mismatch(expected: &str, got: Scalar<'_>) -> String {
    let got = match got {
        // Long values would drown the message.
        Scalar::Str(text) => format!("'{}'", text.chars().take(64).collect::<String>()),
        Scalar::Unsigned(number) => number.to_string(),
        Scalar::Signed(number) => number.to_string(),
        Scalar::Float(number) => number.to_string(),
        Scalar::Bool(flag) => flag.to_string(),
    };
    format!("{expected} expected, got {got}")
}

fn str<'a>(scalar: Scalar<'a>, expected: &str) -> Result<&'a str, String> {
    match scalar {
        Scalar::Str(text) => Ok(text),
        other => Err(mismatch(expected, other)),
    }
}

fn unsigned(scalar: Scalar<'_>, max: u64) -> Result<u64, String> {
    let number = integer(scalar).and_then(|number| u64::try_from(number).ok());
    number
        .filter(|number| *number <= max)
        .ok_or_else(|| mismatch(&format!("an integer of 0 to {max}"), scalar))
}

fn signed(scalar: Scalar<'_>, min: i64, max: i64) -> Result<i64, String> {
    let number = integer(scalar).and_then(|number| i64::try_from(number).ok());
    number
        .filter(|number| (min..=max).contains(number))
        .ok_or_else(|| mismatch(&format!("an integer of {min} to {max}"), scalar))
}

fn int32(scalar: Scalar<'_>) -> Result<i64, String> {
    signed(scalar, i64::from(i32::MIN), i64::from(i32::MAX))
}

/// An integer in any of its spellings: `5`, `"5"`, `5.0`, `"5e0"`.
fn integer(scalar: Scalar<'_>) -> Option<i128> {
    match scalar {
        Scalar::Unsigned(number) => Some(i128::from(number)),
        Scalar::Signed(number) => Some(i128::from(number)),
        Scalar::Float(number) => integral(number),
        Scalar::Str(text) => text.parse::<i128>().ok().or_else(|| integral(decimal(text)?)),
        Scalar::Bool(_) => None,
    }
}

fn integral(number: f64) -> Option<i128> {
    // Past 2^64 nothing fits; up to there the cast is exact.
    (number.fract() == 0.0 && number.abs() <= 2f64.powi(64)).then_some(number as i128)
}

fn double(scalar: Scalar<'_>) -> Result<f64, String> {
    let number = match scalar {
        Scalar::Float(number) => Some(number),
        Scalar::Unsigned(number) => Some(number as f64),
        Scalar::Signed(number) => Some(number as f64),
        Scalar::Str("NaN") => Some(f64::NAN),
        Scalar::Str("Infinity") => Some(f64::INFINITY),
        Scalar::Str("-Infinity") => Some(f64::NEG_INFINITY),
        Scalar::Str(text) => decimal(text),
        Scalar::Bool(_) => None,
    };
    number.ok_or_else(|| mismatch("a number, 'NaN', 'Infinity' or '-Infinity'", scalar))
}

/// A finite number in decimal, none of the words that Rust takes for one.
pub fn decimal(text: &str) -> Option<f64> {
    let decimal = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    decimal.then(|| text.parse().ok()).flatten().filter(|number: &f64| number.is_finite())
}

fn enumerated(scalar: Scalar<'_>, names: &[(&str, i32)]) -> Result<i64, String> {
    if let Scalar::Str(text) = scalar
        && let Some((_, number)) = names.iter().find(|(name, _)| *name == text)
    {
        return Ok(i64::from(*number));
    }
    int32(scalar).map_err(|_| {
        let example = names.first().map_or("", |(name, _)| name);
        mismatch(&format!("a number or a name such as {example}"), scalar)
    })
}

fn put_hex(out: &mut Vec<u8>, digits: &str) -> Result<(), String> {
    let nibble = |digit: u8| (digit as char).to_digit(16).map(|nibble| nibble as u8);
    let (pairs, odd) = digits.as_bytes().as_chunks::<2>();
    let bad = || mismatch("pairs of hex digits", Scalar::Str(digits));
    put_varint(out, pairs.len() as u64);
    for [high, low] in pairs {
        out.push(nibble(*high).ok_or_else(bad)? << 4 | nibble(*low).ok_or_else(bad)?);
    }
    if odd.is_empty() { Ok(()) } else { Err(bad()) }
}

/// Base64 of either alphabet, padded or not.
fn base64(text: &str) -> Result<Vec<u8>, String> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let engine = if text.contains(['-', '_']) { URL_SAFE } else { STANDARD };
    engine.decode(text).map_err(|err| format!("{}: {err}", mismatch("base64", Scalar::Str(text))))
}
