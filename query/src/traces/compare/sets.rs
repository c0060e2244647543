//! Two sets of spans: which values of which keys do they differ in?

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, UInt32Type};
use futures::TryStreamExt;
use throughline_model::exponential::Distribution;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::map_entries;
use throughline_model::time::TimeRange;
use throughline_model::value::{put_int, put_string};
use throughline_model::{TraceId, Value, attrs, origin};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};
use tokio::runtime::Handle;

use super::rank::rank;
pub use super::tally::{FREQUENT_SHARE, Place};
use super::tally::{TALLY_BYTES, Tally};
use crate::engine::Admitted;
use crate::traces::page::off_worker;
use crate::traces::{TraceSearch, search};
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// The most differences of one answer.
pub const DIFFERENCES_MAX: usize = 1000;
/// The most traces that a set may name.
pub const TRACES_MAX: usize = 1000;

/// A set of spans.
#[derive(Clone, Debug, Default)]
pub struct SpanSelection {
    /// What its spans meet; limit and cursor mean nothing here.
    pub search: TraceSearch,
    /// The traces they belong to; empty for any.
    pub traces: Vec<TraceId>,
}

/// What tells spans apart.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// The key has this value.
    Is(Value),
    /// The key has a number above this one.
    Above(f64),
    /// The key has a value.
    Exists,
}

/// The numbers of a key in one set.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Numbers that 50, 90 and 99 % do not exceed, to a bucket of 4.4 %.
    pub p50: f64,
    /// See `p50`.
    pub p90: f64,
    /// See `p50`.
    pub p99: f64,
}

impl Spread {
    /// The spread of a distribution, if there is anything in it.
    pub(super) fn of(numbers: &Distribution) -> Option<Self> {
        let at_most = |q: f64| numbers.quantile(q);
        Some(Self { p50: at_most(0.5)?, p90: at_most(0.9)?, p99: at_most(0.99)? })
    }
}

/// Something that spans of one set have more often than those of the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where the key stands.
    pub place: Place,
    /// The key.
    pub key: String,
    /// What is counted.
    pub test: Test,
    /// Spans of A and of B that meet the test.
    pub counts: [u64; 2],
    /// As parts of all spans of A and of B.
    pub shares: [f64; 2],
    /// How far the shares lie apart at least, with 99.9 % confidence; ranks the differences.
    pub bound: f64,
    /// The numbers of the key in A and in B, where it has numbers.
    pub spreads: [Option<Spread>; 2],
}

/// What two sets differ in.
#[derive(Clone, Debug, Default)]
pub struct SetComparison {
    /// Spans of A and of B.
    pub spans: [u64; 2],
    /// The differences, largest first.
    pub differences: Vec<Difference>,
    /// Differences that the limit left out.
    pub differences_cut: u64,
    /// Values that differ no more than by chance.
    pub alike: u64,
    /// Keys that have too many values: of these, only values that at least [`FREQUENT_SHARE`] of a
    /// set have were counted.
    pub keys_cut: Vec<(Place, String)>,
    /// Whether there are more keys than are looked at.
    pub keys_over: bool,
    /// What the scans did; `partial` names segments whose spans the counts lack.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// Counts the values of everything that spans of two sets have, and ranks them by how much they
    /// differ. Every span of both is looked at.
    pub async fn compare_spans(
        &self,
        a: &SpanSelection,
        b: &SpanSelection,
        limit: usize,
        ctx: &QueryContext,
    ) -> Result<SetComparison> {
        if limit == 0 || limit > DIFFERENCES_MAX {
            return Err(Error::invalid(
                "limit",
                format!("limit is {limit}, allowed are 1 to {DIFFERENCES_MAX}"),
            ));
        }
        let requests = [request("a", a)?, request("b", b)?];
        let admitted = self.admit(ctx).await?;
        let _memory = self.sessions().reserve(&admitted.budget, "comparison", TALLY_BYTES)?;
        let mut tally = Tally::default();
        for (set, request) in requests.iter().enumerate() {
            tally = count(&admitted, tally, set, request.clone()).await?;
        }
        let spans = tally.spans;
        if tally.begin_recount() {
            for (set, request) in requests.iter().enumerate() {
                tally = count(&admitted, tally, set, request.clone()).await?;
            }
            tally.finish();
        }
        admitted.budget.stats.add_rows((spans[0] + spans[1]) as usize);
        let mut comparison = off_worker(&admitted, move || finish(&tally, spans, limit)).await??;
        comparison.stats = admitted.budget.stats.snapshot();
        Ok(comparison)
    }
}

