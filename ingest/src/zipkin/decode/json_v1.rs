//! Zipkin v1 in JSON.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use throughline_model::Result;

use super::json::{self, Loose, Text, field, ignore, refused};
use super::json_v2::whole;
use super::span::{self, Read};
use super::v1::{Annotation, BinaryAnnotation, Span};

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
                "name" => span.name = field::<Text<'_>, _>(map, "name")?.unwrap_or_default().0,
                "timestamp" => span.timestamp_us = whole(map, "timestamp")?,
                "duration" => span.duration_us = whole(map, "duration")?,
                "annotations" => span.annotations = field(map, "annotations")?.unwrap_or_default(),
                "binaryAnnotations" => {
                    span.binary_annotations = field(map, "binaryAnnotations")?.unwrap_or_default();
                }
                "debug" => span.debug = field(map, "debug")?.unwrap_or_default(),
                _ => ignore(map)?,
            }
        }
        Ok(span)
    }
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
        let mut annotation = Annotation::default();
        while let Some(Text(key)) = map.next_key()? {
            let map = &mut map;
            match &*key {
                "timestamp" => annotation.timestamp_us = whole(map, "timestamp")?,
                "value" => {
                    annotation.value = field::<Text<'_>, _>(map, "value")?.unwrap_or_default().0;
                }
                "endpoint" => annotation.host = field(map, "endpoint")?,
                _ => ignore(map)?,
            }
        }
        Ok(annotation)
    }
}

impl<'de> Deserialize<'de> for BinaryAnnotation<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(BinaryAnnotationVisitor)
    }
}

struct BinaryAnnotationVisitor;

impl<'de> Visitor<'de> for BinaryAnnotationVisitor {
    type Value = BinaryAnnotation<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a binary annotation")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut tag = BinaryAnnotation::default();
        // Numbers and booleans may be text beside a type that says so, or themselves.
        let mut kind = Cow::Borrowed("");
        while let Some(Text(key)) = map.next_key()? {
            let map = &mut map;
            match &*key {
                "key" => tag.key = field::<Text<'_>, _>(map, "key")?.unwrap_or_default().0,
                "value" => {
                    if let Some(Loose(text)) = field(map, "value")? {
                        tag.value = text;
                    }
                }
                "type" => kind = field::<Text<'_>, _>(map, "type")?.unwrap_or_default().0,
                "endpoint" => tag.host = field(map, "endpoint")?,
                _ => ignore(map)?,
            }
        }
        tag.is_true = tag.value == "true" && matches!(&*kind, "" | "BOOL");
        Ok(tag)
    }
}
