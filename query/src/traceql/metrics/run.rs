//! One metrics query: scan, group, accumulate, and make series of the cells.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::{SpanId, TraceId, Value, exponential};
use throughline_storage::scan::{TraceBatch, TraceScan};

use super::cells::{Cells, Kept};
use super::grid::Grid;
use super::groups::{Groups, key};
use super::{Ask, compare, rolled};
use crate::traceql::ast::{Field, Intrinsic, MetricsFunction, MetricsQuery};
use crate::traceql::eval::Spans;
use crate::traceql::eval::spansets::{Runner, union};
use crate::traceql::eval::value::Val;
use crate::traceql::plan::{Plan, add_fields};
use crate::traceql::{MetricsExemplar, MetricsSeries};
use crate::{Error, ErrorKind, Result};

/// Cells that one query may fill, over all series and steps; distributions count for more.
const CELLS_MAX: usize = 2_000_000;
const CELLS_A_DISTRIBUTION: usize = 16;

pub(super) async fn run(ask: &Arc<Ask>, query: &MetricsQuery) -> Result<Vec<MetricsSeries>> {
    if let MetricsFunction::Compare { .. } = query.function {
        return compare::run(ask, query).await;
    }
    let plan = Arc::new(Plan::new(&query.pipeline)?);
    if rolled::may_answer(ask, &plan, query) {
        let (on, plan, query) = (ask.clone(), plan.clone(), query.clone());
        let found = blocking(ask, move || {
            rolled::find(&on, &plan, &query)?.map(|found| found.series(&query)).transpose()
        });
        if let Some(series) = found.await? {
            return Ok(series);
        }
    }
    scan(ask, query).await
}

// Reads the spans.
async fn scan(ask: &Arc<Ask>, query: &MetricsQuery) -> Result<Vec<MetricsSeries>> {
    let mut plan = Plan::new(&query.pipeline)?;
    let mut fields = query.by.clone();
    fields.extend(measured(&query.function).cloned());
    add_fields(&mut plan.needs, &fields);
    plan.needs.column(col::START_TIME);
    if ask.exemplars_max > 0 {
        plan.needs.column(col::SPAN_ID);
        plan.needs.named = true;
    }
    let (plan, query) = (Arc::new(plan), Arc::new(query.clone()));
    let scan = {
        let (on, request) = (ask.clone(), plan.request(ask.grid.time, false));
        blocking(ask, move || Ok(TraceScan::new(&on.view, request, &on.scan)?)).await?
    };
    let scan = Arc::new(scan);
    let workers = (0..ask.parallelism.max(1)).map(|_| {
        let (on, plan, query, scan) = (ask.clone(), plan.clone(), query.clone(), scan.clone());
        blocking(ask, move || {
            let mut found = Found::new(&query, on.grid, on.exemplars_max > 0);
            while let Some(batch) = scan.next()? {
                found.add(&query, &plan, batch)?;
            }
            Ok(found)
        })
    });
    let mut all = futures::future::try_join_all(workers).await?.into_iter();
    let first = all.next().ok_or_else(|| Error::internal("a query without workers"))?;
    let merged = all.try_fold(first, Found::merged)?;
    merged.series(&query)
}

/// Runs CPU-heavy work off the async workers.
pub(super) fn blocking<T: Send + 'static, W: FnOnce() -> Result<T> + Send + 'static>(
    ask: &Ask,
    work: W,
) -> impl Future<Output = Result<T>> + use<T, W> {
    let task = ask.scan.tracker.spawn_blocking(work);
    async move { task.await.map_err(|err| Error::internal(format!("a query failed: {err}")))? }
}

/// The rows of a batch that the pipeline leaves.
pub(super) fn rows(runner: &Runner<'_>, plan: &Plan, query: &MetricsQuery) -> Result<Vec<u32>> {
    if plan.by_span {
        return runner.rows_by_span(&query.pipeline);
    }
    let mut rows = Vec::new();
    for trace in 0..runner.spans().traces().len() {
        rows.extend(union(runner.run(&query.pipeline, trace)?));
    }
    Ok(rows)
}

fn measured(function: &MetricsFunction) -> Option<&Field> {
    match function {
        MetricsFunction::Rate
        | MetricsFunction::CountOverTime
        | MetricsFunction::Compare { .. } => None,
        MetricsFunction::MinOverTime(field)
        | MetricsFunction::MaxOverTime(field)
        | MetricsFunction::AvgOverTime(field)
        | MetricsFunction::SumOverTime(field)
        | MetricsFunction::QuantileOverTime(field, _)
        | MetricsFunction::HistogramOverTime(field) => Some(field),
    }
}

// What a number of this field is divided by: durations are shown in seconds.
fn unit(field: &Field) -> f64 {
    let Field::Intrinsic { which, .. } = field else { return 1.0 };
    match which {
        Intrinsic::Duration | Intrinsic::TraceDuration | Intrinsic::EventTimeSinceStart => 1e9,
        _ => 1.0,
    }
}

