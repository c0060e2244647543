//! Jaeger's `PostSpansRequest { Batch batch = 1 }` in protobuf.
//!
//! ```text
//! Batch      1 spans | 2 process
//! Process    1 service name | 2 tags
//! Span       1 trace id | 2 span id | 3 operation | 4 references | 5 flags | 6 start | 7 duration | 8 tags
//!            9 logs | 10 process | 12 warnings
//! SpanRef    1 trace id | 2 span id | 3 type: 0 child of, 1 follows from
//! Log        1 timestamp | 2 fields
//! KeyValue   1 key | 2 type: 0 text, 1 bool, 2 int, 3 double, 4 bytes | 3 … 7 the value of that type
//! Timestamp, Duration   1 seconds | 2 nanoseconds
//! ```

use throughline_model::time::SECOND_NS;
use throughline_model::{Error, Result};

use super::columns::Columns;
use super::span::{Log, Process, Read, Reference, Span, TagType, Values};
use crate::otlp::decode::wire::{Fields, Pieces};
use crate::translate::Tag;

/// Reads a request.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let mut batch: Option<Pieces<'_>> = None;
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            Pieces::add(&mut batch, field.bytes("PostSpansRequest.batch")?);
        }
    }
    let Some(batch) = batch else { return Ok(()) };
    let mut of_batch = Process::default();
    for piece in batch.as_slice() {
        let mut fields = Fields::new(piece);
        while let Some(field) = fields.next_field()? {
            if field.number == 2 {
                process(field.bytes("Batch.process")?, &mut of_batch)?;
            }
        }
    }
    for piece in batch.as_slice() {
        let mut fields = Fields::new(piece);
        while let Some(field) = fields.next_field()? {
            if field.number == 1 {
                let (read, own) = span(field.bytes("Batch.spans")?)?;
                columns.set_process(own.as_ref().unwrap_or(&of_batch))?;
                columns.item(read)?;
            }
        }
    }
    Ok(())
}

fn process<'a>(message: &'a [u8], process: &mut Process<'a>) -> Result<()> {
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => process.service_name = field.str("Process.service_name")?,
            2 => process.tags.push(tag(field.bytes("Process.tags")?)?),
            _ => {}
        }
    }
    Ok(())
}

/// The span, and its process if it has one of its own.
fn span(message: &[u8]) -> Result<(Read<Span<'_>>, Option<Process<'_>>)> {
    let mut span = Span::default();
    let mut own = None;
    let mut refused = Ok(());
    let mut note = |read: Read<()>| refused = std::mem::replace(&mut refused, Ok(())).and(read);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => note(id("trace_id", field.bytes("Span.trace_id")?, &mut span.trace_id)),
            2 => note(id("span_id", field.bytes("Span.span_id")?, &mut span.span_id)),
            3 => span.operation_name = field.str("Span.operation_name")?,
            4 => {
                let mut reference = Reference::default();
                note(read_reference(field.bytes("Span.references")?, &mut reference)?);
                span.references.push(reference);
            }
            5 => span.flags = field.varint("Span.flags")? as u32,
            6 => note(time("start_time", field.bytes("Span.start_time")?, &mut span.start_ns)?),
            7 => note(time("duration", field.bytes("Span.duration")?, &mut span.duration_ns)?),
            8 => span.tags.push(tag(field.bytes("Span.tags")?)?),
            9 => {
                let mut log = Log::default();
                note(read_log(field.bytes("Span.logs")?, &mut log)?);
                span.logs.push(log);
            }
            10 => process(field.bytes("Span.process")?, own.get_or_insert_default())?,
            12 => span.warnings.push(field.str("Span.warnings")?),
            _ => {}
        }
    }
    Ok((refused.map(|()| span), own))
}

/// An id of `N` bytes, or a shorter one that is padded with zeros on the left.
fn id<const N: usize>(name: &str, bytes: &[u8], out: &mut [u8; N]) -> Read<()> {
    if bytes.len() > N {
        return Err(format!("{name} has {} bytes, expected {N}", bytes.len()));
    }
    *out = [0; N];
    out[N - bytes.len()..].copy_from_slice(bytes);
    Ok(())
}

/// A `Timestamp` or `Duration` in nanoseconds, not negative.
fn time(name: &str, message: &[u8], out: &mut i64) -> Result<Read<()>> {
    let (mut seconds, mut nanos) = (0i64, 0i64);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => seconds = field.varint("Timestamp.seconds")? as i64,
            2 => nanos = i64::from(field.varint("Timestamp.nanos")? as i32),
            _ => {}
        }
    }
    let time_ns = i128::from(seconds) * i128::from(SECOND_NS) + i128::from(nanos);
    Ok(match i64::try_from(time_ns) {
        Ok(time_ns) if time_ns >= 0 => {
            *out = time_ns;
            Ok(())
        }
        _ => Err(format!("{name} {time_ns} ns is not within 0 to {}", i64::MAX)),
    })
}

fn read_reference(message: &[u8], reference: &mut Reference) -> Result<Read<()>> {
    let mut read = Ok(());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                let bytes = field.bytes("SpanRef.trace_id")?;
                read = read.and(id("references.trace_id", bytes, &mut reference.trace_id));
            }
            2 => {
                let bytes = field.bytes("SpanRef.span_id")?;
                read = read.and(id("references.span_id", bytes, &mut reference.span_id));
            }
            3 => reference.follows_from = field.varint("SpanRef.ref_type")? == 1,
            _ => {}
        }
    }
    Ok(read)
}

fn read_log<'a>(message: &'a [u8], log: &mut Log<'a>) -> Result<Read<()>> {
    let mut read = Ok(());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                let message = field.bytes("Log.timestamp")?;
                read = read.and(time("logs.timestamp", message, &mut log.time_ns)?);
            }
            2 => log.fields.push(tag(field.bytes("Log.fields")?)?),
            _ => {}
        }
    }
    Ok(read)
}

fn tag(message: &[u8]) -> Result<Tag<'_>> {
    let (mut key, mut kind, mut values) = ("", 0, Values::default());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => key = field.str("KeyValue.key")?,
            2 => kind = field.varint("KeyValue.v_type")?,
            3 => values.text = field.str("KeyValue.v_str")?,
            4 => values.flag = field.varint("KeyValue.v_bool")? != 0,
            5 => values.int = field.varint("KeyValue.v_int64")? as i64,
            6 => values.double = field.double("KeyValue.v_float64")?,
            7 => values.bytes = field.bytes("KeyValue.v_binary")?,
            _ => {}
        }
    }
    let kind = match kind {
        0 => TagType::Str,
        1 => TagType::Bool,
        2 => TagType::Int,
        3 => TagType::Double,
        4 => TagType::Bytes,
        other => {
            return Err(Error::invalid(format!("KeyValue.v_type {other} is not within 0 to 4")));
        }
    };
    Ok(values.tag(key, kind))
}
