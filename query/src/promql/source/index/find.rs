//! Which series meet conditions, and in which rows of which tables they are.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_storage::metric::scan::tables::Picked;

use super::{Entry, Part, Postings, Reader, State, TableRows};
use crate::promql::labels::{BUCKET, Labels, NAME, QUANTILE};
use crate::promql::matcher::{MatchOp, Matcher};
use crate::promql::source::meets_one;

/// A table with so many rows for each series that is looked for is searched rather than read.
const ROWS_PER_SEARCH: usize = 32;
/// No series.
const NONE: u32 = u32::MAX;

/// Series that meet conditions, numbered in the order of their labels.
pub(crate) struct Selection {
    /// The series; those of an equal label set follow each other.
    pub series: Vec<Selected>,
    /// The rows of each table.
    pub picked: Vec<Picked>,
    /// Whether some have label sets in common, or may have once points tell their bounds.
    pub has_twins: bool,
}

/// A series that may meet conditions.
#[derive(Clone)]
pub(crate) struct Selected {
    /// The series.
    pub entry: Arc<Entry>,
    /// Which of its parts may; bounds are not looked at.
    pub parts: u8,
}

impl Selected {
    /// The parts that may meet the conditions.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let parts = self.entry.parts.iter().enumerate();
        parts.filter(|(i, _)| self.parts & (1 << i) != 0).map(|(_, part)| part)
    }
}

impl Reader<'_> {
    /// The series that may meet all conditions: all but those about bounds that points tell are met.
    pub fn select(&self, matchers: &[Matcher]) -> Selection {
        let mut tests = matchers.iter().map(Test::new).collect::<Vec<_>>();
        let mut numbers = self.candidates(&mut tests);
        let mut wanted: HashMap<u32, u8> = HashMap::new();
        let needs_parts = |entry: &Entry| entry.parts.len() > 1;
        numbers.retain(|number| {
            let entry = &self.state.entries[*number as usize];
            let mut parts = 0;
            for (i, part) in entry.parts.iter().enumerate() {
                let is_met = tests.iter_mut().all(|test| test.holds(part));
                parts |= u8::from(is_met) << i;
            }
            if needs_parts(entry) && parts != 0 {
                wanted.insert(*number, parts);
            }
            parts != 0
        });
        self.selection(numbers, |number| wanted.get(&number).copied().unwrap_or(1))
    }

    /// The series of targets.
    pub fn select_targets(&self, is_wanted: &dyn Fn(u32) -> bool) -> Selection {
        let entries = self.state.entries.iter().enumerate();
        let has_target = |entry: &Entry| entry.target.is_some_and(is_wanted);
        let numbers = entries.filter(|(_, entry)| has_target(entry)).map(|(i, _)| i as u32);
        self.selection(numbers.collect(), |_| 1)
    }

    fn selection(&self, mut numbers: Vec<u32>, parts: impl Fn(u32) -> u8) -> Selection {
        self.state.order.sort(&mut numbers);
        let tables = self.tables.tables().iter();
        let rows = tables.map(|table| self.state.tables.get(&table.key));
        let rows = rows.collect::<Vec<_>>();
        let total: usize = rows.iter().flatten().map(|rows| rows.entries.len()).sum();
        let are_few = numbers.len() * ROWS_PER_SEARCH < total / rows.len().max(1);
        let mut places = Vec::new();
        if !are_few {
            places = vec![NONE; self.state.entries.len()];
            numbers.iter().enumerate().for_each(|(i, n)| places[*n as usize] = i as u32);
        }
        let pick = |rows: &Option<&TableRows>| match rows {
            Some(rows) if are_few => rows.search(&numbers),
            Some(rows) => rows.all(&places),
            None => Vec::new(),
        };
        let picked = rows.iter().map(pick).collect();
        self.complete(numbers, picked, parts)
    }

    fn complete(
        &self,
        numbers: Vec<u32>,
        picked: Vec<Picked>,
        parts: impl Fn(u32) -> u8,
    ) -> Selection {
        let State { twins, entries, .. } = &*self.state;
        let has_twins = (!twins.entries.is_empty()
            && numbers.iter().any(|number| twins.entries.contains(number)))
            || twins.are_mixed;
        let select = |number: &u32| Selected {
            entry: entries[*number as usize].clone(),
            parts: parts(*number),
        };
        Selection { series: numbers.iter().map(select).collect(), picked, has_twins }
    }

    /// Series among which are all that meet the conditions, ascending. Conditions that are met by all of
    /// them are taken from the list.
    fn candidates(&self, tests: &mut Vec<Test<'_>>) -> Vec<u32> {
        let mut lists: Vec<&[u32]> = Vec::new();
        let mut is_impossible = false;
        tests.retain(|test| {
            if !test.is_of_postings() || test.matcher.op != MatchOp::Equal {
                return true;
            }
            match self.postings(&test.matcher.name, &test.matcher.value) {
                Some(postings) => lists.push(postings),
                None => is_impossible = true,
            }
            // A name is that of one part.
            &*test.matcher.name == NAME
        });
        if is_impossible {
            return Vec::new();
        }
        lists.sort_by_key(|list| list.len());
        if let Some((first, others)) = lists.split_first() {
            let mut found = first.to_vec();
            others.iter().for_each(|other| intersect(&mut found, other));
            return found;
        }
        let Some(test) = tests.iter().find(|test| test.is_of_postings()) else {
            return (0..self.state.entries.len() as u32).collect();
        };
        let values = self.state.labels.get(&*test.matcher.name).into_iter().flatten();
        let met = values.filter(|(value, _)| test.matcher.matches(value));
        let mut found = met.flat_map(|(_, postings)| postings.iter().copied()).collect::<Vec<_>>();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn postings(&self, name: &str, value: &str) -> Option<&[u32]> {
        self.state.labels.get(name)?.get(value).map(Postings::as_slice)
    }
}