fn kept(function: &MetricsFunction) -> Kept {
    match function {
        MetricsFunction::Rate
        | MetricsFunction::CountOverTime
        | MetricsFunction::Compare { .. } => Kept::Count,
        MetricsFunction::MinOverTime(_) => Kept::Min,
        MetricsFunction::MaxOverTime(_) => Kept::Max,
        MetricsFunction::AvgOverTime(_) | MetricsFunction::SumOverTime(_) => Kept::Sum,
        MetricsFunction::QuantileOverTime(..) | MetricsFunction::HistogramOverTime(_) => {
            Kept::Distribution
        }
    }
}

/// The cells of all series so far.
pub(super) struct Found {
    kept: Kept,
    grid: Grid,
    with_exemplars: bool,
    by_key: HashMap<Vec<u8>, usize>,
    series: Vec<Group>,
}

struct Group {
    values: Vec<Val>,
    cells: Cells,
    /// By step: the span with the largest value.
    exemplars: HashMap<usize, Exemplar>,
}

#[derive(Clone, Copy)]
pub(super) struct Exemplar {
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub start_ns: i64,
    /// What was measured; not a number where spans are counted.
    pub value: f64,
}

impl Found {
    pub(super) fn new(query: &MetricsQuery, grid: Grid, with_exemplars: bool) -> Self {
        let kept = kept(&query.function);
        Self { kept, grid, with_exemplars, by_key: HashMap::new(), series: Vec::new() }
    }

    fn add(&mut self, query: &MetricsQuery, plan: &Plan, batch: TraceBatch) -> Result<()> {
        let spans = Spans::new(batch);
        let runner = Runner::new(&spans, &plan.regexes);
        let rows = rows(&runner, plan, query)?;
        let groups = Groups::new(&spans, &query.by, &rows)?;
        let mut places = Vec::with_capacity(groups.values.len());
        if rows.is_empty() {
            return Ok(());
        }
        for values in &groups.values {
            places.push(self.place(values)?);
        }
        let starts = spans.starts()?;
        let value = measured(&query.function).map(|field| spans.column(field)).transpose()?;
        for row in &rows {
            let at = *row as usize;
            let group = &mut self.series[places[groups.of_row[at] as usize]];
            let step = self.grid.step(starts[at]);
            let number = match &value {
                None => {
                    group.cells.count(step);
                    None
                }
                Some(column) => {
                    let Some(number) = column.number(at) else { continue };
                    group.cells.add(step, number);
                    Some(number)
                }
            };
            if self.with_exemplars {
                group.exemplar(&spans, *row, step, number)?;
            }
        }
        Ok(())
    }

    /// The cells of a series.
    pub(super) fn cells(&mut self, place: usize) -> &mut Cells {
        &mut self.series[place].cells
    }

    /// Offers a span to stand for a step of a series.
    pub(super) fn offer(&mut self, place: usize, step: usize, exemplar: Exemplar) {
        self.series[place].offer(step, exemplar);
    }

    /// The place of a group's series.
    pub(super) fn place(&mut self, values: &[Val]) -> Result<usize> {
        let key = key(values);
        if let Some(place) = self.by_key.get(&key) {
            return Ok(*place);
        }
        let cost = match self.kept {
            Kept::Distribution => CELLS_A_DISTRIBUTION,
            _ => 1,
        };
        if (self.series.len() + 1) * self.grid.points * cost > CELLS_MAX {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "the query makes more than {} series of {} points: group by fewer values, \
                     or take a longer step",
                    self.series.len(),
                    self.grid.points
                ),
            ));
        }
        self.by_key.insert(key, self.series.len());
        self.series.push(Group {
            values: values.to_vec(),
            cells: Cells::new(self.kept, &self.grid),
            exemplars: HashMap::new(),
        });
        Ok(self.series.len() - 1)
    }

    fn merged(mut self, other: Found) -> Result<Found> {
        for group in other.series {
            let place = self.place(&group.values)?;
            let into = &mut self.series[place];
            into.cells.merge(group.cells);
            for (step, exemplar) in group.exemplars {
                into.offer(step, exemplar);
            }
        }
        Ok(self)
    }

    pub(super) fn series(self, query: &MetricsQuery) -> Result<Vec<MetricsSeries>> {
        let mut out = Vec::new();
        for group in self.series {
            let labels = query.by.iter().zip(&group.values);
            let labels = labels.map(|(field, value)| (field.to_string(), value.shown()));
            let labels = labels.collect::<Vec<_>>();
            let mut made = points(&group.cells, &query.function, &self.grid, &labels);
            made.retain(|series| !series.points.is_empty());
            if let Some(first) = made.first_mut() {
                let unit = measured(&query.function).map_or(1.0, unit);
                first.exemplars = group.exemplars(&first.points, &self.grid, unit);
            }
            out.extend(made);
        }
        Ok(out)
    }
}

