//! What a query needs before it can run: columns, candidate traces, and whether whole traces.
//!
//! Place in the flow: the tree of a checked query goes in; out comes a [`TraceScanRequest`] without
//! its range, and the compiled regular expressions. Conditions that are pushed down only leave out
//! what cannot match: the evaluator decides again.

mod needs;
mod pushdown;

use hashbrown::HashMap;
use regex::{Regex, RegexBuilder};
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{ScanColumn, TraceScanRequest, Wanted};

pub(crate) use self::needs::{Needs, scan_column};
use self::pushdown::Candidates;
use super::ast::{
    BinaryOp, FieldExpr, FieldExprKind, Pipeline, ScalarExpr, SpansetExpr, SpansetOp, Stage, Static,
};
use crate::{Error, Result};

/// Bytes that a compiled regular expression may take.
const REGEX_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a pipeline needs.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Columns, and how much of a trace.
    pub needs: Needs,
    /// The regular expressions of the pipeline.
    pub regexes: Regexes,
    /// Whether each span is decided by itself: no stage looks at the others of its trace.
    pub by_span: bool,
    leaves: Vec<Vec<Predicate>>,
    wanted: Wanted,
}

impl Plan {
    /// Plans a pipeline.
    pub fn new(pipeline: &Pipeline) -> Result<Self> {
        let mut needs = Needs::default();
        needs.pipeline(pipeline);
        let mut regexes = Regexes::default();
        each_expr(pipeline, &mut |expr| regexes.add(expr))?;
        let mut candidates = Candidates::default();
        let wanted = candidates.pipeline(pipeline);
        let by_span = !needs.whole && pipeline.stages.iter().all(is_by_span);
        Ok(Self { needs, regexes, by_span, leaves: candidates.leaves, wanted })
    }

    /// The scan of a range. `together` says that the rows of a trace are wanted in one batch even if
    /// each span is decided by itself.
    pub fn request(&self, time: TimeRange, together: bool) -> TraceScanRequest {
        TraceScanRequest {
            columns: self.needs.columns().to_vec(),
            time,
            leaves: self.leaves.clone(),
            traces: self.wanted.clone(),
            whole: self.needs.whole,
            structure: self.needs.structure,
            together: together || !self.by_span,
            named: together || !self.by_span || self.needs.structure || self.needs.named,
        }
    }
}

fn is_by_span(stage: &Stage) -> bool {
    fn filters_spans(expr: &SpansetExpr) -> bool {
        match expr {
            SpansetExpr::Filter(_) => true,
            SpansetExpr::Binary { op: SpansetOp::Or, left, right, .. } => {
                filters_spans(left) && filters_spans(right)
            }
            SpansetExpr::Binary { .. } => false,
            SpansetExpr::Pipeline(pipeline) => pipeline.stages.iter().all(is_by_span),
        }
    }
    match stage {
        Stage::Spans(expr) => filters_spans(expr),
        Stage::Coalesce | Stage::Select(_) => true,
        Stage::Scalar(_) | Stage::By(_) => false,
    }
}

/// Compiled regular expressions.
#[derive(Debug, Default)]
pub(crate) struct Regexes(HashMap<(String, bool), Regex>);

impl Regexes {
    fn add(&mut self, expr: &FieldExpr) -> Result<()> {
        let FieldExprKind::Binary { op: BinaryOp::Matches | BinaryOp::NotMatches, right, .. } =
            &expr.kind
        else {
            return Ok(());
        };
        let FieldExprKind::Static(Static::String(pattern)) = &right.kind else {
            return Err(Error::invalid("query", "a regular expression must be a text")
                .with_position(right.place.start));
        };
        for ignore_case in [false, true] {
            let compiled = RegexBuilder::new(&anchored(pattern))
                .size_limit(REGEX_BYTES_MAX)
                .case_insensitive(ignore_case)
                .build()
                .map_err(|err| {
                    Error::invalid("query", format!("'{pattern}' is no regular expression: {err}"))
                        .with_position(right.place.start)
                })?;
            self.0.insert((pattern.clone(), ignore_case), compiled);
        }
        Ok(())
    }

