//! Queries said more cheaply, meaning the same.
//!
//! `nestedSetParent < 0` is how dashboards ask for roots. It is true of the spans without a parent id,
//! and that takes no walk through the trace.

use super::ast::{
    BinaryOp, Field, FieldExpr, FieldExprKind, Intrinsic, MetricsExpr, MetricsFunction, Pipeline,
    Query, Root, ScalarExpr, SpansetExpr, Stage, Static,
};

/// Rewrites a query.
pub(super) fn rewrite(query: &mut Query) {
    match &mut query.root {
        Root::Search(pipeline) => in_pipeline(pipeline),
        Root::Metrics(expr) => in_metrics(expr),
    }
}

fn in_metrics(expr: &mut MetricsExpr) {
    match expr {
        MetricsExpr::Query(query) => {
            in_pipeline(&mut query.pipeline);
            if let MetricsFunction::Compare { selection, .. } = &mut query.function {
                in_spansets(selection);
            }
        }
        MetricsExpr::Scalar(_) => {}
        MetricsExpr::Binary { left, right, .. } => {
            in_metrics(left);
            in_metrics(right);
        }
        MetricsExpr::Negate(inner) | MetricsExpr::Staged { input: inner, .. } => in_metrics(inner),
    }
}

fn in_pipeline(pipeline: &mut Pipeline) {
    for stage in &mut pipeline.stages {
        match stage {
            Stage::Spans(expr) => in_spansets(expr),
            Stage::Scalar(filter) => {
                in_scalar(&mut filter.left);
                in_scalar(&mut filter.right);
            }
            // What is recorded keeps the words of the query.
            Stage::By(_) | Stage::Coalesce | Stage::Select(_) => {}
        }
    }
}

fn in_scalar(scalar: &mut ScalarExpr) {
    match scalar {
        ScalarExpr::Static(_) | ScalarExpr::Aggregate(_) => {}
        ScalarExpr::Binary { left, right, .. } => {
            in_scalar(left);
            in_scalar(right);
        }
        ScalarExpr::Negate(inner) => in_scalar(inner),
        ScalarExpr::Pipeline { pipeline, scalar } => {
            in_pipeline(pipeline);
            in_scalar(scalar);
        }
    }
}

fn in_spansets(expr: &mut SpansetExpr) {
    match expr {
        SpansetExpr::Filter(Some(expr)) => in_field(expr),
        SpansetExpr::Filter(None) => {}
        SpansetExpr::Binary { left, right, .. } => {
            in_spansets(left);
            in_spansets(right);
        }
        SpansetExpr::Pipeline(pipeline) => in_pipeline(pipeline),
    }
}

fn in_field(expr: &mut FieldExpr) {
    match &mut expr.kind {
        FieldExprKind::Static(_) | FieldExprKind::Field(_) => {}
        FieldExprKind::Negate(inner) | FieldExprKind::Not(inner) => in_field(inner),
        FieldExprKind::Binary { op, left, right } => {
            if !asks_for_root(*op, left, right) {
                in_field(left);
                in_field(right);
                return;
            }
            *op = BinaryOp::Eq;
            let parent = Field::Intrinsic { which: Intrinsic::Parent, parent: false };
            left.kind = FieldExprKind::Field(parent);
            right.kind = FieldExprKind::Static(Static::Nil);
        }
    }
}

// The numbers are -1 for roots, and 0 or more for all others.
fn asks_for_root(op: BinaryOp, left: &FieldExpr, right: &FieldExpr) -> bool {
    let nested = Field::Intrinsic { which: Intrinsic::NestedSetParent, parent: false };
    let number = match &right.kind {
        FieldExprKind::Static(Static::Int(number)) => Some(*number),
        FieldExprKind::Negate(inner) => match &inner.kind {
            FieldExprKind::Static(Static::Int(number)) => number.checked_neg(),
            _ => None,
        },
        _ => None,
    };
    left.kind == FieldExprKind::Field(nested)
        && matches!((op, number), (BinaryOp::Lt, Some(0)) | (BinaryOp::Le | BinaryOp::Eq, Some(-1)))
}
