//! From the log records of other systems to columns: the fields that OpenTelemetry has a place of its own for,
//! and the rows under construction. The tables are in docs/translation.md.

pub mod document;
pub mod documents;
mod levels;
mod marks;
mod rows;

use throughline_model::batch::Decoded;
use throughline_model::log_record::{LogFields, TimeSource};
use throughline_model::value::ValueRef;
use throughline_model::{Result, attrs};

pub use levels::severity_number;
use marks::Marks;
pub use rows::LogRows;

/// What a reader makes of one item: the item, or why it cannot be kept.
pub type Read<T> = std::result::Result<T, String>;

/// One record, whatever it came in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// When it was; without it, when it arrived.
    pub time_ns: Option<i64>,
    /// The encoded body.
    pub body: &'a [u8],
    /// Its fields, an encoded attribute set: ids, a severity, attributes.
    pub fields: &'a [u8],
    /// A field that is not its own but its resource's.
    pub in_resource: &'a str,
    /// Its severity, if no field says one.
    pub level: Option<&'a str>,
}

/// The columns of a request under construction.
pub struct Rows {
    rows: LogRows,
    what: &'static str,
    received_at_ns: i64,
    resource: Vec<u8>,
}

impl Rows {
    /// No record yet; `what` names the items in refusals.
    pub fn new(what: &'static str, received_at_ns: i64) -> Result<Self> {
        Ok(Self { rows: LogRows::new()?, what, received_at_ns, resource: Vec::new() })
    }

    /// Sets the resource of the records that follow: an encoded attribute set.
    pub fn set_resource(&mut self, set: &[u8]) {
        self.resource.clear();
        self.resource.extend_from_slice(set);
    }

    /// Begins the next record of the request. Fails once there are more than a request may have.
    pub fn begin(&mut self) -> Result<()> {
        self.rows.begin()
    }

    /// Adds the record that was begun.
    pub fn push(&mut self, record: &Record<'_>) -> Result<()> {
        let builder = &mut self.rows.builder;
        let mut marks = Marks::default();
        for field in attrs::iter(record.fields) {
            let (key, value) = field?;
            if key != record.in_resource && !marks.take(key, ValueRef::read(value)?) {
                builder.attributes.push_encoded(key, value)?;
            }
        }
        let mut fields = LogFields { body: Some(record.body), ..LogFields::default() };
        (fields.time_ns, fields.time_source) = match record.time_ns {
            Some(time_ns) => (time_ns, TimeSource::Event),
            None => (self.received_at_ns, TimeSource::Received),
        };
        marks.settle(record.level, &mut fields, builder)?;
        self.rows.push(&self.resource, &fields)
    }

    /// Refuses the record that was begun.
    pub fn refuse(&mut self, reason: &str) {
        self.rows.refuse(self.what, reason);
    }

    /// How many records were begun.
    pub fn begun(&self) -> u64 {
        self.rows.begun()
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }
}
