//! What both versions write alike of a series: samples.

use throughline_model::Result;

use super::columns::{Columns, Moment};
use super::histogram;
use crate::otlp::decode::wire::{Field, Fields};

/// `Sample { 1: value, 2: time in ms, 3: start in ms, from 2.0 on }`.
pub fn sample(field: Field<'_>, columns: &mut Columns) -> Result<()> {
    let (mut value, mut moment) = (0.0, Moment::default());
    let mut fields = Fields::new(field.bytes("TimeSeries.samples")?);
    while let Some(field) = fields.next_field()? {
        match field.number {
            1 => value = field.double("Sample.value")?,
            2 => moment.time_ms = field.varint("Sample.timestamp")? as i64,
            3 => moment.start_ms = field.varint("Sample.start_timestamp")? as i64,
            _ => {}
        }
    }
    columns.sample(moment, value)
}

/// A native histogram.
pub fn native(field: Field<'_>, columns: &mut Columns) -> Result<()> {
    let (moment, histogram) = histogram::read(field.bytes("TimeSeries.histograms")?)?;
    columns.histogram(moment, histogram)
}
