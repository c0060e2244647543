//! Calls of functions.

use super::{Evaluator, Result, Value, drop_empty, histograms, merge_same, span_of};
use crate::Error;
use crate::promql::ast::{Call, Expr};
use crate::promql::labels::{Labels, NAME};
use crate::promql::matcher::{MatchOp, Matcher};
use crate::promql::series::{Grid, Samples, Series};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let name = call.function.name;
        let arguments = &call.arguments;
        if let Some(function) = super::range::function(name) {
            return self.over_range(call, function, grid);
        }
        if let Some(function) = histograms::function(name) {
            let series = self.vector(&arguments[0], grid)?;
            return self.of_histograms(series, function);
        }
        if let Some(function) = number_function(name) {
            let series = self.vector(&arguments[0], grid)?;
            return self.of_floats(series, |_, value| Some(function(value)));
        }
        if let Some(function) = super::dates::function(name) {
            return self.date(call, function, grid);
        }
        match name {
            "absent" => self.absent(call, grid),
            "clamp" | "clamp_max" | "clamp_min" => self.clamp(call, grid),
            "histogram_fraction" => self.histogram_fraction(call, grid),
            "histogram_quantile" => self.histogram_quantile(call, grid),
            "histogram_quantiles" => self.histogram_quantiles(call, grid),
            "info" => self.info(call, grid),
            "label_join" => self.label_join(call, grid),
            "label_replace" => self.label_replace(call, grid),
            "max_of" | "min_of" => {
                let (a, b) = (self.scalar(&arguments[0], grid)?, self.scalar(&arguments[1], grid)?);
                let of = if name == "max_of" { go_max } else { go_min };
                Ok(Value::Scalar(a.into_iter().zip(b).map(|(a, b)| of(a, b)).collect()))
            }
            "pi" => Ok(Value::Scalar(vec![std::f64::consts::PI; grid.steps])),
            "round" => self.round(call, grid),
            "scalar" => self.only_float(call, grid),
            "sort" | "sort_desc" => self.sort(call, grid),
            "sort_by_label" | "sort_by_label_desc" => self.sort_by_label(call, grid),
            "start_timestamp" | "timestamp" => self.timestamp(call, grid),
            "time" => Ok(Value::Scalar(grid.times().map(|ms| ms as f64 / 1e3).collect())),
            "vector" => {
                let values = self.scalar(&arguments[0], grid)?;
                let mut samples = Samples::missing(grid.steps);
                values.iter().enumerate().for_each(|(step, v)| samples.set_float(step, *v));
                let labels = Labels::default();
                Ok(Value::Vector(vec![Series { labels, drops_name: false, samples }]))
            }
            other => Err(Error::internal(format!("function '{other}' has no implementation"))),
        }
    }

    /// Changes every number; histograms are dropped.
    fn of_floats(
        &self,
        mut series: Vec<Series>,
        change: impl Fn(usize, f64) -> Option<f64>,
    ) -> Result<Value> {
        for series in &mut series {
            series.samples.map_floats(&change);
            self.calculated(series);
        }
        drop_empty(&mut series);
        Ok(Value::Vector(merge_same(series)?))
    }

    fn absent(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let series = self.vector(&call.arguments[0], grid)?;
        let mut samples = Samples::missing(grid.steps);
        for step in 0..grid.steps {
            if !series.iter().any(|series| series.samples.has(step)) {
                samples.set_float(step, 1.0);
            }
        }
        let labels = absent_labels(&call.arguments[0]);
        let mut absent = vec![Series { labels, drops_name: false, samples }];
        drop_empty(&mut absent);
        Ok(Value::Vector(absent))
    }

    fn clamp(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let series = self.vector(&call.arguments[0], grid)?;
        let mut bounds = [vec![f64::NEG_INFINITY; grid.steps], vec![f64::INFINITY; grid.steps]];
        match call.function.name {
            "clamp_max" => bounds[1] = self.scalar(&call.arguments[1], grid)?,
            "clamp_min" => bounds[0] = self.scalar(&call.arguments[1], grid)?,
            _ => {
                bounds[0] = self.scalar(&call.arguments[1], grid)?;
                bounds[1] = self.scalar(&call.arguments[2], grid)?;
            }
        }
        self.of_floats(series, |step, value| {
            let (least, most) = (bounds[0][step], bounds[1][step]);
            // Nothing lies between bounds in the wrong order.
            let is_nothing = most < least;
            (!is_nothing).then(|| go_max(least, go_min(most, value)))
        })
    }

    fn round(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let series = self.vector(&call.arguments[0], grid)?;
        let nearest = match call.arguments.get(1) {
            Some(nearest) => self.scalar(nearest, grid)?,
            None => vec![1.0; grid.steps],
        };
        self.of_floats(series, |step, value| {
            // The inverse has fewer rounding errors.
            let inverse = 1.0 / nearest[step];
            Some((value * inverse + 0.5).floor() / inverse)
        })
    }

    fn only_float(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let series = self.vector(&call.arguments[0], grid)?;
        let at = |step: usize| {
            let mut floats = series.iter().filter_map(|series| series.samples.float(step));
            match (floats.next(), floats.next()) {
                (Some(only), None) => only,
                _ => f64::NAN,
            }
        };
        Ok(Value::Scalar((0..grid.steps).map(at).collect()))
    }

    fn timestamp(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let of_start = call.function.name == "start_timestamp";
        let mut series = match call.arguments[0].without_parens() {
            Expr::Vector(selector) if !of_start || self.options.uses_start_times => {
                self.instant_times(selector, grid, of_start)?
            }
            // Only samples as they are stored have a start.
            _ if of_start => Vec::new(),
            other => {
                let mut series = self.vector(other, grid)?;
                for series in &mut series {
                    for step in 0..grid.steps {
                        if series.samples.has(step) {
                            series.samples.set_float(step, grid.time_ms(step) as f64 / 1e3);
                        }
                    }
                }
                series
            }
        };
        series.iter_mut().for_each(|series| self.calculated(series));
        Ok(Value::Vector(merge_same(series)?))
    }

    /// Whether the windows of a range had a point, for `absent_over_time`.
    pub(super) fn absent_over_time(
        &self,
        call: &Call,
        series: &[Series],
        grid: &Grid,
    ) -> Vec<Series> {
        let mut samples = Samples::missing(grid.steps);
        for step in 0..grid.steps {
            if !series.iter().any(|series| series.samples.has(step)) {
                samples.set_float(step, 1.0);
            }
        }
        let labels = absent_labels(&call.arguments[0]);
        let mut absent = vec![Series { labels, drops_name: true, samples }];
        drop_empty(&mut absent);
        absent
    }

    pub(super) fn argument_span(&self, call: &Call, argument: usize) -> crate::promql::ast::Span {
        span_of(&call.arguments, argument)
    }
}

