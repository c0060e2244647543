//! Counts of log records out of runs: a rule that answers grouped counts without reading rows.
//!
//! ```text
//! Aggregate count(*) by date_trunc('minute', time), service_name
//!   logs, conditions that the scan decides
//! → Projection of the old names
//!     Aggregate sum(n) by step, service_name
//!       tally of the logs that meet the conditions (storage::scan::tally)
//! ```
//! It applies where every group is made of service, severity number, template and steps of time alone,
//! every aggregate is a count of records, and no condition is left above the scan. Everything else
//! stays as it is.

mod inline;
mod steps;
mod table;

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, Result as DfResult, TableReference};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, TableScan, Volatility, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use throughline_storage::scan::{Intervals, TallyBy, TallyRequest};

use super::pushdown;
use super::tables::items::ItemTable;
use inline::Inlined;
use steps::Steps;
use table::{COUNT, STEP, TallyTable};

/// Columns of the tally that are columns of the logs too.
const SERVICE: &str = "service_name";
const SEVERITY: &str = "severity_number";
const TEMPLATE: &str = "template";
const TEMPLATE_ID: &str = "template_id";
const SHARED: [&str; 4] = [SERVICE, SEVERITY, TEMPLATE, TEMPLATE_ID];
/// What the tally is called in a plan.
const TABLE: &str = "log_counts";

/// The rule.
#[derive(Debug, Default)]
pub(crate) struct CountOverRuns;

impl OptimizerRule for CountOverRuns {
    fn name(&self) -> &str {
        "count_over_runs"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> DfResult<Transformed<LogicalPlan>> {
        if let LogicalPlan::Aggregate(aggregate) = &plan
            && let Some(counted) = counted(aggregate)?
        {
            return Ok(Transformed::yes(counted));
        }
        Ok(Transformed::no(plan))
    }
}

fn counted(aggregate: &Aggregate) -> DfResult<Option<LogicalPlan>> {
    let Some(inlined) = Inlined::of(&aggregate.input)? else { return Ok(None) };
    let provider = source_as_provider(&inlined.scan.source)?;
    let Some(table) = provider.downcast_ref::<ItemTable>().filter(|table| table.is_logs()) else {
        return Ok(None);
    };
    let mut rewrite = Rewrite::default();
    let mut groups = Vec::with_capacity(aggregate.group_expr.len());
    for group in &aggregate.group_expr {
        match rewrite.over_tally(inlined.expand(group)?)? {
            Some(group) => groups.push(group),
            None => return Ok(None),
        }
    }
    let mut sums = Vec::with_capacity(aggregate.aggr_expr.len());
    for count in &aggregate.aggr_expr {
        match count_as_sum(count, &inlined, &mut rewrite)? {
            Some(sum) => sums.push(sum),
            None => return Ok(None),
        }
    }
    let Some(request) = rewrite.request(&inlined.scan, table) else { return Ok(None) };
    let tally = TallyTable::new(request, table.query().clone());
    plan_over(aggregate, tally, groups, sums).map(Some)
}

/// What groups and aggregates take from the tally.
#[derive(Default)]
struct Rewrite {
    steps: Option<Steps>,
}

impl Rewrite {
    // An expression over the logs as one over the tally; none if the tally lacks what it needs.
    fn over_tally(&mut self, expr: Expr) -> DfResult<Option<Expr>> {
        let mut fits = !matches!(expr, Expr::GroupingSet(_));
        let replaced = expr.transform_down(|expr| {
            if let Some(steps) = Steps::of(&expr) {
                let own = self.steps.get_or_insert(steps);
                fits &= *own == steps;
                let step = Expr::Column(Column::new(Some(TABLE), STEP));
                return Ok(Transformed::new(step, true, TreeNodeRecursion::Jump));
            }
            match expr {
                Expr::Column(column) if SHARED.contains(&column.name.as_str()) => {
                    Ok(Transformed::yes(Expr::Column(Column::new(Some(TABLE), column.name))))
                }
                other => {
                    fits &= is_plain(&other);
                    Ok(Transformed::no(other))
                }
            }
        })?;
        Ok(fits.then_some(replaced.data))
    }

    fn request(&self, scan: &TableScan, table: &ItemTable) -> Option<TallyRequest> {
        let (predicates, time) = pushdown::convert_all_exactly(&scan.filters, table.columns())?;
        let intervals = self.steps.map_or(Intervals::One, Steps::intervals);
        // What is not projected in the end is not counted apart: see `TallyTable::scan`.
        let by = TallyBy::default();
        Some(TallyRequest { predicates, time, intervals, by, sums_bytes: false })
    }
}

// Columns that the tally lacks, and what may differ from row to row, have no place in it.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::ScalarSubquery(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::Placeholder(_) => false,
        Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Volatile,
        _ => true,
    }
}

// A count of records as a sum over the tally.
fn count_as_sum(count: &Expr, inlined: &Inlined, rewrite: &mut Rewrite) -> DfResult<Option<Expr>> {
    let count = count.clone().unalias();
    let Expr::AggregateFunction(AggregateFunction { func, params }) = &count else {
        return Ok(None);
    };
    let AggregateFunctionParams { args, distinct: false, filter, order_by, null_treatment: None } =
        params
    else {
        return Ok(None);
    };
    let counts_all = match args.as_slice() {
        [Expr::Literal(value, _)] => !value.is_null(),
        _ => false,
    };
    if func.name() != "count" || !counts_all || !order_by.is_empty() {
        return Ok(None);
    }
    let filter = match filter {
        Some(filter) => match rewrite.over_tally(inlined.expand(filter)?)? {
            Some(filter) => Some(Box::new(filter)),
            None => return Ok(None),
        },
        None => None,
    };
    let mut sum = sum(Expr::Column(Column::new(Some(TABLE), COUNT)));
    if let Expr::AggregateFunction(function) = &mut sum {
        function.params.filter = filter;
    }
    Ok(Some(sum))
}

// The sums under the names of the counts. Sums of nothing are null, counts are not.
fn plan_over(
    aggregate: &Aggregate,
    tally: TallyTable,
    groups: Vec<Expr>,
    sums: Vec<Expr>,
) -> DfResult<LogicalPlan> {
    let table = TableReference::bare(TABLE);
    let source = provider_as_source(Arc::new(tally));
    let inner = LogicalPlanBuilder::scan(table, source, None)?.aggregate(groups, sums)?.build()?;
    let groups = aggregate.group_expr.len();
    let old = aggregate.schema.iter();
    let columns = inner.schema().columns().into_iter().zip(old).enumerate();
    let columns = columns.map(|(at, (column, (qualifier, field)))| {
        let value = match at < groups {
            true => Expr::Column(column),
            false => coalesce(vec![Expr::Column(column), lit(0i64)]),
        };
        value.alias_qualified(qualifier.cloned(), field.name())
    });
    let columns = columns.collect::<Vec<_>>();
    LogicalPlanBuilder::from(inner).project(columns)?.build()
}
