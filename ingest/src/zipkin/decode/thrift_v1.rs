//! Zipkin v1 in thrift's binary protocol: a list of spans.
//!
//! ```text
//! Span              1 trace id | 3 name | 4 id | 5 parent | 6 annotations | 8 binary annotations
//!                   9 debug | 10 timestamp | 11 duration | 12 high half of the trace id
//! Annotation        1 timestamp | 2 value | 3 host
//! BinaryAnnotation  1 key | 2 value | 3 type: 0 bool, 1 bytes, 2 i16, 3 i32, 4 i64, 5 double, 6 text | 4 host
//! Endpoint          1 ipv4 | 2 port | 3 service name | 4 ipv6
//! ```

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine;
use throughline_model::Result;

use super::span::{Endpoint, Read};
use super::v1::{Annotation, BinaryAnnotation, Span};
use crate::thrift::{Field, Open, Protocol, Reader};

/// Reads a list of spans.
pub fn read(body: &[u8], mut each: impl FnMut(Read<Span<'_>>) -> Result<()>) -> Result<()> {
    let mut reader = Reader::new(body, Protocol::Binary);
    for _ in 0..reader.list_of_structs("the list of spans")? {
        let read = span(&mut reader)?;
        each(read)?;
    }
    reader.end()
}

fn span<'a>(reader: &mut Reader<'a>) -> Result<Read<Span<'a>>> {
    let (mut span, mut low, mut high) = (Span::default(), 0, 0);
    let mut refused = Ok(());
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => low = reader.i64(field, "Span.trace_id")?,
            3 => span.name = reader.str(field, "Span.name")?.into(),
            4 => span.id = reader.i64(field, "Span.id")?.to_be_bytes(),
            5 => span.parent_id = reader.i64(field, "Span.parent_id")?.to_be_bytes(),
            6 => {
                for _ in 0..reader.structs(field, "Span.annotations")? {
                    span.annotations.push(annotation(reader)?);
                }
            }
            8 => {
                for _ in 0..reader.structs(field, "Span.binary_annotations")? {
                    match binary_annotation(reader)? {
                        Ok(tag) => span.binary_annotations.push(tag),
                        Err(reason) => refused = refused.and(Err(reason)),
                    }
                }
            }
            9 => span.debug = reader.bool(field, "Span.debug")?,
            10 => span.timestamp_us = reader.i64(field, "Span.timestamp")?,
            11 => span.duration_us = reader.i64(field, "Span.duration")?,
            12 => high = reader.i64(field, "Span.trace_id_high")?,
            _ => reader.skip(field)?,
        }
    }
    span.trace_id = ((high as u64 as u128) << 64 | low as u64 as u128).to_be_bytes();
    Ok(refused.map(|()| span))
}

fn annotation<'a>(reader: &mut Reader<'a>) -> Result<Annotation<'a>> {
    let mut annotation = Annotation::default();
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => annotation.timestamp_us = reader.i64(field, "Annotation.timestamp")?,
            2 => annotation.value = reader.str(field, "Annotation.value")?.into(),
            3 => annotation.host = Some(endpoint(reader, field, "Annotation.host")?),
            _ => reader.skip(field)?,
        }
    }
    Ok(annotation)
}

fn binary_annotation<'a>(reader: &mut Reader<'a>) -> Result<Read<BinaryAnnotation<'a>>> {
    let mut tag = BinaryAnnotation::default();
    let (mut value, mut kind): (&[u8], i32) = (&[], 6);
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => tag.key = reader.str(field, "BinaryAnnotation.key")?.into(),
            2 => value = reader.bytes(field, "BinaryAnnotation.value")?,
            3 => kind = reader.i32(field, "BinaryAnnotation.annotation_type")?,
            4 => tag.host = Some(endpoint(reader, field, "BinaryAnnotation.host")?),
            _ => reader.skip(field)?,
        }
    }
    Ok(text(value, kind, &tag.key).map(|text| {
        tag.is_true = kind == 0 && text == "true";
        tag.value = text;
        tag
    }))
}

/// The value of a binary annotation as text.
fn text<'a>(value: &'a [u8], kind: i32, key: &str) -> Read<Cow<'a, str>> {
    let number = match (kind, value) {
        (0, [flag]) => Some((*flag != 0).to_string()),
        (1, bytes) => Some(base64::engine::general_purpose::STANDARD.encode(bytes)),
        (2, bytes) => bytes.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string()),
        (3, bytes) => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
        (4, bytes) => bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
        (5, bytes) => bytes.try_into().ok().map(|bytes| f64::from_be_bytes(bytes).to_string()),
        (6, bytes) => {
            let text = std::str::from_utf8(bytes);
            return text.map(Cow::Borrowed).map_err(|_| format!("tag '{key}' is not UTF-8"));
        }
        _ => None,
    };
    let len = value.len();
    number
        .map(Cow::Owned)
        .ok_or_else(|| format!("tag '{key}' has {len} bytes, which is no value of type {kind}"))
}

fn endpoint<'a>(reader: &mut Reader<'a>, field: Field, name: &str) -> Result<Endpoint<'a>> {
    let mut endpoint = Endpoint::default();
    let mut open = reader.open_struct(field, name)?;
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => {
                let ip = reader.i32(field, "Endpoint.ipv4")?;
                if ip != 0 {
                    endpoint.ipv4 = Cow::Owned(Ipv4Addr::from(ip as u32).to_string());
                }
            }
            2 => endpoint.port = reader.i16(field, "Endpoint.port")? as u16,
            3 => endpoint.service = reader.str(field, "Endpoint.service_name")?.into(),
            4 => {
                if let Ok(ip) = <[u8; 16]>::try_from(reader.bytes(field, "Endpoint.ipv6")?) {
                    endpoint.ipv6 = Cow::Owned(Ipv6Addr::from(ip).to_string());
                }
            }
            _ => reader.skip(field)?,
        }
    }
    Ok(endpoint)
}
