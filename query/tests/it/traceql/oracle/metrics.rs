//! Numbers over time.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use throughline_model::exponential::{self, Distribution};
use throughline_model::span::Span;
use throughline_model::time::TimeRange;
use throughline_model::{SpanId, TraceId, Value};
use throughline_query::traceql::ast::{
    BinaryOp, Field, MetricsExpr, MetricsFunction, MetricsQuery, Query, Root, SecondStage,
};

use super::trace::{self, Trace};
use super::value::Val;

/// Names and values that a series goes by.
pub type Labels = Vec<(String, Value)>;

/// A series: points by time.
#[derive(Clone, Debug)]
pub struct Series {
    pub labels: Labels,
    pub points: BTreeMap<i64, f64>,
}

/// A span that counts in a series.
#[derive(Clone, Debug)]
pub struct Sample {
    pub labels: Labels,
    pub trace_id: TraceId,
    pub span_id: SpanId,
    pub time_ns: i64,
    /// The measured value: seconds of durations; none for a function that measures nothing.
    pub value: Option<f64>,
}

enum Outcome {
    Number(f64),
    Series(Vec<Series>),
}

/// The range and its points.
pub struct Axis {
    pub time: TimeRange,
    step_ns: Option<i64>,
}

impl Axis {
    fn new(time: TimeRange, step_ns: Option<i64>) -> Self {
        let Some(step) = step_ns else { return Self { time, step_ns } };
        let start_ns = time.start_ns.div_euclid(step) * step;
        let end_ns = (time.end_ns + step - 1).div_euclid(step) * step;
        Self { time: TimeRange { start_ns, end_ns }, step_ns }
    }

    /// The point that a time belongs to.
    pub fn point(&self, time_ns: i64) -> i64 {
        match self.step_ns {
            Some(step) => time_ns.div_euclid(step) * step + step,
            None => self.time.end_ns,
        }
    }

    fn seconds(&self) -> f64 {
        let step_ns = self.step_ns.unwrap_or(self.time.end_ns - self.time.start_ns);
        step_ns as f64 / 1e9
    }

    /// Zero at every point.
    pub fn zeros(&self) -> BTreeMap<i64, f64> {
        let Some(step) = self.step_ns else { return BTreeMap::from([(self.time.end_ns, 0.0)]) };
        let mut points = BTreeMap::new();
        let mut at = self.time.start_ns + step;
        while at <= self.time.end_ns {
            points.insert(at, 0.0);
            at += step;
        }
        points
    }
}

/// A span that a query left, in its trace.
pub struct Left<'t> {
    pub trace: &'t Trace<'t>,
    pub row: usize,
}

impl Left<'_> {
    pub fn span(&self) -> &Span {
        self.trace.spans[self.row]
    }

    fn labels(&self, by: &[Field]) -> Labels {
        let label =
            |field: &Field| (field.to_string(), self.trace.field(self.row, field).first().shown());
        by.iter().map(label).collect()
    }
}

/// The series of a query, by labels, and the spans in them where the query is a single one.
pub fn metrics(
    spans: &[Span],
    query: &Query,
    time: TimeRange,
    step_ns: Option<i64>,
) -> (Vec<Series>, Vec<Sample>) {
    let Root::Metrics(expr) = &query.root else { panic!("no metrics: {query:?}") };
    let axis = Axis::new(time, step_ns);
    let traces = trace::traces(spans, Some(axis.time));
    let mut samples = Vec::new();
    let Outcome::Series(mut series) = evaluate(&traces, expr, &axis, &mut samples) else {
        panic!("a number without a query: {query:?}")
    };
    series.sort_by(|a, b| labels_order(&a.labels, &b.labels));
    (series, samples)
}

fn evaluate(
    traces: &[Trace<'_>],
    expr: &MetricsExpr,
    axis: &Axis,
    samples: &mut Vec<Sample>,
) -> Outcome {
    let mut series = match expr {
        MetricsExpr::Scalar(number) => return Outcome::Number(*number),
        MetricsExpr::Query(query) => function(traces, query, axis, samples),
        MetricsExpr::Negate(expr) => match evaluate(traces, expr, axis, samples) {
            Outcome::Number(number) => return Outcome::Number(-number),
            Outcome::Series(series) => each(series, |value| Some(-value)),
        },
        MetricsExpr::Binary { op, left, right } => {
            let left = evaluate(traces, left, axis, samples);
            let right = evaluate(traces, right, axis, samples);
            match (left, right) {
                (Outcome::Number(a), Outcome::Number(b)) => {
                    return Outcome::Number(math(*op, a, b).unwrap_or(f64::NAN));
                }
                (Outcome::Series(a), Outcome::Number(b)) => each(a, |a| math(*op, a, b)),
                (Outcome::Number(a), Outcome::Series(b)) => each(b, |b| math(*op, a, b)),
                (Outcome::Series(a), Outcome::Series(b)) => paired(*op, a, &b),
            }
        }
        MetricsExpr::Staged { input, stages } => {
            let Outcome::Series(series) = evaluate(traces, input, axis, samples) else {
                panic!("stages after a number: {expr:?}")
            };
            stages.iter().fold(series, second_stage)
        }
    };
    series.retain(|series| !series.points.is_empty());
    Outcome::Series(series)
}

fn each(series: Vec<Series>, of: impl Fn(f64) -> Option<f64>) -> Vec<Series> {
    let points = |points: BTreeMap<i64, f64>| {
        points.into_iter().filter_map(|(at, value)| Some((at, of(value)?))).collect()
    };
    series.into_iter().map(|s| Series { points: points(s.points), ..s }).collect()
}

fn math(op: BinaryOp, a: f64, b: f64) -> Option<f64> {
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        BinaryOp::Mod => a % b,
        BinaryOp::Pow => a.powf(b),
        other => panic!("{other:?} calculates nothing"),
    };
    result.is_finite().then_some(result)
}

