//! `info`: labels of info series (`target_info` and others) beside those of the series that they are
//! about, which have the same `job` and `instance`.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};

use super::select::reference_ms;
use super::{Evaluator, Result, Value, failed, merge_same};
use crate::promql::ast::{At, Call, Expr, Length, Shift};
use crate::promql::labels::{Label, Labels, NAME};
use crate::promql::matcher::{MatchOp, Matcher};
use crate::promql::series::{Grid, PointSeries, Samples, Series};
use throughline_model::histogram::is_stale;

/// The labels that say what a series is about.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const TARGET_INFO: &str = "target_info";

impl Evaluator<'_> {
    pub(super) fn info(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let shift = first_shift(&call.arguments[0]).unwrap_or_default();
        let base = self.vector(&call.arguments[0], grid)?;
        let given = match call.arguments.get(1).map(Expr::without_parens) {
            Some(Expr::Vector(selector)) => selector.matchers.clone(),
            _ => Vec::new(),
        };
        let (names, data): (Vec<_>, Vec<_>) =
            given.into_iter().partition(|matcher| &*matcher.name == NAME);
        let names = name_matchers(names)?;
        // Info series themselves stay as they are.
        let is_info = |labels: &Labels| names.iter().all(|m| m.matches(labels.name()));
        let infos = self.info_series(&base, &names, &data, is_info, &shift, grid)?;
        let mut results = Vec::with_capacity(base.len());
        for series in &base {
            if is_info(&series.labels) {
                results.push(series.clone());
                continue;
            }
            self.enrich(series, &infos, &data, grid, &mut results)?;
        }
        Ok(Value::Vector(merge_same(results)?))
    }

    /// The info series that may be about the series of a vector, at each step the newest of those
    /// that are about the same.
    fn info_series(
        &mut self,
        base: &[Series],
        names: &[Matcher],
        data: &[Matcher],
        is_info: impl Fn(&Labels) -> bool,
        shift: &Shift,
        grid: &Grid,
    ) -> Result<Infos> {
        let mut matchers = names.to_vec();
        matchers.extend_from_slice(data);
        let mut is_about_any = false;
        for label in IDENTIFYING {
            let values = base.iter().filter(|series| !is_info(&series.labels));
            let values = values.map(|series| series.labels.get(label));
            let values = values.filter(|v| !v.is_empty()).collect::<HashSet<_>>();
            if values.is_empty() {
                continue;
            }
            is_about_any = true;
            let pattern = values.iter().map(|v| regex::escape(v)).collect::<Vec<_>>().join("|");
            matchers.push(Matcher::new(label, MatchOp::Matches, &pattern).map_err(failed)?);
        }
        if !is_about_any {
            return Ok(Infos::default());
        }
        let lookback_ms = self.options.lookback_ms;
        let first = reference_ms(shift, grid.start_ms);
        let last = reference_ms(shift, grid.end_ms());
        let loaded = self.source.select(&matchers, first - lookback_ms + 1, last)?;
        let mut infos = Infos::default();
        for series in loaded {
            if !series.points.histograms.is_empty() {
                return Err(failed(format!(
                    "this should be an info metric, with float samples: {}",
                    series.labels
                )));
            }
            infos.add(series, shift, grid, lookback_ms)?;
        }
        Ok(infos)
    }

    fn enrich(
        &self,
        series: &Series,
        infos: &Infos,
        data: &[Matcher],
        grid: &Grid,
        results: &mut Vec<Series>,
    ) -> Result<()> {
        let about = identity(&series.labels);
        let groups = infos.groups.iter().filter(|group| group.about == about).collect::<Vec<_>>();
        let mut parts: HashMap<Labels, usize> = HashMap::new();
        let wants_match = data.iter().any(|matcher| !matcher.matches(""));
        for step in 0..grid.steps {
            let Some(sample) = series.samples.get(step) else { continue };
            let mut added: Vec<Label> = Vec::new();
            let mut is_matched = false;
            for info in groups.iter().filter_map(|group| group.at[step].as_ref()) {
                is_matched = true;
                for (name, value) in info.labels.iter() {
                    let is_wanted = data.is_empty() || data.iter().any(|m| m.name == *name);
                    if &**name == NAME || !is_wanted {
                        continue;
                    }
                    let other = added.iter().find(|(own, _)| own == name);
                    if other.is_some_and(|(_, own)| own != value) {
                        return Err(failed(format!("conflicting label: {name}")));
                    }
                    if series.labels.find(name).is_none() && other.is_none() {
                        added.push((name.clone(), value.clone()));
                    }
                }
            }
            if !is_matched && wants_match {
                continue;
            }
            let labels = Labels::new(series.labels.iter().cloned().chain(added));
            let place = *parts.entry_ref(&labels).or_insert_with(|| {
                let samples = Samples::missing(grid.steps);
                results.push(Series {
                    labels: labels.clone(),
                    drops_name: series.drops_name,
                    samples,
                });
                results.len() - 1
            });
            results[place].samples.set(step, sample);
        }
        Ok(())
    }
}

