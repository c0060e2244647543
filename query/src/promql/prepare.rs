//! What a query's start, end and step decide before it is evaluated: duration expressions, `start()`,
//! `end()`, `step()`, `range()`, and which parts have one value at all steps.

use super::ast::{At, BinaryOp, Duration, DurationOp, Expr, Length, Number, Shift, Span, Type};
use super::functions::depends_on_time;
use super::series::Grid;
use crate::{Error, Result};

/// Prepares an expression for evaluation at the times from `start_ms` to `end_ms`. `step_ms` is zero
/// for an instant query.
pub fn prepare(mut expr: Expr, start_ms: i64, end_ms: i64, step_ms: i64) -> Result<Expr> {
    let prepare = Prepare { start_ms, end_ms, step_ms };
    mark_totals(&mut expr, false);
    prepare.fold(&mut expr);
    prepare.lengths(&mut expr)?;
    let (_, should_wrap) = prepare.invariants(&mut expr);
    if should_wrap {
        wrap(&mut expr);
    }
    Ok(expr)
}

/// The times of a subquery for an evaluation at `grid`: multiples of the step, after the beginning of
/// the first range.
pub fn subquery_grid(grid: &Grid, shift: &Shift, range_ms: i64, step_ms: i64) -> Grid {
    let (start, end) = match shift.at {
        Some(At::Time(at)) => (at, at),
        _ => (grid.start_ms, grid.end_ms()),
    };
    let (start, end) = (start - shift.offset.ms - range_ms, end - shift.offset.ms);
    // Division towards zero, then up to the first multiple after the start.
    let mut first = step_ms * (start / step_ms);
    if first <= start {
        first += step_ms;
    }
    Grid::new(first, end, step_ms)
}

/// Marks selectors of whose histograms only counts and sums are asked for. Resets of counters are
/// found before the buckets go; a subquery passes samples over, and so needs them.
fn mark_totals(expr: &mut Expr, is_asked: bool) {
    let is_asked = match expr {
        Expr::Vector(vector) => {
            vector.only_totals = is_asked;
            return;
        }
        Expr::Matrix(matrix) => {
            matrix.selector.only_totals = is_asked;
            return;
        }
        Expr::Call(call) => match call.function.name {
            "histogram_count" | "histogram_sum" | "histogram_avg" => true,
            _ => is_asked,
        },
        _ => is_asked,
    };
    let needs_buckets = match expr {
        Expr::Subquery(_) => true,
        Expr::Call(call) => matches!(
            call.function.name,
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction"
        ),
        Expr::Binary(binary) => matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower),
        _ => false,
    };
    if !needs_buckets {
        expr.children_mut().into_iter().for_each(|child| mark_totals(child, is_asked));
    }
}

struct Prepare {
    start_ms: i64,
    end_ms: i64,
    step_ms: i64,
}

impl Prepare {
    /// Replaces calls whose value the query's times decide.
    fn fold(&self, expr: &mut Expr) {
        if let Expr::Call(call) = expr {
            let seconds = |ms: i64| ms as f64 / 1e3;
            let value = match call.function.name {
                "start" => Some(seconds(self.start_ms)),
                "end" => Some(seconds(self.end_ms)),
                "range" => Some(seconds(self.end_ms - self.start_ms)),
                "step" if self.start_ms == self.end_ms => Some(0.0),
                "step" => Some(seconds(self.step_ms)),
                _ => None,
            };
            if let Some(value) = value {
                *expr = Expr::Number(Number { value, is_duration: false, span: call.span });
                return;
            }
        }
        expr.children_mut().into_iter().for_each(|child| self.fold(child));
    }

    fn lengths(&self, expr: &mut Expr) -> Result<()> {
        match expr {
            Expr::Vector(vector) => self.length(&mut vector.shift.offset, true)?,
            Expr::Matrix(matrix) => {
                self.length(&mut matrix.selector.shift.offset, true)?;
                self.length(&mut matrix.range, false)?;
            }
            Expr::Subquery(subquery) => {
                self.length(&mut subquery.shift.offset, true)?;
                self.length(&mut subquery.range, false)?;
                if let Some(step) = &mut subquery.step {
                    self.length(step, false)?;
                }
            }
            _ => {}
        }
        expr.children_mut().into_iter().try_for_each(|child| self.lengths(child))
    }

    fn length(&self, length: &mut Length, may_be_negative: bool) -> Result<()> {
        let Some(expr) = length.expr.take() else { return Ok(()) };
        let seconds = self.duration(&expr)?;
        let wrong = |message: &str| Err(invalid(expr.span(), message));
        if !seconds.is_finite() {
            return wrong("duration is NaN or infinite");
        }
        if seconds <= 0.0 && !may_be_negative {
            return wrong("duration must be greater than 0");
        }
        if seconds.abs() > i64::MAX as f64 / 1e9 {
            return wrong("duration is out of range");
        }
        length.ms = (seconds * 1e3) as i64;
        Ok(())
    }

