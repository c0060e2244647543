//! Functions of native histograms: what they hold, and what lies between two of them.

use std::sync::Arc;

use throughline_model::histogram::{Incompatible, NativeHistogram, ResetHint, kahan_add};

use super::{Evaluator, Result, Value};
use crate::promql::ast::Span;
use crate::promql::notes::{HistogramOp, Note, Notes};
use crate::promql::series::{Samples, Series};

/// The same histogram; a hint that it was reset or not says nothing, since samples between may be
/// missing.
pub(super) fn without_reset_hint(histogram: Arc<NativeHistogram>) -> Arc<NativeHistogram> {
    match histogram.hint {
        ResetHint::Reset | ResetHint::NotReset => {
            NativeHistogram { hint: ResetHint::Unknown, ..(*histogram).clone() }.into()
        }
        ResetHint::Unknown | ResetHint::Gauge => histogram,
    }
}

/// The histogram at a time on the line between two. A counter that was reset between them starts from
/// zero.
pub(super) fn interpolate(
    left: (i64, &NativeHistogram),
    right: (i64, &NativeHistogram),
    at: i64,
    is_counter: bool,
    notes: &mut Notes,
    span: Span,
) -> std::result::Result<NativeHistogram, Incompatible> {
    if at == left.0 {
        return Ok(left.1.clone());
    }
    let mut result = right.1.clone();
    if at == right.0 {
        return Ok(result);
    }
    let part = (at - left.0) as f64 / (right.0 - left.0) as f64;
    if is_counter && right.1.is_reset_since(left.1) {
        result.multiply(part);
        return Ok(result);
    }
    subtract(&mut result, left.1, notes, span)?;
    result.multiply(part);
    add(&mut result, left.1, notes, span)?;
    Ok(result)
}

/// Adds, and notes where bounds differed.
pub(super) fn add(
    to: &mut NativeHistogram,
    other: &NativeHistogram,
    notes: &mut Notes,
    span: Span,
) -> std::result::Result<(), Incompatible> {
    if to.add(other)?.is_reconciled {
        notes.add(Note::MismatchedCustomBuckets(HistogramOp::Addition), span);
    }
    Ok(())
}

/// Subtracts, and notes where bounds differed.
pub(super) fn subtract(
    from: &mut NativeHistogram,
    other: &NativeHistogram,
    notes: &mut Notes,
    span: Span,
) -> std::result::Result<(), Incompatible> {
    if from.subtract(other)?.is_reconciled {
        notes.add(Note::MismatchedCustomBuckets(HistogramOp::Subtraction), span);
    }
    Ok(())
}

/// A function of one histogram.
pub(super) fn function(name: &str) -> Option<fn(&NativeHistogram) -> f64> {
    Some(match name {
        "histogram_count" => |h| h.count,
        "histogram_sum" => |h| h.sum,
        "histogram_avg" => |h| h.sum / h.count,
        "histogram_stdvar" => variance,
        "histogram_stddev" => |h| variance(h).sqrt(),
        _ => return None,
    })
}

fn variance(histogram: &NativeHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let mut total = (0.0, 0.0);
    for bucket in histogram.buckets() {
        let value = if histogram.has_custom_buckets() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            // The geometric mean fits exponential buckets.
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = value - mean;
        total = kahan_add(bucket.count * delta * delta, total);
    }
    (total.0 + total.1) / histogram.count
}

impl Evaluator<'_> {
    /// Numbers in place of histograms; numbers are dropped.
    pub(super) fn of_histograms(
        &self,
        mut series: Vec<Series>,
        function: fn(&NativeHistogram) -> f64,
    ) -> Result<Value> {
        for series in &mut series {
            let mut samples = Samples::missing(series.samples.steps());
            for step in 0..samples.steps() {
                if let Some(histogram) = series.samples.histogram(step) {
                    samples.set_float(step, function(histogram));
                }
            }
            series.samples = samples;
            self.calculated(series);
        }
        super::drop_empty(&mut series);
        Ok(Value::Vector(super::merge_same(series)?))
    }
}
