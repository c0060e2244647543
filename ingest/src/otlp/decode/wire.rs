//! The protobuf wire format: the fields of a message, one after the other, without copying.
//!
//! ```text
//! message := field*        field := varint (number << 3 | wire type), payload
//! wire type  0 varint | 1 fixed 64 LE | 2 varint length, bytes | 3 group start … 4 group end | 5 fixed 32 LE
//! ```
//! What is malformed here is what prost calls malformed, so that the differential tests can demand
//! the same verdict on any input: a known field of the wrong wire type, a string that is not UTF-8,
//! a length past the end, a varint of more than 64 bits. Unknown fields are stepped over.

use throughline_model::{Error, Result};

/// How deep unknown groups may nest.
const GROUP_DEPTH_MAX: usize = 64;

/// The payload of one field.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Wire<'a> {
    /// Wire type 0.
    Varint(u64),
    /// Wire type 1.
    Fixed64(u64),
    /// Wire type 2: string, bytes, message or packed numbers.
    Bytes(&'a [u8]),
    /// Wire type 3, stepped over: no known field is a group.
    Group,
    /// Wire type 5.
    Fixed32(u32),
}

impl Wire<'_> {
    fn name(&self) -> &'static str {
        match self {
            Wire::Varint(_) => "varint",
            Wire::Fixed64(_) => "fixed64",
            Wire::Bytes(_) => "length-delimited",
            Wire::Group => "group",
            Wire::Fixed32(_) => "fixed32",
        }
    }
}

/// One field of a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field<'a> {
    /// The field's number.
    pub number: u32,
    /// Its payload.
    pub wire: Wire<'a>,
}

/// Every accessor takes the field's name for the error it may have to write.
impl<'a> Field<'a> {
    /// A length-delimited payload.
    #[inline]
    pub fn bytes(self, name: &str) -> Result<&'a [u8]> {
        match self.wire {
            Wire::Bytes(bytes) => Ok(bytes),
            _ => Err(self.mismatch(name, "length-delimited")),
        }
    }

    /// A string, which must be UTF-8.
    #[inline]
    pub fn str(self, name: &str) -> Result<&'a str> {
        let bytes = self.bytes(name)?;
        std::str::from_utf8(bytes).map_err(|err| not_utf8(name, bytes, err))
    }

    /// The bytes of a string, which must be UTF-8; quicker than [`Field::str`] where they are ASCII.
    #[inline]
    pub fn utf8(self, name: &str) -> Result<&'a [u8]> {
        let bytes = self.bytes(name)?;
        if !bytes.is_ascii() {
            std::str::from_utf8(bytes).map_err(|err| not_utf8(name, bytes, err))?;
        }
        Ok(bytes)
    }

    /// A varint.
    #[inline]
    pub fn varint(self, name: &str) -> Result<u64> {
        match self.wire {
            Wire::Varint(number) => Ok(number),
            _ => Err(self.mismatch(name, "varint")),
        }
    }

    /// A 64-bit number of fixed width.
    #[inline]
    pub fn fixed64(self, name: &str) -> Result<u64> {
        match self.wire {
            Wire::Fixed64(number) => Ok(number),
            _ => Err(self.mismatch(name, "fixed64")),
        }
    }

    /// A double.
    #[inline]
    pub fn double(self, name: &str) -> Result<f64> {
        self.fixed64(name).map(f64::from_bits)
    }

    /// A 32-bit number of fixed width.
    #[inline]
    pub fn fixed32(self, name: &str) -> Result<u32> {
        match self.wire {
            Wire::Fixed32(number) => Ok(number),
            _ => Err(self.mismatch(name, "fixed32")),
        }
    }

    /// A zigzag-encoded 32-bit integer.
    pub fn sint32(self, name: &str) -> Result<i32> {
        let number = self.varint(name)? as u32;
        Ok((number >> 1) as i32 ^ -((number & 1) as i32))
    }

    /// Appends a repeated `fixed64` or `double`, packed or not, as 64-bit patterns.
    pub fn extend_fixed64(self, name: &str, mut push: impl FnMut(u64)) -> Result<()> {
        match self.wire {
            Wire::Fixed64(number) => push(number),
            Wire::Bytes(packed) => {
                let (numbers, rest) = packed.as_chunks::<8>();
                if !rest.is_empty() {
                    return Err(Error::invalid(format!(
                        "malformed protobuf: packed {name} has {} bytes, no multiple of 8",
                        packed.len()
                    )));
                }
                numbers.iter().for_each(|number| push(u64::from_le_bytes(*number)));
            }
            _ => return Err(self.mismatch(name, "fixed64")),
        }
        Ok(())
    }

    /// Appends a repeated `uint64`, packed or not.
    pub fn extend_varint(self, name: &str, out: &mut Vec<u64>) -> Result<()> {
        match self.wire {
            Wire::Varint(number) => out.push(number),
            Wire::Bytes(packed) => {
                let mut fields = Fields::new(packed);
                while !fields.rest.is_empty() {
                    out.push(fields.read_varint()?);
                }
            }
            _ => return Err(self.mismatch(name, "varint")),
        }
        Ok(())
    }

    #[cold]
    fn mismatch(self, name: &str, expected: &str) -> Error {
        Error::invalid(format!(
            "malformed protobuf: {name} (field {}) has wire type {}, expected {expected}",
            self.number,
            self.wire.name()
        ))
    }
}

