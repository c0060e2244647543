//! Binary operators.

use hashbrown::HashMap;
use throughline_model::histogram::NativeHistogram;

use super::{Evaluator, Result, Value, drop_empty, failed, merge_same};
use crate::promql::ast::{Binary, BinaryOp, Cardinality, Matching, Span, Type};
use crate::promql::labels::{Labels, NAME};
use crate::promql::notes::{HistogramOp, Note, Notes};
use crate::promql::series::{Grid, Sample, Samples, Series};

impl Evaluator<'_> {
    pub(super) fn binary(&mut self, binary: &Binary, grid: &Grid) -> Result<Value> {
        let types = (binary.left.value_type(), binary.right.value_type());
        match types {
            (Type::Scalar, Type::Scalar) => {
                let left = self.scalar(&binary.left, grid)?;
                let right = self.scalar(&binary.right, grid)?;
                let pairs = left.into_iter().zip(right);
                Ok(Value::Scalar(pairs.map(|(a, b)| of_scalars(binary.op, a, b)).collect()))
            }
            (Type::Scalar, _) => {
                let scalar = self.scalar(&binary.left, grid)?;
                let series = self.vector(&binary.right, grid)?;
                self.with_scalar(binary, series, &scalar, true)
            }
            (_, Type::Scalar) => {
                let series = self.vector(&binary.left, grid)?;
                let scalar = self.scalar(&binary.right, grid)?;
                self.with_scalar(binary, series, &scalar, false)
            }
            _ => {
                let left = self.vector(&binary.left, grid)?;
                let right = self.vector(&binary.right, grid)?;
                let matching = binary.matching.clone().unwrap_or_default();
                let result = match binary.op.is_set() {
                    true => of_sets(binary.op, left, right, &matching, grid),
                    false => self.of_vectors(binary, &matching, &left, &right, grid)?,
                };
                let result = merge_same(result)?;
                self.hold(result.iter().map(|series| series.samples.len()).sum())?;
                Ok(Value::Vector(result))
            }
        }
    }

    fn with_scalar(
        &mut self,
        binary: &Binary,
        mut series: Vec<Series>,
        scalar: &[f64],
        is_scalar_left: bool,
    ) -> Result<Value> {
        let op = binary.op;
        let span = span_of(binary);
        for series in &mut series {
            let mut samples = Samples::missing(series.samples.steps());
            for (step, scalar) in scalar.iter().enumerate() {
                let Some(own) = series.samples.get(step) else { continue };
                let scalar = Sample::Float(*scalar);
                let (left, right) = if is_scalar_left { (&scalar, &own) } else { (&own, &scalar) };
                let Some((value, is_kept)) = of_samples(op, left, right, &mut self.notes, span)
                else {
                    continue;
                };
                let value = match () {
                    () if binary.returns_bool => Sample::Float(f64::from(u8::from(is_kept))),
                    () if !is_kept => continue,
                    // Of a comparison the vector's value is kept, whichever side it is on.
                    () if op.is_comparison() => own,
                    () => value,
                };
                samples.set(step, value);
            }
            series.samples = samples;
            if op.changes_metric() || binary.returns_bool {
                self.calculated(series);
            }
        }
        drop_empty(&mut series);
        Ok(Value::Vector(merge_same(series)?))
    }

    fn of_vectors(
        &mut self,
        binary: &Binary,
        matching: &Matching,
        left: &[Series],
        right: &[Series],
        grid: &Grid,
    ) -> Result<Vec<Series>> {
        let is_swapped = matching.cardinality == Cardinality::OneToMany;
        let (many, one) = if is_swapped { (right, left) } else { (left, right) };
        let signatures = Signatures::new(matching, many, one);
        let mut work = Work {
            evaluator: self,
            binary,
            matching,
            many,
            one,
            signatures,
            is_swapped,
            results: Vec::new(),
            places: HashMap::new(),
            labels: HashMap::new(),
        };
        for step in 0..grid.steps {
            work.step(step, grid.steps)?;
        }
        let mut results = work.results;
        drop_empty(&mut results);
        Ok(results)
    }
}

fn span_of(binary: &Binary) -> Span {
    Span { start: binary.left.span().start, end: binary.right.span().end }
}

