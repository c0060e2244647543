//! The index of series by labels: what each row of each table of series is to a client of Prometheus, worked
//! out once and kept as long as the tables are.
//!
//! ```text
//! tables of the view ─(unknown ones only)─→ entries: label sets, by id of the series
//! matchers ─→ postings ─→ entries, in the order of their labels ─→ rows of each table, numbered
//! ```
//! Series of many tables are one entry: a flush or a merge makes tables anew, and only their ids are looked
//! up. Entries that no table has any longer are dropped together, when they are more than those that one has.

mod entry;
mod find;
mod order;

use std::sync::Arc;

use arrow::array::ArrayRef;
use hashbrown::{HashMap, HashSet};
use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use throughline_storage::metric::scan::tables::{Picked, Table, TableKey, TableSet};
use throughline_storage::metric::series::SeriesColumns;

use super::translate::{Texts, Translator};
use crate::Result;
use crate::promql::labels::Labels;
pub(crate) use entry::{Entry, Part};
pub(crate) use find::{Selected, Selection};
use order::Order;

/// Entries that may be without a table before all are dropped.
const UNUSED_MAX: usize = 256 * 1024;

/// What is known of all series. Shared by all queries.
#[derive(Debug, Default)]
pub(crate) struct SeriesIndex(RwLock<State>);

/// Series that have one value of a label, ascending.
type Postings = Vec<u32>;

#[derive(Debug, Default)]
struct State {
    /// How often all entries were dropped: numbers of entries hold as long as this.
    generation: u64,
    texts: Texts,
    entries: Vec<Arc<Entry>>,
    by_id: HashMap<[u8; 16], u32>,
    labels: HashMap<Arc<str>, HashMap<Arc<str>, Postings>>,
    order: Order,
    twins: Twins,
    targets: Targets,
    tables: HashMap<TableKey, TableRows>,
}

/// The series of a table.
#[derive(Debug)]
struct TableRows {
    /// The entry of each row.
    entries: Box<[u32]>,
    /// Rows by entry.
    by_entry: Box<[u32]>,
    /// Keeps the address that is the name of a head's table.
    _held: Option<ArrayRef>,
}

/// Label sets that more than one entry has: their points are those of one series.
#[derive(Debug, Default)]
struct Twins {
    /// The first entry with a label set, by its hash.
    first: HashMap<u64, u32>,
    entries: HashSet<u32>,
    /// Label sets of buckets and quantiles without their bounds, by hash: as series of their own, as parts.
    single: HashSet<u64>,
    parts: HashSet<u64>,
    /// Whether a label set is among both.
    are_mixed: bool,
}

/// The label sets of `target_info`, by number.
#[derive(Debug, Default)]
struct Targets {
    all: Vec<Labels>,
    numbers: HashMap<Labels, u32>,
}

/// What a query reads of the index.
pub(crate) struct Reader<'a> {
    state: RwLockReadGuard<'a, State>,
    tables: &'a TableSet,
}

impl SeriesIndex {
    /// The index with all series of the tables in it.
    pub fn read<'a>(&'a self, tables: &'a TableSet) -> Result<Reader<'a>> {
        let state = self.0.read();
        if tables.tables().iter().all(|table| state.tables.contains_key(&table.key)) {
            return Ok(Reader { state, tables });
        }
        drop(state);
        let mut state = self.0.write();
        state.forget_all_but(tables);
        for table in tables.tables() {
            if !state.tables.contains_key(&table.key) {
                state.add(table)?;
            }
        }
        state.sort();
        Ok(Reader { state: RwLockWriteGuard::downgrade(state), tables })
    }
}

impl State {
    /// Drops tables that are gone, and all entries if most are gone with them.
    fn forget_all_but(&mut self, tables: &TableSet) {
        let known = tables.known().collect::<HashSet<_>>();
        self.tables.retain(|key, _| known.contains(key));
        let used: usize = self.tables.values().map(|rows| rows.entries.len()).sum();
        if self.entries.len() > 2 * used + UNUSED_MAX {
            *self = Self { generation: self.generation + 1, ..Self::default() };
        }
    }

    fn add(&mut self, table: &Table) -> Result<()> {
        let series = table.series()?;
        let columns = SeriesColumns::new(&series)?;
        let mut texts = std::mem::take(&mut self.texts);
        let mut translator = Translator::new(&mut texts);
        let outcome = self.entries_of(&columns, &mut translator);
        self.texts = texts;
        let entries = outcome?;
        let mut by_entry = (0..entries.len() as u32).collect::<Box<[u32]>>();
        by_entry.sort_unstable_by_key(|row| (entries[*row as usize], *row));
        let is_of_head = matches!(table.key, TableKey::Head(_));
        let held = is_of_head.then(|| series.column(0).clone());
        self.tables.insert(table.key, TableRows { entries, by_entry, _held: held });
        Ok(())
    }