/// An info series at a step.
#[derive(Clone)]
struct Info {
    labels: Labels,
    time_ms: i64,
}

/// Info series of one name about the same thing.
struct Group {
    name: Arc<str>,
    about: Labels,
    at: Vec<Option<Info>>,
}

#[derive(Default)]
struct Infos {
    groups: Vec<Group>,
}

impl Infos {
    fn add(
        &mut self,
        series: PointSeries,
        shift: &Shift,
        grid: &Grid,
        lookback_ms: i64,
    ) -> Result<()> {
        let about = identity(&series.labels);
        let name: Arc<str> = series.labels.name().into();
        let place = self.groups.iter().position(|g| g.name == name && g.about == about);
        let place = place.unwrap_or_else(|| {
            self.groups.push(Group { name, about, at: vec![None; grid.steps] });
            self.groups.len() - 1
        });
        let points = &series.points;
        for step in 0..grid.steps {
            let reference = reference_ms(shift, grid.time_ms(step));
            let newest = points.float_times.partition_point(|time| *time <= reference);
            let Some(newest) = newest.checked_sub(1) else { continue };
            let time_ms = points.float_times[newest];
            if time_ms <= reference - lookback_ms || is_stale(points.floats[newest]) {
                continue;
            }
            let slot = &mut self.groups[place].at[step];
            match slot {
                Some(old) if old.time_ms > time_ms => {}
                Some(old) if old.time_ms == time_ms => {
                    return Err(failed(format!(
                        "found duplicate series for info metric: existing {} @ {time_ms}, new {} @ \
                         {time_ms}",
                        old.labels, series.labels
                    )));
                }
                _ => *slot = Some(Info { labels: series.labels.clone(), time_ms }),
            }
        }
        Ok(())
    }
}

fn identity(labels: &Labels) -> Labels {
    labels.filter(|name| IDENTIFYING.contains(&name))
}

/// Which metrics are info series: those that are named, of all `…_info` those that are not excluded,
/// or `target_info`.
fn name_matchers(given: Vec<Matcher>) -> Result<Vec<Matcher>> {
    if given.is_empty() {
        return Ok(vec![Matcher::equal(NAME, TARGET_INFO)]);
    }
    let is_positive = |matcher: &Matcher| matches!(matcher.op, MatchOp::Equal | MatchOp::Matches);
    let mut names = given;
    if !names.iter().any(is_positive) {
        names.push(Matcher::new(NAME, MatchOp::Matches, ".+_info").map_err(failed)?);
    }
    Ok(names)
}

/// The time that the first selector inside looks at.
fn first_shift(expr: &Expr) -> Option<Shift> {
    match expr {
        Expr::Vector(vector) => Some(vector.shift.clone()),
        Expr::Matrix(matrix) => Some(matrix.selector.shift.clone()),
        Expr::Subquery(subquery) => {
            let mut shift = first_shift(&subquery.inner)?;
            // What is further out matters until an `@` fixes the time.
            if !matches!(shift.at, Some(At::Time(_))) {
                shift.offset = Length::of_ms(shift.offset.ms + subquery.shift.offset.ms);
                shift.at = subquery.shift.at;
            }
            Some(shift)
        }
        other => other.children().into_iter().find_map(first_shift),
    }
}
