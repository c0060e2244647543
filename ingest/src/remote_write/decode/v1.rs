//! Remote write 1.0.
//!
//! ```text
//! WriteRequest { 1: TimeSeries*, 3: metadata* }
//! TimeSeries { 1: Label { 1: name, 2: value }*, 2: Sample*, 3: Exemplar*, 4: Histogram* }
//! Exemplar { 1: Label*, 2: value, 3: time in ms }
//! ```
//! Its metadata are of names that may be no series', without a time: they are passed over. 2.0 sends them
//! with their series.

use throughline_model::Result;

use super::columns::{Columns, Metadata};
use super::labels::Labels;
use super::points;
use crate::otlp::decode::wire::{Field, Fields};

/// Reads a request into `columns`.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let mut labels = Labels::default();
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => series(field.bytes("WriteRequest.timeseries")?, &mut labels, columns)?,
            3 => drop(field.bytes("WriteRequest.metadata")?),
            _ => {}
        }
    }
    Ok(())
}

/// Fields may stand in any order: the labels are read first, then what they are of.
fn series<'a>(message: &'a [u8], labels: &mut Labels<'a>, columns: &mut Columns) -> Result<()> {
    labels.clear();
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        if field.number == 1 {
            label(field, labels)?;
        }
    }
    columns.series(Ok(&mut *labels), Metadata::default());
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            2 => points::sample(field, columns)?,
            3 => exemplar(field.bytes("TimeSeries.exemplars")?, labels, columns)?,
            4 => points::native(field, columns)?,
            _ => {}
        }
    }
    Ok(())
}

fn exemplar<'a>(message: &'a [u8], labels: &mut Labels<'a>, columns: &mut Columns) -> Result<()> {
    labels.clear();
    let (mut value, mut time_ms) = (0.0, 0);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => label(field, labels)?,
            2 => value = field.double("Exemplar.value")?,
            3 => time_ms = field.varint("Exemplar.timestamp")? as i64,
            _ => {}
        }
    }
    columns.exemplar(Ok(labels), value, time_ms)
}

fn label<'a>(field: Field<'a>, labels: &mut Labels<'a>) -> Result<()> {
    let (mut name, mut value): (&[u8], &[u8]) = (&[], &[]);
    let mut fields = Fields::new(field.bytes("labels")?);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => name = field.bytes("Label.name")?,
            2 => value = field.bytes("Label.value")?,
            _ => {}
        }
    }
    labels.push(name, value);
    Ok(())
}
