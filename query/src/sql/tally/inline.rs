//! What the columns of a plan's input are over the scan at its bottom.

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchemaRef, Result as DfResult};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan};

/// A scan, and above it nothing but other names and values for its columns.
pub(super) struct Inlined {
    pub scan: TableScan,
    schema: DFSchemaRef,
    /// One for each column of the schema.
    values: Vec<Expr>,
}

impl Inlined {
    /// None if the plan does more than that.
    pub fn of(plan: &LogicalPlan) -> DfResult<Option<Self>> {
        match plan {
            LogicalPlan::TableScan(scan) if scan.fetch.is_none() => {
                let schema = scan.projected_schema.clone();
                let values = schema.columns().into_iter().map(Expr::Column).collect();
                Ok(Some(Self { scan: scan.clone(), schema, values }))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let inner = Self::of(&alias.input)?;
                Ok(inner.map(|inner| Self { schema: alias.schema.clone(), ..inner }))
            }
            LogicalPlan::Projection(projection) => {
                let Some(inner) = Self::of(&projection.input)? else { return Ok(None) };
                let values = projection.expr.iter().map(|expr| inner.expand(expr));
                let values = values.collect::<DfResult<_>>()?;
                Ok(Some(Self { scan: inner.scan, schema: projection.schema.clone(), values }))
            }
            _ => Ok(None),
        }
    }

    /// An expression over the plan as one over the scan.
    pub fn expand(&self, expr: &Expr) -> DfResult<Expr> {
        let expanded = expr.clone().transform_down(|expr| match expr {
            Expr::Column(column) => {
                let at = self.schema.index_of_column(&column)?;
                let value = self.values[at].clone().unalias_nested().data;
                Ok(Transformed::new(value, true, TreeNodeRecursion::Jump))
            }
            other => Ok(Transformed::no(other)),
        })?;
        Ok(expanded.data.unalias_nested().data)
    }
}
