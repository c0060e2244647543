//! `compare`: which values of which attributes the selected spans have, beside all others.
//!
//! Every attribute of span and resource is counted, value by value. A field of more than
//! [`FIELD_VALUES_MAX`] values (an id, an address with a number in it) tells nothing apart: its values
//! are let go, and only its totals are answered.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::UInt32Type;
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::value::ValueRef;
use throughline_model::{Value, attrs, origin};
use throughline_storage::scan::{ScanColumn, TraceBatch, TraceScan, TraceScanRequest};

use super::Ask;
use super::grid::Grid;
use super::run::{blocking, rows};
use super::stages::labels_order;
use crate::traceql::MetricsSeries;
use crate::traceql::ast::{
    Field, Intrinsic, MetricsFunction, MetricsQuery, Pipeline, Scope, SpansetExpr, Stage,
};
use crate::traceql::eval::Spans;
use crate::traceql::eval::column::NIL;
use crate::traceql::eval::spansets::Runner;
use crate::traceql::eval::value::label_order;
use crate::traceql::plan::{Plan, add_fields};
use crate::{Error, ErrorKind, Result};

/// Values of one field that are counted.
const FIELD_VALUES_MAX: usize = 20_000;
/// Values of all fields that are counted.
const VALUES_MAX: usize = 400_000;

const INTRINSICS: [Intrinsic; 6] = [
    Intrinsic::Name,
    Intrinsic::Kind,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::RootName,
    Intrinsic::RootServiceName,
];

pub(super) async fn run(ask: &Arc<Ask>, query: &MetricsQuery) -> Result<Vec<MetricsSeries>> {
    let MetricsFunction::Compare { selection, top, start_ns, end_ns } = &query.function else {
        return Err(Error::internal("compare without its parameters"));
    };
    let selected = Selected {
        plan: Plan::new(&selection_pipeline(selection))?,
        selection: selection.as_ref().clone(),
        start_ns: start_ns.unwrap_or(i64::MIN),
        end_ns: end_ns.unwrap_or(i64::MAX),
    };
    let plan = Plan::new(&query.pipeline)?;
    let request = request(ask, &plan, &selected);
    let scan = {
        let ask = ask.clone();
        blocking(&ask.clone(), move || Ok(TraceScan::new(&ask.view, request, &ask.scan)?)).await?
    };
    let shared = Arc::new((plan, selected, query.clone(), scan));
    let workers = (0..ask.parallelism.max(1)).map(|_| {
        let (ask, shared) = (ask.clone(), shared.clone());
        blocking(&ask.clone(), move || {
            let (plan, selected, query, scan) = &*shared;
            let mut counts = Counts::new(ask.grid);
            while let Some(batch) = scan.next()? {
                counts.add(plan, selected, query, batch)?;
            }
            Ok(counts)
        })
    });
    let mut all = futures::future::try_join_all(workers).await?.into_iter();
    let first = all.next().ok_or_else(|| Error::internal("a query without workers"))?;
    let merged = all.try_fold(first, Counts::merged)?;
    Ok(merged.series(*top))
}

struct Selected {
    plan: Plan,
    selection: SpansetExpr,
    start_ns: i64,
    end_ns: i64,
}

fn selection_pipeline(selection: &SpansetExpr) -> Pipeline {
    Pipeline { stages: vec![Stage::Spans(selection.clone())] }
}

// Whole traces: names of roots are compared too.
fn request(ask: &Ask, plan: &Plan, selected: &Selected) -> TraceScanRequest {
    let mut needs = plan.needs.clone();
    let fields = INTRINSICS.map(|which| Field::Intrinsic { which, parent: false });
    add_fields(&mut needs, &fields);
    needs.column(col::START_TIME);
    needs.column(col::RESOURCE);
    needs.whole = true;
    needs.structure = true;
    let mut request = plan.request(ask.grid.time, true);
    let mut columns = needs.columns().to_vec();
    columns.push(ScanColumn::Attributes);
    for column in selected.plan.needs.columns() {
        if !columns.contains(column) {
            columns.push(column.clone());
        }
    }
    request.columns = columns;
    (request.whole, request.structure) = (true, true);
    request
}

/// Spans with one value of one field: by step, of the baseline and of the selection.
#[derive(Clone, Debug, Default)]
struct Tally(Vec<(u32, [u64; 2])>);

