//! Loki's streams in protobuf.
//!
//! ```text
//! PushRequest { 1: Stream* }          Stream { 1: labels as text, 2: Entry*, 3: hash }
//! Entry { 1: Timestamp { 1: seconds, 2: nanos }, 2: line, 3: LabelPair { 1: name, 2: value }*, 4: parsed }
//! ```
//! Text that is not UTF-8 is kept with U+FFFD where it is not: senders pass on what programs write.

use std::borrow::Cow;

use throughline_model::Result;

use super::columns::{Columns, Entry, PAIRS_MAX, check_pairs};
use super::labels;
use crate::otlp::decode::wire::{Field, Fields};
use crate::records::Read;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Reads a request into `columns`.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            read_stream(field.bytes("PushRequest.streams")?, columns)?;
        }
    }
    Ok(())
}

/// Fields may stand in any order: the labels are read first, then the entries.
fn read_stream(message: &[u8], columns: &mut Columns) -> Result<()> {
    let mut text = Cow::Borrowed("");
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            text = lossy(field, "Stream.labels")?;
        }
    }
    columns.stream(labels::parse(&text));
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        if field.number == 2 {
            let entry = read_entry(field.bytes("Stream.entries")?)?;
            columns.entry(entry)?;
        }
    }
    Ok(())
}

fn read_entry(message: &[u8]) -> Result<Read<Entry<'_>>> {
    let mut entry = Entry::default();
    let (mut seconds, mut nanos, mut pairs) = (0, 0, 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => {
                let mut inner = Fields::new(field.bytes("Entry.timestamp")?);
                while let Some(field) = inner.next_field()? {
                    match field.number {
                        1 => seconds = field.varint("Timestamp.seconds")? as i64,
                        2 => nanos = i64::from(field.varint("Timestamp.nanos")? as i32),
                        _ => {}
                    }
                }
            }
            2 => entry.line = lossy(field, "Entry.line")?,
            3 => {
                let pair = pair(field.bytes("Entry.structuredMetadata")?)?;
                pairs += 1;
                if pairs <= PAIRS_MAX {
                    entry.metadata.push(pair);
                }
            }
            _ => {}
        }
    }
    Ok(check_pairs("structuredMetadata", pairs).and_then(|()| {
        entry.time_ns = time_ns(seconds, nanos)?;
        Ok(entry)
    }))
}

fn pair(message: &[u8]) -> Result<(Cow<'_, str>, Cow<'_, str>)> {
    let (mut name, mut value) = (Cow::Borrowed(""), Cow::Borrowed(""));
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => name = lossy(field, "LabelPair.name")?,
            2 => value = lossy(field, "LabelPair.value")?,
            _ => {}
        }
    }
    Ok((name, value))
}

fn time_ns(seconds: i64, nanos: i64) -> Read<i64> {
    if !(0..NANOS_PER_SECOND).contains(&nanos) {
        return Err(format!("timestamp.nanos {nanos} is not within 0 to {}", NANOS_PER_SECOND - 1));
    }
    if seconds < 0 {
        return Err(format!("timestamp.seconds {seconds} is below 0"));
    }
    let time_ns = seconds.checked_mul(NANOS_PER_SECOND).and_then(|ns| ns.checked_add(nanos));
    time_ns.ok_or_else(|| {
        format!("timestamp.seconds {seconds} exceeds {}", i64::MAX / NANOS_PER_SECOND)
    })
}

fn lossy<'a>(field: Field<'a>, name: &str) -> Result<Cow<'a, str>> {
    field.bytes(name).map(String::from_utf8_lossy)
}
