//! Rate, errors and durations of services' spans over sliding windows, out of the spans themselves.
//!
//! ```text
//! spans that ended in the range → counts by group and bucket → windows of whole buckets, step by step
//! ```
//! A bucket is as wide as the greatest common divisor of step and window, so that windows are exact.
//! Durations are counted in exponential classes: a quantile is off by at most 0.6 %.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Int32Type, Int64Type, TimestampNanosecondType, UInt32Type};
use futures::TryStreamExt;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::time::{SECOND_NS, TimeRange};
use throughline_storage::scan::{self, ScanColumn, ScanOrder, ScanRequest};

use super::Status;
use crate::{Engine, Error, ErrorKind, QueryContext, QueryStatsSnapshot, Result};

/// The most points of a series.
pub const RATE_POINTS_MAX: usize = 11_000;
/// The most buckets between the first window's start and the end.
const BUCKETS_MAX: i64 = 1_000_000;
/// The most series of one answer.
const SERIES_MAX: usize = 5_000;
/// Buckets of all series together.
const CELLS_MAX: usize = 2_000_000;
/// Classes of durations a doubling.
const CLASSES_PER_DOUBLING: f64 = 64.0;
/// By how much a quantile may be off, of its value.
#[cfg(test)]
const CLASS_ERROR: f64 = 0.006;

/// What is asked.
#[derive(Clone, Debug)]
pub struct RateQuery {
    /// Services; at least one.
    pub services: Vec<String>,
    /// Kinds of spans, as numbers; empty for any.
    pub kinds: Vec<i32>,
    /// Whether each operation is a series of its own.
    pub by_operation: bool,
    /// The first point.
    pub start_ns: i64,
    /// No point is later.
    pub end_ns: i64,
    /// From point to point.
    pub step_ns: i64,
    /// How far a point looks back.
    pub window_ns: i64,
    /// Which quantile of durations is wanted, if one is.
    pub quantile: Option<f64>,
}

/// The points of a service or operation.
#[derive(Clone, Debug, PartialEq)]
pub struct RateSeries {
    /// The service.
    pub service: String,
    /// The operation, where each has a series.
    pub operation: Option<String>,
    /// The points by time, one a step.
    pub points: Vec<RatePoint>,
}

/// What ended in the window before a time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatePoint {
    /// The time: the window's last moment.
    pub time_ns: i64,
    /// Spans.
    pub calls: u64,
    /// Of these, those with status ERROR.
    pub errors: u64,
    /// The quantile of their durations, if one was asked for and there are spans.
    pub quantile_ns: Option<f64>,
}

impl Engine {
    /// Rates of services, sorted by service and operation, and what the look did.
    pub async fn span_rates(
        &self,
        query: &RateQuery,
        ctx: &QueryContext,
    ) -> Result<(Vec<RateSeries>, QueryStatsSnapshot)> {
        let grid = Grid::new(query)?;
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let request = ScanRequest {
            columns: COLUMNS.map(|name| ScanColumn::Fixed(name.to_owned())).to_vec(),
            predicates: predicates(query),
            time: TimeRange { start_ns: grid.first_ns, end_ns: grid.end_ns() },
            order: ScanOrder::Any,
            limit: None,
        };
        let mut batches = scan::scan_spans(admitted.view.clone(), request, budget.scan.clone());
        let mut groups = Groups { grid, by_key: HashMap::new(), cells: 0 };
        let read = async {
            while let Some(batch) = batches.try_next().await? {
                groups.add(&batch, query)?;
            }
            Ok(())
        };
        budget.run(read).await?;
        let mut series = groups.finish(query);
        series.sort_by(|a, b| (&a.service, &a.operation).cmp(&(&b.service, &b.operation)));
        budget.stats.add_rows(series.len());
        Ok((series, budget.stats.snapshot()))
    }
}

const COLUMNS: [&str; 5] =
    [col::SERVICE_NAME, col::NAME, col::START_TIME, col::DURATION_NS, col::STATUS_CODE];

fn predicates(query: &RateQuery) -> Vec<Predicate> {
    let services = query.services.iter().cloned().map(Operand::Str).collect();
    let one_of = |name: &str, operands| Predicate {
        target: Target::Column(name.to_owned()),
        op: Op::In(operands),
    };
    let mut all = vec![one_of(col::SERVICE_NAME, services)];
    if !query.kinds.is_empty() {
        let kinds = query.kinds.iter().map(|kind| Operand::Int(i64::from(*kind))).collect();
        all.push(one_of(col::KIND, kinds));
    }
    all
}

// The buckets of a query: bucket `n` holds what ended in `(first + n × width, first + (n+1) × width]`.
#[derive(Clone, Copy)]
struct Grid {
    first_ns: i64,
    width_ns: i64,
    /// Buckets a step and a window have.
    step: usize,
    window: usize,
    points: usize,
}

