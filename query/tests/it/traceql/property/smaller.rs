//! Queries that are a part of another: how a failure is made small.

use throughline_query::traceql::ast::{
    BinaryOp, FieldExpr, FieldExprKind, MetricsExpr, MetricsFunction, MetricsQuery, Pipeline,
    Query, Root, ScalarExpr, SpansetExpr, Stage,
};

/// Queries that ask a part of what this one asks.
pub fn queries(query: &Query) -> Vec<Query> {
    let with = |root| Query { root, hints: query.hints.clone() };
    match &query.root {
        Root::Search(pipeline) => {
            pipelines(pipeline).into_iter().map(|smaller| with(Root::Search(smaller))).collect()
        }
        Root::Metrics(expr) => {
            metrics(expr).into_iter().map(|smaller| with(Root::Metrics(smaller))).collect()
        }
    }
}

fn pipelines(pipeline: &Pipeline) -> Vec<Pipeline> {
    let mut all = Vec::new();
    for (at, whole) in pipeline.stages.iter().enumerate() {
        if at > 0 {
            let mut stages = pipeline.stages.clone();
            stages.remove(at);
            all.push(Pipeline { stages });
        }
        for smaller in of_stage(whole) {
            let mut stages = pipeline.stages.clone();
            stages[at] = smaller;
            all.push(Pipeline { stages });
        }
    }
    all
}

fn of_stage(stage: &Stage) -> Vec<Stage> {
    match stage {
        Stage::Spans(expr) => spansets(expr).into_iter().map(Stage::Spans).collect(),
        Stage::By(expr) => parts(expr).into_iter().map(Stage::By).collect(),
        Stage::Scalar(filter) => {
            let mut all = Vec::new();
            let (left, right) = (scalars(&filter.left), scalars(&filter.right));
            all.extend(left.into_iter().map(|left| {
                Stage::Scalar(throughline_query::traceql::ast::ScalarFilter {
                    left,
                    ..filter.clone()
                })
            }));
            all.extend(right.into_iter().map(|right| {
                Stage::Scalar(throughline_query::traceql::ast::ScalarFilter {
                    right,
                    ..filter.clone()
                })
            }));
            all
        }
        Stage::Select(fields) if fields.len() > 1 => {
            fields.iter().map(|field| Stage::Select(vec![field.clone()])).collect()
        }
        Stage::Select(_) | Stage::Coalesce => Vec::new(),
    }
}

fn scalars(expr: &ScalarExpr) -> Vec<ScalarExpr> {
    match expr {
        ScalarExpr::Binary { left, right, .. } => match &**right {
            ScalarExpr::Static(_) => vec![(**left).clone()],
            _ => vec![(**left).clone(), (**right).clone()],
        },
        ScalarExpr::Negate(inner) => vec![(**inner).clone()],
        ScalarExpr::Pipeline { pipeline, scalar } => pipelines(pipeline)
            .into_iter()
            .map(|pipeline| ScalarExpr::Pipeline {
                pipeline: Box::new(pipeline),
                scalar: scalar.clone(),
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn spansets(expr: &SpansetExpr) -> Vec<SpansetExpr> {
    match expr {
        SpansetExpr::Filter(None) => Vec::new(),
        SpansetExpr::Filter(Some(expr)) => {
            let mut all = vec![SpansetExpr::Filter(None)];
            all.extend(parts(expr).into_iter().map(|part| SpansetExpr::Filter(Some(part))));
            all
        }
        SpansetExpr::Pipeline(pipeline) => pipelines(pipeline)
            .into_iter()
            .map(|smaller| SpansetExpr::Pipeline(Box::new(smaller)))
            .collect(),
        SpansetExpr::Binary { op, negated, union, left, right } => {
            let with = |left, right| SpansetExpr::Binary {
                op: *op,
                negated: *negated,
                union: *union,
                left: Box::new(left),
                right: Box::new(right),
            };
            let mut all = vec![(**left).clone(), (**right).clone()];
            all.extend(spansets(left).into_iter().map(|left| with(left, (**right).clone())));
            all.extend(spansets(right).into_iter().map(|right| with((**left).clone(), right)));
            all
        }
    }
}

// Only parts that are of the same kind: those of logic.
fn parts(expr: &FieldExpr) -> Vec<FieldExpr> {
    match &expr.kind {
        FieldExprKind::Not(inner) => {
            let mut all = vec![(**inner).clone()];
            all.extend(parts(inner).into_iter().map(|part| FieldExpr {
                kind: FieldExprKind::Not(Box::new(part)),
                place: expr.place,
            }));
            all
        }
        FieldExprKind::Binary { op: op @ (BinaryOp::And | BinaryOp::Or), left, right } => {
            let with = |left, right| FieldExpr {
                kind: FieldExprKind::Binary {
                    op: *op,
                    left: Box::new(left),
                    right: Box::new(right),
                },
                place: expr.place,
            };
            let mut all = vec![(**left).clone(), (**right).clone()];
            all.extend(parts(left).into_iter().map(|left| with(left, (**right).clone())));
            all.extend(parts(right).into_iter().map(|right| with((**left).clone(), right)));
            all
        }
        _ => Vec::new(),
    }
}

fn metrics(expr: &MetricsExpr) -> Vec<MetricsExpr> {
    match expr {
        MetricsExpr::Scalar(_) => Vec::new(),
        MetricsExpr::Query(query) => {
            let with = |query| MetricsExpr::Query(Box::new(query));
            let mut all = Vec::new();
            if !query.by.is_empty() {
                all.push(with(MetricsQuery { by: query.by[1..].to_vec(), ..(**query).clone() }));
            }
            if query.function != MetricsFunction::CountOverTime {
                let function = MetricsFunction::CountOverTime;
                all.push(with(MetricsQuery { function, ..(**query).clone() }));
            }
            let pipelines = pipelines(&query.pipeline).into_iter();
            all.extend(
                pipelines.map(|pipeline| with(MetricsQuery { pipeline, ..(**query).clone() })),
            );
            all
        }
        MetricsExpr::Binary { op, left, right } => {
            let sides =
                [left, right].into_iter().filter(|side| !matches!(***side, MetricsExpr::Scalar(_)));
            let mut all = sides.map(|side| (**side).clone()).collect::<Vec<_>>();
            let with = |left, right| MetricsExpr::Binary {
                op: *op,
                left: Box::new(left),
                right: Box::new(right),
            };
            all.extend(metrics(left).into_iter().map(|left| with(left, (**right).clone())));
            all.extend(metrics(right).into_iter().map(|right| with((**left).clone(), right)));
            all
        }
        MetricsExpr::Negate(inner) => vec![(**inner).clone()],
        MetricsExpr::Staged { input, stages } => {
            let mut all = vec![(**input).clone()];
            if stages.len() > 1 {
                all.extend(stages.iter().map(|stage| MetricsExpr::Staged {
                    input: input.clone(),
                    stages: vec![stage.clone()],
                }));
            }
            all.extend(metrics(input).into_iter().map(|input| MetricsExpr::Staged {
                input: Box::new(input),
                stages: stages.clone(),
            }));
            all
        }
    }
}
