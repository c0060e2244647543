//! Where series come from: the metrics of one snapshot of the store, as Prometheus's clients see them.
//!
//! ```text
//! matchers ─→ names (which OTLP metrics may have such a name) ─→ storage::metric::scan
//!          ─→ translate (label sets, classic buckets, native histograms) ─→ matchers ─→ points
//! ```

mod listing;
mod names;
pub(crate) mod points;
mod target_info;
mod translate;

use std::sync::Arc;
use std::time::Instant;

use hashbrown::HashMap;
use throughline_model::time::TimeRange;
use throughline_storage::View;
use throughline_storage::metric::scan::find_series_where;
use throughline_storage::metric::series::SeriesColumns;
use throughline_storage::scan::ScanContext;

use super::LOOKBACK_MS;
use super::labels::{BUCKET, Labels};
use super::matcher::{MatchOp, Matcher};
use super::series::PointSeries;
use crate::{Error, ErrorKind, Result};

use translate::Translator;

const NS_PER_MS: i64 = 1_000_000;

/// A snapshot to read from, within a query's budget. Everything blocks.
pub struct Source {
    view: Arc<View>,
    scan: ScanContext,
}

impl Source {
    /// A source over a snapshot.
    pub(crate) fn new(view: Arc<View>, scan: ScanContext) -> Self {
        Self { view, scan }
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
        let mut series = self.read(matchers, range(from_ms, to_ms))?;
        let is_histogram = |series: &PointSeries| !series.points.histograms.is_empty();
        if series.iter().any(is_histogram) {
            // Whether a counter was reset is told by the histogram before the first as well.
            series = self.read(matchers, range(from_ms.saturating_sub(LOOKBACK_MS), to_ms))?;
            for series in &mut series {
                points::hint_resets(&mut series.points);
                series.points.drop_before(from_ms);
            }
            series.retain(|series| !series.points.is_empty());
        }
        Ok(series)
    }

    fn read(&self, matchers: &[Matcher], time: TimeRange) -> Result<Vec<PointSeries>> {
        if time.is_empty() {
            return Ok(Vec::new());
        }
        let mut translator = Translator::default();
        let wanted = |columns: &SeriesColumns<'_>| {
            names::candidates(columns, matchers, &mut Translator::default())
        };
        let set = find_series_where(&self.view, &wanted, time, &self.scan)?;
        let mut found: HashMap<Labels, PointSeries> = HashMap::new();
        let columns = set.columns()?;
        let mut reader = set.points(&self.scan)?;
        while let Some(groups) = reader.next_group()? {
            for mut group in groups {
                let base = translator.base(&columns, group.series)?;
                points::derive(&base, &mut group, matchers, &mut found)?;
            }
        }
        let mut series = found.into_values().collect::<Vec<_>>();
        series.extend(self.target_series(matchers, time)?);
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(series)
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
    if name != BUCKET && name != "quantile" {
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
