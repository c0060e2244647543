//! From series with their points back to metrics: the series that share all but their attributes are
//! the points of one metric, and exemplars go back to the points that carried them.

use std::collections::HashMap;

use throughline_model::attrs;
use throughline_model::metric::{MetricKind, Shape};
use throughline_query::metrics::{Exemplar, Series, SeriesPoints};

/// The series of one metric within a scope.
#[derive(Debug)]
pub struct MetricGroup<'a> {
    /// A series that says what the metric is.
    pub head: &'a Series,
    /// All of its series.
    pub series: Vec<&'a SeriesPoints>,
}

/// The kind under which the points of a metric travel: those of Prometheus's senders have none in
/// OTLP, and go by what they hold.
pub fn otlp_kind(kind: MetricKind, series: &[&SeriesPoints]) -> MetricKind {
    if kind != MetricKind::Untyped || series.iter().any(|series| !series.numbers.is_empty()) {
        return kind;
    }
    let mut points = series.iter().flat_map(|series| &series.histograms);
    match points.next().map(|point| &point.point.shape) {
        Some(Shape::Histogram { .. }) => MetricKind::Histogram,
        Some(Shape::Exponential { .. }) => MetricKind::ExponentialHistogram,
        _ => kind,
    }
}

/// Groups the series of one scope by metric, in the order of their first series.
pub fn group_metrics<'a>(series: &[&'a SeriesPoints]) -> Vec<MetricGroup<'a>> {
    let mut places = HashMap::new();
    let mut groups: Vec<MetricGroup<'a>> = Vec::new();
    for one in series.iter().copied() {
        let Series { name, unit, description, kind, temporality, is_monotonic, .. } = &one.series;
        let metadata = attrs::encode(one.series.metadata.iter().map(|(k, v)| (k.as_str(), v)));
        let key = (name, unit, description, *kind, *temporality, *is_monotonic, metadata);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push(MetricGroup { head: &one.series, series: Vec::new() });
            groups.len() - 1
        });
        groups[place].series.push(one);
    }
    groups
}

/// Hands out the exemplars of a series to its points, which come in order of time.
///
/// An exemplar is kept with the time of the point that carried it. Where a series has several points
/// of one time, the first gets the exemplars of all.
#[derive(Debug)]
pub struct Exemplars<'a> {
    left: &'a [Exemplar],
}

impl<'a> Exemplars<'a> {
    /// The exemplars of a series.
    pub fn of(series: &'a SeriesPoints) -> Self {
        Self { left: &series.exemplars }
    }

    /// Those of the next point, which has this time.
    pub fn of_point(&mut self, time_ns: i64) -> &'a [Exemplar] {
        let start = self.left.partition_point(|exemplar| exemplar.point_time_ns < time_ns);
        let rest = &self.left[start..];
        let end = rest.partition_point(|exemplar| exemplar.point_time_ns == time_ns);
        let (of_point, left) = rest.split_at(end);
        self.left = left;
        of_point
    }
}
