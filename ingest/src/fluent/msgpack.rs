//! MessagePack: values out of bytes, within bounds. Like OTLP's decoder, this is compiled by `fuzz/` too.

use serde_json::{Map, Number, Value as Json};

/// How deep values may nest.
pub const DEPTH_MAX: usize = 32;

/// What a value begins with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Head {
    /// Nothing.
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Beyond 64 bits signed.
    UInt(u64),
    /// A number.
    Float(f64),
    /// So many bytes of text follow.
    Str(usize),
    /// So many bytes follow.
    Bin(usize),
    /// So many values follow.
    Array(usize),
    /// So many pairs of values follow.
    Map(usize),
    /// So many bytes of a type of its own follow.
    Ext(i8, usize),
}

/// Reads values one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
}

/// Why bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// They break off.
    Short,
    /// They begin with a byte that begins nothing.
    Unknown(u8),
    /// They nest too deep.
    Deep,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Short => f.write_str("a value breaks off"),
            Self::Unknown(byte) => write!(f, "no value begins with {byte:#04x}"),
            Self::Deep => write!(f, "a value nests deeper than {DEPTH_MAX}"),
        }
    }
}

impl<'a> Reader<'a> {
    /// Reads from the beginning of some bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bytes that are left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The next bytes, as they stand.
    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.bytes.split_at_checked(len).ok_or(Fault::Short)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let bytes = self.take(N)?;
        bytes.try_into().map_err(|_| Fault::Short)
    }

    fn len_of<const N: usize>(&mut self) -> Result<usize, Fault> {
        let bytes = self.number::<N>()?;
        Ok(bytes.iter().fold(0, |len, byte| (len << 8) | usize::from(*byte)))
    }

    /// What the next value begins with; what follows it is not taken.
    pub fn head(&mut self) -> Result<Head, Fault> {
        let [first] = self.number::<1>()?;
        Ok(match first {
            0x00..=0x7f => Head::Int(i64::from(first)),
            0x80..=0x8f => Head::Map(usize::from(first & 0x0f)),
            0x90..=0x9f => Head::Array(usize::from(first & 0x0f)),
            0xa0..=0xbf => Head::Str(usize::from(first & 0x1f)),
            0xc0 => Head::Nil,
            0xc2 => Head::Bool(false),
            0xc3 => Head::Bool(true),
            0xc4 => Head::Bin(self.len_of::<1>()?),
            0xc5 => Head::Bin(self.len_of::<2>()?),
            0xc6 => Head::Bin(self.len_of::<4>()?),
            0xc7..=0xc9 => {
                let len = match first {
                    0xc7 => self.len_of::<1>()?,
                    0xc8 => self.len_of::<2>()?,
                    _ => self.len_of::<4>()?,
                };
                Head::Ext(i8::from_be_bytes(self.number()?), len)
            }
            0xca => Head::Float(f64::from(f32::from_be_bytes(self.number()?))),
            0xcb => Head::Float(f64::from_be_bytes(self.number()?)),
            0xcc => Head::Int(i64::from(u8::from_be_bytes(self.number()?))),
            0xcd => Head::Int(i64::from(u16::from_be_bytes(self.number()?))),
            0xce => Head::Int(i64::from(u32::from_be_bytes(self.number()?))),
            0xcf => {
                let number = u64::from_be_bytes(self.number()?);
                i64::try_from(number).map_or(Head::UInt(number), Head::Int)
            }
            0xd0 => Head::Int(i64::from(i8::from_be_bytes(self.number()?))),
            0xd1 => Head::Int(i64::from(i16::from_be_bytes(self.number()?))),
            0xd2 => Head::Int(i64::from(i32::from_be_bytes(self.number()?))),
            0xd3 => Head::Int(i64::from_be_bytes(self.number()?)),
            0xd4..=0xd8 => {
                let len = 1usize << (first - 0xd4);
                Head::Ext(i8::from_be_bytes(self.number()?), len)
            }
            0xd9 => Head::Str(self.len_of::<1>()?),
            0xda => Head::Str(self.len_of::<2>()?),
            0xdb => Head::Str(self.len_of::<4>()?),
            0xdc => Head::Array(self.len_of::<2>()?),
            0xdd => Head::Array(self.len_of::<4>()?),
            0xde => Head::Map(self.len_of::<2>()?),
            0xdf => Head::Map(self.len_of::<4>()?),
            0xe0..=0xff => Head::Int(i64::from(i8::from_be_bytes([first]))),
            0xc1 => return Err(Fault::Unknown(first)),
        })
    }

    /// The next value. Bytes are text where they are UTF-8, U+FFFD where they are not; types of their own
    /// are nothing.
    pub fn value(&mut self) -> Result<Json, Fault> {
        self.nested(0)
    }

    fn nested(&mut self, depth: usize) -> Result<Json, Fault> {
        Ok(match self.head()? {
            Head::Nil => Json::Null,
            Head::Bool(flag) => Json::Bool(flag),
            Head::Int(number) => Json::from(number),
            Head::UInt(number) => Json::from(number),
            Head::Float(number) => match Number::from_f64(number) {
                Some(number) => Json::Number(number),
                None => Json::String(number.to_string()),
            },
            Head::Str(len) | Head::Bin(len) => {
                Json::String(String::from_utf8_lossy(self.take(len)?).into_owned())
            }
            Head::Ext(_, len) => {
                self.take(len)?;
                Json::Null
            }
            Head::Array(_) | Head::Map(_) if depth == DEPTH_MAX => return Err(Fault::Deep),
            Head::Array(len) => {
                // Every value takes a byte at least: what is claimed beyond that is not believed.
                let mut items = Vec::with_capacity(len.min(self.len()));
                for _ in 0..len {
                    items.push(self.nested(depth + 1)?);
                }
                Json::Array(items)
            }
            Head::Map(len) => {
                let mut map = Map::new();
                for _ in 0..len {
                    let key = match self.nested(depth + 1)? {
                        Json::String(key) => key,
                        other => other.to_string(),
                    };
                    map.insert(key, self.nested(depth + 1)?);
                }
                Json::Object(map)
            }
        })
    }
}

