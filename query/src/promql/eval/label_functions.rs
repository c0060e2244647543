//! `label_replace` and `label_join`: the labels of series, whatever their values.

use regex::Captures;

use super::{Evaluator, Result, Value, failed, merge_same};
use crate::promql::ast::Call;
use crate::promql::labels::NAME;
use crate::promql::series::{Grid, Series};
use throughline_model::go_regex::anchored;

impl Evaluator<'_> {
    pub(super) fn label_replace(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let text = |i: usize| self.text(&call.arguments[i]);
        let (to, replacement, from, pattern) = (text(1)?, text(2)?, text(3)?, text(4)?);
        let regex = anchored(pattern).map_err(|_| {
            failed(format!("invalid regular expression in label_replace(): {pattern}"))
        })?;
        if to.is_empty() {
            let message = format!("invalid destination label name in label_replace(): {to}");
            return Err(failed(message));
        }
        let mut series = self.vector(&call.arguments[0], grid)?;
        for series in &mut series {
            let value = match regex.captures(series.labels.get(from)) {
                Some(captures) => expand(replacement, &captures),
                None => continue,
            };
            set(series, to, &value);
        }
        Ok(Value::Vector(merge_same(series)?))
    }

    pub(super) fn label_join(&mut self, call: &Call, grid: &Grid) -> Result<Value> {
        let to = self.text(&call.arguments[1])?;
        let separator = self.text(&call.arguments[2])?;
        let from = call.arguments[3..].iter().map(|argument| self.text(argument));
        let from = from.collect::<Result<Vec<_>>>()?;
        if from.iter().any(|name| name.is_empty()) {
            return Err(failed("invalid source label name in label_join(): "));
        }
        if to.is_empty() {
            return Err(failed(format!("invalid destination label name in label_join(): {to}")));
        }
        let mut series = self.vector(&call.arguments[0], grid)?;
        for series in &mut series {
            let values = from.iter().map(|name| series.labels.get(name)).collect::<Vec<_>>();
            let value = values.join(separator);
            set(series, to, &value);
        }
        Ok(Value::Vector(merge_same(series)?))
    }
}

fn set(series: &mut Series, label: &str, value: &str) {
    series.labels = series.labels.with(label, value);
    // A name that is given here stays.
    if label == NAME {
        series.drops_name = false;
    }
}

/// A replacement with `$1`, `${1}`, `$name` and `$$` as Go's regular expressions read them.
fn expand(replacement: &str, captures: &Captures<'_>) -> String {
    let mut out = String::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let braced = rest.strip_prefix('{').and_then(|inner| {
            let end = inner.find('}')?;
            let name = &inner[..end];
            (!name.is_empty() && name.chars().all(is_word)).then_some((name, &inner[end + 1..]))
        });
        let plain = || {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            (end > 0).then(|| rest.split_at(end))
        };
        match braced.or_else(plain) {
            Some((name, after)) => {
                let group = match name.parse::<usize>() {
                    Ok(number) => captures.get(number),
                    Err(_) => captures.name(name),
                };
                out.push_str(group.map_or("", |group| group.as_str()));
                rest = after;
            }
            None => out.push('$'),
        }
    }
    out.push_str(rest);
    out
}
