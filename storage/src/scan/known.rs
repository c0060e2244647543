//! What is known of the rows of a row group before any is read: from runs, templates and words.

use std::ops::Range;

use throughline_model::Signal;
use throughline_model::predicate::{Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_model::value::ValueRef;

use super::evaluate::{Condition, Scalar};
use super::group::GroupScan;
use super::left::Left;
use super::templates::{TemplateRows, id_text};
use super::text::TextNeed;
use crate::Result;
use crate::segment::log_runs::LogKey;
use crate::segment::row_set::RowSet;
use crate::segment::words::Found;

/// What is known of a condition.
pub(super) enum Known {
    Nothing,
    /// The rows that are left meet it.
    Decided,
    /// Of the rows that are left some meet it and others may.
    Found(Found),
}

impl GroupScan<'_> {
    /// What is known of a condition of the plan, and the rows that it leaves.
    pub(super) fn known(&self, number: usize, left: Left) -> Result<(Known, Left)> {
        let (predicate, condition) = (&self.plan.predicates[number], &self.plan.conditions[number]);
        let Target::Column(column) = &predicate.target else { return Ok((Known::Nothing, left)) };
        if self.plan.signal != Signal::Logs {
            let total = self.opened.row_group(self.row_group)?.rows as usize;
            return Ok(match self.rows_in_runs(column, condition)? {
                Some(rows) => (Known::Decided, left.only(rows, total)),
                None => (Known::Nothing, left),
            });
        }
        if column == col::BODY {
            return self.known_by_words(predicate, left);
        }
        let value = |text: &str| condition.value(Scalar::Value(ValueRef::String(text)));
        let rows = match column.as_str() {
            col::SERVICE_NAME => {
                let index = self.segment.index()?;
                let services = &index.index.logs.services;
                let met = services.iter().map(|name| value(name)).collect::<Result<Vec<_>>>()?;
                self.rows_of_runs(|key| met.get(key.service as usize) == Some(&true))?
            }
            col::TEMPLATE | col::TEMPLATE_ID => {
                let templates = self.segment.templates()?;
                let met = templates.templates.iter().map(|template| match column.as_str() {
                    col::TEMPLATE => value(&template.text),
                    _ => value(&id_text(template.hash)),
                });
                let met = met.collect::<Result<Vec<_>>>()?;
                self.rows_of_runs(|key| met.get(key.template as usize) == Some(&true))?
            }
            col::SEVERITY_NUMBER => {
                let mut last: Option<(i32, bool)> = None;
                let mut failed = Ok(());
                let rows = self.rows_of_runs(|key| match last {
                    Some((severity, met)) if severity == key.severity => met,
                    _ => {
                        let number = ValueRef::Int(i64::from(key.severity));
                        let met = condition.value(Scalar::Value(number)).unwrap_or_else(|err| {
                            failed = Err(err);
                            false
                        });
                        last = Some((key.severity, met));
                        met
                    }
                })?;
                failed?;
                rows
            }
            _ => return Ok((Known::Nothing, left)),
        };
        Ok((Known::Decided, left.within(&rows)))
    }

    fn rows_of_runs(&self, wanted: impl FnMut(&LogKey) -> bool) -> Result<RowSet> {
        Ok(self.segment.log_runs(self.row_group, self.io)?.rows_where(wanted))
    }

    fn known_by_words(&self, predicate: &Predicate, left: Left) -> Result<(Known, Left)> {
        let Some((need, negated)) = TextNeed::of(&predicate.op) else {
            return Ok((Known::Nothing, left));
        };
        let Some(words) = self.segment.words(self.row_group, self.io)? else {
            return Ok((Known::Nothing, left));
        };
        let mut found = need.find(&words)?;
        if !found.maybe.is_empty() {
            let runs = self.segment.log_runs(self.row_group, self.io)?;
            found = need.settle(found, &runs, &*self.segment.templates()?);
        }
        if negated {
            found.sure = found.possible().complement();
        }
        let left = left.within(&found.possible());
        let known = if found.maybe.is_empty() { Known::Decided } else { Known::Found(found) };
        Ok((known, left))
    }

    /// What runs know of the range of time, and the rows that it leaves.
    pub(super) fn known_time(&self, is_cut: bool, left: Left) -> Result<(Known, Left)> {
        if self.plan.signal != Signal::Logs || !is_cut {
            return Ok((Known::Nothing, left));
        }
        let time = self.plan.time;
        let runs = self.segment.log_runs(self.row_group, self.io)?;
        let (mut sure, mut maybe) = (RowSet::none(runs.rows()), RowSet::none(runs.rows()));
        for (key, rows) in runs.iter() {
            match within(&time, key.minute) {
                Some(true) => sure.insert_range(rows),
                Some(false) => {}
                None => maybe.insert_range(rows),
            }
        }
        let found = Found { sure, maybe };
        let left = left.within(&found.possible());
        Ok((Known::Found(found), left))
    }

    // The rows that meet a condition on what sorts the rows of a slab of spans, from its runs.
    fn rows_in_runs(
        &self,
        column: &str,
        condition: &Condition,
    ) -> Result<Option<Vec<Range<usize>>>> {
        if !matches!(column, col::SERVICE_NAME | col::NAME) || self.plan.signal != Signal::Traces {
            return Ok(None);
        }
        let runs = self.segment.runs(self.row_group, column, self.io)?;
        if runs.is_unsorted {
            return Ok(None);
        }
        runs.rows(|text| condition.value(Scalar::Value(ValueRef::String(text)))).map(Some)
    }

    /// The templates of the rows that are left.
    pub(super) fn template_rows(&self, left: &Left) -> Result<TemplateRows> {
        let runs = self.segment.log_runs(self.row_group, self.io)?;
        let templates = self.segment.templates()?;
        let set = left.set(runs.rows());
        let counts = runs.iter().map(|(key, rows)| (key.template, set.count_range(rows)));
        TemplateRows::new(&templates.templates, counts.filter(|(_, rows)| *rows > 0).collect())
    }
}

/// Whether all of a minute lies in a range; none if some of it does.
pub(super) fn within(time: &TimeRange, minute: i64) -> Option<bool> {
    let first_ns = minute.saturating_mul(MINUTE_NS);
    let last_ns = first_ns.saturating_add(MINUTE_NS - 1);
    match (time.contains(first_ns), time.contains(last_ns)) {
        (true, true) => Some(true),
        _ if time.overlaps(first_ns, last_ns) => None,
        _ => Some(false),
    }
}