/// What series have in common that match.
struct Signatures {
    many: Vec<usize>,
    one: Vec<usize>,
    count: usize,
}

impl Signatures {
    fn new(matching: &Matching, many: &[Series], one: &[Series]) -> Self {
        let mut places: HashMap<Labels, usize> = HashMap::new();
        let mut of = |series: &[Series]| {
            let signatures = series.iter().map(|series| {
                let labels = signature(&series.labels, matching);
                let new = places.len();
                *places.entry(labels).or_insert(new)
            });
            signatures.collect::<Vec<_>>()
        };
        let (many, one) = (of(many), of(one));
        Self { many, one, count: places.len() }
    }
}

fn signature(labels: &Labels, matching: &Matching) -> Labels {
    match matching.is_on {
        true => labels.only(&matching.labels),
        false => {
            labels.filter(|name| name != NAME && !matching.labels.iter().any(|own| **own == *name))
        }
    }
}

/// `and`, `or`, `unless`.
fn of_sets(
    op: BinaryOp,
    mut left: Vec<Series>,
    mut right: Vec<Series>,
    matching: &Matching,
    grid: &Grid,
) -> Vec<Series> {
    let signatures = Signatures::new(matching, &left, &right);
    let present = |series: &[Series], of: &[usize]| {
        let mut present = vec![false; signatures.count * grid.steps];
        for (series, signature) in series.iter().zip(of) {
            for step in (0..grid.steps).filter(|step| series.samples.has(*step)) {
                present[signature * grid.steps + step] = true;
            }
        }
        present
    };
    let keep = |series: &mut Vec<Series>, of: &[usize], keeps: &dyn Fn(usize, usize) -> bool| {
        for (series, signature) in series.iter_mut().zip(of) {
            for step in 0..grid.steps {
                if !keeps(*signature, step) {
                    series.samples.clear(step);
                }
            }
        }
        drop_empty(series);
    };
    match op {
        BinaryOp::Or => {
            let present = present(&left, &signatures.many);
            keep(&mut right, &signatures.one, &|at, step| !present[at * grid.steps + step]);
            left.append(&mut right);
        }
        _ => {
            let present = present(&right, &signatures.one);
            let wanted = op == BinaryOp::And;
            keep(&mut left, &signatures.many, &|at, step| {
                present[at * grid.steps + step] == wanted
            });
        }
    }
    left
}

/// An operator between two vectors, step by step.
struct Work<'a, 'e> {
    evaluator: &'a mut Evaluator<'e>,
    binary: &'a Binary,
    matching: &'a Matching,
    /// The side of which several series may match one of the other.
    many: &'a [Series],
    one: &'a [Series],
    signatures: Signatures,
    /// Whether `many` is the right side.
    is_swapped: bool,
    results: Vec<Series>,
    places: HashMap<Labels, usize>,
    /// The result's labels of a pair of series; a missing one is the number of series.
    labels: HashMap<(usize, usize), usize>,
}

impl Work<'_, '_> {
    fn step(&mut self, step: usize, steps: usize) -> Result<()> {
        let one = self.one_side(step)?;
        let (fill_many, fill_one) = match self.is_swapped {
            false => (self.matching.fill_left, self.matching.fill_right),
            true => (self.matching.fill_right, self.matching.fill_left),
        };
        // Which results a signature already has at this step.
        let mut matched: Vec<Vec<usize>> = vec![Vec::new(); self.signatures.count];
        for i in 0..self.many.len() {
            let Some(own) = self.many[i].samples.get(step) else { continue };
            let signature = self.signatures.many[i];
            let other = match one[signature] {
                Some(j) => self.one[j].samples.get(step).map(|sample| (j, sample)),
                None => fill_one.map(|fill| (self.one.len(), Sample::Float(fill))),
            };
            if let Some((j, other)) = other {
                self.pair((i, j), (&own, &other), signature, &mut matched, step, steps)?;
            }
        }
        let Some(fill) = fill_many else { return Ok(()) };
        for j in 0..self.one.len() {
            let Some(other) = self.one[j].samples.get(step) else { continue };
            let signature = self.signatures.one[j];
            if matched[signature].is_empty() {
                let own = Sample::Float(fill);
                let pair = (self.many.len(), j);
                self.pair(pair, (&own, &other), signature, &mut matched, step, steps)?;
            }
        }
        Ok(())
    }