    fn duration(&self, expr: &Duration) -> Result<f64> {
        Ok(match expr {
            Duration::Literal(number) => number.value,
            Duration::Step(_) => self.step_ms as f64 / 1e3,
            Duration::Range(_) => (self.end_ms - self.start_ms) as f64 / 1e3,
            Duration::Negative { operand, .. } => -self.duration(operand)?,
            Duration::Paren { inner, .. } => self.duration(inner)?,
            Duration::Binary { op, left, right, span } => {
                let (left, right) = (self.duration(left)?, self.duration(right)?);
                match op {
                    DurationOp::Add => left + right,
                    DurationOp::Sub => left - right,
                    DurationOp::Mul => left * right,
                    DurationOp::Div if right == 0.0 => {
                        return Err(invalid(*span, "division by zero"));
                    }
                    DurationOp::Div => left / right,
                    DurationOp::Mod if right == 0.0 => {
                        return Err(invalid(*span, "modulo by zero"));
                    }
                    DurationOp::Mod => left % right,
                    DurationOp::Pow => left.powf(right),
                    DurationOp::MinOf => left.min(right),
                    DurationOp::MaxOf => left.max(right),
                }
            }
        })
    }

    fn at(&self, shift: &mut Shift) -> bool {
        match shift.at {
            Some(At::Start) => shift.at = Some(At::Time(self.start_ms)),
            Some(At::End) => shift.at = Some(At::Time(self.end_ms)),
            _ => {}
        }
        shift.at.is_some()
    }

    /// Wraps the greatest parts whose value is the same at every step. Answers whether the whole is
    /// such a part, and whether it gains by being wrapped.
    fn invariants(&self, expr: &mut Expr) -> (bool, bool) {
        match expr {
            Expr::Vector(vector) => {
                let is_invariant = self.at(&mut vector.shift);
                (is_invariant, is_invariant)
            }
            // Functions evaluate ranges themselves.
            Expr::Matrix(matrix) => (self.at(&mut matrix.selector.shift), false),
            Expr::Aggregate(aggregate) => {
                if let Some(parameter) = &mut aggregate.parameter {
                    self.invariants(parameter);
                    // The parameter may vary from step to step where the operand does not.
                    let is_constant = is_constant(parameter);
                    let (is_invariant, should_wrap) = self.invariants(&mut aggregate.operand);
                    if !is_constant && should_wrap {
                        wrap(&mut aggregate.operand);
                    }
                    return (is_invariant && is_constant, should_wrap && is_constant);
                }
                self.invariants(&mut aggregate.operand)
            }
            Expr::Binary(binary) => {
                let (is_left, wraps_left) = self.invariants(&mut binary.left);
                let (is_right, wraps_right) = self.invariants(&mut binary.right);
                if is_left && is_right {
                    return (true, true);
                }
                if wraps_left {
                    wrap(&mut binary.left);
                }
                if wraps_right {
                    wrap(&mut binary.right);
                }
                (false, false)
            }
            Expr::Call(_) => self.call(expr),
            Expr::Subquery(subquery) => {
                let (is_invariant, _) = self.invariants(&mut subquery.inner);
                if is_invariant {
                    wrap(&mut subquery.inner);
                }
                (self.at(&mut subquery.shift), false)
            }
            Expr::Paren(paren) => self.invariants(&mut paren.inner),
            Expr::Unary(unary) => self.invariants(&mut unary.operand),
            Expr::Text(_) | Expr::Number(_) => (true, false),
            Expr::Invariant(_) => (true, false),
        }
    }

    fn call(&self, expr: &mut Expr) -> (bool, bool) {
        let Expr::Call(call) = expr else { return (false, false) };
        let name = call.function.name;
        let mut is_invariant = !depends_on_time(name);
        // `timestamp` of a selector is that of its samples, else that of the step.
        let mut is_timestamp_of_selectors = name == "timestamp";
        let mut wraps = Vec::with_capacity(call.arguments.len());
        for argument in &mut call.arguments {
            unwrap_parens(argument);
            let (is_argument_invariant, should_wrap) = self.invariants(argument);
            is_invariant &= is_argument_invariant;
            is_timestamp_of_selectors &=
                is_argument_invariant && matches!(argument, Expr::Vector(_));
            wraps.push(should_wrap);
        }
        if is_invariant || is_timestamp_of_selectors {
            return (true, true);
        }
        for (argument, should_wrap) in call.arguments.iter_mut().zip(wraps) {
            if should_wrap {
                wrap(argument);
            }
        }
        (false, false)
    }
}

/// Whether an expression has one value whatever the time and the data.
fn is_constant(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) | Expr::Text(_) | Expr::Invariant(_) => true,
        Expr::Vector(vector) => vector.shift.at.is_some(),
        Expr::Matrix(matrix) => matrix.selector.shift.at.is_some(),
        Expr::Subquery(subquery) => subquery.shift.at.is_some(),
        Expr::Call(call) => {
            !depends_on_time(call.function.name) && call.arguments.iter().all(is_constant)
        }
        other => other.children().into_iter().all(is_constant),
    }
}

fn unwrap_parens(expr: &mut Expr) {
    while let Expr::Paren(paren) = expr {
        let inner = std::mem::replace(&mut paren.inner, nothing());
        *expr = inner;
    }
}

fn wrap(expr: &mut Expr) {
    // Ranges are evaluated by the functions over them; texts and numbers gain nothing.
    let is_plain = matches!(expr, Expr::Number(_) | Expr::Text(_) | Expr::Invariant(_));
    if is_plain || expr.value_type() == Type::Matrix || expr.value_type() == Type::Text {
        return;
    }
    let inner = std::mem::replace(expr, nothing());
    *expr = Expr::Invariant(Box::new(inner));
}

fn nothing() -> Expr {
    Expr::Number(Number { value: 0.0, is_duration: false, span: Span::default() })
}

fn invalid(span: Span, message: &str) -> Error {
    Error::invalid("query", format!("{}:{}: {message}", span.start, span.end))
}
