//! The facts of the traces of a slab: what a list shows of each, computed as the slab is written.

use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int32Type;
use throughline_model::dict::Interner;
use throughline_model::schema::col;

use super::gather::{Gather, RowRef, dictionary_keys};
use super::index::facts::{FactsBuilder, RawFacts};
use super::layout::{PARENT_ELSEWHERE, PARENT_NONE};
use super::spans::RowsByTrace;
use crate::{Error, Result};

/// `STATUS_CODE_ERROR` of the specification.
const STATUS_ERROR: i32 = 2;

/// The rows of a slab in the order of the file.
pub(super) struct TraceHeads<'a> {
    pub gather: &'a Gather<'a>,
    /// Places of parents, as the file has them.
    pub places: &'a [u32],
    pub starts: &'a [i64],
    pub durations: &'a [i64],
}

impl TraceHeads<'_> {
    /// Appends the facts of all traces of the slab.
    pub(super) fn push_facts(
        &self,
        by_trace: &RowsByTrace,
        traces: u32,
        facts: &mut FactsBuilder,
    ) -> Result<()> {
        let services = Texts::of(self.gather, col::SERVICE_NAME, &mut facts.strings)?;
        let names = self.gather.index(col::NAME)?;
        let ids = self.gather.index(col::SPAN_ID)?;
        let statuses = self.gather.values::<Int32Type>(self.gather.index(col::STATUS_CODE)?);
        let id = |row: u32| {
            let at = self.gather.order[row as usize];
            let column = self.gather.batches[at.batch as usize].column(ids);
            column.as_fixed_size_binary().value(at.row as usize)
        };
        for trace in 0..traces {
            let rows = by_trace.rows(trace);
            let order = |row: &&u32| {
                let row = **row as usize;
                (self.places[row] != PARENT_NONE, self.starts[row])
            };
            let best = rows
                .iter()
                .min_by(|a, b| order(a).cmp(&order(b)).then_with(|| id(**a).cmp(id(**b))));
            let Some(head) = best.copied() else {
                facts.push(RawFacts::default())?;
                continue;
            };
            let end = |row: &u32| {
                self.starts[*row as usize].saturating_add(self.durations[*row as usize].max(0))
            };
            let start_ns = rows.iter().map(|row| self.starts[*row as usize]).min();
            let start_ns = start_ns.unwrap_or_default();
            let end_ns = rows.iter().map(end).max().unwrap_or_default();
            let mut raw = RawFacts {
                start_ns,
                duration_ns: end_ns.saturating_sub(start_ns),
                has_root: self.places[head as usize] == PARENT_NONE,
                head_service: services.number(self.gather.order[head as usize]),
                head_name: text(self.gather, names, head, &mut facts.strings)?,
                errors: 0,
                orphans: 0,
                services: Vec::new(),
            };
            for row in rows {
                let service = services.number(self.gather.order[*row as usize]);
                let error = u32::from(statuses[*row as usize] == STATUS_ERROR);
                raw.errors += error;
                raw.orphans += u32::from(self.places[*row as usize] == PARENT_ELSEWHERE);
                match raw.services.iter_mut().find(|(known, ..)| *known == service) {
                    Some((_, spans, errors)) => (*spans, *errors) = (*spans + 1, *errors + error),
                    None => raw.services.push((service, 1, error)),
                }
            }
            facts.push(raw)?;
        }
        Ok(())
    }
}

fn text(gather: &Gather<'_>, index: usize, row: u32, strings: &mut Interner) -> Result<u32> {
    let at = gather.order[row as usize];
    let batch = &gather.batches[at.batch as usize];
    let key = dictionary_keys(batch, index)[at.row as usize] as usize;
    let values = batch.column(index).as_any_dictionary().values().clone();
    let values = values.as_string_opt::<i32>();
    let text = values.map(|values| values.value(key));
    Ok(strings.intern(text.ok_or_else(|| Error::invalid("a name is no text"))?.as_bytes())?)
}

/// The strings of a column of dictionaries, numbered over all batches.
struct Texts<'g> {
    keys: Vec<&'g [u32]>,
    /// By batch: the number of each key.
    numbers: Vec<Arc<[u32]>>,
}

impl<'g> Texts<'g> {
    fn of(gather: &Gather<'g>, name: &str, strings: &mut Interner) -> Result<Self> {
        let index = gather.index(name)?;
        let (mut keys, mut numbers) = (Vec::new(), Vec::new());
        for batch in gather.batches {
            keys.push(dictionary_keys(batch, index));
            let values = batch.column(index).as_any_dictionary().values();
            let values = values.as_string_opt::<i32>();
            let values = values.ok_or_else(|| Error::invalid(format!("'{name}' is no text")))?;
            let of_batch =
                values.iter().map(|text| strings.intern(text.unwrap_or_default().as_bytes()));
            numbers.push(of_batch.collect::<throughline_model::Result<Arc<[u32]>>>()?);
        }
        Ok(Self { keys, numbers })
    }

    fn number(&self, at: RowRef) -> u32 {
        let batch = at.batch as usize;
        self.numbers[batch][self.keys[batch][at.row as usize] as usize]
    }
}
