//! From the log records of other systems to columns: the fields that OpenTelemetry has a place of its own for,
//! and the rows under construction. The tables are in docs/translation.md.

mod marks;

use throughline_model::batch::{Batch, Decoded};
use throughline_model::log_record::{LogBatchBuilder, LogFields, TimeSource};
use throughline_model::origin::{put_resource, put_scope};
use throughline_model::value::{ValueRef, tag};
use throughline_model::{Result, attrs};

use crate::otlp::decode::{Refusals, check_items};
use marks::Marks;
pub use marks::severity_number;

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
    builder: LogBatchBuilder,
    refusals: Refusals,
    what: &'static str,
    position: u64,
    received_at_ns: i64,
    origin: Vec<u8>,
}

impl Rows {
    /// No record yet; `what` names the items in refusals.
    pub fn new(what: &'static str, received_at_ns: i64) -> Self {
        Self {
            builder: LogBatchBuilder::default(),
            refusals: Refusals::default(),
            what,
            position: 0,
            received_at_ns,
            origin: Vec::new(),
        }
    }

    /// Sets the resource of the records that follow: an encoded attribute set.
    pub fn set_resource(&mut self, set: &[u8]) -> Result<()> {
        self.origin.clear();
        put_resource(&mut self.origin, 0, "", &[tag::EMPTY], set);
        self.builder.set_resource(&self.origin)?;
        self.origin.clear();
        put_scope(&mut self.origin, "", "", 0, "", &[]);
        self.builder.set_scope(&self.origin)
    }

    /// Begins the next record of the request. Fails once there are more than a request may have.
    pub fn begin(&mut self) -> Result<()> {
        self.position += 1;
        check_items(self.position)
    }

    /// Adds the record that was begun.
    pub fn push(&mut self, record: &Record<'_>) -> Result<()> {
        let mut marks = Marks::default();
        for field in attrs::iter(record.fields) {
            let (key, value) = field?;
            if key != record.in_resource && !marks.take(key, ValueRef::read(value)?) {
                self.builder.attributes.push_encoded(key, value)?;
            }
        }
        let mut fields = LogFields { body: Some(record.body), ..LogFields::default() };
        (fields.time_ns, fields.time_source) = match record.time_ns {
            Some(time_ns) => (time_ns, TimeSource::Event),
            None => (self.received_at_ns, TimeSource::Received),
        };
        marks.settle(record.level, &mut fields, &mut self.builder)?;
        self.builder.push(&fields)
    }

    /// Refuses the record that was begun.
    pub fn refuse(&mut self, reason: &str) {
        self.builder.abandon();
        self.refusals.add(self.what, self.position - 1, reason);
    }

    /// How many records were begun.
    pub fn begun(&self) -> u64 {
        self.position
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        Ok(Decoded {
            batch: Batch::Logs(self.builder.finish()?),
            rejected: self.refusals.count,
            message: self.refusals.message(),
        })
    }
}
