//! Rows of the metric tables, made of series and their points.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BinaryBuilder, Float64Array, Float64Builder, Int32Array, ListBuilder,
    PrimitiveBuilder, RecordBatch, RecordBatchOptions, TimestampNanosecondArray, UInt32Array,
    UInt64Array, UInt64Builder,
};
use arrow::compute::take;
use arrow::datatypes::{Float64Type, SchemaRef, UInt64Type};
use throughline_model::metric::{Buckets, ComplexPoint, Shape};
use throughline_model::schema::col;
use throughline_storage::metric::Exemplar;
use throughline_storage::metric::scan::SeriesPoints;

use super::columns::{self, Make, SqlColumn};
use super::metric_columns::is_of_series;
use crate::sql::attribute_use::AttributeUse;
use crate::sql::sets;
use crate::{Error, Result};

/// Makes rows of these columns.
pub(super) struct Rows<'a> {
    /// The columns.
    pub columns: &'a [SqlColumn],
    /// Their schema.
    pub schema: &'a SchemaRef,
    /// What of attribute sets is used.
    pub attributes: &'a AttributeUse,
}

impl Rows<'_> {
    /// One row a series.
    pub fn series(&self, table: &RecordBatch) -> Result<RecordBatch> {
        let arrays = self.columns.iter().map(|column| self.of_series(column, table));
        self.assemble(arrays.collect::<Result<_>>()?, table.num_rows())
    }

    /// One row a gauge or sum point of series that follow each other in a table.
    pub fn numbers(&self, table: &RecordBatch, groups: &[SeriesPoints]) -> Result<RecordBatch> {
        let lens = groups.iter().map(|group| group.numbers.len());
        let numbers = || groups.iter().map(|group| &group.numbers);
        self.points(table, lens, |name| {
            Ok(match name {
                "time" => times(numbers().flat_map(|n| &n.times).copied()),
                "start_time" => times_or_null(numbers().flat_map(|n| &n.start_times).copied()),
                "flags" => flags(numbers().flat_map(|n| &n.flags).copied()),
                "value" => {
                    floats(numbers().flat_map(|n| (0..n.len()).map(|i| n.value(i).as_f64())))
                }
                other => return Err(unknown(other)),
            })
        })
    }

    /// One row a histogram, exponential-histogram or summary point.
    pub fn complex(&self, table: &RecordBatch, groups: &[SeriesPoints]) -> Result<RecordBatch> {
        let lens = groups.iter().map(|group| group.complex.len());
        let complex = || groups.iter().map(|group| &group.complex);
        let points = || complex().flat_map(|c| &c.points);
        self.points(table, lens, |name| {
            Ok(match name {
                "time" => times(complex().flat_map(|c| &c.times).copied()),
                "start_time" => times_or_null(complex().flat_map(|c| &c.start_times).copied()),
                "flags" => flags(complex().flat_map(|c| &c.flags).copied()),
                "count" => Arc::new(UInt64Array::from_iter_values(points().map(|p| p.count))),
                "sum" => floats(points().map(|p| p.sum)),
                "min" => floats(points().map(|p| p.min)),
                "max" => floats(points().map(|p| p.max)),
                "bounds" | "quantiles" | "quantile_values" => float_lists(points(), name),
                "counts" | "positive_counts" | "negative_counts" => count_lists(points(), name),
                "scale" | "positive_offset" | "negative_offset" => Arc::new(
                    points().map(|p| exponential(p)?.integer(name)).collect::<Int32Array>(),
                ),
                "zero_count" => {
                    let counts = points().map(|p| Some(exponential(p)?.zero_count));
                    Arc::new(counts.collect::<UInt64Array>())
                }
                "zero_threshold" => floats(points().map(|p| Some(exponential(p)?.zero_threshold))),
                other => return Err(unknown(other)),
            })
        })
    }

    /// One row an exemplar of a series of the table.
    pub fn exemplars(
        &self,
        table: &RecordBatch,
        found: &[(usize, Exemplar)],
    ) -> Result<RecordBatch> {
        let rows = UInt32Array::from_iter_values(found.iter().map(|(row, _)| *row as u32));
        let exemplars = || found.iter().map(|(_, exemplar)| exemplar);
        self.repeated(table, &rows, |name| {
            Ok(match name {
                "time" => times(exemplars().map(|e| e.time_ns)),
                "point_time" => times(exemplars().map(|e| e.point_time_ns)),
                "value" => floats(exemplars().map(|e| e.value().as_f64())),
                "trace_id" => ids(exemplars().map(|e| e.trace_id.as_ref().map(|id| &id[..]))),
                "span_id" => ids(exemplars().map(|e| e.span_id.as_ref().map(|id| &id[..]))),
                "attributes" => {
                    sets::one_a_row(exemplars().map(|e| Some(e.attributes.as_slice())).collect())
                }
                other => return Err(unknown(other)),
            })
        })
    }

    fn points(
        &self,
        table: &RecordBatch,
        lens: impl Iterator<Item = usize>,
        own: impl Fn(&str) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        let rows = lens.enumerate().flat_map(|(row, len)| std::iter::repeat_n(row as u32, len));
        self.repeated(table, &UInt32Array::from_iter_values(rows), own)
    }

    /// Columns of series, repeated as `rows` says, beside columns of their points.
    fn repeated(
        &self,
        table: &RecordBatch,
        rows: &UInt32Array,
        own: impl Fn(&str) -> Result<ArrayRef>,
    ) -> Result<RecordBatch> {
        let mut arrays = Vec::with_capacity(self.columns.len());
        for column in self.columns {
            arrays.push(match is_of_series(column) {
                true => take(&self.of_series(column, table)?, rows, None)?,
                false => own(column.name)?,
            });
        }
        self.assemble(arrays, rows.len())
    }

    fn of_series(&self, column: &SqlColumn, table: &RecordBatch) -> Result<ArrayRef> {
        if column.make != Make::ItemSet {
            return columns::make(column, table, self.attributes);
        }
        let sets = table.column_by_name(col::ATTRIBUTES);
        let sets = sets.and_then(|column| column.as_binary_opt::<i32>());
        Ok(sets::from_binary(sets.ok_or_else(|| unknown(col::ATTRIBUTES))?))
    }

    fn assemble(&self, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?)
    }
}

