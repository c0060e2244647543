//! Functions that encode and decode.

use super::super::value::Value;
use super::{Arguments, Entry, Outcome, entry, text_value};

/// The digits of base 64.
const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub const TABLE: &[Entry] = &[
    entry("b64enc", (1, 1), |a| text_value(encode_base64(a.text(0).as_bytes()))),
    entry("b64dec", (1, 1), decode_base64),
    entry("urlencode", (1, 1), |a| text_value(encode_url(&a.text(0)))),
    entry("urldecode", (1, 1), decode_url),
    entry("fromJson", (1, 1), |a| {
        let text = a.text(0);
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(json) => Ok(Value::of_json(&json)),
            Err(err) => Err(format!("no json: {err}")),
        }
    }),
];

fn encode_base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |nth: usize| u32::from(chunk.get(nth).copied().unwrap_or(0));
        let joined = (byte(0) << 16) | (byte(1) << 8) | byte(2);
        for nth in 0..4 {
            let digit = DIGITS[(joined >> (18 - 6 * nth)) as usize & 63];
            out.push(if nth <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn decode_base64<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let text = a.text(0);
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut joined, mut bits) = (0u32, 0);
    for digit in digits.bytes() {
        let Some(value) = DIGITS.iter().position(|own| *own == digit) else {
            return Err(format!("'{text}' is no base64"));
        };
        joined = (joined << 6) | value as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((joined >> bits) as u8);
        }
    }
    text_value(String::from_utf8_lossy(&bytes).into_owned())
}

fn encode_url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            _ if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn decode_url<'v>(a: &Arguments<'_, 'v>) -> Outcome<'v> {
    let text = a.text(0);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        rest = behind;
        match first {
            b'+' => bytes.push(b' '),
            b'%' => {
                let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
                let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
                bytes.push(byte.ok_or_else(|| format!("'{text}' is not encoded for an url"))?);
                rest = &behind[2..];
            }
            _ => bytes.push(*first),
        }
    }
    text_value(String::from_utf8_lossy(&bytes).into_owned())
}
