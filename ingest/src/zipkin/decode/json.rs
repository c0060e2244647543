//! What both of Zipkin's JSON formats share: the list of spans, tags, endpoints.
//!
//! The list is read as a stream. The text of a span is checked with it and then read by itself, so that a
//! span of the wrong shape is refused alone. `null` is the same as absent. Unknown fields are stepped over
//! without recursion, and what is known nests four deep.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use throughline_model::{Error, Result};

use super::span::{self, Endpoint, Read};
pub use crate::json_parts::{Loose, Text, field, ignore, refused};
use crate::translate::{Tag, TagValue};

/// Hands the text of each span of a list to `each`; one span may stand without a list.
pub fn spans<'a>(body: &'a [u8], mut each: impl FnMut(&'a str) -> Result<()>) -> Result<()> {
    let malformed = |err| Error::invalid(format!("malformed JSON: {err}"));
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return each(serde_json::from_slice::<&RawValue>(body).map_err(malformed)?.get());
    }
    let mut failed = Ok(());
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let list = List { each, failed: &mut failed };
    let read = deserializer.deserialize_seq(list).and_then(|()| deserializer.end());
    failed?;
    read.map_err(malformed)
}

struct List<'r, F> {
    each: F,
    failed: &'r mut Result<()>,
}

impl<'de, F: FnMut(&'de str) -> Result<()>> Visitor<'de> for List<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of spans")
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> std::result::Result<(), A::Error> {
        while let Some(text) = seq.next_element::<&RawValue>()? {
            if let Err(err) = (self.each)(text.get()) {
                *self.failed = Err(err);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// Reads a span out of its text.
pub fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Read<T> {
    serde_json::from_str(text).map_err(|err| err.to_string())
}

/// A whole number, with or without a fraction of zero.
pub struct Whole(pub i64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(WholeVisitor).map(Whole)
    }
}

struct WholeVisitor;

impl Visitor<'_> for WholeVisitor {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number")
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<i64, E> {
        Ok(number)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<i64, E> {
        i64::try_from(number).map_err(|_| E::custom(format_args!("{number} exceeds {}", i64::MAX)))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> std::result::Result<i64, E> {
        // Beyond 2^53 a float is no longer exact.
        if number.fract() == 0.0 && number.abs() <= 2f64.powi(53) {
            return Ok(number as i64);
        }
        Err(E::custom(format_args!("a whole number expected, got {number}")))
    }
}

/// An object of texts.
pub struct Tags<'a>(pub Vec<Tag<'a>>);

impl<'de> Deserialize<'de> for Tags<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(TagsVisitor).map(Tags)
    }
}

struct TagsVisitor;

impl<'de> Visitor<'de> for TagsVisitor {
    type Value = Vec<Tag<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut tags = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            if let Some(Loose(text)) = field(&mut map, &key)? {
                tags.push(Tag { key, value: TagValue::Str(text) });
            }
        }
        Ok(tags)
    }
}

impl<'de> Deserialize<'de> for Endpoint<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(EndpointVisitor)
    }
}

struct EndpointVisitor;

impl<'de> Visitor<'de> for EndpointVisitor {
    type Value = Endpoint<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an endpoint")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut endpoint = Endpoint::default();
        while let Some(Text(key)) = map.next_key()? {
            let text = match &*key {
                "serviceName" => &mut endpoint.service,
                "ipv4" => &mut endpoint.ipv4,
                "ipv6" => &mut endpoint.ipv6,
                "port" => {
                    let Whole(number) = field(&mut map, "port")?.unwrap_or(Whole(0));
                    endpoint.port = refused(span::port("port", number))?;
                    continue;
                }
                _ => {
                    ignore(&mut map)?;
                    continue;
                }
            };
            *text = field::<Text<'_>, _>(&mut map, &key)?.unwrap_or_default().0;
        }
        Ok(endpoint)
    }
}
