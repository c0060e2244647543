//! What one worker makes of the entries that it scans.

use std::sync::Arc;

use hashbrown::HashMap;

use super::super::ast::Grouping;
use super::super::error::{Error, ErrorKind, Result};
use super::super::labels::{Entry, Labels};
use super::super::pipeline::Row;
use super::cells::Count;
use super::store::{Store, Used};
use super::vector::SeriesRow;
use super::{Leaf, Limits};

/// Streams whose series is remembered at most.
const STREAMS_MAX: usize = 65_536;

/// The numbers of one leaf so far. Entries come in any order; workers of one leaf are merged.
pub struct LeafWorker {
    leaf: Arc<Leaf>,
    row: Row,
    found: Found,
}

/// The series so far.
struct Found {
    limits: Limits,
    series: Vec<Labels>,
    /// Series by what tells them apart.
    by_key: HashMap<String, usize>,
    /// Series by the address of the stream, which is held so that no other gets the address.
    by_stream: HashMap<usize, (Labels, usize)>,
    store: Store,
    used: Used,
    key: String,
}

impl LeafWorker {
    pub(super) fn new(leaf: &Arc<Leaf>, limits: Limits) -> Self {
        let found = Found {
            limits,
            series: Vec::new(),
            by_key: HashMap::new(),
            by_stream: HashMap::new(),
            store: Store::new(&leaf.function),
            used: Used::default(),
            key: String::new(),
        };
        Self { leaf: Arc::clone(leaf), row: Row::default(), found }
    }

    /// Which leaf this is about.
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// Series so far.
    pub fn series_len(&self) -> usize {
        self.found.series.len()
    }

    /// Takes one entry into account.
    pub fn add(&mut self, entry: &Entry<'_>) -> Result<()> {
        let Self { leaf, row, found } = self;
        let Some(cell) = leaf.cuts.cell(entry.time_ns) else { return Ok(()) };
        let Some(value) = value(leaf, entry, row)? else { return Ok(()) };
        let series = found.series_of(&leaf.grouping, entry.stream, row)?;
        let sample = (entry.time_ns, value);
        found.store.add((series, cell), sample, &leaf.cuts, &mut found.used, &found.limits)
    }

    /// Takes entries into account that are only known by their number, and the bytes of their lines where
    /// [`super::CountShape::of_bytes`] says so: for a leaf whose [`Leaf::count_shape`] says that their stream
    /// and time are enough. All of them must lie between two cuts ([`Leaf::cuts`]).
    pub fn add_count(
        &mut self,
        stream: &Labels,
        time_ns: i64,
        entries: u64,
        bytes: u64,
    ) -> Result<()> {
        let Self { leaf, row, found } = self;
        let Some(cell) = leaf.cuts.cell(time_ns) else { return Ok(()) };
        row.reset(stream);
        let series = found.series_of(&leaf.grouping, stream, row)?;
        let total = if leaf.function.counts_bytes() { bytes } else { entries };
        let count = Count { entries, total };
        if !found.store.add_count((series, cell), count, &leaf.cuts, &mut found.used) {
            return Err(Error::new(ErrorKind::Meaning, "the function needs the lines"));
        }
        found.used.check(&found.limits)
    }

    /// Takes over what another worker of the same leaf found.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        self.found.merge(&other.found, &self.leaf)
    }

    /// The series with their values.
    pub(super) fn rows(&self, steps: usize) -> Result<Vec<SeriesRow>> {
        let (leaf, found) = (&self.leaf, &self.found);
        found.limits.check_points(found.series.len(), steps)?;
        let points = |at| found.store.points(at, &leaf.function, &leaf.cuts, &leaf.grid);
        let rows = found.series.iter().enumerate();
        let mut rows: Vec<_> = rows
            .map(|(at, labels)| SeriesRow { labels: labels.clone(), points: points(at) })
            .collect();
        rows.retain(|row| row.points.iter().any(Option::is_some));
        Ok(rows)
    }
}