    fn entries_of(
        &mut self,
        columns: &SeriesColumns<'_>,
        translator: &mut Translator<'_>,
    ) -> Result<Box<[u32]>> {
        let mut targets: HashMap<usize, Option<u32>> = HashMap::new();
        let mut entries = Vec::with_capacity(columns.len());
        for row in 0..columns.len() {
            let id = columns.id(row);
            let number = match self.by_id.get(&id) {
                Some(number) => *number,
                None => {
                    let resource = columns.resources().key(row);
                    let target = match targets.get(&resource) {
                        Some(target) => *target,
                        None => {
                            let labels = translator.target(columns, row)?;
                            let target = labels.map(|labels| self.targets.number(labels));
                            *targets.entry(resource).insert(target).get()
                        }
                    };
                    let parts = translator.parts(columns, row)?;
                    let is_untyped = parts.iter().any(|part| part.is_untyped());
                    let target = target.filter(|_| !is_untyped);
                    self.insert(Entry { id, parts, target })
                }
            };
            entries.push(number);
        }
        Ok(entries.into())
    }

    fn insert(&mut self, entry: Entry) -> u32 {
        let number = self.entries.len() as u32;
        for (name, value) in entry.pairs() {
            let values = self.labels.entry_ref(&**name).or_default();
            let postings = values.entry_ref(&**value).or_default();
            if postings.last() != Some(&number) {
                postings.push(number);
            }
        }
        self.twins.add(number, &entry);
        self.by_id.insert(entry.id, number);
        self.entries.push(Arc::new(entry));
        number
    }

    fn sort(&mut self) {
        self.order.extend(&self.entries);
    }
}

impl Twins {
    fn add(&mut self, number: u32, entry: &Entry) {
        for part in &entry.parts {
            let first = *self.first.entry(part.hash()).or_insert(number);
            if first != number {
                self.entries.extend([first, number]);
            }
            let Some((without_bound, is_part)) = part.bounded_hash() else { continue };
            let (own, other) = match is_part {
                true => (&mut self.parts, &self.single),
                false => (&mut self.single, &self.parts),
            };
            own.insert(without_bound);
            self.are_mixed |= other.contains(&without_bound);
        }
    }
}

impl Targets {
    fn number(&mut self, labels: Labels) -> u32 {
        let next = self.all.len() as u32;
        let number = *self.numbers.entry(labels.clone()).or_insert(next);
        if number == next {
            self.all.push(labels);
        }
        number
    }
}

impl Reader<'_> {
    /// Tells whether numbers of entries still mean the same.
    pub fn generation(&self) -> u64 {
        self.state.generation
    }

    /// The values of a label, each with the series that have it.
    pub fn values(&self, name: &str) -> impl Iterator<Item = (&Arc<str>, &[u32])> {
        let values = self.state.labels.get(name).into_iter().flatten();
        values.map(|(value, postings)| (value, postings.as_slice()))
    }

    /// The names of labels, each with the series that have it.
    pub fn names(&self) -> impl Iterator<Item = (&Arc<str>, impl Iterator<Item = u32> + Clone)> {
        let names = self.state.labels.iter();
        names.map(|(name, values)| (name, values.values().flatten().copied()))
    }

    /// The parts of all series.
    pub fn parts(&self) -> impl Iterator<Item = (u32, &Part)> {
        let entries = self.state.entries.iter().enumerate();
        entries.flat_map(|(number, entry)| entry.parts.iter().map(move |p| (number as u32, p)))
    }

    /// Which series have a point in the range of the tables as far as that takes no look at points, and the rows of
    /// the other tables, by entry.
    pub fn whole(&self) -> (Vec<bool>, Vec<Picked>) {
        let mut active = vec![false; self.state.entries.len()];
        let mut others = Vec::new();
        for (i, table) in self.tables.tables().iter().enumerate() {
            let mut picked = Picked::new();
            if let Some(rows) = self.state.tables.get(&table.key) {
                let entries = rows.entries.iter().copied();
                match self.tables.is_whole(i) {
                    true => entries.for_each(|entry| active[entry as usize] = true),
                    false => picked = (0..).zip(entries).collect(),
                }
            }
            others.push(picked);
        }
        (active, others)
    }

    /// The label sets of `target_info` of series that are active.
    pub fn active_targets(&self, is_active: &[bool]) -> Vec<&Labels> {
        let State { entries, targets, .. } = &*self.state;
        let mut wanted = vec![false; targets.all.len()];
        let active = entries.iter().zip(is_active).filter(|(_, is_active)| **is_active);
        active.filter_map(|(entry, _)| entry.target).for_each(|n| wanted[n as usize] = true);
        let targets = targets.all.iter().zip(wanted);
        targets.filter(|(_, is_wanted)| *is_wanted).map(|(labels, _)| labels).collect()
    }

    /// The label sets of `target_info`.
    pub fn targets(&self) -> &[Labels] {
        &self.state.targets.all
    }
}
