//! Which attributes a query needs: the keys it looks up, or whole sets.
//!
//! Run on the optimised plan, before tables are asked for their scans, so that a scan reads the
//! columns of a few keys instead of every attribute of every row.

use std::collections::BTreeSet;

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ExprSchema};
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::sets::{AttrFunction, set_type};

/// What a query takes out of attribute sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AttributeUse {
    /// The keys it looks up.
    pub keys: BTreeSet<String>,
    /// Whether it needs sets as a whole.
    pub whole: bool,
}

impl AttributeUse {
    /// What `plan` takes.
    pub fn of(plan: &LogicalPlan) -> DfResult<Self> {
        let answer = match plan {
            LogicalPlan::Explain(explain) => explain.plan.schema(),
            LogicalPlan::Analyze(analyze) => analyze.input.schema(),
            plan => plan.schema(),
        };
        let whole = answer.fields().iter().any(|field| *field.data_type() == set_type());
        let mut found = Self { whole, ..Self::default() };
        plan.apply_with_subqueries(|node| {
            found.node(node)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(found)
    }

    fn node(&mut self, node: &LogicalPlan) -> DfResult<()> {
        if matches!(node, LogicalPlan::RecursiveQuery(_) | LogicalPlan::Extension(_)) {
            self.whole = true; // nodes that use columns without naming them
        }
        let mut schema = merge_schema(&node.inputs());
        if let LogicalPlan::TableScan(scan) = node {
            let name = scan.table_name.clone();
            schema = DFSchema::try_from_qualified_schema(name, &scan.source.schema())?;
        }
        node.apply_expressions(|expr| {
            self.expr(expr, &schema)?;
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }

    fn expr(&mut self, expr: &Expr, schema: &DFSchema) -> DfResult<()> {
        expr.apply(|expr| {
            if let Some((_, Expr::Column(_), key)) = AttrFunction::call(expr) {
                self.keys.insert(key.to_owned());
                return Ok(TreeNodeRecursion::Jump);
            }
            match expr {
                Expr::Column(column) if is_set(column, schema) => self.whole = true,
                Expr::OuterReferenceColumn(field, _) if *field.data_type() == set_type() => {
                    self.whole = true;
                }
                _ => {}
            }
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(())
    }
}

// A column that cannot be found counts as a set: better to read too much than too little.
fn is_set(column: &Column, schema: &DFSchema) -> bool {
    schema.field_from_column(column).map_or(true, |field| *field.data_type() == set_type())
}