/// Finds the end of a value in bytes that are still coming in. What was looked at is not looked at again.
#[derive(Debug)]
pub struct Skipper {
    at: usize,
    /// Values that are missing, by level.
    missing: Vec<usize>,
}

impl Default for Skipper {
    fn default() -> Self {
        Self { at: 0, missing: vec![1] }
    }
}

impl Skipper {
    /// How many bytes the value has, once all of them are there. The same bytes, and those behind them, are
    /// handed over each time.
    pub fn len_in(&mut self, bytes: &[u8]) -> Result<Option<usize>, Fault> {
        loop {
            while self.missing.last() == Some(&0) {
                self.missing.pop();
            }
            let Some(level) = self.missing.last_mut() else { return Ok(Some(self.at)) };
            let mut reader = Reader::new(bytes.get(self.at..).unwrap_or_default());
            let before = reader.len();
            let head = match reader.head() {
                Err(Fault::Short) => return Ok(None),
                head => head?,
            };
            let follows = match head {
                Head::Str(len) | Head::Bin(len) | Head::Ext(_, len) => {
                    if reader.take(len).is_err() {
                        return Ok(None);
                    }
                    0
                }
                Head::Array(len) => len,
                Head::Map(len) => len.saturating_mul(2),
                _ => 0,
            };
            *level -= 1;
            self.at += before - reader.len();
            if follows > 0 {
                if self.missing.len() > DEPTH_MAX {
                    return Err(Fault::Deep);
                }
                self.missing.push(follows);
            }
        }
    }
}

/// Appends text, for answers.
pub fn put_str(out: &mut Vec<u8>, text: &str) {
    let len = text.len();
    match len {
        0..=31 => out.push(0xa0 | len as u8),
        32..=0xff => out.extend([0xd9, len as u8]),
        0x100..=0xffff => {
            out.push(0xda);
            out.extend((len as u16).to_be_bytes());
        }
        _ => {
            out.push(0xdb);
            out.extend((len as u32).to_be_bytes());
        }
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_of_every_form() {
        for (bytes, expected) in [
            (&b"\x05"[..], json!(5)),
            (b"\xff", json!(-1)),
            (b"\xc0", json!(null)),
            (b"\xc3", json!(true)),
            (b"\xcc\xff", json!(255)),
            (b"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", json!(u64::MAX)),
            (b"\xd1\xff\x00", json!(-256)),
            (b"\xca\x3f\x80\x00\x00", json!(1.0)),
            (b"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", json!("NaN")),
            (b"\xa2hi", json!("hi")),
            (b"\xd9\x02hi", json!("hi")),
            (b"\xc4\x02\xffx", json!("\u{fffd}x")),
            (b"\x92\x01\xa1b", json!([1, "b"])),
            (b"\x82\xa1a\x01\x02\xc0", json!({"a": 1, "2": null})),
            (b"\xd7\x00\x00\x00\x00\x01\x00\x00\x00\x02", json!(null)),
        ] {
            let mut reader = Reader::new(bytes);
            assert_eq!(reader.value().expect("a value"), expected, "{bytes:x?}");
            assert!(reader.is_empty());
            assert_eq!(Skipper::default().len_in(bytes), Ok(Some(bytes.len())));
        }
        assert_eq!(Reader::new(b"\xc1").value(), Err(Fault::Unknown(0xc1)));
        assert_eq!(Reader::new(&[0x91; 100]).value(), Err(Fault::Deep));
        assert_eq!(Skipper::default().len_in(&[0x91; 100]), Err(Fault::Deep));
        assert_eq!(Reader::new(b"\xdd\xff\xff\xff\xff").value(), Err(Fault::Short));
    }

    proptest! {
        #[test]
        fn the_end_is_found_wherever_bytes_break_off(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            cuts in proptest::collection::vec(0usize..60, 0..4),
        ) {
            let mut reader = Reader::new(&bytes);
            let value = reader.value();
            let mut skipper = Skipper::default();
            let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < bytes.len()).collect();
            cuts.sort_unstable();
            let mut found = None;
            for cut in cuts.into_iter().chain([bytes.len()]) {
                if let Ok(Some(len)) = skipper.len_in(&bytes[..cut]) {
                    found = Some(len);
                    break;
                }
            }
            if value.is_ok() {
                prop_assert_eq!(found, Some(bytes.len() - reader.len()));
            }
        }
    }
}
