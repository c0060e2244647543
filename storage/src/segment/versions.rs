//! When each version of each service was seen: what a segment, a head, or many of both hold of it.
//!
//! Place in the flow: like [`super::exceptions`]. From this `query` tells deployments and rollbacks; a
//! change is nowhere written down, so none is missed by a restart and none told twice by late rows.
//!
//! ```text
//! section := sealed (see `index::section`), form 1, of varint left out | varint entries, entry*
//! entry   := service | version | varint runs, (first, last i64 LE | varint count)*
//! ```

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{TimestampNanosecondType, UInt32Type};
use throughline_model::codec::{Reader, put_bytes, put_varint};
use throughline_model::exception::head_of;
use throughline_model::schema::col;
use throughline_model::time::MINUTE_NS;
use throughline_model::{Signal, attrs, origin};

use super::Segment;
use super::facts::{SERVICE_VERSION, each_batch};
use super::index::section::{seal, unseal};
use super::spans::column;
use crate::Result;
use crate::scan::ScanColumn;

/// Rows of one version that are no further apart than this are one run.
pub const RUN_GAP_NS: i64 = MINUTE_NS;
/// Pairs of service and version that are kept.
pub const VERSIONS_MAX: usize = 4096;
/// Runs of one pair; past them the two that lie nearest become one.
const RUNS_MAX: usize = 1024;
const NAME_BYTES_MAX: usize = 256;
const FORM: u8 = 1;

/// A stretch of time without a gap of [`RUN_GAP_NS`] in which a version was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The first row's time.
    pub first_ns: i64,
    /// The last row's time.
    pub last_ns: i64,
    /// Rows.
    pub count: u64,
}

/// Runs of services and versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Runs by service and version, oldest first.
    pub runs: BTreeMap<(String, String), Vec<Run>>,
    /// Rows of versions past [`VERSIONS_MAX`], which are counted here alone.
    pub left_out: u64,
}

impl Versions {
    /// Adds what another holds.
    pub fn add_all(&mut self, other: &Versions) {
        self.left_out += other.left_out;
        for ((service, version), runs) in &other.runs {
            runs.iter().for_each(|run| self.add(service, version, *run));
        }
    }

    fn add(&mut self, service: &str, version: &str, run: Run) {
        let key = |text: &str| head_of(text, NAME_BYTES_MAX).to_owned();
        let key = (key(service), key(version));
        if self.runs.len() >= VERSIONS_MAX && !self.runs.contains_key(&key) {
            self.left_out += run.count;
            return;
        }
        let runs = self.runs.entry(key).or_default();
        join(runs, run);
        if runs.len() > RUNS_MAX {
            join_nearest(runs);
        }
    }

    /// Bytes of memory, roughly.
    pub(crate) fn memory_bytes(&self) -> usize {
        let of_entry = |((service, version), runs): (&(String, String), &Vec<Run>)| {
            service.len() + version.len() + runs.len() * size_of::<Run>() + 96
        };
        self.runs.iter().map(of_entry).sum()
    }

    /// The bytes of the section.
    pub(crate) fn write(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        put_varint(&mut out, self.left_out);
        put_varint(&mut out, self.runs.len() as u64);
        for ((service, version), runs) in &self.runs {
            put_bytes(&mut out, service.as_bytes());
            put_bytes(&mut out, version.as_bytes());
            put_varint(&mut out, runs.len() as u64);
            for run in runs {
                out.extend_from_slice(&run.first_ns.to_le_bytes());
                out.extend_from_slice(&run.last_ns.to_le_bytes());
                put_varint(&mut out, run.count);
            }
        }
        seal(FORM, &out)
    }

    /// Undoes [`Versions::write`]; none if the section has another form.
    pub(crate) fn read(section: &[u8]) -> Result<Option<Self>> {
        let Some(bytes) = unseal(FORM, section)? else { return Ok(None) };
        let mut reader = Reader::new(&bytes);
        let mut versions = Self { left_out: reader.varint()?, ..Self::default() };
        for _ in 0..reader.varint()? {
            let key = (reader.str()?.to_owned(), reader.str()?.to_owned());
            let mut runs = Vec::new();
            for _ in 0..reader.varint()? {
                runs.push(Run {
                    first_ns: i64::from_le_bytes(reader.array()?),
                    last_ns: i64::from_le_bytes(reader.array()?),
                    count: reader.varint()?,
                });
            }
            versions.runs.insert(key, runs);
        }
        Ok(Some(versions))
    }
}

// Whether the second run goes on where the first ends.
fn goes_on(last_ns: i64, first_ns: i64) -> bool {
    first_ns.saturating_sub(last_ns) < RUN_GAP_NS
}

// Puts a run among others, one with all that it touches.
fn join(runs: &mut Vec<Run>, run: Run) {
    let start = runs.partition_point(|other| !goes_on(other.last_ns, run.first_ns));
    let end = runs.partition_point(|other| goes_on(run.last_ns, other.first_ns));
    let mut united = run;
    for other in &runs[start..end.max(start)] {
        united.first_ns = united.first_ns.min(other.first_ns);
        united.last_ns = united.last_ns.max(other.last_ns);
        united.count += other.count;
    }
    runs.splice(start..end.max(start), [united]);
}