fn finish(tally: &Tally, spans: [u64; 2], limit: usize) -> Result<SetComparison> {
    let (mut differences, alike) = rank(tally)?;
    let differences_cut = differences.len().saturating_sub(limit) as u64;
    differences.truncate(limit);
    let cut = tally.keys.iter().filter(|key| key.is_cut);
    let mut keys_cut = cut.map(|key| (key.place, key.key.clone())).collect::<Vec<_>>();
    keys_cut.sort();
    let keys_over = tally.keys_over > 0;
    let stats = QueryStatsSnapshot::default();
    Ok(SetComparison { spans, differences, differences_cut, alike, keys_cut, keys_over, stats })
}

fn request(set: &str, selection: &SpanSelection) -> Result<ScanRequest> {
    search::check_range(&selection.search)?;
    let mut predicates = search::predicates(&selection.search);
    if selection.traces.len() > TRACES_MAX {
        let field = format!("{set}.trace_ids");
        return Err(Error::invalid(
            &field,
            format!("{field} has {} ids, allowed are {TRACES_MAX}", selection.traces.len()),
        ));
    }
    if !selection.traces.is_empty() {
        let ids = selection.traces.iter().map(|id| Operand::Bytes(id.0.to_vec())).collect();
        let target = Target::Column(col::TRACE_ID.to_owned());
        predicates.push(Predicate { target, op: Op::In(ids) });
    }
    let mut columns = vec![ScanColumn::Attributes];
    columns.extend(COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())));
    let time = selection.search.time.unwrap_or(TimeRange::ALL);
    Ok(ScanRequest { columns, predicates, time, order: ScanOrder::Any, limit: None })
}

const COLUMNS: [&str; 8] = [
    col::SERVICE_NAME,
    col::NAME,
    col::STATUS_MESSAGE,
    col::KIND,
    col::STATUS_CODE,
    col::DURATION_NS,
    col::RESOURCE,
    col::SCOPE,
];

const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUSES: [&str; 3] = ["UNSET", "OK", "ERROR"];

// Counts one set; the tally goes along, since counting is no work for async workers.
async fn count(
    admitted: &Admitted,
    mut tally: Tally,
    set: usize,
    request: ScanRequest,
) -> Result<Tally> {
    let context = admitted.budget.scan.clone();
    let mut batches = scan::scan_spans(Arc::clone(&admitted.view), request, context);
    let runtime = Handle::current();
    off_worker(admitted, move || {
        while let Some(batch) = runtime.block_on(batches.try_next())? {
            add(&mut tally, &batch, set)?;
        }
        Ok(tally)
    })
    .await?
}

fn add(tally: &mut Tally, batch: &RecordBatch, set: usize) -> Result<()> {
    let column = |name: &str| -> Result<&ArrayRef> {
        let column = batch.column_by_name(name);
        column.ok_or_else(|| Error::internal(format!("a scan answered without {name}")))
    };
    tally.add_spans(set, batch.num_rows() as u64);
    for (name, key) in [
        (col::SERVICE_NAME, "service"),
        (col::NAME, "name"),
        (col::STATUS_MESSAGE, "status_message"),
    ] {
        add_texts(tally, column(name)?, key, set)?;
    }
    for (name, key, names) in
        [(col::KIND, "kind", &KINDS[..]), (col::STATUS_CODE, "status", &STATUSES[..])]
    {
        add_named(tally, column(name)?, (key, names), set)?;
    }
    add_durations(tally, column(col::DURATION_NS)?, set)?;
    add_origins(tally, column(col::RESOURCE)?, set, add_resource)?;
    add_origins(tally, column(col::SCOPE)?, set, add_scope)?;
    let map = column(col::ATTRIBUTES)?.as_map();
    for row in 0..map.len() {
        tally.begin_row();
        for (key, value) in map_entries(map, row) {
            add_value(tally, (Place::Span, key), value, (set, 1))?;
        }
    }
    Ok(())
}