/// Keeps what is in the other list, too.
fn intersect(found: &mut Vec<u32>, mut other: &[u32]) {
    found.retain(|number| {
        // The other list is longer; steps double until they are too long.
        let mut step = 1;
        while step < other.len() && other[step] < *number {
            step *= 2;
        }
        let end = (step + 1).min(other.len());
        other = &other[other[..end].partition_point(|own| own < number)..];
        other.first() == Some(number)
    });
}

/// A condition, and what is known of values.
struct Test<'m> {
    matcher: &'m Matcher,
    known: HashMap<*const u8, bool>,
}

impl<'m> Test<'m> {
    fn new(matcher: &'m Matcher) -> Self {
        Self { matcher, known: HashMap::new() }
    }

    /// Whether only series that have the label meet it, and it is not about a bound.
    fn is_of_postings(&self) -> bool {
        !matches!(&*self.matcher.name, BUCKET | QUANTILE) && !self.matcher.matches("")
    }

    fn holds(&mut self, part: &Part) -> bool {
        let name = &*self.matcher.name;
        if part.is_bounded() && matches!(name, BUCKET | QUANTILE) {
            return true;
        }
        self.holds_of(&part.labels)
    }

    fn holds_of(&mut self, labels: &Labels) -> bool {
        let name = &*self.matcher.name;
        let Some(value) = labels.find(name) else {
            return meets_one(name, "", self.matcher);
        };
        match self.matcher.op {
            MatchOp::Equal | MatchOp::NotEqual => meets_one(name, value, self.matcher),
            // Values are kept once, so that their address names them.
            _ => *self
                .known
                .entry(value.as_ptr())
                .or_insert_with(|| meets_one(name, value, self.matcher)),
        }
    }
}

impl TableRows {
    /// The rows of some series, numbered in their order.
    fn search(&self, series: &[u32]) -> Picked {
        let mut picked = Vec::new();
        for (number, entry) in series.iter().enumerate() {
            let of = |row: &u32| self.entries[*row as usize];
            let start = self.by_entry.partition_point(|row| of(row) < *entry);
            let rows = self.by_entry[start..].iter().take_while(|row| of(row) == *entry);
            picked.extend(rows.map(|row| (*row, number as u32)));
        }
        picked
    }

    /// The rows of all series that have a number.
    fn all(&self, numbers: &[u32]) -> Picked {
        let rows = self.entries.iter().enumerate();
        let rows = rows.map(|(row, entry)| (row as u32, numbers[*entry as usize]));
        rows.filter(|(_, number)| *number != NONE).collect()
    }
}