impl Tally {
    fn add(&mut self, step: u32, counts: [u64; 2]) {
        let at = match self.0.last() {
            Some((last, _)) if *last == step => Ok(self.0.len() - 1),
            Some((last, _)) if *last < step => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&step, |(step, _)| *step),
        };
        let at = at.unwrap_or_else(|at| {
            self.0.insert(at, (step, [0, 0]));
            at
        });
        (0..2).for_each(|side| self.0[at].1[side] += counts[side]);
    }

    fn merge(&mut self, other: &Tally) {
        other.0.iter().for_each(|(step, counts)| self.add(*step, *counts));
    }

    fn total(&self, side: usize) -> u64 {
        self.0.iter().map(|(_, counts)| counts[side]).sum()
    }

    fn points(&self, side: usize, grid: &Grid) -> Vec<(i64, f64)> {
        let mut points = (0..grid.points).map(|at| (grid.time_of(at), 0.0)).collect::<Vec<_>>();
        for (step, counts) in &self.0 {
            points[*step as usize].1 = counts[side] as f64;
        }
        points
    }
}

#[derive(Default)]
struct FieldCounts {
    total: Tally,
    /// By encoded value; none once there were too many.
    values: Option<HashMap<Vec<u8>, Tally>>,
}

struct Counts {
    grid: Grid,
    fields: HashMap<Field, FieldCounts>,
}

impl Counts {
    fn new(grid: Grid) -> Self {
        Self { grid, fields: HashMap::new() }
    }

    fn add(
        &mut self,
        plan: &Plan,
        selected: &Selected,
        query: &MetricsQuery,
        batch: TraceBatch,
    ) -> Result<()> {
        let attributes = batch.rows.column_by_name(col::ATTRIBUTES).cloned();
        let attributes = attributes.ok_or_else(|| Error::internal("attributes were not read"))?;
        let spans = Spans::new(batch);
        let rows = rows(&Runner::new(&spans, &plan.regexes), plan, query)?;
        let side = sides(&spans, selected, &rows)?;
        let starts = spans.starts()?;
        let places = rows.iter().map(|row| {
            (*row as usize, self.grid.step(starts[*row as usize]) as u32, side[*row as usize])
        });
        let places = places.collect::<Vec<_>>();
        let map = attributes.as_map();
        let keys = map.keys().as_dictionary::<UInt32Type>();
        let names = keys.values().as_string::<i32>();
        let values = map.values().as_binary::<i32>();
        let offsets = map.value_offsets();
        let mut by_key: Vec<Vec<(usize, u32, usize)>> = vec![Vec::new(); names.len()];
        for (row, step, side) in &places {
            for entry in offsets[*row] as usize..offsets[*row + 1] as usize {
                by_key[keys.keys().value(entry) as usize].push((entry, *step, *side));
            }
        }
        for (key, entries) in by_key.into_iter().enumerate().filter(|(_, all)| !all.is_empty()) {
            let field = attribute(Scope::Span, names.value(key));
            let counts = self.field(field);
            for (entry, step, side) in entries {
                counts.count(values.value(entry), step, side)?;
            }
        }
        self.add_resources(&spans, &places)?;
        for which in INTRINSICS {
            let field = Field::Intrinsic { which, parent: false };
            let (numbers, values) = spans.column(&field)?.numbered(spans.rows());
            let encoded = values.iter().map(|value| value.shown().to_bytes()).collect::<Vec<_>>();
            let counts = self.field(field);
            for (row, step, side) in &places {
                if numbers[*row] != NIL {
                    counts.count(&encoded[numbers[*row] as usize], *step, *side)?;
                }
            }
        }
        self.check()
    }

    fn add_resources(&mut self, spans: &Spans, places: &[(usize, u32, usize)]) -> Result<()> {
        let column = spans.array(col::RESOURCE)?.as_dictionary::<UInt32Type>();
        let resources = column.values().as_binary::<i32>();
        let mut tallies: HashMap<u32, Tally> = HashMap::new();
        for (row, step, side) in places {
            let mut counts = [0, 0];
            counts[*side] = 1;
            tallies.entry(column.keys().value(*row)).or_default().add(*step, counts);
        }
        for (number, tally) in tallies {
            let set = origin::resource_attrs(resources.value(number as usize))?;
            for entry in attrs::iter(set) {
                let (key, value) = entry?;
                self.field(attribute(Scope::Resource, key)).count_all(value, &tally)?;
            }
        }
        Ok(())
    }

    fn field(&mut self, field: Field) -> &mut FieldCounts {
        self.fields.entry(field).or_insert_with(|| FieldCounts {
            total: Tally::default(),
            values: Some(HashMap::new()),
        })
    }

