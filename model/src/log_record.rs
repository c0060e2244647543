//! Log records in columns: the builder that decoders fill.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, TimestampNanosecondArray, UInt32Array};

use crate::columns::{AttributesBuilder, BinaryColumn, IdColumn};
use crate::dict::DictBuilder;
use crate::value::ValueRef;
use crate::{Error, Result, origin, schema};

/// Where the effective time of a record comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u32)]
pub enum TimeSource {
    /// It is the time of the event, as sent.
    #[default]
    Event = 0,
    /// The sender set no time: it is the observed time.
    Observed = 1,
    /// The sender set neither: it is the time of receipt.
    Received = 2,
}

/// The scalar fields of one log record.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogFields<'a> {
    /// Effective time, see [`schema::logs`].
    pub time_ns: i64,
    /// Where that time comes from.
    pub time_source: TimeSource,
    /// Observed time; zero where unset.
    pub observed_time_ns: i64,
    /// Severity number, 0 to 24.
    pub severity_number: i32,
    /// Severity as the sender wrote it.
    pub severity_text: &'a str,
    /// The encoded body (see [`crate::value`]), unless there is none.
    pub body: Option<&'a [u8]>,
    /// Name of the event, for records that are events.
    pub event_name: &'a str,
    /// The trace this record belongs to.
    pub trace_id: Option<[u8; 16]>,
    /// The span this record belongs to.
    pub span_id: Option<[u8; 8]>,
    /// Trace flags.
    pub flags: u32,
    /// Attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A batch of log records under construction: push `attributes`, then [`LogBatchBuilder::push`].
#[derive(Debug, Default)]
pub struct LogBatchBuilder {
    /// Attributes of the open row.
    pub attributes: AttributesBuilder,
    time: Vec<i64>,
    time_source: Vec<u32>,
    observed_time: Vec<i64>,
    severity_number: Vec<i32>,
    severity_text: DictBuilder,
    body: BinaryColumn,
    body_value: BinaryColumn,
    event_name: DictBuilder,
    trace_id: IdColumn<16>,
    span_id: IdColumn<8>,
    flags: Vec<u32>,
    service_name: DictBuilder,
    resource: DictBuilder,
    scope: DictBuilder,
    dropped: Vec<u32>,
    service_number: u32,
    resource_number: u32,
    scope_number: u32,
}

impl LogBatchBuilder {
    /// Sets the encoded resource of the records that follow; its `service.name` becomes their service.
    pub fn set_resource(&mut self, resource: &[u8]) -> Result<()> {
        self.resource_number = self.resource.values.intern(resource)?;
        let service = origin::service_name(origin::resource_attrs(resource)?);
        self.service_number = self.service_name.values.intern(service.as_bytes())?;
        Ok(())
    }

    /// Sets the encoded scope of the records that follow.
    pub fn set_scope(&mut self, scope: &[u8]) -> Result<()> {
        self.scope_number = self.scope.values.intern(scope)?;
        Ok(())
    }

    /// Makes room for so many more records.
    pub fn reserve(&mut self, records: usize) {
        self.attributes.reserve(records);
        self.trace_id.reserve(records);
        self.span_id.reserve(records);
        [&mut self.time, &mut self.observed_time].into_iter().for_each(|c| c.reserve(records));
        [&mut self.flags, &mut self.dropped].into_iter().for_each(|c| c.reserve(records));
        self.severity_number.reserve(records);
        let texts = [
            &mut self.severity_text,
            &mut self.event_name,
            &mut self.service_name,
            &mut self.resource,
            &mut self.scope,
        ];
        texts.into_iter().for_each(|column| column.reserve(records));
    }

    /// Closes the row of one record.
    pub fn push(&mut self, record: &LogFields<'_>) -> Result<()> {
        self.time.push(record.time_ns);
        self.time_source.push(record.time_source as u32);
        self.observed_time.push(record.observed_time_ns);
        self.severity_number.push(record.severity_number);
        self.severity_text.push(record.severity_text.as_bytes())?;
        self.push_body(record.body)?;
        self.event_name.push(record.event_name.as_bytes())?;
        self.trace_id.push(record.trace_id.as_ref());
        self.span_id.push(record.span_id.as_ref());
        self.flags.push(record.flags);
        self.service_name.push_number(self.service_number);
        self.resource.push_number(self.resource_number);
        self.scope.push_number(self.scope_number);
        self.attributes.end_row();
        self.dropped.push(record.dropped_attributes_count);
        Ok(())
    }

    /// Drops what was pushed for the open row.
    pub fn abandon(&mut self) {
        self.attributes.abandon_row();
    }

    /// Records so far.
    pub fn len(&self) -> usize {
        self.time.len()
    }

    /// Whether there is no record yet.
    pub fn is_empty(&self) -> bool {
        self.time.is_empty()
    }

    fn push_body(&mut self, body: Option<&[u8]>) -> Result<()> {
        let Some(bytes) = body else {
            self.body.push_null();
            self.body_value.push_null();
            return Ok(());
        };
        let value = ValueRef::read(bytes)?;
        if let ValueRef::String(text) = value {
            self.body_value.push_null();
            self.body.bytes.extend_from_slice(text.as_bytes());
            return self.body.end_row();
        }
        self.body_value.bytes.extend_from_slice(bytes);
        self.body_value.end_row()?;
        match value.text()? {
            Some(text) => {
                self.body.bytes.extend_from_slice(text.as_bytes());
                self.body.end_row()
            }
            None => {
                self.body.push_null();
                Ok(())
            }
        }
    }

    /// The batch, in [`schema::logs`].
    pub fn finish(self) -> Result<RecordBatch> {
        let time = |values| TimestampNanosecondArray::from(values).with_timezone("UTC");
        let columns: Vec<ArrayRef> = vec![
            Arc::new(time(self.time)),
            Arc::new(UInt32Array::from(self.time_source)),
            Arc::new(time(self.observed_time)),
            Arc::new(Int32Array::from(self.severity_number)),
            self.severity_text.finish_strings()?,
            Arc::new(self.body.finish_strings()?),
            Arc::new(self.body_value.finish_optional()),
            self.event_name.finish_strings()?,
            Arc::new(self.trace_id.finish_optional()),
            Arc::new(self.span_id.finish_optional()),
            Arc::new(UInt32Array::from(self.flags)),
            self.service_name.finish_strings()?,
            self.resource.finish_binary(),
            self.scope.finish_binary(),
            self.attributes.finish()?,
            Arc::new(UInt32Array::from(self.dropped)),
        ];
        RecordBatch::try_new(schema::logs(), columns).map_err(|err| Error::invalid(err.to_string()))
    }
}
