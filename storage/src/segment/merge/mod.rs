//! Several segments into one, streaming: memory holds about one row group of rows, however large
//! the inputs are.
//!
//! Rows pass through the item columns, so that a merge and a flush share one writer, but for their
//! attributes, which go from column to column; what the output needs to know beforehand (traces,
//! counts of keys) comes from the inputs' indexes.

mod attributes;
mod logs;
mod spans;

use std::sync::Arc;

use throughline_model::Signal;

use super::attributes::AttributeCounts;
use super::deleted::{DeletedRows, Deletions};
use super::layout::Layout;
use super::open::{Opened, Segment};
use super::{SegmentMeta, Sinks, WriteOptions};
use crate::{Error, Result};

/// Bytes of attributes, bodies, events and links that a row group may hold before encoding; fat rows
/// make row groups of fewer rows.
const ROW_GROUP_RAW_BYTES_MAX: u64 = 40 * 1024 * 1024;
/// Rows of a row group, however fat they are.
const ROW_GROUP_ROWS_MIN: u64 = 256;
/// Rows that are read at once.
const READ_ROWS: usize = 16 * 1024;

/// Merges open segments of one signal, tenant and window into one. Sync and CPU-heavy: call it off
/// the async workers.
pub fn merge(
    inputs: &[Arc<Segment>],
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    merge_with(inputs, options, &Layout::default(), sinks)
}

/// [`merge`] that leaves deleted rows of log records out. Each input has rows left.
pub(crate) fn merge_without(
    inputs: &[Arc<Segment>],
    deleted: &Deletions,
    options: &WriteOptions,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    merge_all(inputs, deleted, options, &Layout::default(), sinks)
}

/// [`merge`] into another layout, for measuring.
pub fn merge_with(
    inputs: &[Arc<Segment>],
    options: &WriteOptions,
    layout: &Layout,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    merge_all(inputs, &Deletions::default(), options, layout, sinks)
}

fn merge_all(
    inputs: &[Arc<Segment>],
    deleted: &Deletions,
    options: &WriteOptions,
    layout: &Layout,
    sinks: &mut Sinks,
) -> Result<SegmentMeta> {
    let Some(first) = inputs.first() else {
        return Err(Error::invalid("a merge needs a segment"));
    };
    if let Some(other) = inputs.iter().find(|input| input.meta.signal != first.meta.signal) {
        return Err(Error::invalid(format!(
            "a merge of {} met a segment of {}",
            first.meta.signal, other.meta.signal
        )));
    }
    let opened = inputs
        .iter()
        .map(|segment| {
            let deleted = deleted.of(segment.meta.id).cloned();
            Ok(Input { segment: segment.clone(), opened: segment.open()?, deleted })
        })
        .collect::<Result<Vec<_>>>()?;
    let layout = Layout { slab_rows: row_group_rows(&opened, layout), ..*layout };
    match first.meta.signal {
        Signal::Traces => spans::merge_spans(&opened, options, &layout, sinks),
        Signal::Logs => logs::merge_logs(&opened, options, &layout, sinks),
        Signal::Metrics => Err(Error::invalid("metric segments merge elsewhere")),
    }
}

struct Input {
    segment: Arc<Segment>,
    opened: Arc<Opened>,
    /// Rows that are left out; of log records only.
    deleted: Option<Arc<DeletedRows>>,
}

fn row_group_rows(inputs: &[Input], layout: &Layout) -> usize {
    let rows = inputs.iter().map(|input| input.opened.summary().rows).sum::<u64>();
    let bytes = inputs.iter().map(|input| input.opened.summary().raw_bytes).sum::<u64>();
    let fit = ROW_GROUP_RAW_BYTES_MAX.saturating_mul(rows) / bytes.max(1);
    layout.slab_rows.min(fit.max(ROW_GROUP_ROWS_MIN) as usize)
}

fn attribute_counts(inputs: &[Input]) -> AttributeCounts {
    let mut counts = AttributeCounts::default();
    inputs.iter().for_each(|input| input.opened.summary().attribute_counts(&mut counts));
    counts
}