    /// The compiled form of a pattern.
    pub fn get(&self, pattern: &str, ignore_case: bool) -> Result<&Regex> {
        let found = self.0.get(&(pattern.to_owned(), ignore_case));
        found.ok_or_else(|| Error::internal(format!("'{pattern}' was not compiled")))
    }
}

/// A pattern that must match the whole text.
pub(super) fn anchored(pattern: &str) -> String {
    format!("^(?:{pattern})$")
}

/// Calls `visit` with every field expression of a pipeline, outer ones first.
pub(crate) fn each_expr<'q>(
    pipeline: &'q Pipeline,
    visit: &mut dyn FnMut(&'q FieldExpr) -> Result<()>,
) -> Result<()> {
    for stage in &pipeline.stages {
        match stage {
            Stage::Spans(expr) => each_of_spansets(expr, visit)?,
            Stage::Scalar(filter) => {
                each_of_scalar(&filter.left, visit)?;
                each_of_scalar(&filter.right, visit)?;
            }
            Stage::By(expr) => each_of_field(expr, visit)?,
            Stage::Coalesce | Stage::Select(_) => {}
        }
    }
    Ok(())
}

/// The same for an expression over spansets.
pub(crate) fn each_of_spansets<'q>(
    expr: &'q SpansetExpr,
    visit: &mut dyn FnMut(&'q FieldExpr) -> Result<()>,
) -> Result<()> {
    match expr {
        SpansetExpr::Filter(Some(expr)) => each_of_field(expr, visit),
        SpansetExpr::Filter(None) => Ok(()),
        SpansetExpr::Binary { left, right, .. } => {
            each_of_spansets(left, visit)?;
            each_of_spansets(right, visit)
        }
        SpansetExpr::Pipeline(pipeline) => each_expr(pipeline, visit),
    }
}

fn each_of_scalar<'q>(
    scalar: &'q ScalarExpr,
    visit: &mut dyn FnMut(&'q FieldExpr) -> Result<()>,
) -> Result<()> {
    match scalar {
        ScalarExpr::Static(_) => Ok(()),
        ScalarExpr::Aggregate(aggregate) => match &aggregate.of {
            Some(expr) => each_of_field(expr, visit),
            None => Ok(()),
        },
        ScalarExpr::Binary { left, right, .. } => {
            each_of_scalar(left, visit)?;
            each_of_scalar(right, visit)
        }
        ScalarExpr::Negate(inner) => each_of_scalar(inner, visit),
        ScalarExpr::Pipeline { pipeline, scalar } => {
            each_expr(pipeline, visit)?;
            each_of_scalar(scalar, visit)
        }
    }
}

fn each_of_field<'q>(
    expr: &'q FieldExpr,
    visit: &mut dyn FnMut(&'q FieldExpr) -> Result<()>,
) -> Result<()> {
    visit(expr)?;
    match &expr.kind {
        FieldExprKind::Static(_) | FieldExprKind::Field(_) => Ok(()),
        FieldExprKind::Negate(inner) | FieldExprKind::Not(inner) => each_of_field(inner, visit),
        FieldExprKind::Binary { left, right, .. } => {
            each_of_field(left, visit)?;
            each_of_field(right, visit)
        }
    }
}

/// The fields that a pipeline names, each once, in the order of the text.
pub(crate) fn named_fields(pipeline: &Pipeline) -> Vec<super::ast::Field> {
    let mut fields: Vec<super::ast::Field> = Vec::new();
    let mut add = |field: &super::ast::Field| {
        if !fields.contains(field) {
            fields.push(field.clone());
        }
    };
    let visited = each_expr(pipeline, &mut |expr| {
        if let FieldExprKind::Field(field) = &expr.kind {
            add(field);
        }
        Ok(())
    });
    debug_assert!(visited.is_ok(), "visiting fails only where the visitor does");
    needs::each_selected(pipeline, &mut add);
    fields
}

/// The columns of fields, for a scan.
pub(crate) fn add_fields(needs: &mut Needs, fields: &[super::ast::Field]) {
    fields.iter().for_each(|field| needs.field(field));
}

/// A fixed column.
pub(crate) fn fixed(name: &str) -> ScanColumn {
    ScanColumn::Fixed(name.to_owned())
}
