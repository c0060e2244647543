//! The columns of a trace's spans, out of the batches of a scan: dictionaries of the batches become
//! one, rows get their order, and equal ones become one.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use throughline_model::schema::col;
use throughline_model::value::ValueRef;
use throughline_model::{attrs, origin};
use throughline_storage::scan::ScanColumn;

use crate::{Error, Result};

const COLUMNS: [&str; 9] = [
    col::SPAN_ID,
    col::PARENT_SPAN_ID,
    col::NAME,
    col::SERVICE_NAME,
    col::RESOURCE,
    col::START_TIME,
    col::DURATION_NS,
    col::KIND,
    col::STATUS_CODE,
];

/// Resource attributes that tell whose clock a span was timed by; the first that is there counts.
const CLOCK_KEYS: [&str; 5] =
    ["host.id", "k8s.node.name", "host.name", "k8s.pod.name", "container.id"];

/// The columns that a skeleton is made of.
pub fn read() -> Vec<ScanColumn> {
    COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec()
}

/// Spans in columns, by start, then id, then everything else.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub id: Vec<u64>,
    /// Meaningful where `has_parent`.
    pub parent_id: Vec<u64>,
    pub has_parent: Vec<bool>,
    pub start: Vec<i64>,
    pub duration: Vec<i64>,
    pub kind: Vec<i32>,
    pub status: Vec<i32>,
    pub name: Vec<u32>,
    pub service: Vec<u32>,
    pub clock: Vec<u32>,
    pub names: Vec<String>,
    pub services: Vec<String>,
    pub clocks: Vec<String>,
}

impl Rows {
    pub fn len(&self) -> usize {
        self.id.len()
    }

    /// End of a span, not before its start.
    pub fn end(&self, row: usize) -> i64 {
        self.start[row].saturating_add(self.duration[row].max(0))
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let parent = |row: usize| self.has_parent[row].then(|| self.parent_id[row]);
        let text = |row: usize| {
            (
                &self.names[self.name[row] as usize],
                &self.services[self.service[row] as usize],
                &self.clocks[self.clock[row] as usize],
            )
        };
        (self.start[a], self.id[a])
            .cmp(&(self.start[b], self.id[b]))
            .then_with(|| self.duration[a].cmp(&self.duration[b]))
            .then_with(|| parent(a).cmp(&parent(b)))
            .then_with(|| (self.kind[a], self.status[a]).cmp(&(self.kind[b], self.status[b])))
            .then_with(|| text(a).cmp(&text(b)))
    }

    // The rows in order, equal ones once, and the texts numbered by their first use.
    fn arranged(self) -> Self {
        let mut order = (0..self.len()).collect::<Vec<usize>>();
        order.sort_unstable_by(|a, b| self.compare(*a, *b));
        order.dedup_by(|a, b| self.compare(*a, *b) == Ordering::Equal);
        let (name, names) = renumbered(&self.name, &self.names, &order);
        let (service, services) = renumbered(&self.service, &self.services, &order);
        let (clock, clocks) = renumbered(&self.clock, &self.clocks, &order);
        Self {
            id: picked(&self.id, &order),
            parent_id: picked(&self.parent_id, &order),
            has_parent: picked(&self.has_parent, &order),
            start: picked(&self.start, &order),
            duration: picked(&self.duration, &order),
            kind: picked(&self.kind, &order),
            status: picked(&self.status, &order),
            name,
            service,
            clock,
            names,
            services,
            clocks,
        }
    }
}

fn picked<T: Copy>(column: &[T], order: &[usize]) -> Vec<T> {
    order.iter().map(|row| column[*row]).collect()
}

fn renumbered(column: &[u32], texts: &[String], order: &[usize]) -> (Vec<u32>, Vec<String>) {
    let mut new_numbers: Vec<Option<u32>> = vec![None; texts.len()];
    let mut used = Vec::new();
    let numbers = order.iter().map(|row| {
        let old = column[*row] as usize;
        *new_numbers[old].get_or_insert_with(|| {
            used.push(texts[old].clone());
            used.len() as u32 - 1
        })
    });
    (numbers.collect(), used)
}