/// Reads the fields of one message in the order they stand.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// The fields of an encoded message.
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The next field; `None` at the end of the message. Inlined because its result is put together
    /// in pieces: returned through memory, reading it back stalls for longer than all else takes.
    #[inline(always)]
    pub fn next_field(&mut self) -> Result<Option<Field<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (number, wire_type) = self.read_key()?;
        let wire = match wire_type {
            0 => Wire::Varint(self.read_varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.read_array()?)),
            2 => Wire::Bytes(self.read_delimited()?),
            3 => {
                self.skip_group(number, GROUP_DEPTH_MAX)?;
                Wire::Group
            }
            5 => Wire::Fixed32(u32::from_le_bytes(self.read_array()?)),
            other => return Err(bad_wire_type(number, other)),
        };
        Ok(Some(Field { number, wire }))
    }

    #[inline(always)]
    fn read_key(&mut self) -> Result<(u32, u8)> {
        let key = self.read_varint()?;
        let number = key >> 3;
        if key > u64::from(u32::MAX) || number == 0 {
            return Err(bad_key(key));
        }
        Ok((number as u32, (key & 7) as u8))
    }

    #[inline(always)]
    fn read_varint(&mut self) -> Result<u64> {
        match self.rest.split_first() {
            Some((byte, rest)) if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            _ => self.read_long_varint(),
        }
    }

    fn read_long_varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for (i, byte) in self.rest.iter().take(10).enumerate() {
            if i == 9 && *byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << (7 * i);
            if *byte < 0x80 {
                self.rest = &self.rest[i + 1..];
                return Ok(number);
            }
        }
        Err(Error::invalid(if self.rest.len() < 10 {
            "malformed protobuf: the body ends inside a varint"
        } else {
            "malformed protobuf: a varint exceeds 64 bits"
        }))
    }

    #[inline]
    fn read_array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((array, rest)) => {
                self.rest = rest;
                Ok(*array)
            }
            None => Err(ends_early(N as u64, self.rest.len())),
        }
    }

    #[inline(always)]
    fn read_delimited(&mut self) -> Result<&'a [u8]> {
        let len = self.read_varint()?;
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        match split {
            Some((bytes, rest)) => {
                self.rest = rest;
                Ok(bytes)
            }
            None => Err(ends_early(len, self.rest.len())),
        }
    }

    fn skip_group(&mut self, number: u32, depth_left: usize) -> Result<()> {
        if depth_left == 0 {
            return Err(Error::invalid(format!(
                "malformed protobuf: groups nest deeper than {GROUP_DEPTH_MAX}"
            )));
        }
        loop {
            let (inner, wire_type) = self.read_key()?;
            match wire_type {
                0 => drop(self.read_varint()?),
                1 => drop(self.read_array::<8>()?),
                2 => drop(self.read_delimited()?),
                3 => self.skip_group(inner, depth_left - 1)?,
                4 if inner == number => return Ok(()),
                5 => drop(self.read_array::<4>()?),
                other => return Err(bad_wire_type(inner, other)),
            }
        }
    }
}

