//! Numbers that need no spans: counts and durations by service, name, kind and status are kept with
//! every segment (`storage::scan::rollup`), and most dashboards ask for nothing else.
//!
//! The operations take the place of spans: the pipeline and `by` are evaluated over them, and each
//! stands for all of its spans. The answer is the one that the spans would give.

use std::sync::Arc;

use arrow::array::BinaryArray;
use arrow::array::{ArrayRef, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array};
use arrow::datatypes::{Field as ArrowField, Schema, UInt32Type};
use hashbrown::HashMap;
use throughline_model::Value;
use throughline_model::origin::{SERVICE_NAME, SERVICE_UNKNOWN};
use throughline_model::schema::{self, col};
use throughline_storage::scan::TraceBatch;
use throughline_storage::scan::rollup::{
    self, OperationKey, OperationRows, OperationsRequest, ROLLUP_NS, SpanRef,
};

use super::Ask;
use super::cells::Cells;
use super::grid::Grid;
use super::groups::Groups;
use super::run::{Exemplar, Found, spread};
use crate::traceql::ast::{Field, Intrinsic, MetricsFunction, MetricsQuery, Scope};
use crate::traceql::eval::Spans;
use crate::traceql::eval::spansets::Runner;
use crate::traceql::plan::{Plan, named_fields, scan_column};
use crate::{Error, Result};

/// Rows of one cell whose slowest spans are told apart by reading them.
const TIED_MAX: usize = 64;

/// Whether operations can answer a query, as far as the query tells.
pub(super) fn may_answer(ask: &Ask, plan: &Plan, query: &MetricsQuery) -> bool {
    let duration =
        |field: &Field| *field == Field::Intrinsic { which: Intrinsic::Duration, parent: false };
    let counts = match &query.function {
        MetricsFunction::Rate | MetricsFunction::CountOverTime => true,
        MetricsFunction::AvgOverTime(field)
        | MetricsFunction::SumOverTime(field)
        | MetricsFunction::QuantileOverTime(field, _)
        | MetricsFunction::HistogramOverTime(field) => duration(field),
        _ => false,
    };
    let grid = &ask.grid;
    let whole_buckets = grid.points == 1 || grid.step_ns % ROLLUP_NS == 0;
    counts
        && whole_buckets
        && plan.by_span
        && query.by.iter().all(is_kept)
        && named_fields(&query.pipeline).iter().all(is_kept)
}

fn is_kept(field: &Field) -> bool {
    match field {
        Field::Attribute { scope: Scope::Resource, parent: false, name } => name == SERVICE_NAME,
        Field::Intrinsic { which, parent: false } => {
            matches!(which, Intrinsic::Name | Intrinsic::Kind | Intrinsic::Status)
        }
        _ => false,
    }
}

/// Answers from operations; `None` if only the spans can tell.
pub(super) fn find(ask: &Ask, plan: &Plan, query: &MetricsQuery) -> Result<Option<Found>> {
    let names = query
        .by
        .iter()
        .chain(&named_fields(&query.pipeline))
        .any(|field| matches!(field, Field::Intrinsic { which: Intrinsic::Name, .. }));
    let request = OperationsRequest {
        time: ask.grid.time,
        durations: measures(&query.function) || ask.exemplars_max > 0,
        cut_buckets: true,
        nameless_steps: (!names).then(|| ask.grid.steps()),
    };
    let mut rolled = Rolled {
        plan,
        query,
        grid: ask.grid,
        found: Found::new(query, ask.grid, false),
        places: Vec::new(),
        slowest: (ask.exemplars_max > 0).then(HashMap::new),
        unknown: false,
    };
    let mut failed = None;
    let coverage = rollup::read_operations(&ask.view, &request, &ask.scan, |keys, rows| {
        if failed.is_none() && !rolled.unknown {
            failed = rolled.add(keys, &rows).err();
        }
        Ok(())
    })?;
    if let Some(err) = failed {
        return Err(err);
    }
    let complete = coverage.time == Some(ask.grid.time) && (coverage.names_complete || !names);
    if !complete || rolled.unknown {
        return Ok(None);
    }
    rolled.add_exemplars(ask)?;
    Ok(Some(rolled.found))
}

fn measures(function: &MetricsFunction) -> bool {
    !matches!(function, MetricsFunction::Rate | MetricsFunction::CountOverTime)
}

// By place and step.
type Slowest = HashMap<(usize, usize), (i32, Vec<SpanRef>)>;

struct Rolled<'a> {
    plan: &'a Plan,
    query: &'a MetricsQuery,
    grid: Grid,
    found: Found,
    /// By operation: the place of its series; none if the pipeline drops it.
    places: Vec<Option<usize>>,
    /// Of each series and step the bucket of the longest durations, and the slowest spans of the rows
    /// that reach it.
    slowest: Option<Slowest>,
    /// Whether some service has no name: absent, empty and odd ones are one operation.
    unknown: bool,
}