impl Grid {
    fn new(query: &RateQuery) -> Result<Self> {
        let positive = |field: &str, ns: i64| match ns {
            ns if ns > 0 => Ok(ns),
            ns => Err(Error::invalid(field, format!("{field} is {ns} ns, it must be above 0"))),
        };
        let (step_ns, window_ns) =
            (positive("step", query.step_ns)?, positive("window", query.window_ns)?);
        if query.end_ns < query.start_ns {
            return Err(Error::invalid("end", "the end is before the start"));
        }
        let steps = query.end_ns.saturating_sub(query.start_ns) / step_ns;
        if steps >= RATE_POINTS_MAX as i64 {
            let message = format!(
                "a step of {} s gives {} points, the most are {RATE_POINTS_MAX}",
                step_ns as f64 / SECOND_NS as f64,
                steps.saturating_add(1),
            );
            return Err(Error::invalid("step", message));
        }
        let width_ns = gcd(step_ns, window_ns);
        let buckets = steps.saturating_mul(step_ns / width_ns).saturating_add(window_ns / width_ns);
        if buckets > BUCKETS_MAX {
            let message = format!(
                "step and window have no common part above {width_ns} ns: {buckets} buckets, the \
                 most are {BUCKETS_MAX}"
            );
            return Err(Error::invalid("step", message));
        }
        Ok(Self {
            first_ns: query.start_ns.saturating_sub(window_ns),
            width_ns,
            step: (step_ns / width_ns) as usize,
            window: (window_ns / width_ns) as usize,
            points: steps as usize + 1,
        })
    }

    fn buckets(&self) -> usize {
        (self.points - 1) * self.step + self.window
    }

    fn end_ns(&self) -> i64 {
        let length = self.width_ns.saturating_mul(self.buckets() as i64);
        self.first_ns.saturating_add(length).saturating_add(1)
    }

