//! Numbers of spansets: aggregates, arithmetic with them, and the filters that compare them.

use super::spansets::{Runner, Spanset, union};
use super::value::{Val, calculate, compare, negate};
use crate::Result;
use crate::traceql::ast::{Aggregate, AggregateOp, BinaryOp, ScalarExpr, ScalarFilter};

impl Runner<'_> {
    /// Keeps the spansets for which the comparison holds, and records their aggregates.
    pub(super) fn scalar_filter(
        &self,
        filter: &ScalarFilter,
        trace: usize,
        sets: Vec<Spanset>,
    ) -> Result<Vec<Spanset>> {
        let mut kept = Vec::with_capacity(sets.len());
        for mut set in sets {
            let mut records = Vec::new();
            let left = self.scalar(&filter.left, trace, &set.rows, &mut records)?;
            let right = self.scalar(&filter.right, trace, &set.rows, &mut records)?;
            if compare(filter.op, &left, &right) {
                records.into_iter().for_each(|(name, value)| set.record(name, value.shown()));
                kept.push(set);
            }
        }
        Ok(kept)
    }

    fn scalar(
        &self,
        scalar: &ScalarExpr,
        trace: usize,
        rows: &[u32],
        records: &mut Vec<(String, Val)>,
    ) -> Result<Val> {
        Ok(match scalar {
            ScalarExpr::Static(literal) => Val::of(literal),
            ScalarExpr::Aggregate(aggregate) => {
                let value = self.aggregate(aggregate, rows)?;
                records.push((aggregate.to_string(), value.clone()));
                value
            }
            ScalarExpr::Binary { op, left, right } => {
                let left = self.scalar(left, trace, rows, records)?;
                let right = self.scalar(right, trace, rows, records)?;
                calculate(*op, &left, &right)
            }
            ScalarExpr::Negate(inner) => negate(&self.scalar(inner, trace, rows, records)?),
            ScalarExpr::Pipeline { pipeline, scalar } => {
                let rows = union(self.stages(pipeline, trace, self.whole(trace))?);
                self.scalar(scalar, trace, &rows, &mut Vec::new())?
            }
        })
    }

    fn aggregate(&self, aggregate: &Aggregate, rows: &[u32]) -> Result<Val> {
        let Some(of) = &aggregate.of else { return Ok(Val::Int(rows.len() as i64)) };
        if aggregate.op == AggregateOp::Count {
            return Ok(Val::Int(rows.len() as i64));
        }
        let column = self.column(of)?;
        let mut rows = rows.to_vec();
        self.spans().sort(&mut rows)?;
        let values = rows.iter().map(|row| column.get(*row as usize).first().clone());
        let values = values.filter(|value| value.number().is_some()).collect::<Vec<_>>();
        let count = values.len();
        let better = |op: BinaryOp| {
            values.iter().cloned().reduce(
                |best, value| {
                    if compare(op, &value, &best) { value } else { best }
                },
            )
        };
        let sum =
            || values.iter().cloned().reduce(|sum, value| calculate(BinaryOp::Add, &sum, &value));
        let value = match aggregate.op {
            AggregateOp::Count => Some(Val::Int(count as i64)),
            AggregateOp::Min => better(BinaryOp::Lt),
            AggregateOp::Max => better(BinaryOp::Gt),
            AggregateOp::Sum => sum(),
            AggregateOp::Avg => {
                sum().map(|sum| calculate(BinaryOp::Div, &sum, &Val::Int(count as i64)))
            }
        };
        Ok(value.unwrap_or(Val::Nil))
    }
}
