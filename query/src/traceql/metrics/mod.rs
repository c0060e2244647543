//! Numbers over time out of spans.
//!
//! ```text
//! pipeline ► spans ► groups of `by` ► one cell a series and step ► series ► topk, filters, arithmetic
//! ```
//! Where counts by service, name, kind and status answer, no span is read (`rolled`). Else two workers
//! share one scan; each fills cells of its own, which are added at the end.

mod cells;
mod compare;
mod grid;
mod groups;
mod rolled;
mod run;
mod stages;

use std::sync::Arc;

use throughline_storage::View;
use throughline_storage::scan::ScanContext;

use self::grid::Grid;
use super::ast::{BinaryOp, Hint, MetricsExpr, Query, Root, Static};
use super::{MetricsAnswer, MetricsRequest, MetricsSeries, rewrite};
use crate::{Engine, Error, QueryContext, Result};

/// The most exemplars of one answer.
pub const EXEMPLARS_MAX: usize = 1_000;
/// Exemplars where a query asks for them without a number.
const EXEMPLARS: usize = 100;

impl Engine {
    /// The series that a TraceQL query asks for.
    pub async fn traceql_metrics(
        &self,
        request: &MetricsRequest,
        ctx: &QueryContext,
    ) -> Result<MetricsAnswer> {
        let query: Query = super::compile_text(&request.query)?;
        let Root::Metrics(mut expr) = query.root else {
            return Err(Error::invalid(
                "query",
                "this query asks for spans; numbers over time need a function such as \
                 '| rate()' at its end",
            )
            .with_position(request.query.chars().count()));
        };
        rewrite::in_metrics(&mut expr);
        let grid = Grid::new(request.time, request.step_ns)?;
        let exemplars_max = exemplars(&query.hints, request.exemplars_max);
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let ask = Arc::new(Ask {
            view: admitted.view.clone(),
            scan: budget.scan.clone(),
            grid,
            exemplars_max,
            parallelism: self.parallelism(),
        });
        let mut series = budget.run(evaluate(&ask, &expr)).await?;
        series.sort_by(|a, b| stages::labels_order(&a.labels, &b.labels));
        let truncated = series.len() > request.series_max;
        series.truncate(request.series_max);
        budget.stats.add_rows(series.len());
        Ok(MetricsAnswer { series, truncated, stats: budget.stats.snapshot() })
    }
}

/// What one query asks of the store.
struct Ask {
    view: Arc<View>,
    scan: ScanContext,
    grid: Grid,
    exemplars_max: usize,
    parallelism: usize,
}

// A hint can ask for exemplars or forbid them; what the request says is the default.
fn exemplars(hints: &[Hint], asked: usize) -> usize {
    let hint = hints.iter().rev().find(|hint| hint.name == "exemplars");
    match hint.map(|hint| &hint.value) {
        Some(Static::Bool(false)) => 0,
        Some(Static::Bool(true)) => {
            if asked == 0 {
                EXEMPLARS
            } else {
                asked
            }
        }
        Some(Static::Int(number)) => usize::try_from(*number).unwrap_or(0),
        _ => asked,
    }
    .min(EXEMPLARS_MAX)
}

type Evaluated<'a> =
    std::pin::Pin<Box<dyn Future<Output = Result<Vec<MetricsSeries>>> + Send + 'a>>;

fn evaluate<'a>(ask: &'a Arc<Ask>, expr: &'a MetricsExpr) -> Evaluated<'a> {
    Box::pin(async move {
        Ok(match expr {
            MetricsExpr::Query(query) => run::run(ask, query).await?,
            MetricsExpr::Staged { input, stages } => {
                let series = evaluate(ask, input).await?;
                stages.iter().fold(series, |series, stage| stages::apply(stage, series))
            }
            MetricsExpr::Negate(inner) => match scalar(inner) {
                Some(_) => stages::constant(&ask.grid, scalar(expr).unwrap_or_default()),
                None => {
                    stages::with_scalar(BinaryOp::Mul, evaluate(ask, inner).await?, -1.0, false)
                }
            },
            MetricsExpr::Scalar(number) => stages::constant(&ask.grid, *number),
            MetricsExpr::Binary { op, left, right } => match (scalar(left), scalar(right)) {
                (Some(a), Some(b)) => stages::constant(&ask.grid, stages::calculate(*op, a, b)),
                (Some(number), None) => {
                    stages::with_scalar(*op, evaluate(ask, right).await?, number, true)
                }
                (None, Some(number)) => {
                    stages::with_scalar(*op, evaluate(ask, left).await?, number, false)
                }
                (None, None) => {
                    let left = evaluate(ask, left).await?;
                    stages::joined(*op, left, evaluate(ask, right).await?)
                }
            },
        })
    })
}

// The number of an expression without series.
fn scalar(expr: &MetricsExpr) -> Option<f64> {
    match expr {
        MetricsExpr::Scalar(number) => Some(*number),
        MetricsExpr::Negate(inner) => scalar(inner).map(|number| -number),
        MetricsExpr::Binary { op, left, right } => {
            Some(stages::calculate(*op, scalar(left)?, scalar(right)?))
        }
        MetricsExpr::Query(_) | MetricsExpr::Staged { .. } => None,
    }
}
