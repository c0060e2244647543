//! Exceptions out of rows of the item schemas.
//!
//! Most rows carry none, and nearly all of what this costs is seeing so: for spans a search through the
//! bytes of all events for how the keys begin, for log records a look at the keys that a batch has.

use arrow::array::{Array, ArrayRef, AsArray, MapArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use memchr::memmem;
use throughline_model::exception::{self, Fingerprinter, KEY_PREFIX};
use throughline_model::schema::col;
use throughline_model::span::{dict_bytes, dict_str, map_entries};
use throughline_model::{Signal, SpanId, TraceId, attrs, origin};

use super::{ExceptionSource, Exceptions, Occurrence};
use crate::Result;
use crate::scan::ScanColumn;
use crate::segment::Segment;
use crate::segment::facts::{SERVICE_VERSION, each_batch};
use crate::segment::spans::column;

/// Finds exceptions in batches and counts them.
#[derive(Debug, Default)]
pub(crate) struct Finder {
    fingerprinter: Fingerprinter,
    /// What was found so far.
    pub found: Exceptions,
}

/// The exceptions of some batches.
pub(crate) fn of_batches(signal: Signal, batches: &[RecordBatch]) -> Result<Exceptions> {
    let mut finder = Finder::default();
    batches.iter().try_for_each(|batch| finder.batch(signal, batch))?;
    Ok(finder.found)
}

/// The exceptions of a segment whose index does not tell them, from its rows. Blocks.
pub(crate) fn of_rows(segment: &Segment) -> Result<Exceptions> {
    let signal = segment.meta.signal;
    let names: &[&str] = match signal {
        Signal::Logs => &[col::TIME, col::TRACE_ID, col::SPAN_ID],
        _ => &[col::START_TIME, col::TRACE_ID, col::SPAN_ID, col::EVENTS],
    };
    let always = [col::SERVICE_NAME, col::RESOURCE];
    let fixed = names.iter().chain(&always).map(|name| ScanColumn::Fixed((*name).to_owned()));
    let columns = fixed.chain([ScanColumn::Attributes]).collect::<Vec<_>>();
    let mut finder = Finder::default();
    each_batch(segment, &columns, |batch| finder.batch(signal, batch))?;
    Ok(finder.found)
}

impl Finder {
    /// Looks through a batch of spans or log records.
    pub(crate) fn batch(&mut self, signal: Signal, batch: &RecordBatch) -> Result<()> {
        match signal {
            Signal::Traces => self.spans(batch),
            Signal::Logs => self.logs(batch),
            Signal::Metrics => Ok(()),
        }
    }

    fn spans(&mut self, batch: &RecordBatch) -> Result<()> {
        let events = column(batch, col::EVENTS)?.as_binary::<i32>();
        let prefix = memmem::Finder::new(KEY_PREFIX);
        if prefix.find(events.value_data()).is_none() {
            return Ok(());
        }
        let origins = Origins::of(batch)?;
        let (trace_ids, span_ids) = (column(batch, col::TRACE_ID)?, column(batch, col::SPAN_ID)?);
        let starts = column(batch, col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        let attributes = column(batch, col::ATTRIBUTES)?.as_map();
        for row in (0..events.len()).filter(|row| events.is_valid(*row)) {
            if prefix.find(events.value(row)).is_none() {
                continue;
            }
            let of_span = user(attributes, row)?;
            for event in exception::of_events(events.value(row)) {
                let event = event?;
                let of_event = exception::user_of(attrs::iter(event.attributes))?;
                let time_ns = match event.time_ns {
                    0 => starts.value(row),
                    time_ns => time_ns,
                };
                self.found.add(&Occurrence {
                    fingerprint: self.fingerprinter.fingerprint(&event.exception),
                    exception: event.exception,
                    service: origins.service(row),
                    version: origins.version(row)?,
                    user: of_event.as_deref().or(of_span.as_deref()),
                    source: ExceptionSource::Span,
                    time_ns,
                    trace_id: trace_id(trace_ids, row)?,
                    span_id: span_id(span_ids, row)?,
                });
            }
        }
        Ok(())
    }

    fn logs(&mut self, batch: &RecordBatch) -> Result<()> {
        let attributes = column(batch, col::ATTRIBUTES)?.as_map();
        let names = attributes.keys().as_dictionary::<UInt32Type>();
        let names = names.values().as_string::<i32>();
        if !names.iter().flatten().any(|name| name.starts_with(KEY_PREFIX)) {
            return Ok(());
        }
        let origins = Origins::of(batch)?;
        let (trace_ids, span_ids) = (column(batch, col::TRACE_ID)?, column(batch, col::SPAN_ID)?);
        let times = column(batch, col::TIME)?.as_primitive::<TimestampNanosecondType>();
        for row in 0..batch.num_rows() {
            let Some(found) = exception::of_attributes(map_entries(attributes, row).map(Ok))?
            else {
                continue;
            };
            self.found.add(&Occurrence {
                fingerprint: self.fingerprinter.fingerprint(&found),
                exception: found,
                service: origins.service(row),
                version: origins.version(row)?,
                user: user(attributes, row)?.as_deref(),
                source: ExceptionSource::Log,
                time_ns: times.value(row),
                trace_id: trace_id(trace_ids, row)?,
                span_id: span_id(span_ids, row)?,
            });
        }
        Ok(())
    }
}

fn user(attributes: &MapArray, row: usize) -> Result<Option<std::borrow::Cow<'_, str>>> {
    Ok(exception::user_of(map_entries(attributes, row).map(Ok))?)
}

fn trace_id(ids: &ArrayRef, row: usize) -> Result<Option<TraceId>> {
    let ids = ids.as_fixed_size_binary();
    Ok(ids.is_valid(row).then(|| TraceId::from_slice(ids.value(row))).transpose()?)
}

fn span_id(ids: &ArrayRef, row: usize) -> Result<Option<SpanId>> {
    let ids = ids.as_fixed_size_binary();
    Ok(ids.is_valid(row).then(|| SpanId::from_slice(ids.value(row))).transpose()?)
}

/// Services and versions of a batch's rows.
struct Origins<'a> {
    services: &'a ArrayRef,
    resources: &'a ArrayRef,
}

impl<'a> Origins<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self> {
        Ok(Self {
            services: column(batch, col::SERVICE_NAME)?,
            resources: column(batch, col::RESOURCE)?,
        })
    }

    fn service(&self, row: usize) -> &'a str {
        dict_str(self.services.as_ref(), row)
    }

    fn version(&self, row: usize) -> Result<&'a str> {
        let set = origin::resource_attrs(dict_bytes(self.resources.as_ref(), row))?;
        Ok(attrs::get_str(set, SERVICE_VERSION).unwrap_or_default())
    }
}
