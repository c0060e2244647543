//! The columns of log records that come in other formats than OTLP, under construction.

use throughline_model::Result;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{put_resource, put_scope};
use throughline_model::value::tag;

use crate::otlp::decode::{Refusals, check_items};

/// The records of a request.
pub struct LogRows {
    /// The records so far, and the open one.
    pub builder: LogBatchBuilder,
    refusals: Refusals,
    position: u64,
    origin: Vec<u8>,
}

impl LogRows {
    /// No record yet.
    pub fn new() -> Result<Self> {
        let mut builder = LogBatchBuilder::default();
        let mut origin = Vec::new();
        put_scope(&mut origin, "", "", 0, "", &[]);
        builder.set_scope(&origin)?;
        Ok(Self { builder, refusals: Refusals::default(), position: 0, origin })
    }

    /// Begins the next record of the request. Fails once there are more than a request may have.
    pub fn begin(&mut self) -> Result<()> {
        self.position += 1;
        check_items(self.position)
    }

    /// Closes the open record, whose resource has this encoded attribute set.
    pub fn push(&mut self, resource: &[u8], fields: &LogFields<'_>) -> Result<()> {
        self.origin.clear();
        put_resource(&mut self.origin, 0, "", &[tag::EMPTY], resource);
        self.builder.set_resource(&self.origin)?;
        self.builder.push(fields)
    }

    /// How many records were begun.
    pub fn begun(&self) -> u64 {
        self.position
    }

    /// Refuses the open record.
    pub fn refuse(&mut self, what: &str, reason: &str) {
        self.builder.abandon();
        self.refusals.add(what, self.position - 1, reason);
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