// The value of an entry; none if the query leaves it out.
fn value(leaf: &Leaf, entry: &Entry<'_>, row: &mut Row) -> Result<Option<f64>> {
    let Some(kept) = leaf.pipeline.run(entry, row) else { return Ok(None) };
    let mut value = if leaf.function.counts_bytes() { kept.line.len() as f64 } else { 1.0 };
    if let Some(unwrap) = &leaf.unwrap {
        match unwrap.number(row) {
            Some(number) => value = number,
            None => return Ok(None),
        }
    }
    let Some(error) = row.error() else { return Ok(Some(value)) };
    let message = format!(
        "pipeline error: '{error}' for series '{}' ({}); to leave such lines out, \
         add | __error__!=\"{error}\"",
        Labels::new(row.all_labels()),
        row.error_details()
    );
    Err(Error::new(ErrorKind::Pipeline, message))
}

impl Found {
    fn series_of(&mut self, grouping: &Grouping, stream: &Labels, row: &Row) -> Result<usize> {
        let is_stream = row.is_stream_only()
            || (!grouping.without
                && grouping.labels.iter().all(|label| !row.differs_from_stream(label)));
        if is_stream && let Some((_, series)) = self.by_stream.get(&stream.address()) {
            return Ok(*series);
        }
        let series = self.series_by_key(grouping, row)?;
        if is_stream && self.by_stream.len() < STREAMS_MAX {
            self.by_stream.insert(stream.address(), (stream.clone(), series));
        }
        Ok(series)
    }

    fn series_by_key(&mut self, grouping: &Grouping, row: &Row) -> Result<usize> {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let labels = &grouping.labels;
        if grouping.without {
            let mut pairs: Vec<_> = row.all_labels().collect();
            pairs
                .retain(|(name, value)| !labels.iter().any(|own| own == name) && !value.is_empty());
            pairs.sort_unstable();
            for (name, value) in pairs {
                push_part(&mut key, name);
                push_part(&mut key, value);
            }
        } else {
            labels.iter().for_each(|label| push_part(&mut key, row.get(label).unwrap_or_default()));
        }
        let found = match self.by_key.get(&key) {
            Some(series) => Ok(*series),
            None => {
                let own = grouping
                    .labels
                    .iter()
                    .map(|label| (label.as_str(), row.get(label).unwrap_or_default()));
                let kept = |name: &str| !labels.iter().any(|own| own == name);
                let series = match grouping.without {
                    true => Labels::new(row.all_labels().filter(|(name, _)| kept(name))),
                    false => Labels::new(own),
                };
                self.push_series(&key, series)
            }
        };
        self.key = key;
        found
    }

    fn push_series(&mut self, key: &str, labels: Labels) -> Result<usize> {
        if self.series.len() == self.limits.series_max {
            let message = format!(
                "the query has more than {} series: group by fewer labels",
                self.limits.series_max
            );
            return Err(Error::limit(message));
        }
        self.by_key.insert(key.to_owned(), self.series.len());
        self.series.push(labels);
        self.store.push();
        Ok(self.series.len() - 1)
    }

    fn merge(&mut self, other: &Self, leaf: &Leaf) -> Result<()> {
        for (key, from) in &other.by_key {
            let to = match self.by_key.get(key) {
                Some(to) => *to,
                None => self.push_series(key, other.series[*from].clone())?,
            };
            self.store.merge(to, &other.store, *from, &leaf.cuts, &mut self.used);
            self.used.check(&self.limits)?;
        }
        Ok(())
    }
}

// Lengths go first, so that two different lists never give one key.
fn push_part(key: &mut String, part: &str) {
    for bits in [0, 15] {
        let digit = 0x10000 + ((part.len() >> bits) & 0x7fff) as u32;
        key.push(char::from_u32(digit).unwrap_or_default());
    }
    key.push_str(part);
}
