//! Pipelines: from all spans of a trace, stage by stage, to the spansets that are left.

use std::cell::RefCell;
use std::rc::Rc;

use hashbrown::HashMap;
use throughline_model::Value;

use super::batch::Spans;
use super::column::{Column, group_key};
use super::expr::Evaluator;
use super::relate::relate;
use super::value::Val;
use crate::Result;
use crate::traceql::ast::{FieldExpr, Pipeline, SpansetExpr, SpansetOp, Stage};
use crate::traceql::plan::Regexes;

/// Spans of one trace that go through the stages together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Spanset {
    /// Rows, ascending.
    pub rows: Vec<u32>,
    /// What `by` and aggregates said of it, in the order in which they did first.
    pub attributes: Vec<(String, Value)>,
}

impl Spanset {
    /// Records what a stage says; the same name again replaces the value.
    pub(super) fn record(&mut self, name: String, value: Value) {
        match self.attributes.iter_mut().find(|(known, _)| *known == name) {
            Some((_, old)) => *old = value,
            None => self.attributes.push((name, value)),
        }
    }
}

/// A pipeline over a batch.
pub(crate) struct Runner<'a> {
    pub evaluator: Evaluator<'a>,
    /// Verdicts of filters on all rows, by the address of the filter in the tree.
    masks: RefCell<HashMap<*const FieldExpr, Rc<Vec<bool>>>>,
    columns: RefCell<HashMap<*const FieldExpr, Rc<Column>>>,
}

impl<'a> Runner<'a> {
    pub fn new(spans: &'a Spans, regexes: &'a Regexes) -> Self {
        Self {
            evaluator: Evaluator { spans, regexes },
            masks: RefCell::default(),
            columns: RefCell::default(),
        }
    }

