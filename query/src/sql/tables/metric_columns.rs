//! The columns of the metric tables.
//!
//! Columns of a series are made like those of rows (`columns::make`) and repeated for its points;
//! those of points are [`Make::Exploded`], but for `time`, so that a range of time is pushed down.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use throughline_model::predicate::{Predicate, Target};
use throughline_model::schema::{self, col};

use super::columns::{Make, SqlColumn, exploded, required};
use crate::sql::sets;

/// `MetricKind`, by number.
const KINDS: &[&str] =
    &["UNSPECIFIED", "GAUGE", "SUM", "HISTOGRAM", "EXPONENTIAL_HISTOGRAM", "SUMMARY"];
/// `AggregationTemporality`, by number.
const TEMPORALITIES: &[&str] = &["UNSPECIFIED", "DELTA", "CUMULATIVE"];

/// Which rows a metric table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// One row a series.
    Series,
    /// One row a gauge or sum point.
    Numbers,
    /// One row a histogram, exponential-histogram or summary point.
    Complex,
    /// One row an exemplar.
    Exemplars,
}

/// Names, rows and columns of the tables.
pub(super) fn tables() -> Vec<(&'static str, Source, Vec<SqlColumn>)> {
    vec![
        ("series", Source::Series, [vec![series_id()], name(), sets_of_series()].concat()),
        ("samples", Source::Numbers, [vec![series_id()], sample()].concat()),
        (
            "metrics",
            Source::Numbers,
            [name(), sample(), vec![series_id()], sets_of_series()].concat(),
        ),
        (
            "histograms",
            Source::Complex,
            [vec![series_id()], name(), complex(), sets_of_series()].concat(),
        ),
        ("exemplars", Source::Exemplars, [vec![series_id()], exemplar()].concat()),
    ]
}

fn series_id() -> SqlColumn {
    required("series_id", Make::Id(col::SERIES_ID))
}

fn name() -> Vec<SqlColumn> {
    let is_monotonic = Make::Number(col::IS_MONOTONIC);
    vec![
        required("metric_name", Make::Text(col::METRIC_NAME)),
        required("kind", Make::Named(col::METRIC_KIND, KINDS)),
        required("kind_number", Make::Number(col::METRIC_KIND)),
        required("unit", Make::Text(col::UNIT)),
        required("description", Make::Text(col::DESCRIPTION)),
        required("temporality", Make::Named(col::TEMPORALITY, TEMPORALITIES)),
        SqlColumn { data_type: DataType::Boolean, ..required("is_monotonic", is_monotonic) },
        required("service_name", Make::Text(col::SERVICE_NAME)),
        required("scope_name", Make::ScopeName),
        required("scope_version", Make::ScopeVersion),
    ]
}

fn sets_of_series() -> Vec<SqlColumn> {
    vec![
        required("attributes", Make::ItemSet),
        required("resource_attributes", Make::ResourceSet),
        required("scope_attributes", Make::ScopeSet),
    ]
}

fn times() -> Vec<SqlColumn> {
    vec![required("time", Make::Time(col::TIME)), nullable("start_time", schema::timestamp())]
}

fn sample() -> Vec<SqlColumn> {
    let own = vec![nullable("value", DataType::Float64), exploded("flags", DataType::UInt32)];
    [times(), own].concat()
}

fn complex() -> Vec<SqlColumn> {
    let own = vec![
        exploded("count", DataType::UInt64),
        nullable("sum", DataType::Float64),
        nullable("min", DataType::Float64),
        nullable("max", DataType::Float64),
        nullable("bounds", list(DataType::Float64)),
        nullable("counts", list(DataType::UInt64)),
        nullable("scale", DataType::Int32),
        nullable("zero_count", DataType::UInt64),
        nullable("zero_threshold", DataType::Float64),
        nullable("positive_offset", DataType::Int32),
        nullable("positive_counts", list(DataType::UInt64)),
        nullable("negative_offset", DataType::Int32),
        nullable("negative_counts", list(DataType::UInt64)),
        nullable("quantiles", list(DataType::Float64)),
        nullable("quantile_values", list(DataType::Float64)),
        exploded("flags", DataType::UInt32),
    ];
    [times(), own].concat()
}

fn exemplar() -> Vec<SqlColumn> {
    vec![
        required("metric_name", Make::Text(col::METRIC_NAME)),
        required("service_name", Make::Text(col::SERVICE_NAME)),
        required("time", Make::Time(col::TIME)),
        nullable("value", DataType::Float64),
        nullable("trace_id", DataType::Binary),
        nullable("span_id", DataType::Binary),
        exploded("attributes", sets::set_type()),
        exploded("point_time", schema::timestamp()),
    ]
}

fn nullable(name: &'static str, data_type: DataType) -> SqlColumn {
    SqlColumn { nullable: true, ..exploded(name, data_type) }
}

fn list(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new_list_field(item, true)))
}

/// Whether a column is the same for all points of a series.
pub(super) fn is_of_series(column: &SqlColumn) -> bool {
    !matches!(column.make, Make::Exploded | Make::Time(_))
}

/// Whether a condition is about series, so that the scan of series decides it.
pub(super) fn is_about_series(predicate: &Predicate) -> bool {
    const COLUMNS: &[&str] = &[
        col::SERIES_ID,
        col::METRIC_NAME,
        col::METRIC_KIND,
        col::UNIT,
        col::DESCRIPTION,
        col::TEMPORALITY,
        col::IS_MONOTONIC,
        col::SERVICE_NAME,
    ];
    match &predicate.target {
        Target::Column(name) => COLUMNS.contains(&name.as_str()),
        _ => true,
    }
}