#[cold]
fn not_utf8(name: &str, bytes: &[u8], err: std::str::Utf8Error) -> Error {
    let (at, len) = (err.valid_up_to(), bytes.len());
    Error::invalid(format!("malformed protobuf: {name} is not UTF-8 at byte {at} of {len}"))
}

#[cold]
fn bad_key(key: u64) -> Error {
    Error::invalid(format!("malformed protobuf: field key {key} is invalid"))
}

#[cold]
fn bad_wire_type(number: u32, wire_type: u8) -> Error {
    Error::invalid(format!("malformed protobuf: field {number} has wire type {wire_type}"))
}

#[cold]
fn ends_early(expected: u64, left: usize) -> Error {
    Error::invalid(format!(
        "malformed protobuf: {expected} bytes expected, {left} are left (truncated?)"
    ))
}

/// The occurrences of a singular message field: protobuf merges them, and reading one after the
/// other is that merge. Nearly always there is one, and nothing is allocated.
#[derive(Clone, Debug)]
pub enum Pieces<'a> {
    /// The usual case.
    One([&'a [u8]; 1]),
    /// The field was repeated.
    Many(Vec<&'a [u8]>),
}

impl<'a> Pieces<'a> {
    /// The first occurrence.
    pub fn one(piece: &'a [u8]) -> Self {
        Pieces::One([piece])
    }

    /// Adds an occurrence to what was there.
    pub fn push(&mut self, piece: &'a [u8]) {
        match self {
            Pieces::One([first]) => *self = Pieces::Many(vec![first, piece]),
            Pieces::Many(pieces) => pieces.push(piece),
        }
    }

    /// Adds an occurrence to what may be there.
    pub fn add(slot: &mut Option<Self>, piece: &'a [u8]) {
        match slot {
            Some(pieces) => pieces.push(piece),
            None => *slot = Some(Pieces::one(piece)),
        }
    }

    /// All occurrences, in order.
    pub fn as_slice(&self) -> &[&'a [u8]] {
        match self {
            Pieces::One(piece) => piece,
            Pieces::Many(pieces) => pieces,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &[u8]) -> Result<Vec<(u32, String)>> {
        let mut fields = Fields::new(message);
        let mut seen = Vec::new();
        while let Some(field) = fields.next_field()? {
            seen.push((field.number, format!("{:?}", field.wire)));
        }
        Ok(seen)
    }

    #[test]
    fn fields_of_every_wire_type() {
        let message = [
            0x08, 0x96, 0x01, // 1: varint 150
            0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: fixed64
            0x1a, 2, b'h', b'i', // 3: bytes
            0x23, 0x08, 0x01, 0x2b, 0x2c, 0x24, // 4: group { 1: 1, 5: group {} }
            0x35, 2, 0, 0, 0, // 6: fixed32
        ];
        let seen = numbers(&message).expect("well-formed");
        let expected = ["Varint(150)", "Fixed64(1)", "Bytes([104, 105])", "Group", "Fixed32(2)"];
        assert_eq!(seen.iter().map(|(_, wire)| wire.as_str()).collect::<Vec<_>>(), expected);
        assert_eq!(seen.iter().map(|(n, _)| *n).collect::<Vec<_>>(), [1, 2, 3, 4, 6]);
    }

    #[test]
    fn malformed_messages_are_refused() {
        let cases: [(&str, &[u8]); 9] = [
            ("field number 0", &[0x00, 0x01]),
            ("wire type 6", &[0x0e]),
            ("wire type 7", &[0x0f]),
            ("group end alone", &[0x0c]),
            ("group without end", &[0x0b, 0x08, 0x01]),
            ("group with another end", &[0x0b, 0x14]),
            ("truncated varint", &[0x08, 0x80]),
            ("varint of 65 bits", &[8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]),
            ("length past the end", &[0x0a, 0x05, 0x01]),
        ];
        for (what, message) in cases {
            assert!(numbers(message).is_err(), "{what}");
        }
        let deep = vec![0x0b; 1000];
        assert!(numbers(&deep).is_err(), "deep groups");
    }
}
