//! The fields that a query names, in the order in which it names them.

use throughline_query::traceql::ast::{
    Field, FieldExpr, FieldExprKind, Pipeline, ScalarExpr, SpansetExpr, Stage,
};

/// A field and its name in answers.
pub type Listed = (String, Field);

/// Every field of a pipeline, once.
pub fn listed(pipeline: &Pipeline) -> Vec<Listed> {
    let mut found = Vec::new();
    of_pipeline(pipeline, &mut found);
    let mut listed: Vec<Listed> = Vec::new();
    for field in found {
        if !listed.iter().any(|(_, known)| known == field) {
            listed.push((name(field), field.clone()));
        }
    }
    listed
}

// Attributes of spans and resources go by their key alone.
fn name(field: &Field) -> String {
    match field {
        Field::Attribute { parent: false, name, .. } => name.clone(),
        Field::Attribute { parent: true, name, .. } => format!("parent.{name}"),
        other => other.to_string(),
    }
}

fn of_pipeline<'q>(pipeline: &'q Pipeline, found: &mut Vec<&'q Field>) {
    for stage in &pipeline.stages {
        match stage {
            Stage::Spans(expr) => of_spansets(expr, found),
            Stage::Scalar(filter) => {
                of_scalar(&filter.left, found);
                of_scalar(&filter.right, found);
            }
            Stage::By(expr) => of_expr(expr, found),
            Stage::Coalesce => {}
            Stage::Select(fields) => found.extend(fields),
        }
    }
}

fn of_spansets<'q>(expr: &'q SpansetExpr, found: &mut Vec<&'q Field>) {
    match expr {
        SpansetExpr::Filter(expr) => expr.iter().for_each(|expr| of_expr(expr, found)),
        SpansetExpr::Pipeline(pipeline) => of_pipeline(pipeline, found),
        SpansetExpr::Binary { left, right, .. } => {
            of_spansets(left, found);
            of_spansets(right, found);
        }
    }
}

fn of_scalar<'q>(expr: &'q ScalarExpr, found: &mut Vec<&'q Field>) {
    match expr {
        ScalarExpr::Static(_) => {}
        ScalarExpr::Aggregate(aggregate) => {
            aggregate.of.iter().for_each(|expr| of_expr(expr, found));
        }
        ScalarExpr::Negate(expr) => of_scalar(expr, found),
        ScalarExpr::Binary { left, right, .. } => {
            of_scalar(left, found);
            of_scalar(right, found);
        }
        ScalarExpr::Pipeline { pipeline, scalar } => {
            of_pipeline(pipeline, found);
            of_scalar(scalar, found);
        }
    }
}

fn of_expr<'q>(expr: &'q FieldExpr, found: &mut Vec<&'q Field>) {
    match &expr.kind {
        FieldExprKind::Static(_) => {}
        FieldExprKind::Field(field) => found.push(field),
        FieldExprKind::Negate(expr) | FieldExprKind::Not(expr) => of_expr(expr, found),
        FieldExprKind::Binary { left, right, .. } => {
            of_expr(left, found);
            of_expr(right, found);
        }
    }
}
