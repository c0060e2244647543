//! What is derived from rows beside the rows themselves: exceptions by group, versions by service.
//!
//! Derived once, when a segment is written; summed when segments merge. A segment of before there were
//! such sections, or of another algorithm, is read row by row instead: the answer is the same.

use std::sync::Arc;

use arrow::array::RecordBatch;
use throughline_model::Signal;

use super::Segment;
use super::exceptions::{self, Exceptions};
use super::index::section::read_section;
use super::index::{EXCEPTIONS, IndexBuilder, VERSIONS};
use super::open::Meter;
use super::rows::{Assembler, Parents};
use super::versions::{self, Versions};
use crate::Result;
use crate::cache::{CacheKey, Part};
use crate::scan::ScanColumn;

/// The attribute of a resource that names the version of its service.
pub(crate) const SERVICE_VERSION: &str = "service.version";
/// Rows that are read at once.
const READ_ROWS: usize = 16 * 1024;

/// Derives the facts of a segment that is written from rows.
pub(crate) fn of_batches(
    index: &mut IndexBuilder,
    signal: Signal,
    batches: &[RecordBatch],
) -> Result<()> {
    index.exceptions = exceptions::of_batches(signal, batches)?;
    index.versions = versions::of_batches(signal, batches)?;
    Ok(())
}

/// Sums the facts of segments that become one.
pub(crate) fn of_segments<'a>(
    index: &mut IndexBuilder,
    inputs: impl Iterator<Item = &'a Arc<Segment>>,
) -> Result<()> {
    for input in inputs {
        index.exceptions.add_all(&*input.exceptions()?);
        index.versions.add_all(&*input.versions()?);
    }
    Ok(())
}

impl Segment {
    /// The exceptions in it, by group. Blocks.
    pub fn exceptions(&self) -> Result<Arc<Exceptions>> {
        let key = CacheKey { segment: self.meta.id, part: Part::Exceptions };
        if let Some(known) = self.cache.get::<Exceptions>(key) {
            return Ok(known);
        }
        let section = read_section(&self.store, &self.meta, EXCEPTIONS)?;
        let kept = section.map_or(Ok(None), |section| exceptions::read(&section))?;
        let found = match kept {
            Some(kept) => kept,
            None => exceptions::of_rows(self)?,
        };
        let found = Arc::new(found);
        self.cache.put(key, found.clone(), found.memory_bytes());
        Ok(found)
    }

    /// When each version of each service was seen in it. Blocks.
    pub fn versions(&self) -> Result<Arc<Versions>> {
        let key = CacheKey { segment: self.meta.id, part: Part::Versions };
        if let Some(known) = self.cache.get::<Versions>(key) {
            return Ok(known);
        }
        let section = read_section(&self.store, &self.meta, VERSIONS)?;
        let kept = section.map_or(Ok(None), |section| Versions::read(&section))?;
        let found = match kept {
            Some(kept) => kept,
            None => versions::of_rows(self)?,
        };
        let found = Arc::new(found);
        self.cache.put(key, found.clone(), found.memory_bytes());
        Ok(found)
    }
}

/// Reads columns of all rows of a segment.
pub(crate) fn each_batch(
    segment: &Segment,
    columns: &[ScanColumn],
    mut each: impl FnMut(&RecordBatch) -> Result<()>,
) -> Result<()> {
    let (opened, io) = (segment.open()?, Meter::unlimited());
    for row_group in 0..opened.summary().row_groups.len() {
        let assembler = Assembler { segment, opened: &opened, row_group };
        let mut leaves = Vec::new();
        for column in columns {
            leaves.extend(assembler.leaves(column, Parents::InSlab)?);
        }
        for file in opened.read_rows(row_group, &leaves, None, READ_ROWS, &io)? {
            each(&assembler.assemble(&file?, columns, Parents::InSlab, &io)?)?;
        }
    }
    Ok(())
}
