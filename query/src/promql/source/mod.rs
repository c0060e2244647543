//! Where series come from: the metrics of one snapshot of the store, as Prometheus's clients see them.
//!
//! ```text
//! tables of series ─→ translate (label sets) ─→ index ─(matchers)─→ rows ─→ storage::metric::scan::tables
//!                  ─→ points (numbers, classic buckets, native histograms), a group of series at a time
//! ```

mod index;
mod listing;
mod parallel;
pub(crate) mod points;
mod target_info;
mod translate;

use std::sync::Arc;
use std::time::Instant;

use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::metric::scan::tables::{PointSource, TableSet};
use throughline_storage::scan::ScanContext;

use super::LOOKBACK_MS;
use super::labels::{BUCKET, Labels, QUANTILE};
use super::matcher::{MatchOp, Matcher};
use super::series::PointSeries;
use crate::{Error, ErrorKind, Result};

use index::Selection;
pub(crate) use index::SeriesIndex;
use parallel::in_parallel;
use translate::Derived;

const NS_PER_MS: i64 = 1_000_000;

/// A snapshot to read from, within a query's budget. Everything blocks.
pub struct Source {
    view: Arc<View>,
    scan: ScanContext,
    index: Arc<SeriesIndex>,
    threads: usize,
}

/// What is done with each series. Several threads do it.
pub(crate) type Work<'a, T> = dyn Fn(PointSeries) -> Result<Option<T>> + Sync + 'a;

impl Source {
    /// A source over a snapshot, read by so many threads.
    pub(crate) fn new(
        view: Arc<View>,
        scan: ScanContext,
        index: Arc<SeriesIndex>,
        threads: usize,
    ) -> Self {
        Self { view, scan, index, threads }
    }

    /// Whether the asker still waits.
    pub fn check(&self) -> Result<()> {
        if self.scan.cancel.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "the query was cancelled"));
        }
        if self.scan.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(Error::new(ErrorKind::Deadline, "the query reached its deadline"));
        }
        Ok(())
    }

    /// The series that meet all conditions and have a point from `from_ms` to `to_ms`, with those
    /// points; by labels.
    pub fn select(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<PointSeries>> {
        self.each(matchers, from_ms, to_ms, &|series| Ok(Some(series)))
    }

    /// Does `work` on each of the series of [`Self::select`] as soon as it is read, so that points of few series
    /// are held at a time. What comes of it is in the order of labels.
    pub(crate) fn each<T: Send>(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
        work: &Work<'_, T>,
    ) -> Result<Vec<T>> {
        if range(from_ms, to_ms).is_empty() {
            return Ok(Vec::new());
        }
        let reading = |is_hinted| Reading { source: self, matchers, from_ms, to_ms, is_hinted };
        match reading(false).each(work)? {
            Some(found) => Ok(found),
            None => Ok(reading(true).each(work)?.unwrap_or_default()),
        }
    }
}

/// A read under way.
struct Reading<'a> {
    source: &'a Source,
    matchers: &'a [Matcher],
    from_ms: i64,
    to_ms: i64,
    /// Whether a counter was reset is told by the histogram before the first as well, so that points before the
    /// range are read.
    is_hinted: bool,
}

