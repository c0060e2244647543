//! Orders of the series of an instant query.

use std::cmp::Ordering;

use super::{Evaluator, Result, Value, drop_empty};
use crate::promql::ast::Call;
use crate::promql::notes::Note;
use crate::promql::series::{Grid, Samples, Series};

impl Evaluator<'_> {
    pub(super) fn sort(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let mut series = self.vector(&call.arguments[0], grid)?;
        for series in &mut series {
            keep_floats(&mut series.samples);
        }
        drop_empty(&mut series);
        self.note_range(call, grid);
        if self.is_instant(grid) {
            let is_descending = call.function.name == "sort_desc";
            series.sort_by(|a, b| by_value(a, b, is_descending));
        }
        Ok(Value::Vector(series))
    }

    pub(super) fn sort_by_label(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let names = call.arguments[1..].iter().map(|argument| self.text(argument));
        let names = names.collect::<Result<Vec<_>>>()?;
        let mut series = self.vector(&call.arguments[0], grid)?;
        self.note_range(call, grid);
        if self.is_instant(grid) {
            series.sort_by(|a, b| {
                let differing = names.iter().map(|name| (a.labels.get(name), b.labels.get(name)));
                let order = differing.map(|(a, b)| natural(a, b)).find(|order| order.is_ne());
                order.unwrap_or_else(|| a.labels.cmp(&b.labels))
            });
            if call.function.name == "sort_by_label_desc" {
                series.reverse();
            }
        }
        Ok(Value::Vector(series))
    }

    fn note_range(&mut self, call: &Call, grid: &Grid) {
        if !self.is_instant(grid) {
            self.notes.add(Note::SortInRangeQuery, call.span);
        }
    }
}

fn keep_floats(samples: &mut Samples) {
    for step in 0..samples.steps() {
        if samples.histogram(step).is_some() {
            samples.clear(step);
        }
    }
}

/// By value; what is not a number comes last both ways.
fn by_value(a: &Series, b: &Series, is_descending: bool) -> Ordering {
    let value = |series: &Series| series.samples.float(0).unwrap_or(f64::NAN);
    let (a, b) = (value(a), value(b));
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if is_descending => b.total_cmp(&a),
        _ => a.total_cmp(&b),
    }
}

/// The order in which people read names with numbers: `node2` before `node10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    while !a.is_empty() && !b.is_empty() {
        let (first, second) = (chunk(&mut a), chunk(&mut b));
        let order = match is_number(first) && is_number(second) {
            true => {
                let (x, y) = (first.trim_start_matches('0'), second.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y)).then(first.len().cmp(&second.len()))
            }
            false => first.cmp(second),
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

fn is_number(chunk: &str) -> bool {
    chunk.starts_with(|c: char| c.is_ascii_digit())
}

/// Takes the digits, or what is none, that a text begins with.
fn chunk<'a>(text: &mut &'a str) -> &'a str {
    let is_digit = is_number(text);
    let end = text.find(|c: char| c.is_ascii_digit() != is_digit).unwrap_or(text.len());
    let (chunk, rest) = text.split_at(end);
    *text = rest;
    chunk
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["node10", "node2", "node1", "", "a", "node02", "node"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["", "a", "node", "node1", "node2", "node02", "node10"]);
    }
}