/// Texts under numbers, whatever dictionaries they come from.
#[derive(Default)]
struct Texts {
    known: HashMap<String, u32>,
    all: Vec<String>,
}

impl Texts {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.known.get(text) {
            return *number;
        }
        let number = self.all.len() as u32;
        self.known.insert(text.to_owned(), number);
        self.all.push(text.to_owned());
        number
    }

    // Appends the numbers of a column's rows; each entry of its dictionary is looked at once.
    fn append(
        &mut self,
        column: &ArrayRef,
        out: &mut Vec<u32>,
        mut text: impl FnMut(&dyn Array, usize) -> Result<String>,
    ) -> Result<()> {
        let dict = column.as_dictionary::<UInt32Type>();
        let mut numbers: Vec<Option<u32>> = vec![None; dict.values().len()];
        for key in dict.keys().values() {
            let at = *key as usize;
            let number = match numbers[at] {
                Some(number) => number,
                None => {
                    let number = self.number(&text(dict.values().as_ref(), at)?);
                    numbers[at] = Some(number);
                    number
                }
            };
            out.push(number);
        }
        Ok(())
    }
}

fn string(values: &dyn Array, at: usize) -> Result<String> {
    Ok(values.as_string::<i32>().value(at).to_owned())
}

// Spans of one host share a clock; where the host is not named, those of one process do.
fn clock(values: &dyn Array, at: usize) -> Result<String> {
    let set = origin::resource_attrs(values.as_binary::<i32>().value(at))?;
    let shown = |key: &str| -> Result<Option<String>> {
        let Some(value) = attrs::get(set, key) else { return Ok(None) };
        Ok(ValueRef::read(value)?.text()?.map(|text| format!("{key}={text}")))
    };
    for key in CLOCK_KEYS {
        if let Some(clock) = shown(key)? {
            return Ok(clock);
        }
    }
    let service = format!("{}={}", origin::SERVICE_NAME, origin::service_name(set));
    Ok(match shown("service.instance.id")? {
        Some(instance) => format!("{service},{instance}"),
        None => service,
    })
}

fn id(bytes: &[u8]) -> u64 {
    bytes.try_into().map(u64::from_be_bytes).unwrap_or_default()
}

/// The rows of a trace's batches, which have the columns of [`read`].
pub fn rows_of(batches: &[RecordBatch]) -> Result<Rows> {
    let mut rows = Rows::default();
    let (mut names, mut services, mut clocks) =
        (Texts::default(), Texts::default(), Texts::default());
    for batch in batches {
        let column = |name: &str| -> Result<&ArrayRef> {
            batch
                .column_by_name(name)
                .ok_or_else(|| Error::internal(format!("a trace was read without {name}")))
        };
        let ids = column(col::SPAN_ID)?.as_fixed_size_binary();
        rows.id.extend((0..ids.len()).map(|row| id(ids.value(row))));
        let parents = column(col::PARENT_SPAN_ID)?.as_fixed_size_binary();
        for row in 0..parents.len() {
            rows.has_parent.push(parents.is_valid(row));
            rows.parent_id.push(if parents.is_valid(row) { id(parents.value(row)) } else { 0 });
        }
        let starts = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>();
        rows.start.extend_from_slice(starts.values());
        let durations = column(col::DURATION_NS)?.as_primitive::<Int64Type>();
        rows.duration.extend_from_slice(durations.values());
        rows.kind.extend_from_slice(column(col::KIND)?.as_primitive::<Int32Type>().values());
        let statuses = column(col::STATUS_CODE)?.as_primitive::<Int32Type>();
        rows.status.extend_from_slice(statuses.values());
        names.append(column(col::NAME)?, &mut rows.name, string)?;
        services.append(column(col::SERVICE_NAME)?, &mut rows.service, string)?;
        clocks.append(column(col::RESOURCE)?, &mut rows.clock, clock)?;
    }
    (rows.names, rows.services, rows.clocks) = (names.all, services.all, clocks.all);
    Ok(rows.arranged())
}
