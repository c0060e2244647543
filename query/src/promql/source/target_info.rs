//! `target_info`: what the resource of a sender of OTLP says of it, as a series with the value 1.
//!
//! It is not stored but derived: it has samples where any series of the resource has points (OpenTelemetry,
//! "Prometheus and OpenMetrics Compatibility"). In each piece of time as long as half the lookback these are the first
//! and the last of such times, so that it is seen as long as the series are.

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;
use throughline_model::metric::MetricKind;
use throughline_model::origin;
use throughline_model::time::TimeRange;
use throughline_storage::metric::scan::{SeriesSet, find_series_where};
use throughline_storage::metric::series::SeriesColumns;

use super::translate::{Translator, target_labels};
use super::{NS_PER_MS, Source, meets, meets_one, range};
use crate::Result;
use crate::promql::LOOKBACK_MS;
use crate::promql::labels::{Labels, NAME};
use crate::promql::matcher::Matcher;
use crate::promql::series::{PointSeries, Points};

/// The name of the series.
pub(super) const TARGET_INFO: &str = "target_info";
/// What `job` and `instance` already say.
const IN_TARGET_LABELS: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];
const SLOT_MS: i64 = LOOKBACK_MS / 2;

/// First and last times by pieces of time.
type Slots = BTreeMap<i64, (i64, i64)>;

/// The labels of resources, by their number in a table; those that do not meet the conditions have none.
struct Targets<'m> {
    matchers: &'m [Matcher],
    translator: Translator,
    known: HashMap<usize, Option<Labels>>,
}

impl<'m> Targets<'m> {
    fn new(matchers: &'m [Matcher]) -> Self {
        Self { matchers, translator: Translator::default(), known: HashMap::new() }
    }

    fn of(
        &mut self,
        columns: &SeriesColumns<'_>,
        row: usize,
    ) -> throughline_storage::Result<Option<&Labels>> {
        let (resources, untyped) = (columns.resources(), MetricKind::Untyped as i32);
        if columns.kinds[row] == untyped {
            return Ok(None);
        }
        let key = resources.key(row);
        if !self.known.contains_key(&key) {
            let labels = self.labels(resources.at(row))?;
            self.known.insert(key, labels.filter(|labels| meets(labels, self.matchers)));
        }
        Ok(self.known[&key].as_ref())
    }

    /// None where there is no target, or nothing more to say of it.
    fn labels(&mut self, resource: &[u8]) -> throughline_storage::Result<Option<Labels>> {
        let target = target_labels(resource)?;
        let is_said = |name: &str| IN_TARGET_LABELS.contains(&name);
        let set = origin::resource_attrs(resource)?;
        let mut labels = self.translator.attributes_but(set, &is_said)?;
        if target.is_empty() || labels.is_empty() {
            return Ok(None);
        }
        labels.extend(target);
        labels.push((NAME.into(), TARGET_INFO.into()));
        Ok(Some(Labels::new(labels)))
    }
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
        let mut found = BTreeSet::new();
        if let Some(set) = self.series_of_targets(matchers, range(from_ms, to_ms))? {
            let (columns, mut targets) = (set.columns()?, Targets::new(matchers));
            for row in 0..columns.len() {
                found.extend(targets.of(&columns, row)?.cloned());
            }
        }
        Ok(found)
    }

    /// The same with samples.
    pub(super) fn target_series(
        &self,
        matchers: &[Matcher],
        time: TimeRange,
    ) -> Result<Vec<PointSeries>> {
        let Some(set) = self.series_of_targets(matchers, time)? else { return Ok(Vec::new()) };
        let from_ms = time.start_ns.div_euclid(NS_PER_MS);
        let to_ms = (time.end_ns - 1).div_euclid(NS_PER_MS);
        let (columns, mut targets) = (set.columns()?, Targets::new(matchers));
        let mut of_row = Vec::with_capacity(columns.len());
        let mut numbers: BTreeMap<Labels, usize> = BTreeMap::new();
        for row in 0..columns.len() {
            let next = numbers.len();
            let labels = targets.of(&columns, row)?;
            of_row.push(labels.map(|labels| *numbers.entry(labels.clone()).or_insert(next)));
        }
        let mut slots = vec![Slots::new(); numbers.len()];
        set.activity(&self.scan, &mut |row, min_ns, max_ns| {
            let Some(Some(number)) = of_row.get(row) else { return };
            let (min, max) = (min_ns.div_euclid(NS_PER_MS), max_ns.div_euclid(NS_PER_MS));
            mark(&mut slots[*number], min.max(from_ms), max.min(to_ms));
        })?;
        let series = numbers.into_iter().map(|(labels, number)| PointSeries {
            labels,
            drops_name: false,
            points: points(&slots[number]),
        });
        Ok(series.filter(|series| !series.points.is_empty()).collect())
    }

    fn series_of_targets(
        &self,
        matchers: &[Matcher],
        time: TimeRange,
    ) -> Result<Option<SeriesSet>> {
        if time.is_empty() || !may_be_wanted(matchers) {
            return Ok(None);
        }
        let wanted = |columns: &SeriesColumns<'_>| {
            let mut targets = Targets::new(matchers);
            (0..columns.len()).map(|row| Ok(targets.of(columns, row)?.is_some())).collect()
        };
        Ok(Some(find_series_where(&self.view, &wanted, time, &self.scan)?))
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
