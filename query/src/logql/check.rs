//! What the grammar allows and what cannot mean anything all the same.

use super::ast::{
    Binary, Expr, LabelReplace, LogExpr, MetricExpr, RangeAggregate, VectorAggregate,
};
use super::error::{Error, Result};
use super::grammar::{RangeOp, SELECTOR_NEEDS_VALUE, TOP_MAX};
use super::lex::is_name;
use super::parse::parse;
use super::pipeline::{TextTest, Unwrap, anchored, check_log};

/// The tree of a text that can be answered; an error says where the text is wrong.
pub fn compile(text: &str) -> Result<Expr> {
    let expr = parse(text)?;
    check(&expr).map_err(|err| err.located(text))?;
    Ok(expr)
}

/// Whether a tree can be answered.
pub fn check(expr: &Expr) -> Result<()> {
    match expr {
        Expr::Log(log) => log_expr(log),
        Expr::Metric(metric) => metric_expr(metric),
    }
}

fn log_expr(log: &LogExpr) -> Result<()> {
    check_log(log)?;
    if SELECTOR_NEEDS_VALUE && !selects(log)? {
        let message = "a selector needs a matcher that the empty text does not satisfy";
        return Err(Error::meaning(log.at.0, message));
    }
    Ok(())
}

// Whether a matcher asks for a label that is there.
fn selects(log: &LogExpr) -> Result<bool> {
    for matcher in &log.matchers {
        if !TextTest::new(matcher)?.passes("") {
            return Ok(true);
        }
    }
    Ok(false)
}

fn metric_expr(expr: &MetricExpr) -> Result<()> {
    match expr {
        MetricExpr::Literal(_) | MetricExpr::Vector(_) => Ok(()),
        MetricExpr::Range(range) => range_aggregate(range),
        MetricExpr::Aggregate(aggregate) => vector_aggregate(aggregate),
        MetricExpr::Binary(binary) => self::binary(binary),
        MetricExpr::LabelReplace(replace) => label_replace(replace),
    }
}

fn range_aggregate(aggregate: &RangeAggregate) -> Result<()> {
    let (op, at) = (aggregate.op, aggregate.at.0);
    let name = op.name();
    match (aggregate.parameter, op == RangeOp::Quantile) {
        (None, true) => return Err(Error::meaning(at, format!("{name} needs a number first"))),
        (Some(_), false) => {
            return Err(Error::meaning(at, format!("{name} takes no number")));
        }
        _ => {}
    }
    log_expr(&aggregate.range.log)?;
    match &aggregate.range.unwrap {
        Some(unwrap) if !op.takes_unwrap() => {
            let message = format!("{name} counts lines and takes no unwrap");
            return Err(Error::meaning(unwrap.at.0, message));
        }
        Some(unwrap) => _ = Unwrap::new(unwrap)?,
        None if !op.takes_lines() => {
            let message = format!("{name} needs numbers: unwrap a label, as in | unwrap duration");
            return Err(Error::meaning(at, message));
        }
        None => {}
    }
    if aggregate.grouping.is_some() && !op.takes_grouping() {
        let message = format!("{name} takes no grouping: put sum by (…) around it");
        return Err(Error::meaning(at, message));
    }
    Ok(())
}

fn vector_aggregate(aggregate: &VectorAggregate) -> Result<()> {
    let (op, at) = (aggregate.op, aggregate.at.0);
    let name = op.name();
    match (aggregate.parameter, op.takes_parameter()) {
        (None, true) => {
            return Err(Error::meaning(at, format!("{name} needs a number first")));
        }
        (Some(_), false) => {
            return Err(Error::meaning(at, format!("{name} takes no number")));
        }
        (Some(count), true) if !(1.0..=TOP_MAX).contains(&count) || count.fract() != 0.0 => {
            let message = format!("{name} keeps 1 to {TOP_MAX} series, not {count}");
            return Err(Error::meaning(at, message));
        }
        _ => {}
    }
    if op.is_sort() && aggregate.grouping.is_some() {
        return Err(Error::meaning(at, format!("{name} takes no grouping")));
    }
    if is_scalar(&aggregate.of) {
        let message = format!("{name} takes series and found a number: write vector(…)");
        return Err(Error::meaning(at, message));
    }
    metric_expr(&aggregate.of)
}

/// Whether an expression is one number and no series.
pub fn is_scalar(expr: &MetricExpr) -> bool {
    match expr {
        MetricExpr::Literal(_) => true,
        MetricExpr::Binary(binary) => is_scalar(&binary.left) && is_scalar(&binary.right),
        _ => false,
    }
}

fn binary(binary: &Binary) -> Result<()> {
    let (op, at) = (binary.op, binary.at.0);
    let text = op.text();
    if binary.to_bool && !op.is_comparison() {
        return Err(Error::meaning(at, format!("bool stands behind comparisons, not '{text}'")));
    }
    let has_scalar = is_scalar(&binary.left) || is_scalar(&binary.right);
    if has_scalar && op.is_set() {
        return Err(Error::meaning(at, format!("'{text}' takes series on both sides")));
    }
    if let Some(matching) = &binary.matching {
        let word = if matching.on { "on" } else { "ignoring" };
        if has_scalar {
            let message = format!("{word} (…) takes series on both sides of '{text}'");
            return Err(Error::meaning(at, message));
        }
        if let Some(many) = &matching.many {
            if op.is_set() {
                let message = format!("'{text}' matches many with many: it takes no group");
                return Err(Error::meaning(at, message));
            }
            let twice = many.include.iter().find(|label| matching.labels.contains(label));
            if let Some(label) = twice.filter(|_| matching.on) {
                let message = format!("label '{label}' stands in on (…) and in the group");
                return Err(Error::meaning(at, message));
            }
        }
    }
    metric_expr(&binary.left)?;
    metric_expr(&binary.right)
}

fn label_replace(replace: &LabelReplace) -> Result<()> {
    anchored(&replace.pattern.value, replace.pattern.at.0)?;
    if !is_name(&replace.target) {
        let message = format!("label_replace cannot make a label '{}'", replace.target);
        return Err(Error::meaning(replace.at.0, message));
    }
    if is_scalar(&replace.of) {
        let message = "label_replace takes series and found a number";
        return Err(Error::meaning(replace.at.0, message));
    }
    metric_expr(&replace.of)
}