fn unknown(name: &str) -> Error {
    Error::internal(format!("metric rows have no column '{name}'"))
}

fn times(times: impl Iterator<Item = i64>) -> ArrayRef {
    Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC"))
}

fn times_or_null(times: impl Iterator<Item = i64>) -> ArrayRef {
    let times = times.map(|time_ns| (time_ns != 0).then_some(time_ns));
    Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
}

fn flags(flags: impl Iterator<Item = u32>) -> ArrayRef {
    Arc::new(UInt32Array::from_iter_values(flags))
}

fn floats(values: impl Iterator<Item = Option<f64>>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}

fn ids<'a>(ids: impl Iterator<Item = Option<&'a [u8]>>) -> ArrayRef {
    let mut column = BinaryBuilder::new();
    ids.for_each(|id| column.append_option(id));
    Arc::new(column.finish())
}

fn float_lists<'a>(points: impl Iterator<Item = &'a ComplexPoint>, name: &str) -> ArrayRef {
    let mut lists = ListBuilder::new(Float64Builder::new());
    for point in points {
        match (&point.shape, name) {
            (Shape::Histogram { bounds, .. }, "bounds") => {
                append::<Float64Type>(&mut lists, bounds.iter().copied());
            }
            (Shape::Summary { quantiles }, "quantiles") => {
                append::<Float64Type>(&mut lists, quantiles.iter().map(|pair| pair.0));
            }
            (Shape::Summary { quantiles }, "quantile_values") => {
                append::<Float64Type>(&mut lists, quantiles.iter().map(|pair| pair.1));
            }
            _ => lists.append_null(),
        }
    }
    Arc::new(lists.finish())
}

fn count_lists<'a>(points: impl Iterator<Item = &'a ComplexPoint>, name: &str) -> ArrayRef {
    let mut lists = ListBuilder::new(UInt64Builder::new());
    for point in points {
        let counts = match (&point.shape, name) {
            (Shape::Histogram { counts, .. }, "counts") => counts,
            (Shape::Exponential { positive, .. }, "positive_counts") => &positive.counts,
            (Shape::Exponential { negative, .. }, "negative_counts") => &negative.counts,
            _ => {
                lists.append_null();
                continue;
            }
        };
        append::<UInt64Type>(&mut lists, counts.iter().copied());
    }
    Arc::new(lists.finish())
}

fn append<T: arrow::datatypes::ArrowPrimitiveType>(
    lists: &mut ListBuilder<PrimitiveBuilder<T>>,
    values: impl Iterator<Item = T::Native>,
) {
    values.for_each(|value| lists.values().append_value(value));
    lists.append(true);
}

/// The parts of an exponential histogram.
struct Exponential<'a> {
    scale: i32,
    zero_count: u64,
    zero_threshold: f64,
    positive: &'a Buckets,
    negative: &'a Buckets,
}

impl Exponential<'_> {
    fn integer(&self, name: &str) -> Option<i32> {
        match name {
            "scale" => Some(self.scale),
            "positive_offset" => Some(self.positive.offset),
            _ => Some(self.negative.offset),
        }
    }
}

fn exponential(point: &ComplexPoint) -> Option<Exponential<'_>> {
    match &point.shape {
        Shape::Exponential { scale, zero_count, zero_threshold, positive, negative } => {
            Some(Exponential {
                scale: *scale,
                zero_count: *zero_count,
                zero_threshold: *zero_threshold,
                positive,
                negative,
            })
        }
        _ => None,
    }
}