    /// The series of the one side by signature.
    fn one_side(&self, step: usize) -> Result<Vec<Option<usize>>> {
        let mut one: Vec<Option<usize>> = vec![None; self.signatures.count];
        for (j, series) in self.one.iter().enumerate() {
            if !series.samples.has(step) {
                continue;
            }
            let slot = &mut one[self.signatures.one[j]];
            if let Some(other) = slot {
                let group = group_of(&series.labels, self.matching);
                let side = if self.is_swapped { "left" } else { "right" };
                let mut pair = [series.labels.to_string(), self.one[*other].labels.to_string()];
                pair.sort();
                return Err(failed(format!(
                    "found duplicate series for the match group {group} on the {side} hand-side of \
                     the operation: [{}, {}];many-to-many matching not allowed: matching labels \
                     must be unique on one side",
                    pair[0], pair[1]
                )));
            }
            *slot = Some(j);
        }
        Ok(one)
    }

    fn pair(
        &mut self,
        pair: (usize, usize),
        (own, other): (&Sample, &Sample),
        signature: usize,
        matched: &mut [Vec<usize>],
        step: usize,
        steps: usize,
    ) -> Result<()> {
        let (left, right) = if self.is_swapped { (other, own) } else { (own, other) };
        let op = self.binary.op;
        let span = span_of(self.binary);
        let found = of_samples(op, left, right, &mut self.evaluator.notes, span);
        let Some((value, is_kept)) = found else { return Ok(()) };
        let place = self.place(pair, steps);
        if self.matching.cardinality == Cardinality::OneToOne {
            if !matched[signature].is_empty() {
                return Err(failed(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)",
                ));
            }
        } else if matched[signature].contains(&place) {
            return Err(failed(
                "multiple matches for labels: grouping labels must ensure unique matches",
            ));
        }
        matched[signature].push(place);
        let returns_bool = self.binary.returns_bool;
        if !is_kept && !returns_bool {
            return Ok(());
        }
        let value = match returns_bool {
            true => Sample::Float(f64::from(u8::from(is_kept))),
            false => value,
        };
        let samples = &mut self.results[place].samples;
        if samples.has(step) {
            return Err(failed(super::SAME_LABELS));
        }
        samples.set(step, value);
        Ok(())
    }

    /// The result that a pair of series belongs to.
    fn place(&mut self, pair: (usize, usize), steps: usize) -> usize {
        if let Some(place) = self.labels.get(&pair) {
            return *place;
        }
        let labels = self.result_labels(pair);
        let new = self.results.len();
        let place = *self.places.entry_ref(&labels).or_insert(new);
        if place == new {
            let drops_name = self.binary.returns_bool;
            self.results.push(Series { labels, drops_name, samples: Samples::missing(steps) });
        }
        self.labels.insert(pair, place);
        place
    }

    fn result_labels(&self, (i, j): (usize, usize)) -> Labels {
        let matching = self.matching;
        let of = |side: &[Series], at: usize, other: Option<&Series>| match side.get(at) {
            Some(series) => series.labels.clone(),
            // A series that was filled in has the labels that had to match.
            None => other.map(|o| group_of(&o.labels, matching)).unwrap_or_default(),
        };
        let many = of(self.many, i, self.one.get(j));
        let one = of(self.one, j, self.many.get(i));
        let is_immediate = !self.evaluator.options.delays_name_removal;
        let mut labels = many;
        if self.binary.op.changes_metric() || is_immediate && self.binary.returns_bool {
            labels = labels.without_metric();
        }
        if matching.cardinality == Cardinality::OneToOne {
            labels = match matching.is_on {
                true => labels.only(&matching.labels),
                false => labels.without(&matching.labels),
            };
        }
        for name in &matching.include {
            labels = labels.with(name, one.get(name));
        }
        labels
    }
}

/// The labels that have to match.
fn group_of(labels: &Labels, matching: &Matching) -> Labels {
    match matching.is_on {
        true => labels.only(&matching.labels),
        false => {
            labels.filter(|name| name != NAME && !matching.labels.iter().any(|own| **own == *name))
        }
    }
}