    fn check(&self) -> Result<()> {
        let values = self.fields.values().flat_map(|field| &field.values).map(HashMap::len);
        let values = values.sum::<usize>();
        if values > VALUES_MAX {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "compare meets {values} values, the limit is {VALUES_MAX}: select fewer spans \
                     or a shorter range"
                ),
            ));
        }
        Ok(())
    }

    fn merged(mut self, other: Counts) -> Result<Counts> {
        for (name, counts) in other.fields {
            let field = self.field(name);
            field.total.merge(&counts.total);
            match (counts.values, &mut field.values) {
                (Some(values), Some(known)) => {
                    for (value, tally) in values {
                        known.entry(value).or_default().merge(&tally);
                    }
                    field.let_go();
                }
                _ => field.values = None,
            }
        }
        self.check()?;
        Ok(self)
    }

    fn series(self, top: usize) -> Vec<MetricsSeries> {
        let mut out = Vec::new();
        let grid = self.grid;
        for (field, counts) in self.fields {
            let name = field.to_string();
            let mut add = |kind: &str, value: Value, tally: &Tally, side: usize| {
                let labels = vec![
                    ("__meta_type".to_owned(), Value::String(kind.to_owned())),
                    (name.clone(), value),
                ];
                let points = tally.points(side, &grid);
                out.push(MetricsSeries { labels, points, exemplars: Vec::new() });
            };
            for (side, kind) in ["baseline", "selection"].into_iter().enumerate() {
                if counts.total.total(side) == 0 {
                    continue;
                }
                add(&format!("{kind}_total"), Value::Empty, &counts.total, side);
                for (value, tally) in ranked(counts.values.as_ref(), side, top) {
                    add(kind, value, tally, side);
                }
            }
        }
        out.sort_by(|a, b| labels_order(&a.labels, &b.labels));
        out
    }
}

// The most frequent values of a side; of equals those that sort first.
fn ranked(
    values: Option<&HashMap<Vec<u8>, Tally>>,
    side: usize,
    top: usize,
) -> Vec<(Value, &Tally)> {
    let mut by_count: BTreeMap<Reverse<u64>, Vec<(Value, &Tally)>> = BTreeMap::new();
    for (encoded, tally) in values.into_iter().flatten() {
        let total = tally.total(side);
        if let (true, Ok(value)) = (total > 0, Value::decode(encoded)) {
            by_count.entry(Reverse(total)).or_default().push((value, tally));
        }
    }
    let mut out = Vec::new();
    for (_, mut equal) in by_count {
        if out.len() >= top {
            break;
        }
        equal.sort_by(|a, b| label_order(&a.0, &b.0));
        out.extend(equal);
    }
    out.truncate(top);
    out
}

impl FieldCounts {
    fn count(&mut self, encoded: &[u8], step: u32, side: usize) -> Result<()> {
        let mut counts = [0, 0];
        counts[side] = 1;
        self.tally(encoded, |tally| tally.add(step, counts))
    }

    fn count_all(&mut self, encoded: &[u8], more: &Tally) -> Result<()> {
        self.tally(encoded, |tally| tally.merge(more))
    }

    // Of a list the first element counts; what is opaque counts in the total only.
    fn tally(&mut self, encoded: &[u8], add: impl Fn(&mut Tally)) -> Result<()> {
        let mut value = ValueRef::read(encoded)?;
        let mut element = None;
        if value.is_array() {
            let Some(first) = value.elements().next() else { return Ok(()) };
            value = first?;
            element = Some(owned(value));
        }
        if matches!(value, ValueRef::Empty) {
            return Ok(());
        }
        add(&mut self.total);
        if matches!(value, ValueRef::Bytes(_) | ValueRef::Nested(_)) {
            return Ok(());
        }
        if let Some(values) = &mut self.values {
            let encoded = element.as_deref().unwrap_or(encoded);
            add(values.entry_ref(encoded).or_default());
            self.let_go();
        }
        Ok(())
    }

    fn let_go(&mut self) {
        if self.values.as_ref().is_some_and(|values| values.len() > FIELD_VALUES_MAX) {
            self.values = None;
        }
    }
}

fn owned(value: ValueRef<'_>) -> Vec<u8> {
    match value {
        ValueRef::String(text) => Value::String(text.to_owned()),
        ValueRef::Bool(flag) => Value::Bool(flag),
        ValueRef::Int(number) => Value::Int(number),
        ValueRef::Double(number) => Value::Double(number),
        _ => Value::Empty,
    }
    .to_bytes()
}

fn attribute(scope: Scope, name: &str) -> Field {
    Field::Attribute { scope, parent: false, name: name.to_owned() }
}

// For each row 1 if it is selected.
fn sides(spans: &Spans, selected: &Selected, rows: &[u32]) -> Result<Vec<usize>> {
    let runner = Runner::new(spans, &selected.plan.regexes);
    let starts = spans.starts()?;
    let mut sides = vec![0; spans.rows()];
    let mut by_trace = vec![Vec::new(); spans.traces().len()];
    for row in rows {
        by_trace[spans.trace_of_row()[*row as usize] as usize].push(*row);
    }
    for (trace, mut rows) in by_trace.into_iter().enumerate().filter(|(_, all)| !all.is_empty()) {
        rows.sort_unstable();
        for row in runner.kept(&selected.selection, trace, rows)? {
            let start = starts[row as usize];
            sides[row as usize] =
                usize::from(selected.start_ns <= start && start < selected.end_ns);
        }
    }
    Ok(sides)
}