fn paired(op: BinaryOp, left: Vec<Series>, right: &[Series]) -> Vec<Series> {
    let mut all = Vec::new();
    for series in left {
        let Some(other) = right.iter().find(|other| other.labels == series.labels) else {
            continue;
        };
        let points = series
            .points
            .iter()
            .filter_map(|(at, a)| Some((*at, math(op, *a, *other.points.get(at)?)?)))
            .collect();
        all.push(Series { labels: series.labels, points });
    }
    all
}

fn second_stage(mut series: Vec<Series>, stage: &SecondStage) -> Vec<Series> {
    let (count, largest) = match stage {
        SecondStage::TopK(count) => (*count, true),
        SecondStage::BottomK(count) => (*count, false),
        SecondStage::Filter(op, limit) => {
            return each(series, |value| holds(*op, value, *limit).then_some(value));
        }
    };
    let times = series.iter().flat_map(|s| s.points.keys().copied()).collect::<BTreeSet<_>>();
    for at in times {
        let mut there = (0..series.len())
            .filter_map(|i| Some((i, *series[i].points.get(&at)?)))
            .collect::<Vec<_>>();
        there.sort_by(|a, b| {
            let by_value = if largest { b.1.total_cmp(&a.1) } else { a.1.total_cmp(&b.1) };
            by_value.then_with(|| labels_order(&series[a.0].labels, &series[b.0].labels))
        });
        for (i, _) in there.into_iter().skip(count) {
            series[i].points.remove(&at);
        }
    }
    series
}

fn holds(op: BinaryOp, a: f64, b: f64) -> bool {
    match op {
        BinaryOp::Eq => a == b,
        BinaryOp::Ne => a != b,
        BinaryOp::Lt => a < b,
        BinaryOp::Le => a <= b,
        BinaryOp::Gt => a > b,
        BinaryOp::Ge => a >= b,
        other => panic!("{other:?} keeps no points"),
    }
}

