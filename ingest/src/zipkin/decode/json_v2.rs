//! Zipkin v2 in JSON.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use throughline_model::Result;

use super::json::{self, Tags, Text, Whole, field, ignore, refused};
use super::span::{self, Annotation, Read, Span};
use crate::translate::kind;

/// Reads a list of spans, or one.
pub fn read(body: &[u8], mut each: impl FnMut(Read<Span<'_>>) -> Result<()>) -> Result<()> {
    json::spans(body, |text| each(json::parse(text)))
}

impl<'de> Deserialize<'de> for Span<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(SpanVisitor)
    }
}

struct SpanVisitor;

impl<'de> Visitor<'de> for SpanVisitor {
    type Value = Span<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a span")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut span = Span::default();
        while let Some(Text(key)) = map.next_key()? {
            let map = &mut map;
            match &*key {
                "traceId" => {
                    if let Some(Text(id)) = field(map, "traceId")? {
                        span.trace_id = refused(span::trace_id(&id))?;
                    }
                }
                "id" => {
                    if let Some(Text(id)) = field(map, "id")? {
                        span.id = refused(span::span_id("id", &id))?;
                    }
                }
                "parentId" => match field(map, "parentId")? {
                    Some(Text(id)) if !id.is_empty() => {
                        span.parent_id = refused(span::span_id("parentId", &id))?;
                    }
                    _ => {}
                },
                "kind" => {
                    if let Some(Text(name)) = field(map, "kind")? {
                        span.kind = kind_number(&name).map_err(A::Error::custom)?;
                    }
                }
                "name" => span.name = field::<Text<'_>, _>(map, "name")?.unwrap_or_default().0,
                "timestamp" => span.timestamp_us = whole(map, "timestamp")?,
                "duration" => span.duration_us = whole(map, "duration")?,
                "localEndpoint" => span.local = field(map, "localEndpoint")?.unwrap_or_default(),
                "remoteEndpoint" => span.remote = field(map, "remoteEndpoint")?.unwrap_or_default(),
                "annotations" => span.annotations = field(map, "annotations")?.unwrap_or_default(),
                "tags" => {
                    span.tags = field::<Tags<'_>, _>(map, "tags")?.map_or(Vec::new(), |t| t.0)
                }
                "debug" => span.debug = field(map, "debug")?.unwrap_or_default(),
                "shared" => span.shared = field(map, "shared")?.unwrap_or_default(),
                _ => ignore(map)?,
            }
        }
        Ok(span)
    }
}

/// A whole number; 0 if it is null.
pub fn whole<'de, A: MapAccess<'de>>(
    map: &mut A,
    name: &str,
) -> std::result::Result<i64, A::Error> {
    Ok(field::<Whole, _>(map, name)?.map_or(0, |number| number.0))
}

fn kind_number(name: &str) -> Read<i32> {
    Ok(match name {
        "" => 0,
        "CLIENT" => kind::CLIENT,
        "SERVER" => kind::SERVER,
        "PRODUCER" => kind::PRODUCER,
        "CONSUMER" => kind::CONSUMER,
        other => {
            let shown: String = other.chars().take(64).collect();
            return Err(format!("kind '{shown}' is none of CLIENT, SERVER, PRODUCER, CONSUMER"));
        }
    })
}

impl<'de> Deserialize<'de> for Annotation<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(AnnotationVisitor)
    }
}

struct AnnotationVisitor;

impl<'de> Visitor<'de> for AnnotationVisitor {
    type Value = Annotation<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an annotation")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut annotation = Annotation { timestamp_us: 0, value: "".into() };
        while let Some(Text(key)) = map.next_key()? {
            let map = &mut map;
            match &*key {
                "timestamp" => annotation.timestamp_us = whole(map, "timestamp")?,
                "value" => {
                    annotation.value = field::<Text<'_>, _>(map, "value")?.unwrap_or_default().0;
                }
                _ => ignore(map)?,
            }
        }
        Ok(annotation)
    }
}