impl Group {
    fn exemplar(&mut self, spans: &Spans, row: u32, step: usize, value: Option<f64>) -> Result<()> {
        let value = value.unwrap_or(f64::NAN);
        // Nearly every span loses: look before its ids are read.
        let wins = self.exemplars.get(&step).is_none_or(|best| value > best.value);
        if !wins {
            return Ok(());
        }
        let trace = spans.trace_of_row()[row as usize] as usize;
        let exemplar = Exemplar {
            trace_id: spans.traces()[trace],
            span_id: SpanId(spans.span_id(row)?.to_be_bytes()),
            start_ns: spans.starts()?[row as usize],
            value,
        };
        self.offer(step, exemplar);
        Ok(())
    }

    fn offer(&mut self, step: usize, exemplar: Exemplar) {
        let best = self.exemplars.entry(step).or_insert(exemplar);
        if exemplar.value > best.value {
            *best = exemplar;
        }
    }

    // One that counts spans, and measures nothing, stands on the line.
    fn exemplars(&self, points: &[(i64, f64)], grid: &Grid, unit: f64) -> Vec<MetricsExemplar> {
        let mut steps = self.exemplars.keys().copied().collect::<Vec<_>>();
        steps.sort_unstable();
        let value = |step: usize, exemplar: &Exemplar| match exemplar.value.is_nan() {
            false => exemplar.value / unit,
            true => {
                let at = points.binary_search_by_key(&grid.time_of(step), |(time, _)| *time);
                at.map_or(0.0, |at| points[at].1)
            }
        };
        let exemplars = steps.into_iter().map(|step| {
            let exemplar = &self.exemplars[&step];
            MetricsExemplar {
                trace_id: exemplar.trace_id,
                span_id: exemplar.span_id,
                time_ns: exemplar.start_ns,
                value: value(step, exemplar),
            }
        });
        exemplars.collect()
    }
}

// The series of one group: several for quantiles and buckets.
fn points(
    cells: &Cells,
    function: &MetricsFunction,
    grid: &Grid,
    labels: &[(String, Value)],
) -> Vec<MetricsSeries> {
    let unit = measured(function).map_or(1.0, unit);
    let one = |values: Vec<Option<f64>>| {
        let values = values.into_iter().enumerate();
        let points = values.filter_map(|(at, value)| Some((grid.time_of(at), value?)));
        let points = points.collect();
        vec![MetricsSeries { labels: labels.to_vec(), points, exemplars: Vec::new() }]
    };
    match cells {
        Cells::Count(counts) => {
            let by = if *function == MetricsFunction::Rate { grid.step_seconds() } else { 1.0 };
            one(counts.iter().map(|count| Some(count / by)).collect())
        }
        Cells::Min(values) | Cells::Max(values) => {
            one(values.iter().map(|v| (!v.is_nan()).then_some(v / unit)).collect())
        }
        Cells::Sum(sums) => {
            let average = matches!(function, MetricsFunction::AvgOverTime(_));
            let value = |(sum, count): &(f64, f64)| {
                let by = if average { *count } else { 1.0 };
                (*count > 0.0).then_some(sum / by / unit)
            };
            one(sums.iter().map(value).collect())
        }
        Cells::Distribution(all) => match function {
            MetricsFunction::QuantileOverTime(_, quantiles) => quantiles
                .iter()
                .flat_map(|q| {
                    let value = |buckets: &super::cells::Buckets| {
                        buckets.distribution().quantile(*q).map(|value| value / unit)
                    };
                    let mut made = one(all.iter().map(value).collect());
                    made[0].labels.push(("p".to_owned(), Value::Double(*q)));
                    made
                })
                .collect(),
            _ => histogram(all, grid, labels, unit),
        },
    }
}

fn histogram(
    all: &[super::cells::Buckets],
    grid: &Grid,
    labels: &[(String, Value)],
    unit: f64,
) -> Vec<MetricsSeries> {
    let mut by_octave: std::collections::BTreeMap<Option<i32>, Vec<f64>> = Default::default();
    for (at, buckets) in all.iter().enumerate() {
        let distribution = buckets.distribution();
        let mut add = |octave: Option<i32>, count: f64| {
            if count > 0.0 {
                by_octave.entry(octave).or_insert_with(|| vec![0.0; grid.points])[at] += count;
            }
        };
        add(None, distribution.zero);
        for (bucket, count) in &distribution.buckets {
            add(Some(exponential::octave(*bucket)), *count);
        }
    }
    let series = |(octave, counts): (Option<i32>, Vec<f64>)| {
        let bound = octave.map_or(0.0, |octave| f64::from(octave).exp2() / unit);
        let mut labels = labels.to_vec();
        labels.push(("__bucket".to_owned(), Value::Double(bound)));
        let points = counts.into_iter().enumerate().map(|(at, n)| (grid.time_of(at), n)).collect();
        MetricsSeries { labels, points, exemplars: Vec::new() }
    };
    by_octave.into_iter().map(series).collect()
}
