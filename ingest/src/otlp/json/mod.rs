//! OTLP/JSON: transcoded to the protobuf wire, so that there is one decoder into columns.
//!
//! The transcoder is driven by tables ([`descriptors`]) and reads the JSON once, as a stream. Unknown
//! fields are ignored, `null` is the same as absent, nesting is bounded ([`JSON_DEPTH_MAX`]).
//! A message's length is written in five bytes, which is a legal varint, and filled in afterwards:
//! ```text
//! key | len: 7 bits each, first four bytes with the continuation bit | fields
//! ```

mod descriptors;
mod scalar;

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;
use throughline_model::codec::put_varint;
use throughline_model::{Error, Result, Signal};

use descriptors::{Field, Kind, Message};
use scalar::Scalar;

/// How deep objects and lists may nest: the limit of serde_json. A level of an attribute's value takes
/// three of them.
const JSON_DEPTH_MAX: usize = 128;
/// Bytes of a length that is filled in later: enough for 2³⁵.
const LENGTH_BYTES: usize = 5;

/// The protobuf encoding of an Export request in JSON.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Vec<u8>> {
    let mut writer = Writer { out: Vec::with_capacity(json.len() / 2), path: Vec::new() };
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let request = MessageSeed { writer: &mut writer, message: descriptors::request(signal) };
    let read = request.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match read {
        Ok(()) => Ok(writer.out),
        Err(err) => Err(Error::invalid(format!(
            "malformed JSON at {}: {}",
            writer.path(),
            with_limit(&err)
        ))),
    }
}

/// What is wrong, with the limit that serde_json does not name.
fn with_limit(err: &serde_json::Error) -> String {
    err.to_string().replace(
        "recursion limit exceeded",
        &format!("nested deeper than {JSON_DEPTH_MAX} objects and lists"),
    )
}

/// The protobuf under construction, and where in the JSON the reader stands.
struct Writer {
    out: Vec<u8>,
    path: Vec<Step>,
}

#[derive(Clone, Copy)]
enum Step {
    Field(&'static str),
    Index(usize),
}

impl Writer {
    fn path(&self) -> String {
        let mut text = String::from("$");
        for step in &self.path {
            match step {
                Step::Field(name) => {
                    text.push('.');
                    text.push_str(name);
                }
                Step::Index(index) => text.push_str(&format!("[{index}]")),
            }
        }
        text
    }
}

/// Reads an object into the open message.
struct MessageSeed<'w> {
    writer: &'w mut Writer,
    message: &'static Message,
}

impl<'de> DeserializeSeed<'de> for MessageSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for MessageSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while let Some(field) = map.next_key_seed(FieldName(self.message))? {
            let Some(field) = field else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            self.writer.path.push(Step::Field(field.name));
            map.next_value_seed(FieldSeed {
                writer: &mut *self.writer,
                field,
                list: field.repeated,
            })?;
            // On an error the path stays, to be told.
            self.writer.path.pop();
        }
        Ok(())
    }
}

/// Finds the field of a key; `None` if it is unknown.
struct FieldName(&'static Message);

impl<'de> DeserializeSeed<'de> for FieldName {
    type Value = Option<&'static Field>;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for FieldName {
    type Value = Option<&'static Field>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, name: &str) -> std::result::Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}

/// Reads the value of a field: a list of elements if `list`, else one.
struct FieldSeed<'w> {
    writer: &'w mut Writer,
    field: &'static Field,
    list: bool,
}

impl<'de> DeserializeSeed<'de> for FieldSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<(), D::Error> {
        if let (Kind::Double, false) = (self.field.kind, self.list) {
            // The parser's own doubles are not rounded to the nearest in every last bit.
            let text = <&RawValue as serde::Deserialize>::deserialize(deserializer)?.get();
            return self.double(text);
        }
        deserializer.deserialize_any(self)
    }
}

impl FieldSeed<'_> {
    fn scalar<E: serde::de::Error>(self, scalar: Scalar<'_>) -> std::result::Result<(), E> {
        if self.list {
            return Err(E::custom("a list expected"));
        }
        let Field { number, kind, .. } = *self.field;
        scalar::put(&mut self.writer.out, number, kind, scalar).map_err(E::custom)
    }

    fn double<E: serde::de::Error>(self, json: &str) -> std::result::Result<(), E> {
        if json == "null" {
            return self.visit_unit();
        }
        if json.starts_with('"') {
            let text: String = serde_json::from_str(json).map_err(E::custom)?;
            return self.scalar(Scalar::Str(&text));
        }
        match scalar::decimal(json) {
            Some(number) => self.scalar(Scalar::Float(number)),
            None => {
                let shown: String = json.chars().take(64).collect();
                Err(E::custom(format!("a finite number expected, got {shown}")))
            }
        }
    }
}

impl<'de> Visitor<'de> for FieldSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.list, self.field.kind) {
            (true, _) => f.write_str("a list"),
            (false, Kind::Message(_)) => f.write_str("an object"),
            (false, _) => f.write_str("a scalar"),
        }
    }

    fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<(), E> {
        match self.writer.path.last() {
            Some(Step::Index(_)) => Err(E::custom("null in a list")),
            _ => Ok(()),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> std::result::Result<(), E> {
        self.scalar(Scalar::Bool(flag))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Unsigned(number))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Signed(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<(), E> {
        self.scalar(Scalar::Float(number))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> std::result::Result<(), E> {
        self.scalar(Scalar::Str(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<(), A::Error> {
        if !self.list {
            return Err(A::Error::custom("one value expected, got a list"));
        }
        for index in 0.. {
            self.writer.path.push(Step::Index(index));
            let element = FieldSeed { writer: &mut *self.writer, field: self.field, list: false };
            if seq.next_element_seed(element)?.is_none() {
                self.writer.path.pop();
                break;
            }
            self.writer.path.pop();
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<(), A::Error> {
        let (Kind::Message(message), false) = (self.field.kind, self.list) else {
            return Err(A::Error::custom("an object was not expected"));
        };
        let out = &mut self.writer.out;
        put_varint(out, u64::from(self.field.number << 3 | 2));
        let start = out.len();
        out.extend_from_slice(&[0; LENGTH_BYTES]);
        MessageSeed { writer: &mut *self.writer, message }.visit_map(map)?;
        let out = &mut self.writer.out;
        let len = out.len() - start - LENGTH_BYTES;
        for (i, byte) in out[start..start + LENGTH_BYTES].iter_mut().enumerate() {
            let more = if i + 1 < LENGTH_BYTES { 0x80 } else { 0 };
            *byte = (len >> (7 * i)) as u8 & 0x7f | more;
        }
        Ok(())
    }
}
