//! Zipkin v2 in protobuf: `ListOfSpans { repeated Span spans = 1 }`.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use throughline_model::Result;

use super::span::{self, Annotation, Endpoint, Read, Span};
use crate::otlp::decode::wire::Fields;
use crate::translate::{Tag, TagValue, kind};

/// Reads a list of spans.
pub fn read(body: &[u8], mut each: impl FnMut(Read<Span<'_>>) -> Result<()>) -> Result<()> {
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            let read = read_span(field.bytes("ListOfSpans.spans")?)?;
            each(read)?;
        }
    }
    Ok(())
}

fn read_span(message: &[u8]) -> Result<Read<Span<'_>>> {
    let mut span = Span::default();
    let mut refused = Ok(());
    let mut note = |read: Read<()>| refused = std::mem::replace(&mut refused, Ok(())).and(read);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => note(left_padded(&mut span.trace_id, "trace_id", field.bytes("Span.trace_id")?)),
            2 => {
                note(left_padded(&mut span.parent_id, "parent_id", field.bytes("Span.parent_id")?))
            }
            3 => note(left_padded(&mut span.id, "id", field.bytes("Span.id")?)),
            4 => {
                let number = field.varint("Span.kind")?;
                note(kind_number(number).map(|number| span.kind = number));
            }
            5 => span.name = field.str("Span.name")?.into(),
            6 => {
                note(micros("timestamp", field.fixed64("Span.timestamp")?, &mut span.timestamp_us))
            }
            7 => note(micros("duration", field.varint("Span.duration")?, &mut span.duration_us)),
            8 => note(endpoint(field.bytes("Span.local_endpoint")?, &mut span.local)?),
            9 => note(endpoint(field.bytes("Span.remote_endpoint")?, &mut span.remote)?),
            10 => {
                let mut annotation = Annotation { timestamp_us: 0, value: "".into() };
                note(read_annotation(field.bytes("Span.annotations")?, &mut annotation)?);
                span.annotations.push(annotation);
            }
            11 => span.tags.push(tag(field.bytes("Span.tags")?)?),
            12 => span.debug = field.varint("Span.debug")? != 0,
            13 => span.shared = field.varint("Span.shared")? != 0,
            _ => {}
        }
    }
    Ok(refused.map(|()| span))
}

/// An id of `N` bytes, or of 8 that are padded with zeros on the left.
fn left_padded<const N: usize>(id: &mut [u8; N], name: &str, bytes: &[u8]) -> Read<()> {
    if bytes.len() != N && bytes.len() != 8 && !bytes.is_empty() {
        return Err(format!("{name} has {} bytes, expected {N}", bytes.len()));
    }
    *id = [0; N];
    id[N - bytes.len()..].copy_from_slice(bytes);
    Ok(())
}

fn kind_number(number: u64) -> Read<i32> {
    Ok(match number {
        0 => 0,
        1 => kind::CLIENT,
        2 => kind::SERVER,
        3 => kind::PRODUCER,
        4 => kind::CONSUMER,
        other => return Err(format!("kind {other} is not within 0 to 4")),
    })
}

fn micros(name: &str, number: u64, out: &mut i64) -> Read<()> {
    *out = i64::try_from(number).map_err(|_| format!("{name} {number} exceeds {}", i64::MAX))?;
    Ok(())
}

fn endpoint<'a>(message: &'a [u8], endpoint: &mut Endpoint<'a>) -> Result<Read<()>> {
    let mut read = Ok(());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => endpoint.service = field.str("Endpoint.service_name")?.into(),
            2 => {
                let bytes = field.bytes("Endpoint.ipv4")?;
                let text = <[u8; 4]>::try_from(bytes).map(|ip| Ipv4Addr::from(ip).to_string());
                read = read.and(address("ipv4", bytes, text.ok(), &mut endpoint.ipv4));
            }
            3 => {
                let bytes = field.bytes("Endpoint.ipv6")?;
                let text = <[u8; 16]>::try_from(bytes).map(|ip| Ipv6Addr::from(ip).to_string());
                read = read.and(address("ipv6", bytes, text.ok(), &mut endpoint.ipv6));
            }
            4 => {
                let number = field.varint("Endpoint.port")? as i64;
                read = read.and(span::port("port", number).map(|number| endpoint.port = number));
            }
            _ => {}
        }
    }
    Ok(read)
}

fn address<'a>(name: &str, bytes: &[u8], text: Option<String>, out: &mut Cow<'a, str>) -> Read<()> {
    match text {
        Some(text) => *out = Cow::Owned(text),
        None if bytes.is_empty() => {}
        None => return Err(format!("{name} has {} bytes", bytes.len())),
    }
    Ok(())
}

fn read_annotation<'a>(message: &'a [u8], annotation: &mut Annotation<'a>) -> Result<Read<()>> {
    let mut read = Ok(());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                let number = field.fixed64("Annotation.timestamp")?;
                let name = "annotations.timestamp";
                read = read.and(micros(name, number, &mut annotation.timestamp_us));
            }
            2 => annotation.value = field.str("Annotation.value")?.into(),
            _ => {}
        }
    }
    Ok(read)
}

fn tag(message: &[u8]) -> Result<Tag<'_>> {
    let (mut key, mut value) = ("", "");
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => key = field.str("Span.tags.key")?,
            2 => value = field.str("Span.tags.value")?,
            _ => {}
        }
    }
    Ok(Tag { key: key.into(), value: TagValue::Str(value.into()) })
}
