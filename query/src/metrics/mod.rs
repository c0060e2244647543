//! Metrics for the native API: which there are, their series, raw points and exemplars.
//!
//! Everything is bounded: lists say when they were cut, and a question for more points than its limit
//! is an error that names the limit.

mod read;

use std::sync::Arc;

use throughline_model::metric::{ComplexPoint, MetricKind, Number};
use throughline_model::origin::{Resource, Scope};
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_model::value::Value;
use throughline_model::{SpanId, TraceId};

use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// The most metrics or series in one answer.
pub const SERIES_MAX: usize = 10_000;
/// The most points or exemplars in one answer.
pub const POINTS_MAX: usize = 1_000_000;

/// Which series a question is about.
#[derive(Clone, Debug)]
pub struct MetricQuery {
    /// Conditions on series: `metric_name`, `service_name`, `unit`, `metric_kind`, `temporality`,
    /// `is_monotonic`, `series_id`, and attributes of series, resource and scope.
    pub filters: Vec<Predicate>,
    /// Only points in this range, and series that have one. A description that changed is the greatest
    /// of those that came with points near the range: what is not read is not asked.
    pub time: TimeRange,
    /// Most metrics, series, points or exemplars, depending on the question.
    pub limit: usize,
}

/// A metric, as far as its series agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MetricKind,
    /// Its unit.
    pub unit: String,
    /// Its description; where series differ, the last in order.
    pub description: String,
    /// `AggregationTemporality` as a number.
    pub temporality: i32,
    /// For sums.
    pub is_monotonic: bool,
    /// How many series it has.
    pub series: u64,
}

/// Metrics by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics {
    /// The metrics; series of one name that differ in kind, unit, temporality or monotonicity are
    /// metrics of their own.
    pub metrics: Vec<Metric>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

/// A series, its identity spelled out.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // named as in OTLP
pub struct Series {
    pub id: [u8; 16],
    pub name: String,
    pub kind: MetricKind,
    pub unit: String,
    pub description: String,
    pub temporality: i32,
    pub is_monotonic: bool,
    pub service_name: String,
    pub resource: Arc<Resource>,
    pub scope: Arc<Scope>,
    pub attributes: Vec<(String, Value)>,
    pub metadata: Vec<(String, Value)>,
}

/// Series by name, service, resource, attributes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesList {
    /// The series.
    pub series: Vec<Series>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

/// A point of a gauge or sum.
#[derive(Clone, Debug, PartialEq)]
pub struct NumberPoint {
    /// Nanoseconds since the epoch.
    pub time_ns: i64,
    /// Zero where the sender set none.
    pub start_time_ns: i64,
    /// `DataPointFlags`.
    pub flags: u32,
    /// The value as received.
    pub value: Number,
}

/// A point of a histogram, exponential histogram or summary.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramPoint {
    /// Nanoseconds since the epoch.
    pub time_ns: i64,
    /// Zero where the sender set none.
    pub start_time_ns: i64,
    /// `DataPointFlags`.
    pub flags: u32,
    /// What was measured.
    pub point: ComplexPoint,
}

/// A series with its points in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesPoints {
    /// The series.
    pub series: Series,
    /// Points of a gauge or sum.
    pub numbers: Vec<NumberPoint>,
    /// Points of the other kinds.
    pub histograms: Vec<HistogramPoint>,
    /// The exemplars that came with the points, by the points' times, where they were asked for.
    pub exemplars: Vec<Exemplar>,
}

/// Points by series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointList {
    /// The series with their points.
    pub series: Vec<SeriesPoints>,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

/// An exemplar.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Nanoseconds since the epoch.
    pub time_ns: i64,
    /// The value as received.
    pub value: Number,
    /// The trace during which it was measured.
    pub trace_id: Option<TraceId>,
    /// The span during which it was measured.
    pub span_id: Option<SpanId>,
    /// The filtered attributes.
    pub attributes: Vec<(String, Value)>,
    /// Time of the point that carried it.
    pub point_time_ns: i64,
}

/// A series with its exemplars in order of time.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesExemplars {
    /// The series.
    pub series: Series,
    /// Its exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// Exemplars by series.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExemplarList {
    /// The series that have any.
    pub series: Vec<SeriesExemplars>,
    /// What the query did.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Which metrics there are.
    pub async fn metrics(&self, query: &MetricQuery, ctx: &QueryContext) -> Result<Metrics> {
        check_limit(query, SERIES_MAX)?;
        let (mut found, stats) = self.read_metrics(query, ctx, read::metrics).await?;
        found.stats = stats;
        Ok(found)
    }

    /// The series that meet the conditions.
    pub async fn metric_series(
        &self,
        query: &MetricQuery,
        ctx: &QueryContext,
    ) -> Result<SeriesList> {
        check_limit(query, SERIES_MAX)?;
        let (mut found, stats) = self.read_metrics(query, ctx, read::series).await?;
        found.stats = stats;
        Ok(found)
    }

    /// The raw points of the series that meet the conditions.
    pub async fn metric_points(
        &self,
        query: &MetricQuery,
        ctx: &QueryContext,
    ) -> Result<PointList> {
        check_limit(query, POINTS_MAX)?;
        let (mut found, stats) = self.read_metrics(query, ctx, read::points).await?;
        found.stats = stats;
        Ok(found)
    }

    /// The raw points of the series that meet the conditions, with the exemplars that came with them:
    /// at most the query's limit of each.
    pub async fn metric_points_with_exemplars(
        &self,
        query: &MetricQuery,
        ctx: &QueryContext,
    ) -> Result<PointList> {
        check_limit(query, POINTS_MAX)?;
        let (mut found, stats) = self.read_metrics(query, ctx, read::points_with_exemplars).await?;
        found.stats = stats;
        Ok(found)
    }

    /// The exemplars of the series that meet the conditions.
    pub async fn metric_exemplars(
        &self,
        query: &MetricQuery,
        ctx: &QueryContext,
    ) -> Result<ExemplarList> {
        check_limit(query, POINTS_MAX)?;
        let (mut found, stats) = self.read_metrics(query, ctx, read::exemplars).await?;
        found.stats = stats;
        Ok(found)
    }

    /// Runs a blocking read off the async workers, within the query's budget.
    async fn read_metrics<T: Send + 'static>(
        &self,
        query: &MetricQuery,
        ctx: &QueryContext,
        read: read::Read<T>,
    ) -> Result<(T, QueryStatsSnapshot)> {
        let admitted = self.admit(ctx).await?;
        let (view, scan, query) =
            (admitted.view.clone(), admitted.budget.scan.clone(), query.clone());
        let task = admitted.budget.scan.tracker.spawn_blocking(move || read(&view, &query, &scan));
        let outcome = admitted
            .budget
            .run(async { task.await.map_err(|err| Error::internal(err.to_string()))? })
            .await?;
        Ok((outcome, admitted.budget.stats.snapshot()))
    }
}

fn check_limit(query: &MetricQuery, most: usize) -> Result<()> {
    if (1..=most).contains(&query.limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("limit is {}, expected 1 to {most}", query.limit)))
}
