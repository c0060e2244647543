//! Apache Thrift's binary and compact protocols: the fields of a struct, one after the other, without
//! copying. Zipkin v1 and Jaeger use them. Like the wire of protobuf, this knows `model` alone.
//!
//! ```text
//! binary   struct := (type u8, id i16, value)* 0      list := type u8, len i32, value*
//!          text   := len i32, bytes                   numbers in big-endian
//! compact  struct := (delta << 4 | type, [id], value)* 0      list := len << 4 | type, [len], value*
//!          text   := varint len, bytes                numbers as zigzag varints, double in little-endian
//! ```
//! Unknown fields are stepped over, to a bounded depth. No length is believed past the end of the body.

use throughline_model::{Error, Result};

/// How deep unknown values may nest.
const DEPTH_MAX: usize = 32;

/// How the bytes are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `TBinaryProtocol`.
    Binary,
    /// `TCompactProtocol`.
    Compact,
}

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    /// In the compact protocol a field's header holds the value.
    Bool(Option<bool>),
    I8,
    I16,
    I32,
    I64,
    Double,
    /// Text or bytes.
    Binary,
    Struct,
    List,
    Set,
    Map,
}

/// The head of a field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The field's number.
    pub id: i16,
    kind: Type,
}

/// Where a reader stands among the fields of a struct: the compact protocol tells ids by difference.
#[derive(Debug, Default)]
pub struct Open {
    last_id: i16,
}

/// Reads a body. Every accessor takes the field's name for the error it may have to write.
#[derive(Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
    protocol: Protocol,
}

impl<'a> Reader<'a> {
    /// A reader at the start of a body.
    pub fn new(body: &'a [u8], protocol: Protocol) -> Self {
        Self { rest: body, protocol }
    }

    /// The next field of a struct; `None` at its end.
    pub fn next_field(&mut self, open: &mut Open) -> Result<Option<Field>> {
        let head = self.byte()?;
        if head == 0 {
            return Ok(None);
        }
        let field = match self.protocol {
            Protocol::Binary => {
                let kind = self.binary_type(head)?;
                Field { id: i16::from_be_bytes(self.array()?), kind }
            }
            Protocol::Compact => {
                let kind = match head & 0x0f {
                    1 => Type::Bool(Some(true)),
                    2 => Type::Bool(Some(false)),
                    other => self.compact_type(other)?,
                };
                let id = match head >> 4 {
                    0 => self.zigzag("a field's id")? as i16,
                    delta => open.last_id.wrapping_add(i16::from(delta)),
                };
                open.last_id = id;
                Field { id, kind }
            }
        };
        Ok(Some(field))
    }

    /// A boolean.
    pub fn bool(&mut self, field: Field, name: &str) -> Result<bool> {
        match field.kind {
            Type::Bool(Some(flag)) => Ok(flag),
            Type::Bool(None) => Ok(self.byte()? != 0),
            other => Err(mismatch(name, field.id, other, "bool")),
        }
    }

    /// An integer of 16 bits.
    pub fn i16(&mut self, field: Field, name: &str) -> Result<i16> {
        match (field.kind, self.protocol) {
            (Type::I16, Protocol::Binary) => Ok(i16::from_be_bytes(self.array()?)),
            (Type::I16, Protocol::Compact) => Ok(self.zigzag(name)? as i16),
            (other, _) => Err(mismatch(name, field.id, other, "i16")),
        }
    }

    /// An integer of 32 bits.
    pub fn i32(&mut self, field: Field, name: &str) -> Result<i32> {
        match (field.kind, self.protocol) {
            (Type::I32, Protocol::Binary) => Ok(i32::from_be_bytes(self.array()?)),
            (Type::I32, Protocol::Compact) => Ok(self.zigzag(name)? as i32),
            (other, _) => Err(mismatch(name, field.id, other, "i32")),
        }
    }

    /// An integer of 64 bits.
    pub fn i64(&mut self, field: Field, name: &str) -> Result<i64> {
        match (field.kind, self.protocol) {
            (Type::I64, Protocol::Binary) => Ok(i64::from_be_bytes(self.array()?)),
            (Type::I64, Protocol::Compact) => self.zigzag(name),
            (other, _) => Err(mismatch(name, field.id, other, "i64")),
        }
    }