impl Reading<'_> {
    /// Nothing, if there are histograms and they are to be hinted.
    fn each<T: Send>(&self, work: &Work<'_, T>) -> Result<Option<Vec<T>>> {
        let Source { view, scan, index, threads } = self.source;
        let before_ms = if self.is_hinted { LOOKBACK_MS } else { 0 };
        let tables =
            TableSet::open(view, range(self.from_ms.saturating_sub(before_ms), self.to_ms), scan)?;
        let selection = index.read(&tables)?.select(self.matchers);
        let mut parts = selection.series.iter().flat_map(|selected| selected.parts());
        if !self.is_hinted && parts.any(|part| part.derived == Derived::Native) {
            return Ok(None);
        }
        let time = range(self.from_ms, self.to_ms);
        let targets = self.source.target_series(self.matchers, time)?;
        let points = tables.points(&selection.picked, selection.series.len(), scan)?;
        let read = |group| self.group(&points, &selection, group);
        if selection.has_twins {
            let groups = in_parallel(points.groups(), *threads, read)?;
            let Some(groups) = groups.into_iter().collect::<Option<Vec<_>>>() else {
                return Ok(None);
            };
            let own = points::merged(groups.into_iter().flatten().collect());
            let mut all = self.hinted(own);
            all.extend(targets);
            all.sort_by(|a, b| a.labels.cmp(&b.labels));
            let found = all.into_iter().filter_map(|series| work(series).transpose());
            return found.collect::<Result<_>>().map(Some);
        }
        let done = |series: PointSeries| {
            let labels = series.labels.clone();
            Ok(work(series)?.map(|done| (labels, done)))
        };
        let groups = in_parallel(points.groups(), *threads, |group| {
            let Some(series) = read(group)? else { return Ok(None) };
            let found = series.into_iter().filter_map(|series| done(series).transpose());
            found.collect::<Result<Vec<_>>>().map(Some)
        })?;
        let Some(groups) = groups.into_iter().collect::<Option<Vec<_>>>() else { return Ok(None) };
        let mut found = groups.into_iter().flatten().collect::<Vec<_>>();
        for series in targets {
            found.extend(done(series)?);
        }
        if !found.is_sorted_by(|a, b| a.0 <= b.0) {
            found.sort_by(|a, b| a.0.cmp(&b.0));
        }
        Ok(Some(found.into_iter().map(|(_, done)| done).collect()))
    }

    fn group(
        &self,
        points: &PointSource<'_>,
        selection: &Selection,
        group: usize,
    ) -> Result<Option<Vec<PointSeries>>> {
        let is_of_bound = |m: &&Matcher| matches!(&*m.name, BUCKET | QUANTILE);
        let bounds = self.matchers.iter().filter(is_of_bound).collect::<Vec<_>>();
        let mut found = Vec::new();
        for mut stored in points.read(group)? {
            points::derive(&selection.series[stored.series], &mut stored, &bounds, &mut found);
        }
        let is_histogram = |series: &PointSeries| !series.points.histograms.is_empty();
        if !self.is_hinted && found.iter().any(is_histogram) {
            return Ok(None);
        }
        Ok(Some(if selection.has_twins { found } else { self.hinted(found) }))
    }

    fn hinted(&self, mut found: Vec<PointSeries>) -> Vec<PointSeries> {
        if self.is_hinted {
            for series in &mut found {
                points::hint_resets(&mut series.points);
                series.points.drop_before(self.from_ms);
            }
            found.retain(|series| !series.points.is_empty());
        }
        found
    }
}

fn range(from_ms: i64, to_ms: i64) -> TimeRange {
    let start_ns = from_ms.saturating_mul(NS_PER_MS);
    let end_ns = to_ms.saturating_add(1).saturating_mul(NS_PER_MS);
    TimeRange { start_ns, end_ns }
}

/// Whether labels meet all conditions.
pub(crate) fn meets(labels: &Labels, matchers: &[Matcher]) -> bool {
    matchers.iter().all(|matcher| meets_one(&matcher.name, labels.get(&matcher.name), matcher))
}

/// Whether a value meets a condition. A bound is the same with and without a fraction: `1`, `1.0`.
fn meets_one(name: &str, value: &str, matcher: &Matcher) -> bool {
    let holds = matcher.matches(value);
    if name != BUCKET && name != QUANTILE {
        return holds;
    }
    let other = match value.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit() || b == b'-') => {
            format!("{value}.0")
        }
        None => return holds,
    };
    match matcher.op {
        MatchOp::Equal | MatchOp::Matches => holds || matcher.matches(&other),
        MatchOp::NotEqual | MatchOp::NotMatches => holds && matcher.matches(&other),
    }
}
