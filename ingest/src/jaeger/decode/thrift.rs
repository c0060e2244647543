//! A Jaeger `Batch` in thrift.
//!
//! ```text
//! Batch    1 process | 2 spans
//! Process  1 service name | 2 tags
//! Span     1, 2 low and high half of the trace id | 3 id | 4 parent | 5 operation | 6 references | 7 flags
//!          8 start | 9 duration (µs) | 10 tags | 11 logs
//! SpanRef  1 type: 0 child of, 1 follows from | 2, 3 low and high half of the trace id | 4 span id
//! Log      1 timestamp (µs) | 2 fields
//! Tag      1 key | 2 type: 0 text, 1 double, 2 bool, 3 long, 4 bytes | 3 … 7 the value of that type
//! ```

use throughline_model::{Error, Result};

use super::columns::Columns;
use super::span::{Log, Process, Read, Reference, Span, TagType, Values};
use crate::thrift::{Field, Open, Protocol, Reader};
use crate::translate::{Tag, nanoseconds};

/// Reads a batch.
pub fn read(body: &[u8], protocol: Protocol, columns: &mut Columns) -> Result<()> {
    columns.set_process(&process_of(body, protocol)?)?;
    let mut reader = Reader::new(body, protocol);
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            2 => {
                for _ in 0..reader.structs(field, "Batch.spans")? {
                    let read = span(&mut reader)?;
                    columns.item(read)?;
                }
            }
            _ => reader.skip(field)?,
        }
    }
    reader.end()
}

/// The process, which may stand behind the spans.
fn process_of(body: &[u8], protocol: Protocol) -> Result<Process<'_>> {
    let mut reader = Reader::new(body, protocol);
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => return process(&mut reader, field),
            _ => reader.skip(field)?,
        }
    }
    Err(Error::invalid("malformed thrift: the batch has no process"))
}

fn process<'a>(reader: &mut Reader<'a>, field: Field) -> Result<Process<'a>> {
    let mut process = Process::default();
    let mut open = reader.open_struct(field, "Batch.process")?;
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => process.service_name = reader.str(field, "Process.serviceName")?,
            2 => process.tags = tags(reader, field, "Process.tags")?,
            _ => reader.skip(field)?,
        }
    }
    Ok(process)
}

fn span<'a>(reader: &mut Reader<'a>) -> Result<Read<Span<'a>>> {
    let mut span = Span::default();
    let (mut low, mut high) = (0, 0);
    let mut refused = Ok(());
    let mut time = |read: Read<i64>| {
        read.unwrap_or_else(|reason| {
            refused = std::mem::replace(&mut refused, Ok(())).and(Err(reason));
            0
        })
    };
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => low = reader.i64(field, "Span.traceIdLow")?,
            2 => high = reader.i64(field, "Span.traceIdHigh")?,
            3 => span.span_id = reader.i64(field, "Span.spanId")?.to_be_bytes(),
            4 => span.parent_span_id = reader.i64(field, "Span.parentSpanId")?.to_be_bytes(),
            5 => span.operation_name = reader.str(field, "Span.operationName")?,
            6 => {
                for _ in 0..reader.structs(field, "Span.references")? {
                    span.references.push(reference(reader)?);
                }
            }
            7 => span.flags = reader.i32(field, "Span.flags")? as u32,
            8 => {
                let start_us = reader.i64(field, "Span.startTime")?;
                span.start_ns = time(nanoseconds("startTime", start_us));
            }
            9 => {
                let duration_us = reader.i64(field, "Span.duration")?;
                span.duration_ns = time(nanoseconds("duration", duration_us));
            }
            10 => span.tags = tags(reader, field, "Span.tags")?,
            11 => {
                for _ in 0..reader.structs(field, "Span.logs")? {
                    let (fields, time_us) = log(reader)?;
                    let time_ns = time(nanoseconds("logs.timestamp", time_us));
                    span.logs.push(Log { time_ns, fields });
                }
            }
            _ => reader.skip(field)?,
        }
    }
    span.trace_id = trace_id(low, high);
    Ok(refused.map(|()| span))
}

fn trace_id(low: i64, high: i64) -> [u8; 16] {
    (u128::from(high as u64) << 64 | u128::from(low as u64)).to_be_bytes()
}

fn reference(reader: &mut Reader<'_>) -> Result<Reference> {
    let mut reference = Reference::default();
    let (mut low, mut high) = (0, 0);
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => reference.follows_from = reader.i32(field, "SpanRef.refType")? == 1,
            2 => low = reader.i64(field, "SpanRef.traceIdLow")?,
            3 => high = reader.i64(field, "SpanRef.traceIdHigh")?,
            4 => reference.span_id = reader.i64(field, "SpanRef.spanId")?.to_be_bytes(),
            _ => reader.skip(field)?,
        }
    }
    reference.trace_id = trace_id(low, high);
    Ok(reference)
}

fn log<'a>(reader: &mut Reader<'a>) -> Result<(Vec<Tag<'a>>, i64)> {
    let (mut fields, mut time_us) = (Vec::new(), 0);
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => time_us = reader.i64(field, "Log.timestamp")?,
            2 => fields = tags(reader, field, "Log.fields")?,
            _ => reader.skip(field)?,
        }
    }
    Ok((fields, time_us))
}

fn tags<'a>(reader: &mut Reader<'a>, field: Field, name: &str) -> Result<Vec<Tag<'a>>> {
    let mut tags = Vec::new();
    for _ in 0..reader.structs(field, name)? {
        tags.push(tag(reader)?);
    }
    Ok(tags)
}

fn tag<'a>(reader: &mut Reader<'a>) -> Result<Tag<'a>> {
    let (mut key, mut kind, mut values) = ("", 0, Values::default());
    let mut open = Open::default();
    while let Some(field) = reader.next_field(&mut open)? {
        match field.id {
            1 => key = reader.str(field, "Tag.key")?,
            2 => kind = reader.i32(field, "Tag.vType")?,
            3 => values.text = reader.str(field, "Tag.vStr")?,
            4 => values.double = reader.double(field, "Tag.vDouble")?,
            5 => values.flag = reader.bool(field, "Tag.vBool")?,
            6 => values.int = reader.i64(field, "Tag.vLong")?,
            7 => values.bytes = reader.bytes(field, "Tag.vBinary")?,
            _ => reader.skip(field)?,
        }
    }
    let kind = match kind {
        0 => TagType::Str,
        1 => TagType::Double,
        2 => TagType::Bool,
        3 => TagType::Int,
        4 => TagType::Bytes,
        other => {
            return Err(Error::invalid(format!("Tag.vType {other} is not within 0 to 4")));
        }
    };
    Ok(values.tag(key, kind))
}