impl Rolled<'_> {
    fn add(&mut self, keys: &[OperationKey], rows: &OperationRows) -> Result<()> {
        self.place(&keys[self.places.len()..])?;
        for row in 0..rows.keys.len() {
            let Some(place) = self.places[rows.keys[row] as usize] else { continue };
            let step = self.grid.step(rows.starts_ns[row].max(self.grid.time.start_ns));
            let count = rows.counts[row];
            self.note_slowest(place, step, rows, row);
            let durations = || {
                let durations = rows.durations.as_ref();
                durations.ok_or_else(|| Error::internal("durations were not read"))
            };
            match self.found.cells(place) {
                Cells::Count(counts) => counts[step] += count as f64,
                Cells::Sum(sums) => {
                    sums[step].0 += durations()?.sum_ns(row) as f64;
                    sums[step].1 += count as f64;
                }
                Cells::Distribution(all) => {
                    let durations = durations()?;
                    all[step].add_zero(durations.zero(row));
                    for (bucket, count) in durations.buckets(row) {
                        all[step].add_bucket(bucket, count);
                    }
                }
                Cells::Min(_) | Cells::Max(_) => {
                    return Err(Error::internal("operations keep no extremes"));
                }
            }
        }
        Ok(())
    }

    fn note_slowest(&mut self, place: usize, step: usize, rows: &OperationRows, row: usize) {
        let (Some(slowest), Some(durations)) = (&mut self.slowest, &rows.durations) else { return };
        let longest = durations.buckets(row).last().map_or(i32::MIN, |(bucket, _)| bucket);
        let best = slowest.entry((place, step)).or_insert_with(|| (longest, Vec::new()));
        if longest > best.0 {
            *best = (longest, Vec::new());
        }
        if longest == best.0 && best.1.len() < TIED_MAX {
            best.1.push(durations.slowest(row));
        }
    }

    // Reads the slowest spans of as many cells as the answer may have exemplars.
    fn add_exemplars(&mut self, ask: &Ask) -> Result<()> {
        let Some(slowest) = self.slowest.take() else { return Ok(()) };
        let mut order = vec![0; self.found.by_labels().len()];
        for (rank, place) in self.found.by_labels().into_iter().enumerate() {
            order[place] = rank;
        }
        let mut cells = slowest.keys().copied().collect::<Vec<_>>();
        cells.sort_unstable_by_key(|(place, step)| (order[*place], *step));
        let (mut places, mut spans) = (Vec::new(), Vec::new());
        for cell in spread(&cells, ask.exemplars_max) {
            for span in &slowest[&cell].1 {
                places.push(cell);
                spans.push(*span);
            }
        }
        let read = rollup::read_exemplars(&ask.view, &spans, &ask.scan)?;
        for ((place, step), span) in places.into_iter().zip(read) {
            if let Some(span) = span {
                let exemplar = Exemplar {
                    trace_id: span.trace_id,
                    span_id: span.span_id,
                    start_ns: span.start_ns,
                    measure: span.duration_ns as f64,
                };
                self.found.offer(place, step, exemplar);
            }
        }
        Ok(())
    }

    // Runs the pipeline over operations that are new.
    fn place(&mut self, keys: &[OperationKey]) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.unknown |= keys.iter().any(|key| key.service.as_ref() == SERVICE_UNKNOWN);
        let rows = as_rows(keys)?;
        let batch =
            TraceBatch { rows, traces: Vec::new(), trace_of_row: Vec::new(), structure: None };
        let spans = Spans::new(batch);
        let kept = Runner::new(&spans, &self.plan.regexes).rows_by_span(&self.query.pipeline)?;
        let groups = Groups::new(&spans, &self.query.by, &kept)?;
        let first = self.places.len();
        self.places.resize(first + keys.len(), None);
        for row in kept {
            let values = &groups.values[groups.of_row[row as usize] as usize];
            self.places[first + row as usize] = Some(self.found.place(values)?);
        }
        Ok(())
    }
}

// Operations in the columns that spans would have.
fn as_rows(keys: &[OperationKey]) -> Result<RecordBatch> {
    let numbers = || UInt32Array::from_iter_values(0..keys.len() as u32);
    let services = keys.iter().map(|key| Value::String(key.service.to_string()).to_bytes());
    let services = BinaryArray::from_iter_values(services);
    let names = StringArray::from_iter_values(keys.iter().map(|key| key.name.as_ref()));
    let service =
        Field::Attribute { scope: Scope::Resource, parent: false, name: SERVICE_NAME.to_owned() };
    let service = scan_column(&service).map(|column| column.name()).unwrap_or_default();
    let failed = |err: arrow::error::ArrowError| Error::internal(err.to_string());
    let services = DictionaryArray::<UInt32Type>::try_new(numbers(), Arc::new(services));
    let names = DictionaryArray::<UInt32Type>::try_new(numbers(), Arc::new(names));
    let kinds = Int32Array::from_iter_values(keys.iter().map(|key| key.kind));
    let statuses = Int32Array::from_iter_values(keys.iter().map(|key| key.status_code));
    let columns: Vec<(ArrowField, ArrayRef)> = vec![
        (
            ArrowField::new(service, schema::dict_binary(), true),
            Arc::new(services.map_err(failed)?),
        ),
        (ArrowField::new(col::NAME, schema::dict_utf8(), false), Arc::new(names.map_err(failed)?)),
        (ArrowField::new(col::KIND, arrow::datatypes::DataType::Int32, false), Arc::new(kinds)),
        (
            ArrowField::new(col::STATUS_CODE, arrow::datatypes::DataType::Int32, false),
            Arc::new(statuses),
        ),
    ];
    let (fields, arrays): (Vec<_>, Vec<_>) = columns.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(failed)
}