/// The order of two sets of labels.
pub fn labels_order(a: &Labels, b: &Labels) -> Ordering {
    for ((a_name, a), (b_name, b)) in a.iter().zip(b) {
        let order = a_name.cmp(b_name).then_with(|| value_order(a, b));
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The order of two values of labels.
pub fn value_order(a: &Value, b: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Empty => 0,
        Value::String(_) => 1,
        Value::Bool(_) => 2,
        Value::Int(_) | Value::Double(_) => 3,
        _ => 4,
    };
    let number = |value: &Value| match value {
        Value::Int(number) => *number as f64,
        Value::Double(number) => *number,
        _ => 0.0,
    };
    let is_double = |value: &Value| matches!(value, Value::Double(_));
    rank(a).cmp(&rank(b)).then_with(|| match (a, b) {
        (Value::String(a), Value::String(b)) => a.cmp(b),
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        // An integer before the double that equals it.
        _ => number(a).total_cmp(&number(b)).then(is_double(a).cmp(&is_double(b))),
    })
}

// What a function gathers for a series at one point.
type Gathered = BTreeMap<i64, Vec<Val>>;

fn function(
    traces: &[Trace<'_>],
    query: &MetricsQuery,
    axis: &Axis,
    samples: &mut Vec<Sample>,
) -> Vec<Series> {
    let mut left = Vec::new();
    for trace in traces {
        let rows = trace.pipeline(&query.pipeline).into_iter().flat_map(|set| set.rows);
        left.extend(rows.collect::<BTreeSet<_>>().into_iter().map(|row| Left { trace, row }));
    }
    left.sort_by_key(|left| (left.span().start_time_ns, left.span().span_id));
    if let MetricsFunction::Compare { selection, top, start_ns, end_ns } = &query.function {
        return super::compare::compare(&left, selection, *top, *start_ns..*end_ns, axis);
    }
    let field = measured(&query.function);
    let mut gathered: Vec<(Labels, Gathered)> = Vec::new();
    for left in &left {
        let labels = left.labels(&query.by);
        let span = left.span();
        let value = field.map(|field| left.trace.field(left.row, field).first());
        if value.as_ref().is_some_and(|value| value.number().is_none()) {
            continue;
        }
        samples.push(Sample {
            labels: labels.clone(),
            trace_id: span.trace_id,
            span_id: span.span_id,
            time_ns: span.start_time_ns,
            value: value.as_ref().map(seconds),
        });
        if !gathered.iter().any(|(known, _)| same_labels(known, &labels)) {
            gathered.push((labels.clone(), Gathered::new()));
        }
        let (_, points) =
            gathered.iter_mut().find(|(known, _)| same_labels(known, &labels)).expect("was pushed");
        points.entry(axis.point(span.start_time_ns)).or_default().push(value.unwrap_or(Val::Nil));
    }
    gathered
        .into_iter()
        .flat_map(|(labels, points)| of_function(&query.function, &labels, &points, axis))
        .collect()
}

/// Whether two sets of labels are of one series.
pub fn same_labels(a: &Labels, b: &Labels) -> bool {
    let same = |a: &Value, b: &Value| match (a, b) {
        (Value::Double(a), Value::Double(b)) => a.total_cmp(b).is_eq(),
        _ => a == b,
    };
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.0 == b.0 && same(&a.1, &b.1))
}

fn measured(function: &MetricsFunction) -> Option<&Field> {
    match function {
        MetricsFunction::MinOverTime(field)
        | MetricsFunction::MaxOverTime(field)
        | MetricsFunction::AvgOverTime(field)
        | MetricsFunction::SumOverTime(field)
        | MetricsFunction::QuantileOverTime(field, _)
        | MetricsFunction::HistogramOverTime(field) => Some(field),
        _ => None,
    }
}

// A number, of durations in seconds.
fn seconds(val: &Val) -> f64 {
    let number = val.number().expect("a number");
    if matches!(val, Val::Duration(_)) { number / 1e9 } else { number }
}

fn of_function(
    function: &MetricsFunction,
    labels: &Labels,
    gathered: &Gathered,
    axis: &Axis,
) -> Vec<Series> {
    let single = |of: &dyn Fn(&[f64]) -> f64| {
        let numbers = |vals: &Vec<Val>| vals.iter().map(seconds).collect::<Vec<_>>();
        let points = gathered.iter().map(|(at, vals)| (*at, of(&numbers(vals)))).collect();
        vec![Series { labels: labels.clone(), points }]
    };
    let counted = |per: f64| {
        let mut points = axis.zeros();
        for (at, vals) in gathered {
            points.insert(*at, vals.len() as f64 / per);
        }
        vec![Series { labels: labels.clone(), points }]
    };
    match function {
        MetricsFunction::Rate => counted(axis.seconds()),
        MetricsFunction::CountOverTime => counted(1.0),
        MetricsFunction::MinOverTime(_) => {
            single(&|all| all.iter().copied().fold(f64::INFINITY, f64::min))
        }
        MetricsFunction::MaxOverTime(_) => {
            single(&|all| all.iter().copied().fold(f64::NEG_INFINITY, f64::max))
        }
        MetricsFunction::SumOverTime(_) => single(&|all| all.iter().sum()),
        MetricsFunction::AvgOverTime(_) => {
            single(&|all| all.iter().sum::<f64>() / all.len() as f64)
        }
        MetricsFunction::QuantileOverTime(_, quantiles) => quantiles
            .iter()
            .map(|q| with(labels, "p", Value::Double(*q), quantile_points(*q, gathered)))
            .collect(),
        MetricsFunction::HistogramOverTime(_) => histogram(labels, gathered, axis),
        MetricsFunction::Compare { .. } => panic!("compare is elsewhere"),
    }
}

fn with(labels: &Labels, name: &str, value: Value, points: BTreeMap<i64, f64>) -> Series {
    let mut labels = labels.clone();
    labels.push((name.to_owned(), value));
    Series { labels, points }
}

// What a value of the buckets is in the answer.
fn unit(val: &Val) -> f64 {
    if matches!(val, Val::Duration(_)) { 1e9 } else { 1.0 }
}

fn quantile_points(q: f64, gathered: &Gathered) -> BTreeMap<i64, f64> {
    let mut points = BTreeMap::new();
    for (at, vals) in gathered {
        let mut all = Distribution::default();
        vals.iter().for_each(|val| all.add(val.number().expect("a number"), 1.0));
        points.insert(*at, all.quantile(q).expect("values") / unit(&vals[0]));
    }
    points
}

fn histogram(labels: &Labels, gathered: &Gathered, axis: &Axis) -> Vec<Series> {
    let mut bounds: Vec<(f64, BTreeMap<i64, f64>)> = Vec::new();
    for (at, vals) in gathered {
        for val in vals {
            let number = val.number().expect("a number");
            let bound = if number > 0.0 {
                f64::from(exponential::octave(exponential::bucket(number))).exp2() / unit(val)
            } else {
                0.0
            };
            if !bounds.iter().any(|(known, _)| *known == bound) {
                bounds.push((bound, axis.zeros()));
            }
            let (_, points) =
                bounds.iter_mut().find(|(known, _)| *known == bound).expect("was pushed");
            *points.get_mut(at).expect("a point of the axis") += 1.0;
        }
    }
    bounds
        .into_iter()
        .map(|(bound, points)| with(labels, "__bucket", Value::Double(bound), points))
        .collect()
}