    fn bucket(&self, at_ns: i64) -> Option<usize> {
        let since = at_ns.checked_sub(self.first_ns)?.checked_sub(1)?;
        let bucket = usize::try_from(since.div_euclid(self.width_ns)).ok()?;
        (bucket < self.buckets()).then_some(bucket)
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[derive(Default)]
struct Cell {
    calls: u64,
    errors: u64,
    classes: BTreeMap<i32, u64>,
}

#[derive(Default)]
struct Group {
    cells: BTreeMap<usize, Cell>,
}

struct Groups {
    grid: Grid,
    by_key: HashMap<(String, Option<String>), Group>,
    cells: usize,
}

impl Groups {
    fn add(&mut self, batch: &RecordBatch, query: &RateQuery) -> Result<()> {
        let column = |name: &str| -> Result<&ArrayRef> {
            batch.column_by_name(name).ok_or_else(|| Error::internal(format!("no column {name}")))
        };
        let services = column(col::SERVICE_NAME)?.as_dictionary::<UInt32Type>();
        let names = column(col::NAME)?.as_dictionary::<UInt32Type>();
        let starts = column(col::START_TIME)?.as_primitive::<TimestampNanosecondType>().values();
        let durations = column(col::DURATION_NS)?.as_primitive::<Int64Type>().values();
        let statuses = column(col::STATUS_CODE)?.as_primitive::<Int32Type>().values();
        // Rows by what names their group, so that names are looked up once a batch.
        let mut rows: BTreeMap<(u32, u32), Vec<usize>> = BTreeMap::new();
        for row in 0..batch.num_rows() {
            let name = if query.by_operation { names.keys().value(row) } else { 0 };
            rows.entry((services.keys().value(row), name)).or_default().push(row);
        }
        let service_names = services.values().as_string::<i32>();
        let operation_names = names.values().as_string::<i32>();
        for ((service, name), rows) in rows {
            let operation =
                query.by_operation.then(|| operation_names.value(name as usize).to_owned());
            let key = (service_names.value(service as usize).to_owned(), operation);
            let group = self.by_key.entry(key).or_default();
            for row in rows {
                let duration_ns = durations[row].max(0);
                let Some(bucket) = self.grid.bucket(starts[row].saturating_add(duration_ns)) else {
                    continue;
                };
                let before = group.cells.len();
                let cell = group.cells.entry(bucket).or_default();
                cell.calls += 1;
                cell.errors += u64::from(statuses[row] == Status::Error as i32);
                if query.quantile.is_some() {
                    *cell.classes.entry(class(duration_ns)).or_default() += 1;
                }
                self.cells += group.cells.len() - before;
            }
        }
        self.check()
    }

    fn check(&self) -> Result<()> {
        let limit = |message| Err(Error::new(ErrorKind::Limit, message));
        if self.by_key.len() > SERIES_MAX {
            return limit(format!(
                "there are more than {SERIES_MAX} series: ask for less services"
            ));
        }
        if self.cells > CELLS_MAX {
            return limit(format!(
                "there are more than {CELLS_MAX} buckets: ask for a larger step"
            ));
        }
        Ok(())
    }

    fn finish(self, query: &RateQuery) -> Vec<RateSeries> {
        let grid = self.grid;
        let series = |((service, operation), group): ((String, Option<String>), Group)| {
            RateSeries { service, operation, points: points(grid, &group, query) }
        };
        let with_calls = self.by_key.into_iter().filter(|(_, group)| !group.cells.is_empty());
        with_calls.map(series).collect()
    }
}

// What is in the window changes by the buckets that enter and leave it.
fn points(grid: Grid, group: &Group, query: &RateQuery) -> Vec<RatePoint> {
    let mut window = Cell::default();
    let (mut entered, mut left) = (0, 0);
    (0..grid.points)
        .map(|point| {
            let end = point * grid.step + grid.window;
            let start = end - grid.window;
            for (_, cell) in group.cells.range(entered.max(start)..end) {
                window.calls += cell.calls;
                window.errors += cell.errors;
                for (class, count) in &cell.classes {
                    *window.classes.entry(*class).or_default() += count;
                }
            }
            if left < start {
                for (_, cell) in group.cells.range(left..start.min(entered)) {
                    window.calls -= cell.calls;
                    window.errors -= cell.errors;
                    for (class, count) in &cell.classes {
                        if let Some(all) = window.classes.get_mut(class) {
                            *all -= count;
                        }
                    }
                }
            }
            (entered, left) = (end, start);
            let time_ns = query.start_ns.saturating_add(query.step_ns * point as i64);
            RatePoint {
                time_ns,
                calls: window.calls,
                errors: window.errors,
                quantile_ns: query.quantile.and_then(|q| quantile(&window, q)),
            }
        })
        .collect()
}

fn class(duration_ns: i64) -> i32 {
    ((duration_ns.max(1) as f64).log2() * CLASSES_PER_DOUBLING).floor() as i32
}

// The middle of the class that holds the span of that rank.
fn quantile(window: &Cell, quantile: f64) -> Option<f64> {
    let rank = (quantile * window.calls as f64).ceil().max(1.0) as u64;
    let mut below = 0;
    for (class, count) in &window.classes {
        below += count;
        if *count > 0 && below >= rank {
            return Some(((f64::from(*class) + 0.5) / CLASSES_PER_DOUBLING).exp2());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start_s: i64, end_s: i64, step_s: i64, window_s: i64) -> RateQuery {
        RateQuery {
            services: vec!["a".to_owned()],
            kinds: Vec::new(),
            by_operation: false,
            start_ns: start_s * SECOND_NS,
            end_ns: end_s * SECOND_NS,
            step_ns: step_s * SECOND_NS,
            window_ns: window_s * SECOND_NS,
            quantile: Some(0.5),
        }
    }

    // Windows against counting one by one, also where steps skip buckets and where windows do not meet.
    #[test]
    fn windows_hold_what_ended_in_them() {
        let ends: Vec<i64> = (0..200).map(|i| (i * 7919) % 173).collect();
        for (start, end, step, window) in
            [(60, 160, 10, 30), (60, 160, 5, 7), (50, 150, 20, 5), (40, 41, 1, 40), (0, 0, 1, 3)]
        {
            let query = query(start, end, step, window);
            let grid = Grid::new(&query).expect("valid");
            let mut group = Group::default();
            for end in &ends {
                if let Some(bucket) = grid.bucket(end * SECOND_NS) {
                    let cell = group.cells.entry(bucket).or_default();
                    cell.calls += 1;
                    *cell.classes.entry(class(1_000_000 * (end + 1))).or_default() += 1;
                }
            }
            let points = points(grid, &group, &query);
            assert_eq!(points.len() as i64, (end - start) / step + 1);
            for point in points {
                let at = point.time_ns / SECOND_NS;
                let mut inside: Vec<i64> =
                    ends.iter().copied().filter(|end| at - window < *end && *end <= at).collect();
                inside.sort_unstable();
                assert_eq!(point.calls, inside.len() as u64, "{step} {window} at {at}");
                let expected = inside.get(inside.len().saturating_sub(1) / 2);
                match (point.quantile_ns, expected) {
                    (Some(found), Some(end)) => {
                        let exact = 1e6 * (end + 1) as f64;
                        assert!((found / exact - 1.0).abs() <= CLASS_ERROR, "{found} {exact}");
                    }
                    (None, None) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    #[test]
    fn absurd_grids_are_refused() {
        for (start, end, step, window, field) in [
            (0, 100, 0, 1, "step"),
            (0, 100, 1, 0, "window"),
            (9, 8, 1, 1, "end"),
            (0, 11_000, 1, 1, "step"),
        ] {
            let err = Grid::new(&query(start, end, step, window)).err().expect("an error");
            assert_eq!(err.field(), Some(field), "{err}");
        }
    }
}