fn of_scalars(op: BinaryOp, a: f64, b: f64) -> f64 {
    let (value, is_kept) = of_floats(op, a, b);
    if op.is_comparison() { f64::from(u8::from(is_kept)) } else { value }
}

/// The result of two numbers, and whether a comparison holds.
fn of_floats(op: BinaryOp, a: f64, b: f64) -> (f64, bool) {
    match op {
        BinaryOp::Add => (a + b, true),
        BinaryOp::Sub => (a - b, true),
        BinaryOp::Mul => (a * b, true),
        BinaryOp::Div => (a / b, true),
        BinaryOp::Mod => (a % b, true),
        BinaryOp::Pow => (a.powf(b), true),
        BinaryOp::Atan2 => (a.atan2(b), true),
        BinaryOp::Eq => (a, a == b),
        BinaryOp::Ne => (a, a != b),
        BinaryOp::Gt => (a, a > b),
        BinaryOp::Lt => (a, a < b),
        BinaryOp::Ge => (a, a >= b),
        BinaryOp::Le => (a, a <= b),
        _ => (a, false),
    }
}

/// The result of two values, and whether a comparison holds; nothing where the operator does not know
/// such values.
fn of_samples(
    op: BinaryOp,
    left: &Sample,
    right: &Sample,
    notes: &mut Notes,
    span: Span,
) -> Option<(Sample, bool)> {
    let changed = |histogram: &NativeHistogram, change: &dyn Fn(&mut NativeHistogram)| {
        let mut histogram = histogram.clone();
        change(&mut histogram);
        Some((Sample::Histogram(histogram.into()), true))
    };
    match (left, right) {
        (Sample::Float(a), Sample::Float(b)) => {
            if !matches!(op, BinaryOp::TrimUpper | BinaryOp::TrimLower) {
                let (value, is_kept) = of_floats(op, *a, *b);
                return Some((Sample::Float(value), is_kept));
            }
        }
        (Sample::Float(a), Sample::Histogram(b)) => {
            if op == BinaryOp::Mul {
                return changed(b, &|histogram| histogram.multiply(*a));
            }
        }
        (Sample::Histogram(a), Sample::Float(b)) => match op {
            BinaryOp::Mul => return changed(a, &|histogram| histogram.multiply(*b)),
            BinaryOp::Div => return changed(a, &|histogram| histogram.divide(*b)),
            BinaryOp::TrimUpper => return changed(a, &|histogram| histogram.trim(*b, true)),
            BinaryOp::TrimLower => return changed(a, &|histogram| histogram.trim(*b, false)),
            _ => {}
        },
        (Sample::Histogram(a), Sample::Histogram(b)) => match op {
            BinaryOp::Eq => return Some((left.clone(), a.is_same(b))),
            BinaryOp::Ne => return Some((left.clone(), !a.is_same(b))),
            BinaryOp::Add | BinaryOp::Sub => {
                return of_histograms(op, a, b, notes, span);
            }
            _ => {}
        },
    }
    let name = |sample: &Sample| match sample {
        Sample::Float(_) => "float",
        Sample::Histogram(_) => "histogram",
    };
    let note =
        Note::IncompatibleTypes { left: name(left), operator: op.symbol(), right: name(right) };
    notes.add(note, span);
    None
}

fn of_histograms(
    op: BinaryOp,
    a: &NativeHistogram,
    b: &NativeHistogram,
    notes: &mut Notes,
    span: Span,
) -> Option<(Sample, bool)> {
    let mut result = a.clone();
    let (outcome, done) = match op {
        BinaryOp::Add => (result.add(b), HistogramOp::Addition),
        _ => {
            let outcome = result.subtract(b);
            result.hint = throughline_model::histogram::ResetHint::Gauge;
            (outcome, HistogramOp::Subtraction)
        }
    };
    let Ok(noted) = outcome else {
        notes.add(Note::IncompatibleBuckets(op.symbol()), span);
        return None;
    };
    if noted.has_collision {
        // As in Prometheus, nothing comes of histograms that contradict each other.
        notes.add(Note::CounterResetCollision(done), span);
        return None;
    }
    if noted.is_reconciled {
        notes.add(Note::MismatchedCustomBuckets(done), span);
    }
    Some((Sample::Histogram(result.into()), true))
}