fn join_nearest(runs: &mut Vec<Run>) {
    let gap = |at: usize| runs[at + 1].first_ns.saturating_sub(runs[at].last_ns);
    let Some(at) = (0..runs.len() - 1).min_by_key(|at| gap(*at)) else { return };
    let later = runs.remove(at + 1);
    runs[at].last_ns = later.last_ns;
    runs[at].count += later.count;
}

/// The versions in some batches.
pub(crate) fn of_batches(signal: Signal, batches: &[RecordBatch]) -> Result<Versions> {
    let mut versions = Versions::default();
    batches.iter().try_for_each(|batch| add_batch(&mut versions, signal, batch))?;
    Ok(versions)
}

/// The versions of a segment whose index does not tell them, from its rows. Blocks.
pub(crate) fn of_rows(segment: &Segment) -> Result<Versions> {
    let signal = segment.meta.signal;
    let names = [time_column(signal), col::SERVICE_NAME, col::RESOURCE];
    let columns = names.map(|name| ScanColumn::Fixed(name.to_owned()));
    let mut versions = Versions::default();
    each_batch(segment, &columns, |batch| add_batch(&mut versions, signal, batch))?;
    Ok(versions)
}

fn time_column(signal: Signal) -> &'static str {
    if signal == Signal::Logs { col::TIME } else { col::START_TIME }
}

/// Adds the versions in a batch of spans or log records.
pub(crate) fn add_batch(into: &mut Versions, signal: Signal, batch: &RecordBatch) -> Result<()> {
    let resources = column(batch, col::RESOURCE)?.as_dictionary::<UInt32Type>();
    let sets = resources.values().as_binary::<i32>();
    let mut named = Vec::with_capacity(sets.len());
    for resource in sets {
        let set = origin::resource_attrs(resource.unwrap_or_default())?;
        let version = attrs::get_str(set, SERVICE_VERSION).filter(|version| !version.is_empty());
        named.push(version.map(|version| (origin::service_name(set), version)));
    }
    if named.iter().all(Option::is_none) {
        return Ok(());
    }
    let times = column(batch, time_column(signal))?.as_primitive::<TimestampNanosecondType>();
    let mut spans: Vec<Option<Run>> = vec![None; named.len()];
    for (key, time) in resources.keys().values().iter().zip(times.values()) {
        let run =
            spans[*key as usize].get_or_insert(Run { first_ns: *time, last_ns: *time, count: 0 });
        run.first_ns = run.first_ns.min(*time);
        run.last_ns = run.last_ns.max(*time);
        run.count += 1;
    }
    for (number, (name, run)) in named.iter().zip(&spans).enumerate() {
        let (Some((service, version)), Some(run)) = (name, run) else { continue };
        if goes_on(run.first_ns, run.last_ns) {
            into.add(service, version, *run);
            continue;
        }
        // A batch of many minutes: where its rows lie apart they are runs apart.
        let rows = resources.keys().values().iter().zip(times.values());
        let mut of_key = rows.filter(|(key, _)| **key as usize == number).map(|(_, time)| *time);
        let mut sorted = of_key.by_ref().collect::<Vec<_>>();
        sorted.sort_unstable();
        let apart = |a: &i64, b: &i64| goes_on(*a, *b);
        for run in sorted.chunk_by(apart) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else { continue };
            let run = Run { first_ns: *first, last_ns: *last, count: run.len() as u64 };
            into.add(service, version, run);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_the_same_in_any_order() {
        let second = MINUTE_NS / 60;
        let times = [0, 10, 59, 60, 119, 300, 310, 1000, 940, 1060].map(|s: i64| s * second);
        // The last three lie exactly a gap apart.
        let expected =
            [(0, 119, 5), (300, 310, 2), (940, 940, 1), (1000, 1000, 1), (1060, 1060, 1)];
        let orders: [fn(&mut [i64]); 3] =
            [|_| {}, |times| times.reverse(), |times| times.rotate_left(4)];
        for order in orders {
            let mut times = times;
            order(&mut times);
            let mut versions = Versions::default();
            for t in times {
                versions.add("shop", "1", Run { first_ns: t, last_ns: t, count: 1 });
            }
            let runs = &versions.runs[&("shop".to_owned(), "1".to_owned())];
            let found = runs.iter().map(|r| (r.first_ns / second, r.last_ns / second, r.count));
            assert_eq!(found.collect::<Vec<_>>(), expected);
            let bytes = versions.write().expect("writes");
            assert_eq!(Versions::read(&bytes).expect("reads"), Some(versions));
        }
    }

    #[test]
    fn runs_and_versions_are_bounded() {
        let mut versions = Versions::default();
        let at = |i: usize| Run { first_ns: i as i64 * HOUR, last_ns: i as i64 * HOUR, count: 1 };
        const HOUR: i64 = 60 * MINUTE_NS;
        (0..RUNS_MAX + 50).for_each(|i| versions.add("shop", "1", at(i)));
        let runs = versions.runs.values().next().expect("one");
        assert_eq!(runs.len(), RUNS_MAX);
        assert_eq!(runs.iter().map(|run| run.count).sum::<u64>(), RUNS_MAX as u64 + 50);
        (0..VERSIONS_MAX + 7).for_each(|i| versions.add("shop", &format!("v{i}"), at(i)));
        assert_eq!((versions.runs.len(), versions.left_out), (VERSIONS_MAX, 8));
    }
}