    pub fn spans(&self) -> &'a Spans {
        self.evaluator.spans
    }

    /// The spansets that a pipeline leaves of a trace.
    pub fn run(&self, pipeline: &Pipeline, trace: usize) -> Result<Vec<Spanset>> {
        self.stages(pipeline, trace, self.whole(trace))
    }

    /// The rows that a pipeline leaves that decides each span by itself (`Plan::by_span`).
    pub fn rows_by_span(&self, pipeline: &Pipeline) -> Result<Vec<u32>> {
        let mut left: Option<Vec<bool>> = None;
        for stage in &pipeline.stages {
            let Stage::Spans(expr) = stage else { continue };
            let Some(mask) = self.mask_by_span(expr)? else { continue };
            left = Some(match left {
                None => mask,
                Some(left) => left.iter().zip(&mask).map(|(a, b)| *a && *b).collect(),
            });
        }
        let rows = 0..self.spans().rows() as u32;
        Ok(match left {
            None => rows.collect(),
            Some(left) => rows.filter(|row| left[*row as usize]).collect(),
        })
    }

    // None for all rows.
    fn mask_by_span(&self, expr: &SpansetExpr) -> Result<Option<Vec<bool>>> {
        Ok(match expr {
            SpansetExpr::Filter(None) => None,
            SpansetExpr::Filter(Some(expr)) => Some(self.mask(expr)?.to_vec()),
            SpansetExpr::Binary { left, right, .. } => {
                match (self.mask_by_span(left)?, self.mask_by_span(right)?) {
                    (Some(left), Some(right)) => {
                        Some(left.iter().zip(&right).map(|(a, b)| *a || *b).collect())
                    }
                    _ => None,
                }
            }
            SpansetExpr::Pipeline(pipeline) => {
                let mut mask = vec![false; self.spans().rows()];
                for row in self.rows_by_span(pipeline)? {
                    mask[row as usize] = true;
                }
                Some(mask)
            }
        })
    }

    /// The rows of a spanset of one trace that an expression keeps.
    pub fn kept(&self, expr: &SpansetExpr, trace: usize, rows: Vec<u32>) -> Result<Vec<u32>> {
        self.filter(expr, trace, &Spanset { rows, attributes: Vec::new() })
    }

    /// All spans of a trace as one spanset.
    pub(super) fn whole(&self, trace: usize) -> Vec<Spanset> {
        let rows = self.spans().rows_of(trace).to_vec();
        vec![Spanset { rows, attributes: Vec::new() }]
    }

    pub(super) fn stages(
        &self,
        pipeline: &Pipeline,
        trace: usize,
        mut sets: Vec<Spanset>,
    ) -> Result<Vec<Spanset>> {
        for stage in &pipeline.stages {
            sets = match stage {
                Stage::Spans(expr) => {
                    let mut kept = Vec::with_capacity(sets.len());
                    for set in sets {
                        let rows = self.filter(expr, trace, &set)?;
                        kept.push(Spanset { rows, ..set });
                    }
                    kept
                }
                Stage::Scalar(filter) => self.scalar_filter(filter, trace, sets)?,
                Stage::By(expr) => self.by(expr, sets)?,
                Stage::Coalesce => coalesce(sets),
                Stage::Select(_) => sets,
            };
            sets.retain(|set| !set.rows.is_empty());
        }
        Ok(sets)
    }

    /// The verdict of a filter on every row.
    pub fn mask(&self, expr: &FieldExpr) -> Result<Rc<Vec<bool>>> {
        if let Some(mask) = self.masks.borrow().get(&std::ptr::from_ref(expr)) {
            return Ok(mask.clone());
        }
        let mask = Rc::new(self.evaluator.filter(expr)?);
        self.masks.borrow_mut().insert(expr, mask.clone());
        Ok(mask)
    }

    /// The value of an expression for every row.
    pub fn column(&self, expr: &FieldExpr) -> Result<Rc<Column>> {
        if let Some(column) = self.columns.borrow().get(&std::ptr::from_ref(expr)) {
            return Ok(column.clone());
        }
        let column = self.evaluator.column(expr)?;
        self.columns.borrow_mut().insert(expr, column.clone());
        Ok(column)
    }

    // The rows of a spanset that an expression keeps.
    fn filter(&self, expr: &SpansetExpr, trace: usize, set: &Spanset) -> Result<Vec<u32>> {
        Ok(match expr {
            SpansetExpr::Filter(None) => set.rows.clone(),
            SpansetExpr::Filter(Some(expr)) => {
                let mask = self.mask(expr)?;
                set.rows.iter().copied().filter(|row| mask[*row as usize]).collect()
            }
            SpansetExpr::Pipeline(pipeline) => {
                let sets = vec![Spanset { rows: set.rows.clone(), attributes: Vec::new() }];
                union(self.stages(pipeline, trace, sets)?)
            }
            SpansetExpr::Binary { op, negated, union: both, left, right } => {
                let left = self.filter(left, trace, set)?;
                let right = self.filter(right, trace, set)?;
                match op {
                    SpansetOp::And if left.is_empty() || right.is_empty() => Vec::new(),
                    SpansetOp::And | SpansetOp::Or => merged(left, right),
                    op => relate(self.spans(), *op, (*negated, *both), &left, &right)?,
                }
            }
        })
    }

    fn by(&self, expr: &FieldExpr, sets: Vec<Spanset>) -> Result<Vec<Spanset>> {
        let column = self.column(expr)?;
        let name = format!("by({expr})");
        let mut out: Vec<Spanset> = Vec::new();
        for set in sets {
            let mut rows = set.rows;
            self.spans().sort(&mut rows)?;
            let first = out.len();
            let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
            for row in rows {
                let value: Val = column.get(row as usize).first().clone();
                let at = *known.entry(group_key(&value)).or_insert_with(|| {
                    let mut group =
                        Spanset { rows: Vec::new(), attributes: set.attributes.clone() };
                    group.record(name.clone(), value.shown());
                    out.push(group);
                    out.len() - 1
                });
                out[at].rows.push(row);
            }
            out[first..].iter_mut().for_each(|group| group.rows.sort_unstable());
        }
        Ok(out)
    }
}

/// The rows of all spansets, ascending, each once.
pub(crate) fn union(sets: Vec<Spanset>) -> Vec<u32> {
    let mut rows = sets.into_iter().flat_map(|set| set.rows).collect::<Vec<_>>();
    rows.sort_unstable();
    rows.dedup();
    rows
}

fn coalesce(sets: Vec<Spanset>) -> Vec<Spanset> {
    vec![Spanset { rows: union(sets), attributes: Vec::new() }]
}

fn merged(mut left: Vec<u32>, right: Vec<u32>) -> Vec<u32> {
    left.extend(right);
    left.sort_unstable();
    left.dedup();
    left
}