fn add_value(
    tally: &mut Tally,
    key: (Place, &str),
    value: &[u8],
    (set, rows): (usize, u64),
) -> Result<()> {
    match tally.key(key.0, key.1) {
        Some(key) => tally.add(key, value, set, rows),
        None => Ok(()),
    }
}

// Calls with each entry of a dictionary that rows use, and how many do.
fn each_entry(
    column: &ArrayRef,
    mut add: impl FnMut(&dyn Array, usize, u64) -> Result<()>,
) -> Result<()> {
    let dict = column.as_dictionary::<UInt32Type>();
    let mut counts = vec![0u64; dict.values().len()];
    dict.keys().values().iter().for_each(|key| counts[*key as usize] += 1);
    for (at, rows) in counts.into_iter().enumerate().filter(|(_, rows)| *rows > 0) {
        add(dict.values().as_ref(), at, rows)?;
    }
    Ok(())
}

fn add_texts(tally: &mut Tally, column: &ArrayRef, key: &str, set: usize) -> Result<()> {
    let mut value = Vec::new();
    each_entry(column, |values, at, rows| {
        value.clear();
        put_string(&mut value, values.as_string::<i32>().value(at));
        tally.begin_row();
        add_value(tally, (Place::Field, key), &value, (set, rows))
    })
}

fn add_named(
    tally: &mut Tally,
    column: &ArrayRef,
    (key, names): (&str, &[&str]),
    set: usize,
) -> Result<()> {
    let mut numbers = column.as_primitive::<Int32Type>().values().to_vec();
    numbers.sort_unstable();
    for same in numbers.chunk_by(|a, b| a == b) {
        let mut value = Vec::new();
        match usize::try_from(same[0]).ok().and_then(|number| names.get(number)) {
            Some(name) => put_string(&mut value, name),
            None => put_string(&mut value, &same[0].to_string()),
        }
        tally.begin_row();
        add_value(tally, (Place::Field, key), &value, (set, same.len() as u64))?;
    }
    Ok(())
}

fn add_durations(tally: &mut Tally, column: &ArrayRef, set: usize) -> Result<()> {
    let Some(key) = tally.key(Place::Field, "duration_ns") else { return Ok(()) };
    if !tally.keys[key].is_distribution {
        tally.keys[key].make_distribution();
    }
    let mut value = Vec::new();
    for duration_ns in column.as_primitive::<Int64Type>().values() {
        value.clear();
        put_int(&mut value, *duration_ns);
        tally.begin_row();
        tally.add(key, &value, set, 1)?;
    }
    Ok(())
}

type AddOrigin = fn(&mut Tally, &[u8], (usize, u64)) -> Result<()>;

fn add_origins(tally: &mut Tally, column: &ArrayRef, set: usize, add: AddOrigin) -> Result<()> {
    each_entry(column, |values, at, rows| {
        tally.begin_row();
        add(tally, values.as_binary::<i32>().value(at), (set, rows))
    })
}

fn add_resource(tally: &mut Tally, resource: &[u8], rows: (usize, u64)) -> Result<()> {
    for entry in attrs::iter(origin::resource_attrs(resource)?) {
        let (key, value) = entry?;
        // The field `service` says the same.
        if key != origin::SERVICE_NAME {
            add_value(tally, (Place::Resource, key), value, rows)?;
        }
    }
    Ok(())
}

fn add_scope(tally: &mut Tally, scope: &[u8], rows: (usize, u64)) -> Result<()> {
    let (name, version, _, set) = origin::scope_parts(scope)?;
    let mut value = Vec::new();
    for (key, text) in [("scope_name", name), ("scope_version", version)] {
        value.clear();
        put_string(&mut value, text);
        add_value(tally, (Place::Field, key), &value, rows)?;
    }
    for entry in attrs::iter(set) {
        let (key, value) = entry?;
        add_value(tally, (Place::Scope, key), value, rows)?;
    }
    Ok(())
}
