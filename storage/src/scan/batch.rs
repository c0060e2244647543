//! A scan's conditions asked of single batches, for whoever gets these by another way than a view.

use arrow::array::RecordBatch;
use arrow::buffer::BooleanBuffer;
use throughline_model::Signal;

use super::head::{matching_rows, scan_batch};
use super::plan::Plan;
use super::templates::with_templates;
use super::{ScanRequest, ScanStats};
use crate::{Error, Result};

/// The conditions, range of time and columns of a request, compiled. A row is taken by the same rule
/// as in a head; templates are mined from each batch alone.
pub struct BatchFilter {
    plan: Plan,
    stats: ScanStats,
}

impl std::fmt::Debug for BatchFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BatchFilter").field("signal", &self.plan.signal).finish_non_exhaustive()
    }
}

impl BatchFilter {
    /// Compiles a request. Its order and limit say nothing here: rows stay as they come. An error
    /// where a scan would be one: a column that the signal lacks, a pattern that does not compile.
    pub fn new(signal: Signal, request: ScanRequest) -> Result<Self> {
        Ok(Self { plan: Plan::new(signal, request)?, stats: ScanStats::default() })
    }

    /// Which rows of a batch in the item schema meet the conditions; templates are no conditions here.
    pub fn rows(&self, batch: &RecordBatch) -> Result<BooleanBuffer> {
        if self.plan.needs_templates() {
            return Err(Error::invalid("templates are not known yet where a record comes in"));
        }
        matching_rows(&self.plan, batch)
    }

    /// The rows of a batch in the item schema that meet the conditions, in the columns asked for;
    /// none if there is no such row.
    pub fn matching(&self, batch: &RecordBatch) -> Result<Option<RecordBatch>> {
        let found = match self.plan.needs_templates() {
            true => {
                let mut found = None;
                for batch in with_templates(std::slice::from_ref(batch))? {
                    found = scan_batch(&self.plan, &batch, &self.stats)?;
                }
                found
            }
            false => scan_batch(&self.plan, batch, &self.stats)?,
        };
        Ok(found.map(|(rows, _)| rows))
    }
}
