//! The scan of a head's batch: the same conditions on the item schema itself.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::filter_record_batch;
use arrow::datatypes::Schema;
use throughline_model::Signal;
use throughline_model::predicate::Target;
use throughline_model::schema::col;
use throughline_model::time::TimeRange;

use super::evaluate::{Condition, Verdicts};
use super::group::{in_time, times};
use super::plan::Plan;
use super::single::SingleAttribute;
use super::{ScanColumn, ScanStats};
use crate::segment::rows::item_field;
use crate::{Error, Result};

/// The rows of a batch that meet the plan, in its columns, with their times.
pub(crate) fn scan_batch(
    plan: &Plan,
    batch: &RecordBatch,
    stats: &ScanStats,
) -> Result<Option<(RecordBatch, Vec<i64>)>> {
    ScanStats::add(&stats.rows_scanned, batch.num_rows() as u64);
    let keep = matching_rows(plan, batch)?;
    let kept = match keep.count_set_bits() {
        0 => return Ok(None),
        rows if rows < batch.num_rows() => {
            filter_record_batch(batch, &BooleanArray::new(keep, None))?
        }
        _ => batch.clone(),
    };
    if kept.num_rows() == 0 {
        return Ok(None);
    }
    ScanStats::add(&stats.rows_matched, kept.num_rows() as u64);
    let times = times(&kept, plan.time_column())?;
    Ok(Some((project(plan.signal, &kept, &plan.columns)?, times)))
}

/// Which rows of a batch meet the plan.
pub(crate) fn matching_rows(plan: &Plan, batch: &RecordBatch) -> Result<BooleanBuffer> {
    let mut keep: Option<BooleanBuffer> = None;
    let spans = plan.signal == Signal::Traces;
    let mut and = |more: BooleanBuffer| {
        keep = Some(match keep.take() {
            Some(keep) => &keep & &more,
            None => more,
        });
    };
    if plan.time != TimeRange::ALL {
        and(in_time(batch, plan.time_column(), spans, &plan.time)?);
    }
    for (predicate, condition) in plan.predicates.iter().zip(&plan.conditions) {
        and(matching(batch, &predicate.target, condition)?);
    }
    Ok(keep.unwrap_or_else(|| BooleanBuffer::new_set(batch.num_rows())))
}

fn matching(batch: &RecordBatch, target: &Target, condition: &Condition) -> Result<BooleanBuffer> {
    let mut verdicts = Verdicts::new(condition, target, batch.num_rows());
    if let Target::Attribute(key) | Target::AnyAttribute(key) | Target::PresentAttribute(key) =
        target
    {
        verdicts.add_map(map(batch)?, key)?;
    }
    match target {
        Target::Column(name) => verdicts.add_column(column(batch, name)?)?,
        Target::ResourceAttribute(key)
        | Target::AnyAttribute(key)
        | Target::PresentAttribute(key) => {
            verdicts.add_resource(column(batch, col::RESOURCE)?, key)?;
        }
        Target::ScopeAttribute(key) => verdicts.add_scope(column(batch, col::SCOPE)?, key)?,
        Target::Attribute(_) => {}
    }
    Ok(verdicts.finish())
}

/// The asked columns of a batch in the item schema.
pub(crate) fn project(
    signal: Signal,
    batch: &RecordBatch,
    columns: &[ScanColumn],
) -> Result<RecordBatch> {
    let mut fields = Vec::with_capacity(columns.len());
    let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
    for wanted in columns {
        fields.push(item_field(signal, wanted)?);
        arrays.push(match wanted {
            ScanColumn::Fixed(name) | ScanColumn::Attribute(Target::Column(name)) => {
                column(batch, name)?.clone()
            }
            ScanColumn::Attributes => column(batch, col::ATTRIBUTES)?.clone(),
            ScanColumn::Attribute(target) => single(batch, target)?,
        });
    }
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
}

fn single(batch: &RecordBatch, target: &Target) -> Result<ArrayRef> {
    let mut single = SingleAttribute::new(target, batch.num_rows());
    if let Target::Attribute(key) | Target::AnyAttribute(key) | Target::PresentAttribute(key) =
        target
    {
        single.add_map(map(batch)?, key)?;
    }
    match target {
        Target::ResourceAttribute(key)
        | Target::AnyAttribute(key)
        | Target::PresentAttribute(key) => {
            single.add_resource(column(batch, col::RESOURCE)?, key)?;
        }
        Target::ScopeAttribute(key) => single.add_scope(column(batch, col::SCOPE)?, key)?,
        Target::Attribute(_) | Target::Column(_) => {}
    }
    single.finish()
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef> {
    batch
        .column_by_name(name)
        .ok_or_else(|| Error::invalid(format!("a head has no column '{name}'")))
}

fn map(batch: &RecordBatch) -> Result<&arrow::array::MapArray> {
    use arrow::array::AsArray;
    let attributes = column(batch, col::ATTRIBUTES)?;
    attributes.as_map_opt().ok_or_else(|| {
        Error::invalid(format!("attributes of a head are {}", attributes.data_type()))
    })
}
