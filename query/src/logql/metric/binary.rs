//! Operators between numbers and series.

use hashbrown::HashMap;

use super::super::ast::{Binary, Matching};
use super::super::error::{Error, ErrorKind, Result};
use super::super::grammar::BinaryOp;
use super::super::labels::Labels;
use super::vector::SeriesRow;

/// What an expression comes to.
pub enum Value {
    Scalar(f64),
    Series(Vec<SeriesRow>),
}

/// The operator without its sides.
pub struct Operator {
    pub op: BinaryOp,
    pub to_bool: bool,
    pub matching: Matching,
}

impl Operator {
    pub fn new(binary: &Binary) -> Self {
        let matching = binary.matching.clone().unwrap_or_default();
        Self { op: binary.op, to_bool: binary.to_bool, matching }
    }

    /// Both sides joined.
    pub fn run(&self, left: Value, right: Value, steps: usize) -> Result<Value> {
        Ok(match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => {
                let compared = |holds: bool| f64::from(u8::from(holds));
                Value::Scalar(match compare(self.op, left, right) {
                    Some(holds) => compared(holds),
                    None => calculate(self.op, left, right),
                })
            }
            (Value::Series(rows), Value::Scalar(number)) => {
                Value::Series(self.map(rows, |value| self.point(value, number, value)))
            }
            (Value::Scalar(number), Value::Series(rows)) => {
                Value::Series(self.map(rows, |value| self.point(number, value, value)))
            }
            (Value::Series(left), Value::Series(right)) if self.op.is_set() => {
                Value::Series(self.set(left, right, steps))
            }
            (Value::Series(left), Value::Series(right)) => {
                Value::Series(self.join(left, right, steps)?)
            }
        })
    }

    fn map(&self, rows: Vec<SeriesRow>, run: impl Fn(f64) -> Option<f64>) -> Vec<SeriesRow> {
        let mut rows = rows;
        for row in &mut rows {
            row.points.iter_mut().for_each(|point| *point = point.and_then(&run));
        }
        rows.retain(|row| row.points.iter().any(Option::is_some));
        rows
    }

    // `kept` is what a comparison that holds leaves.
    fn point(&self, left: f64, right: f64, kept: f64) -> Option<f64> {
        match compare(self.op, left, right) {
            Some(holds) if self.to_bool => Some(f64::from(u8::from(holds))),
            Some(holds) => holds.then_some(kept),
            None => Some(calculate(self.op, left, right)),
        }
    }

    // The labels that must be equal on both sides.
    fn signature(&self, labels: &Labels) -> Labels {
        let is_listed = |name: &str| self.matching.labels.iter().any(|label| label == name);
        Labels::new(labels.pairs().filter(|(name, _)| is_listed(name) == self.matching.on))
    }

    fn by_signature(&self, rows: &[SeriesRow]) -> HashMap<Labels, Vec<usize>> {
        let mut by_signature: HashMap<Labels, Vec<usize>> = HashMap::new();
        for (at, row) in rows.iter().enumerate() {
            by_signature.entry(self.signature(&row.labels)).or_default().push(at);
        }
        by_signature
    }

    fn set(&self, left: Vec<SeriesRow>, right: Vec<SeriesRow>, steps: usize) -> Vec<SeriesRow> {
        let (mut kept, other, mut result) = match self.op {
            BinaryOp::Or => (right, &left, left.clone()),
            _ => (left, &right, Vec::new()),
        };
        let others = self.by_signature(other);
        let wants_match = self.op == BinaryOp::And;
        for row in &mut kept {
            let matches = others.get(&self.signature(&row.labels));
            for step in 0..steps {
                let is_there = |at: &usize| other[*at].points[step].is_some();
                let is_matched = matches.is_some_and(|all| all.iter().any(is_there));
                if is_matched != wants_match {
                    row.points[step] = None;
                }
            }
        }
        let by_labels = result.iter().enumerate().map(|(at, row)| (row.labels.clone(), at));
        let by_labels: HashMap<Labels, usize> = by_labels.collect();
        for row in kept.into_iter().filter(|row| row.points.iter().any(Option::is_some)) {
            match by_labels.get(&row.labels) {
                Some(at) => {
                    let points = result[*at].points.iter_mut().zip(row.points);
                    points.for_each(|(own, point)| *own = own.or(point));
                }
                None => result.push(row),
            }
        }
        result
    }

    fn join(
        &self,
        left: Vec<SeriesRow>,
        right: Vec<SeriesRow>,
        steps: usize,
    ) -> Result<Vec<SeriesRow>> {
        let many_is_left = self.matching.many.as_ref().is_none_or(|many| many.left);
        let (many, one) = if many_is_left { (left, right) } else { (right, left) };
        let ones = self.by_signature(&one);
        let mut results: Vec<SeriesRow> = Vec::new();
        let mut by_labels: HashMap<Labels, usize> = HashMap::new();
        for row in &many {
            let signature = self.signature(&row.labels);
            let Some(matches) = ones.get(&signature) else { continue };
            for step in 0..steps {
                let Some(own) = row.points[step] else { continue };
                let mut present = matches.iter().filter(|at| one[**at].points[step].is_some());
                let Some(at) = present.next() else { continue };
                if present.next().is_some() {
                    return Err(self.ambiguous(&signature, many_is_left));
                }
                let other = one[*at].points[step].unwrap_or(f64::NAN);
                let (left, right) = if many_is_left { (own, other) } else { (other, own) };
                let point = self.point(left, right, left);
                let labels = self.result_labels(&row.labels, &one[*at].labels);
                let result = *by_labels.entry(labels).or_insert_with_key(|labels| {
                    let labels = labels.clone();
                    results.push(SeriesRow { labels, points: vec![None; steps] });
                    results.len() - 1
                });
                let slot = &mut results[result].points[step];
                if slot.is_some() && point.is_some() {
                    return Err(self.ambiguous(&signature, !many_is_left));
                }
                *slot = slot.or(point);
            }
        }
        results.retain(|row| row.points.iter().any(Option::is_some));
        Ok(results)
    }

    fn ambiguous(&self, signature: &Labels, is_right: bool) -> Error {
        let side = if is_right { "right" } else { "left" };
        let message = format!(
            "'{}' finds more than one series with {signature} on its {side} side: match on more \
             labels, or say which side has many with group_left or group_right",
            self.op.text()
        );
        Error::new(ErrorKind::Matching, message)
    }

    fn result_labels(&self, many: &Labels, one: &Labels) -> Labels {
        let Some(group) = &self.matching.many else { return self.signature(many) };
        let kept = many.pairs().filter(|(name, _)| !group.include.iter().any(|own| own == name));
        let taken = group.include.iter().filter_map(|name| Some((name.as_str(), one.get(name)?)));
        Labels::new(kept.chain(taken))
    }
}

fn compare(op: BinaryOp, left: f64, right: f64) -> Option<bool> {
    match op {
        BinaryOp::Equal => Some(left == right),
        BinaryOp::NotEqual => Some(left != right),
        BinaryOp::Greater => Some(left > right),
        BinaryOp::GreaterEqual => Some(left >= right),
        BinaryOp::Less => Some(left < right),
        BinaryOp::LessEqual => Some(left <= right),
        _ => None,
    }
}

fn calculate(op: BinaryOp, left: f64, right: f64) -> f64 {
    match op {
        BinaryOp::Add => left + right,
        BinaryOp::Sub => left - right,
        BinaryOp::Mul => left * right,
        BinaryOp::Div => left / right,
        BinaryOp::Mod => left % right,
        BinaryOp::Pow => left.powf(right),
        _ => f64::NAN,
    }
}
