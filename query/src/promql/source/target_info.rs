//! `target_info`: what the resource of a sender of OTLP says of it, as a series with the value 1.
//!
//! It is not stored but derived: it has samples where any series of the resource has points (OpenTelemetry,
//! "Prometheus and OpenMetrics Compatibility"). In each piece of time as long as half the lookback these are the first
//! and the last of such times, so that it is seen as long as the series are.

use std::collections::{BTreeMap, BTreeSet};

use throughline_model::time::TimeRange;
use throughline_storage::metric::scan::tables::TableSet;

use super::index::Selection;
use super::{NS_PER_MS, Source, meets, meets_one, range};
use crate::Result;
use crate::promql::LOOKBACK_MS;
use crate::promql::labels::{Labels, NAME};
use crate::promql::matcher::Matcher;
use crate::promql::series::{PointSeries, Points};

/// The name of the series.
pub(super) const TARGET_INFO: &str = "target_info";
const SLOT_MS: i64 = LOOKBACK_MS / 2;

/// First and last times by pieces of time.
type Slots = BTreeMap<i64, (i64, i64)>;

/// Targets that meet conditions, and the series that are of them.
struct Targets {
    /// By number; others have none.
    labels: Vec<Option<Labels>>,
    selection: Selection,
}

/// Whether conditions may be met by the series.
fn may_be_wanted(matchers: &[Matcher]) -> bool {
    let mut of_name = matchers.iter().filter(|matcher| &*matcher.name == NAME);
    of_name.all(|matcher| meets_one(NAME, TARGET_INFO, matcher))
}

impl Source {
    /// The label sets of targets that meet all conditions and have points in the range.
    pub(super) fn targets(
        &self,
        matchers: &[Matcher],
        from_ms: i64,
        to_ms: i64,
    ) -> Result<BTreeSet<Labels>> {
        let tables = TableSet::open(&self.view, range(from_ms, to_ms), &self.scan)?;
        let Some(targets) = self.targets_of(&tables, matchers)? else { return Ok(BTreeSet::new()) };
        let Selection { series, picked, .. } = &targets.selection;
        let active = tables.active(picked, series.len(), &self.scan)?;
        let active = series.iter().zip(active).filter(|(_, is_active)| *is_active);
        let numbers = active.filter_map(|(selected, _)| selected.entry.target);
        Ok(numbers.filter_map(|number| targets.labels[number as usize].clone()).collect())
    }

    /// The same with samples.
    pub(super) fn target_series(
        &self,
        matchers: &[Matcher],
        time: TimeRange,
    ) -> Result<Vec<PointSeries>> {
        if !may_be_wanted(matchers) {
            return Ok(Vec::new());
        }
        let tables = TableSet::open(&self.view, time, &self.scan)?;
        let Some(targets) = self.targets_of(&tables, matchers)? else { return Ok(Vec::new()) };
        let from_ms = time.start_ns.div_euclid(NS_PER_MS);
        let to_ms = (time.end_ns - 1).div_euclid(NS_PER_MS);
        let Selection { series, picked, .. } = &targets.selection;
        let mut slots = vec![Slots::new(); targets.labels.len()];
        tables.activity(picked, &self.scan, &mut |number, min_ns, max_ns| {
            let Some(target) = series[number].entry.target else { return };
            let (min, max) = (min_ns.div_euclid(NS_PER_MS), max_ns.div_euclid(NS_PER_MS));
            mark(&mut slots[target as usize], min.max(from_ms), max.min(to_ms));
        })?;
        let series = targets.labels.into_iter().zip(&slots).filter_map(|(labels, slots)| {
            let points = points(slots);
            let series = PointSeries { labels: labels?, drops_name: false, points };
            (!series.points.is_empty()).then_some(series)
        });
        Ok(series.collect())
    }

    /// The targets that meet all conditions; nothing if there can be none.
    fn targets_of(&self, tables: &TableSet, matchers: &[Matcher]) -> Result<Option<Targets>> {
        if !may_be_wanted(matchers) {
            return Ok(None);
        }
        let reader = self.index.read(tables)?;
        let wanted = |labels: &Labels| meets(labels, matchers).then(|| labels.clone());
        let labels = reader.targets().iter().map(wanted).collect::<Vec<_>>();
        if labels.iter().all(Option::is_none) {
            return Ok(None);
        }
        let selection = reader.select_targets(&|number| labels[number as usize].is_some());
        Ok(Some(Targets { labels, selection }))
    }
}

/// Notes that there were points from `first` to `last`.
fn mark(slots: &mut Slots, first: i64, last: i64) {
    if first > last {
        return;
    }
    for slot in first.div_euclid(SLOT_MS)..=last.div_euclid(SLOT_MS) {
        let (from, to) = (first.max(slot * SLOT_MS), last.min((slot + 1) * SLOT_MS - 1));
        let (own_first, own_last) = slots.entry(slot).or_insert((from, to));
        (*own_first, *own_last) = ((*own_first).min(from), (*own_last).max(to));
    }
}

fn points(slots: &Slots) -> Points {
    let mut points = Points::default();
    for (first, last) in slots.values() {
        points.push_float(*first, 0, 1.0);
        if last > first {
            points.push_float(*last, 0, 1.0);
        }
    }
    points
}
