//! Remote write 2.0: texts stand once, in `symbols`, and are named by number.
//!
//! ```text
//! Request { 4: symbol*, 5: TimeSeries* }        symbol 0 is the empty text
//! TimeSeries { 1: number*: name, value, name, …; 2: Sample*, 3: Histogram*, 4: Exemplar*, 5: Metadata }
//! Exemplar { 1: number*, 2: value, 3: time in ms }        Metadata { 1: type, 3: help, 4: unit }
//! ```

use throughline_model::{Error, Result};

use super::Written;
use super::columns::{Columns, Metadata};
use super::labels::Labels;
use super::points;
use crate::otlp::decode::wire::Fields;
use crate::records::Read;

/// Texts of a request, at most.
const SYMBOLS_MAX: usize = 1 << 20;
/// `Metadata.MetricType`, by number.
const TYPES: [&str; 8] =
    ["", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"];

/// Reads a request into `columns`.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let mut reader =
        Reader { symbols: symbols(body)?, labels: Labels::default(), refs: Vec::new() };
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number == 5 {
            reader.series(field.bytes("Request.timeseries")?, columns)?;
        }
    }
    Ok(())
}

/// What is in a request.
pub fn count(body: &[u8]) -> Result<Written> {
    let mut written = Written::default();
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number != 5 {
            continue;
        }
        let mut fields = Fields::new(field.bytes("Request.timeseries")?);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => written.samples += 1,
                3 => written.histograms += 1,
                4 => written.exemplars += 1,
                _ => {}
            }
        }
    }
    Ok(written)
}

fn symbols(body: &[u8]) -> Result<Vec<&[u8]>> {
    let mut symbols = Vec::new();
    let mut fields = Fields::new(body);
    while let Some(field) = fields.next_field()? {
        if field.number == 4 {
            if symbols.len() == SYMBOLS_MAX {
                return Err(Error::invalid(format!("more than {SYMBOLS_MAX} symbols")));
            }
            symbols.push(field.bytes("Request.symbols")?);
        }
    }
    match symbols.first() {
        Some(first) if !first.is_empty() => Err(Error::invalid(format!(
            "symbol 0 is '{}', expected the empty text",
            String::from_utf8_lossy(first)
        ))),
        _ => Ok(symbols),
    }
}

struct Reader<'a> {
    symbols: Vec<&'a [u8]>,
    labels: Labels<'a>,
    refs: Vec<u64>,
}

impl<'a> Reader<'a> {
    /// Fields may stand in any order: what describes the series is read first, then what it has.
    fn series(&mut self, message: &'a [u8], columns: &mut Columns) -> Result<()> {
        self.refs.clear();
        let mut described: &[u8] = &[];
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => field.extend_varint("TimeSeries.labels_refs", &mut self.refs)?,
                5 => described = field.bytes("TimeSeries.metadata")?,
                _ => {}
            }
        }
        let metadata = self.metadata(described)?;
        let labels = self.resolve();
        columns.series(labels.map(|()| &mut self.labels), metadata);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                2 => points::sample(field, columns)?,
                3 => points::native(field, columns)?,
                4 => self.exemplar(field.bytes("TimeSeries.exemplars")?, columns)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn exemplar(&mut self, message: &'a [u8], columns: &mut Columns) -> Result<()> {
        self.refs.clear();
        let (mut value, mut time_ms) = (0.0, 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => field.extend_varint("Exemplar.labels_refs", &mut self.refs)?,
                2 => value = field.double("Exemplar.value")?,
                3 => time_ms = field.varint("Exemplar.timestamp")? as i64,
                _ => {}
            }
        }
        let labels = self.resolve();
        columns.exemplar(labels.map(|()| &mut self.labels), value, time_ms)
    }

    fn metadata(&self, message: &'a [u8]) -> Result<Metadata<'a>> {
        let mut metadata = Metadata::default();
        // What is no text, or none of the symbols, describes nothing.
        let text = |number: u64| {
            let symbol = usize::try_from(number).ok().and_then(|number| self.symbols.get(number));
            symbol.and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
        };
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => {
                    let number = field.varint("Metadata.type")?;
                    let named = usize::try_from(number).ok().and_then(|number| TYPES.get(number));
                    metadata.metric_type = named.copied().unwrap_or_default();
                }
                3 => metadata.help = text(field.varint("Metadata.help_ref")?),
                4 => metadata.unit = text(field.varint("Metadata.unit_ref")?),
                _ => {}
            }
        }
        Ok(metadata)
    }

    /// Looks the numbers up, in pairs.
    fn resolve(&mut self) -> Read<()> {
        self.labels.clear();
        let symbol = |number: u64| {
            let symbol = usize::try_from(number).ok().and_then(|number| self.symbols.get(number));
            symbol.copied().ok_or_else(|| {
                format!("labels_refs names symbol {number} of {}", self.symbols.len())
            })
        };
        let (pairs, rest) = self.refs.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(format!("labels_refs has {} numbers, no pairs", self.refs.len()));
        }
        for [name, value] in pairs {
            self.labels.push(symbol(*name)?, symbol(*value)?);
        }
        Ok(())
    }
}
