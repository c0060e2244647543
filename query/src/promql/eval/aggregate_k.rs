//! `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the series of each group, as they are.

use std::cmp::Ordering;

use xxhash_rust::xxh3::Xxh3;

use super::aggregate::Groups;
use super::{Evaluator, Result, drop_empty, failed};
use crate::promql::ast::{Aggregate, AggregateOp};
use crate::promql::labels::Labels;
use crate::promql::notes::Note;
use crate::promql::numbers::general;
use crate::promql::series::{Grid, Samples, Series};

impl Evaluator<'_> {
    pub(super) fn aggregate_k(
        &mut self,
        aggregate: &Aggregate,
        parameter: &[f64],
        series: Vec<Series>,
        groups: &Groups,
        grid: &Grid,
    ) -> Result<Vec<Series>> {
        match aggregate.op {
            AggregateOp::LimitRatio => self.check_ratios(aggregate, parameter)?,
            _ => check_counts(parameter)?,
        }
        let mut members = vec![Vec::new(); groups.labels.len()];
        for (i, group) in groups.of_series.iter().enumerate() {
            members[*group].push(i);
        }
        let mut kept = series
            .iter()
            .map(|series| Series {
                labels: series.labels.clone(),
                drops_name: series.drops_name,
                samples: Samples::missing(grid.steps),
            })
            .collect::<Vec<_>>();
        let mut order = Vec::new();
        for (step, parameter) in parameter.iter().enumerate() {
            for members in &members {
                let present = members.iter().copied();
                let present = present.filter(|i| series[*i].samples.has(step)).collect::<Vec<_>>();
                let chosen = self.choose(aggregate, *parameter, &series, present, step);
                for i in &chosen {
                    if let Some(sample) = series[*i].samples.get(step) {
                        kept[*i].samples.set(step, sample);
                    }
                }
                if self.is_instant(grid) {
                    order.extend(chosen);
                }
            }
        }
        if self.is_instant(grid) {
            return Ok(order.into_iter().map(|i| kept[i].clone()).collect());
        }
        drop_empty(&mut kept);
        Ok(kept)
    }

    /// The series of a group that stay at a step, in the order of the answer.
    fn choose(
        &mut self,
        aggregate: &Aggregate,
        parameter: f64,
        series: &[Series],
        mut present: Vec<usize>,
        step: usize,
    ) -> Vec<usize> {
        if aggregate.op == AggregateOp::LimitRatio {
            let ratio = parameter.clamp(-1.0, 1.0);
            present.retain(|i| is_sampled(&series[*i].labels, ratio));
            return present;
        }
        let k = if parameter < 1.0 { 0 } else { parameter as usize };
        if k == 0 {
            return Vec::new();
        }
        if aggregate.op != AggregateOp::LimitK {
            let before = present.len();
            present.retain(|i| series[*i].samples.float(step).is_some());
            if present.len() < before {
                let note = Note::HistogramIgnoredInAggregation(aggregate.op.name());
                self.notes.add(note, aggregate.span);
            }
            let is_top = aggregate.op == AggregateOp::TopK;
            let value = |i: &usize| series[*i].samples.float(step).unwrap_or(f64::NAN);
            // Stable: of equals the first stays.
            present.sort_by(|a, b| best_first(value(a), value(b), is_top));
        }
        present.truncate(k);
        present
    }

    fn check_ratios(&mut self, aggregate: &Aggregate, ratios: &[f64]) -> Result<()> {
        if ratios.iter().all(|ratio| *ratio == 0.0) {
            return Ok(());
        }
        if ratios.iter().any(|ratio| ratio.is_nan()) {
            return Err(failed("Ratio value is NaN"));
        }
        let span = aggregate.parameter.as_ref().map(|p| p.span()).unwrap_or_default();
        let greatest = ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let least = ratios.iter().copied().fold(f64::INFINITY, f64::min);
        for (given, used, is_outside) in
            [(greatest, 1.0f64, greatest > 1.0), (least, -1.0, least < -1.0)]
        {
            if is_outside {
                let note = Note::InvalidRatio { given: given.to_bits(), used: used.to_bits() };
                self.notes.add(note, span);
            }
        }
        Ok(())
    }
}

fn check_counts(counts: &[f64]) -> Result<()> {
    let is_nothing = counts.iter().all(|k| *k < 1.0);
    if is_nothing {
        return Ok(());
    }
    if counts.iter().any(|k| k.is_nan()) {
        return Err(failed("Parameter value is NaN"));
    }
    if let Some(k) = counts.iter().find(|k| **k <= i64::MIN as f64) {
        return Err(failed(format!("Scalar value {} underflows int64", general(*k))));
    }
    if let Some(k) = counts.iter().find(|k| **k >= i64::MAX as f64) {
        return Err(failed(format!("Scalar value {} overflows int64", general(*k))));
    }
    Ok(())
}

/// The order of values in an answer; what is not a number comes last.
fn best_first(a: f64, b: f64, is_top: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if is_top => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        _ => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// Whether a series is in a sample: its labels' hash decides, so that it always is or never; a
/// negative ratio takes those that its complement leaves.
fn is_sampled(labels: &Labels, ratio: f64) -> bool {
    let mut hash = Xxh3::new();
    for (name, value) in labels.iter() {
        for part in [name, value] {
            hash.update(part.as_bytes());
            hash.update(&[0xff]);
        }
    }
    let place = hash.digest() as f64 / u64::MAX as f64;
    if ratio >= 0.0 { place < ratio || ratio == 1.0 } else { place >= 1.0 + ratio }
}
