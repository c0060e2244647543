//! `changes` and `resets`: numbers and histograms of a window as one sequence.

use super::rate::is_reset;
use super::{Context, Result, Sample, Window};
use crate::promql::ast::Edges;

/// A point: start, time, value.
type Point = (i64, i64, Sample);

/// The points of a window in order. An anchored window begins with the last one before its range; it
/// is none if nothing comes after.
fn points(window: &Window<'_>, edges: Edges) -> Option<Vec<Point>> {
    let start = |starts: &[i64], i: usize| starts.get(i).copied().unwrap_or(0);
    let floats = (0..window.floats.len())
        .map(|i| (start(window.starts, i), window.times[i], Sample::Float(window.floats[i])));
    let histograms = (0..window.histograms.len()).map(|i| {
        let histogram = Sample::Histogram(window.histograms[i].clone());
        (start(window.histogram_starts, i), window.histogram_times[i], histogram)
    });
    let mut all = floats.chain(histograms).collect::<Vec<_>>();
    all.sort_by_key(|(_, time, _)| *time);
    if edges == Edges::Anchored {
        let after = all.partition_point(|(_, time, _)| *time <= window.start_ms);
        if after == all.len() {
            return None;
        }
        all.drain(..after.saturating_sub(1));
    }
    Some(all)
}

pub(super) fn resets(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(count(window, context, |before, now| {
        let starts_anew = || is_reset((before.0, before.1), (now.0, now.1));
        match (&before.2, &now.2) {
            (Sample::Float(before), Sample::Float(now)) => now < before || starts_anew(),
            (Sample::Histogram(before), Sample::Histogram(now)) => {
                starts_anew() || now.is_reset_since(before)
            }
            _ => true,
        }
    }))
}

pub(super) fn changes(window: &Window<'_>, context: &mut Context<'_>) -> Result<Option<Sample>> {
    Ok(count(window, context, |before, now| match (&before.2, &now.2) {
        (Sample::Float(before), Sample::Float(now)) => {
            now != before && !(now.is_nan() && before.is_nan())
        }
        (Sample::Histogram(before), Sample::Histogram(now)) => !now.is_same(before),
        _ => true,
    }))
}

fn count(
    window: &Window<'_>,
    context: &Context<'_>,
    differs: impl Fn(&Point, &Point) -> bool,
) -> Option<Sample> {
    let points = points(window, context.edges)?;
    let count = points.windows(2).filter(|pair| differs(&pair[0], &pair[1])).count();
    Some(Sample::Float(count as f64))
}