    /// A double.
    pub fn double(&mut self, field: Field, name: &str) -> Result<f64> {
        match (field.kind, self.protocol) {
            (Type::Double, Protocol::Binary) => Ok(f64::from_be_bytes(self.array()?)),
            (Type::Double, Protocol::Compact) => Ok(f64::from_le_bytes(self.array()?)),
            (other, _) => Err(mismatch(name, field.id, other, "double")),
        }
    }

    /// Bytes.
    pub fn bytes(&mut self, field: Field, name: &str) -> Result<&'a [u8]> {
        match field.kind {
            Type::Binary => self.delimited(name),
            other => Err(mismatch(name, field.id, other, "binary")),
        }
    }

    /// Text, which must be UTF-8.
    pub fn str(&mut self, field: Field, name: &str) -> Result<&'a str> {
        let bytes = self.bytes(field, name)?;
        std::str::from_utf8(bytes).map_err(|err| {
            let (at, len) = (err.valid_up_to(), bytes.len());
            Error::invalid(format!("malformed thrift: {name} is not UTF-8 at byte {at} of {len}"))
        })
    }

    /// Checks that a struct follows, which the caller then reads.
    pub fn open_struct(&self, field: Field, name: &str) -> Result<Open> {
        match field.kind {
            Type::Struct => Ok(Open::default()),
            other => Err(mismatch(name, field.id, other, "struct")),
        }
    }

    /// The length of a list of structs, which the caller then reads.
    pub fn structs(&mut self, field: Field, name: &str) -> Result<usize> {
        match field.kind {
            Type::List => self.list_of_structs(name),
            other => Err(mismatch(name, field.id, other, "list")),
        }
    }

    /// The same for a list that is no field: a body that is a list.
    pub fn list_of_structs(&mut self, name: &str) -> Result<usize> {
        let (kind, len) = self.list_head(name)?;
        if kind != Type::Struct && len > 0 {
            return Err(Error::invalid(format!(
                "malformed thrift: {name} is a list of {}, expected struct",
                kind.name()
            )));
        }
        Ok(len)
    }

    /// Steps over the value of a field.
    pub fn skip(&mut self, field: Field) -> Result<()> {
        self.skip_value(field.kind, DEPTH_MAX)
    }

    /// Fails unless all was read.
    pub fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        let left = self.rest.len();
        Err(Error::invalid(format!("malformed thrift: {left} bytes follow the end of the body")))
    }

    fn skip_value(&mut self, kind: Type, depth_left: usize) -> Result<()> {
        if depth_left == 0 {
            return Err(Error::invalid(format!(
                "malformed thrift: values nest deeper than {DEPTH_MAX}"
            )));
        }
        match (kind, self.protocol) {
            (Type::Bool(Some(_)), _) => {}
            (Type::Bool(None) | Type::I8, _) => drop(self.byte()?),
            (Type::I16, Protocol::Binary) => drop(self.array::<2>()?),
            (Type::I32, Protocol::Binary) => drop(self.array::<4>()?),
            (Type::I64, Protocol::Binary) | (Type::Double, _) => drop(self.array::<8>()?),
            (Type::I16 | Type::I32 | Type::I64, Protocol::Compact) => {
                self.zigzag("an unknown field")?;
            }
            (Type::Binary, _) => drop(self.delimited("an unknown field")?),
            (Type::Struct, _) => {
                let mut open = Open::default();
                while let Some(field) = self.next_field(&mut open)? {
                    self.skip_value(field.kind, depth_left - 1)?;
                }
            }
            (Type::List | Type::Set, _) => {
                let (element, len) = self.list_head("an unknown field")?;
                for _ in 0..len {
                    self.skip_value(element, depth_left - 1)?;
                }
            }
            (Type::Map, _) => {
                let (key, value, len) = self.map_head()?;
                for _ in 0..len {
                    self.skip_value(key, depth_left - 1)?;
                    self.skip_value(value, depth_left - 1)?;
                }
            }
        }
        Ok(())
    }

    fn list_head(&mut self, name: &str) -> Result<(Type, usize)> {
        let head = self.byte()?;
        let (kind, len) = match self.protocol {
            Protocol::Binary => {
                let kind = self.binary_type(head)?;
                (kind, i64::from(i32::from_be_bytes(self.array()?)))
            }
            Protocol::Compact => {
                let kind = self.compact_type(head & 0x0f)?;
                let len = match head >> 4 {
                    15 => self.varint(name)?.min(i64::MAX as u64) as i64,
                    short => i64::from(short),
                };
                (kind, len)
            }
        };
        Ok((kind, self.check_len(name, len)?))
    }

    fn map_head(&mut self) -> Result<(Type, Type, usize)> {
        let name = "an unknown map";
        match self.protocol {
            Protocol::Binary => {
                let [key, value] = self.array()?;
                let (key, value) = (self.binary_type(key)?, self.binary_type(value)?);
                let len = i32::from_be_bytes(self.array()?);
                Ok((key, value, self.check_len(name, i64::from(len))?))
            }
            Protocol::Compact => {
                let len = self.varint(name)?.min(i64::MAX as u64) as i64;
                if len == 0 {
                    return Ok((Type::I8, Type::I8, 0));
                }
                let kinds = self.byte()?;
                let (key, value) = (self.compact_type(kinds >> 4)?, self.compact_type(kinds & 15)?);
                Ok((key, value, self.check_len(name, len)?))
            }
        }
    }

    /// An element has at least a byte: a longer list cannot be there.
    fn check_len(&self, name: &str, len: i64) -> Result<usize> {
        usize::try_from(len).ok().filter(|len| *len <= self.rest.len()).ok_or_else(|| {
            Error::invalid(format!(
                "malformed thrift: {name} has {len} elements, {} bytes are left (truncated?)",
                self.rest.len()
            ))
        })
    }

    fn delimited(&mut self, name: &str) -> Result<&'a [u8]> {
        let len = match self.protocol {
            Protocol::Binary => i64::from(i32::from_be_bytes(self.array()?)),
            Protocol::Compact => self.varint(name)?.min(i64::MAX as u64) as i64,
        };
        let split = usize::try_from(len).ok().and_then(|len| self.rest.split_at_checked(len));
        let (bytes, rest) = split.ok_or_else(|| {
            Error::invalid(format!(
                "malformed thrift: {name} has {len} bytes, {} are left (truncated?)",
                self.rest.len()
            ))
        })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn zigzag(&mut self, name: &str) -> Result<i64> {
        let number = self.varint(name)?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    fn varint(&mut self, name: &str) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::invalid(format!("malformed thrift: {name} is a varint of more than 64 bits")))
    }

    fn byte(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self.rest.split_first_chunk::<N>() {
            Some((array, rest)) => {
                self.rest = rest;
                Ok(*array)
            }
            None => Err(Error::invalid(format!(
                "malformed thrift: {N} bytes expected, {} are left (truncated?)",
                self.rest.len()
            ))),
        }
    }

    fn binary_type(&self, code: u8) -> Result<Type> {
        Ok(match code {
            2 => Type::Bool(None),
            3 => Type::I8,
            4 => Type::Double,
            6 => Type::I16,
            8 => Type::I32,
            10 => Type::I64,
            11 => Type::Binary,
            12 => Type::Struct,
            13 => Type::Map,
            14 => Type::Set,
            15 => Type::List,
            other => return Err(unknown_type(other)),
        })
    }

    fn compact_type(&self, code: u8) -> Result<Type> {
        Ok(match code {
            1 | 2 => Type::Bool(None),
            3 => Type::I8,
            4 => Type::I16,
            5 => Type::I32,
            6 => Type::I64,
            7 => Type::Double,
            8 => Type::Binary,
            9 => Type::List,
            10 => Type::Set,
            11 => Type::Map,
            12 => Type::Struct,
            other => return Err(unknown_type(other)),
        })
    }
}

impl Type {
    fn name(self) -> &'static str {
        match self {
            Type::Bool(_) => "bool",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::Double => "double",
            Type::Binary => "binary",
            Type::Struct => "struct",
            Type::List => "list",
            Type::Set => "set",
            Type::Map => "map",
        }
    }
}

#[cold]
fn unknown_type(code: u8) -> Error {
    Error::invalid(format!("malformed thrift: type {code} is unknown"))
}

#[cold]
fn mismatch(name: &str, id: i16, kind: Type, expected: &str) -> Error {
    Error::invalid(format!(
        "malformed thrift: {name} (field {id}) is of type {}, expected {expected}",
        kind.name()
    ))
}
