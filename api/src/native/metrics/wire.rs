//! What goes over the wire of metrics.

use serde::Serialize;
use throughline_model::Value;
use throughline_query::metrics as query;
use utoipa::ToSchema;

use super::super::origin::{Scope, attributes};
use super::super::stats::Stats;
use super::points::{ExemplarJson, HistogramJson, NumberJson};
use crate::render::hex;

/// Metrics by name.
#[derive(Debug, Serialize, ToSchema)]
pub struct MetricList {
    /// The metrics; series of one name that differ in kind, unit, temporality or monotonicity are
    /// metrics of their own.
    pub metrics: Vec<Metric>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the question cost.
    pub stats: Stats,
}

/// A metric.
#[derive(Debug, Serialize, ToSchema)]
pub struct Metric {
    /// Its name.
    #[schema(example = "http.server.request.duration")]
    pub name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    #[schema(example = "histogram")]
    pub kind: &'static str,
    /// Its unit.
    #[schema(example = "s")]
    pub unit: String,
    /// Its description.
    pub description: String,
    /// `unspecified`, `delta` or `cumulative`.
    #[schema(example = "cumulative")]
    pub temporality: &'static str,
    /// For sums.
    pub is_monotonic: bool,
    /// How many series it has.
    pub series: u64,
}

/// Series of a metric.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesList {
    /// The series.
    pub series: Vec<Series>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the question cost.
    pub stats: Stats,
}

/// A series, its identity spelled out.
#[derive(Debug, Serialize, ToSchema)]
pub struct Series {
    /// The id of the series in hex digits.
    #[schema(example = "0af7651916cd43dd8448eb211c80319c")]
    pub series_id: String,
    /// Name of the metric.
    pub name: String,
    /// `gauge`, `sum`, `histogram`, `exponential_histogram` or `summary`.
    pub kind: &'static str,
    /// Unit of the metric.
    pub unit: String,
    /// Description of the metric.
    pub description: String,
    /// `unspecified`, `delta` or `cumulative`.
    pub temporality: &'static str,
    /// For sums.
    pub is_monotonic: bool,
    /// The service.
    pub service_name: String,
    /// The attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// The attributes of the resource.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub resource_attributes: Vec<(String, Value)>,
    /// The instrumentation scope.
    pub scope: Scope,
    /// The metric's metadata.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub metadata: Vec<(String, Value)>,
}

/// Raw points by series.
#[derive(Debug, Serialize, ToSchema)]
pub struct PointList {
    /// The series with their points.
    pub series: Vec<SeriesPoints>,
    /// What the question cost.
    pub stats: Stats,
}

/// A series with its points in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesPoints {
    /// The series.
    #[serde(flatten)]
    pub series: Series,
    /// Points of a gauge or sum.
    pub points: Vec<NumberJson>,
    /// Points of a histogram, exponential histogram or summary.
    pub histograms: Vec<HistogramJson>,
}

/// Exemplars by series.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExemplarList {
    /// The series that have any.
    pub series: Vec<SeriesExemplars>,
    /// What the question cost.
    pub stats: Stats,
}

/// A series with its exemplars in order of time.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeriesExemplars {
    /// The series.
    #[serde(flatten)]
    pub series: Series,
    /// Its exemplars.
    pub exemplars: Vec<ExemplarJson>,
}

fn temporality(number: i32) -> &'static str {
    match number {
        1 => "delta",
        2 => "cumulative",
        _ => "unspecified",
    }
}

impl From<query::Metrics> for MetricList {
    fn from(found: query::Metrics) -> Self {
        let metric = |metric: query::Metric| Metric {
            name: metric.name,
            kind: metric.kind.name(),
            unit: metric.unit,
            description: metric.description,
            temporality: temporality(metric.temporality),
            is_monotonic: metric.is_monotonic,
            series: metric.series,
        };
        Self {
            metrics: found.metrics.into_iter().map(metric).collect(),
            truncated: found.truncated,
            stats: found.stats.into(),
        }
    }
}

impl From<query::Series> for Series {
    fn from(series: query::Series) -> Self {
        Self {
            series_id: hex(&series.id),
            name: series.name,
            kind: series.kind.name(),
            unit: series.unit,
            description: series.description,
            temporality: temporality(series.temporality),
            is_monotonic: series.is_monotonic,
            service_name: series.service_name,
            attributes: series.attributes,
            resource_attributes: series.resource.attributes.clone(),
            scope: series.scope.as_ref().clone().into(),
            metadata: series.metadata,
        }
    }
}

impl From<query::SeriesList> for SeriesList {
    fn from(found: query::SeriesList) -> Self {
        Self {
            series: found.series.into_iter().map(Series::from).collect(),
            truncated: found.truncated,
            stats: found.stats.into(),
        }
    }
}

impl From<query::PointList> for PointList {
    fn from(found: query::PointList) -> Self {
        let series = |one: query::SeriesPoints| SeriesPoints {
            series: one.series.into(),
            points: one.numbers.into_iter().map(NumberJson::from).collect(),
            histograms: one.histograms.into_iter().map(HistogramJson::from).collect(),
        };
        Self { series: found.series.into_iter().map(series).collect(), stats: found.stats.into() }
    }
}

impl From<query::ExemplarList> for ExemplarList {
    fn from(found: query::ExemplarList) -> Self {
        let series = |one: query::SeriesExemplars| SeriesExemplars {
            series: one.series.into(),
            exemplars: one.exemplars.into_iter().map(ExemplarJson::from).collect(),
        };
        Self { series: found.series.into_iter().map(series).collect(), stats: found.stats.into() }
    }
}