/// The labels that a selector says exactly.
fn absent_labels(expr: &Expr) -> Labels {
    let matchers: &[Matcher] = match expr {
        Expr::Vector(vector) => &vector.matchers,
        Expr::Matrix(matrix) => &matrix.selector.matchers,
        Expr::Invariant(inner) => return absent_labels(inner),
        _ => &[],
    };
    let mut labels = Labels::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| &*matcher.name != NAME) {
        // A label that is asked for twice is not known exactly.
        if matcher.op == MatchOp::Equal && !seen.contains(&&*matcher.name) {
            seen.push(&matcher.name);
            labels = labels.with(&matcher.name, &matcher.value);
        } else {
            labels = labels.with(&matcher.name, "");
        }
    }
    labels
}

/// The greater of two; not a number if one is not, unless the other is infinite.
fn go_max(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::INFINITY, _) | (_, f64::INFINITY) => f64::INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ => a.max(b),
    }
}

/// The smaller of two; not a number if one is not, unless the other is infinite.
fn go_min(a: f64, b: f64) -> f64 {
    match (a, b) {
        (f64::NEG_INFINITY, _) | (_, f64::NEG_INFINITY) => f64::NEG_INFINITY,
        _ if a.is_nan() || b.is_nan() => f64::NAN,
        _ => a.min(b),
    }
}

/// A function of one number.
fn number_function(name: &str) -> Option<fn(f64) -> f64> {
    Some(match name {
        "abs" => f64::abs,
        "acos" => f64::acos,
        "acosh" => f64::acosh,
        "asin" => f64::asin,
        "asinh" => f64::asinh,
        "atan" => f64::atan,
        "atanh" => f64::atanh,
        "ceil" => f64::ceil,
        "cos" => f64::cos,
        "cosh" => f64::cosh,
        "deg" => |v| v * 180.0 / std::f64::consts::PI,
        "exp" => f64::exp,
        "floor" => f64::floor,
        "ln" => f64::ln,
        "log10" => f64::log10,
        "log2" => f64::log2,
        "rad" => |v| v * std::f64::consts::PI / 180.0,
        "sgn" => |v| {
            if v < 0.0 {
                -1.0
            } else if v > 0.0 {
                1.0
            } else {
                v
            }
        },
        "sin" => f64::sin,
        "sinh" => f64::sinh,
        "sqrt" => f64::sqrt,
        "tan" => f64::tan,
        "tanh" => f64::tanh,
        _ => return None,
    })
}
