//! `compare({…})`: how values of attributes differ between a selection and the rest.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use throughline_model::Value;
use throughline_query::traceql::ast::{Field, Intrinsic, Scope, SpansetExpr};

use super::metrics::{Axis, Labels, Left, Series, same_labels, value_order};
use super::value::Val;

/// What is compared besides attributes.
const INTRINSICS: [Intrinsic; 6] = [
    Intrinsic::Name,
    Intrinsic::Kind,
    Intrinsic::Status,
    Intrinsic::StatusMessage,
    Intrinsic::RootName,
    Intrinsic::RootServiceName,
];

fn fields(left: &Left<'_>) -> Vec<Field> {
    let span = left.span();
    let mut all = Vec::new();
    let sets = [(Scope::Span, &span.attributes), (Scope::Resource, &span.resource.attributes)];
    for (scope, attributes) in sets {
        for (name, _) in attributes {
            let field = Field::Attribute { scope, parent: false, name: name.clone() };
            if !all.contains(&field) {
                all.push(field);
            }
        }
    }
    all.extend(INTRINSICS.map(|which| Field::Intrinsic { which, parent: false }));
    all
}

fn count(all: &mut Vec<Series>, axis: &Axis, labels: Labels, at: i64) {
    if !all.iter().any(|known| same_labels(&known.labels, &labels)) {
        all.push(Series { labels: labels.clone(), points: axis.zeros() });
    }
    let series = all.iter_mut().find(|known| same_labels(&known.labels, &labels));
    *series.expect("was pushed").points.get_mut(&at).expect("a point of the axis") += 1.0;
}

/// The series of the values that are most frequent, and of the totals.
pub fn compare(
    left: &[Left<'_>],
    selection: &SpansetExpr,
    top: usize,
    time: Range<Option<i64>>,
    axis: &Axis,
) -> Vec<Series> {
    let (mut totals, mut values) = (Vec::new(), Vec::new());
    let mut rows = BTreeMap::<_, (&Left<'_>, BTreeSet<_>)>::new();
    for span in left {
        let of_trace = rows.entry(span.trace.id).or_insert((span, BTreeSet::new()));
        of_trace.1.insert(span.row);
    }
    let selected = rows
        .into_iter()
        .map(|(id, (of_trace, rows))| (id, of_trace.trace.spans_of(selection, &rows)));
    let selected = selected.collect::<BTreeMap<_, _>>();
    for span in left {
        let start_ns = span.span().start_time_ns;
        let in_time = time.start.is_none_or(|start| start_ns >= start)
            && time.end.is_none_or(|end| start_ns < end);
        let is_selected = in_time && selected[&span.trace.id].contains(&span.row);
        let meta = if is_selected { "selection" } else { "baseline" };
        let at = axis.point(start_ns);
        for field in fields(span) {
            let val = span.trace.field(span.row, &field).first();
            if val.is_nil() {
                continue;
            }
            let label = |meta: String, value| {
                vec![("__meta_type".to_owned(), Value::String(meta)), (field.to_string(), value)]
            };
            count(&mut totals, axis, label(format!("{meta}_total"), Value::Empty), at);
            if !matches!(val, Val::Opaque(_)) {
                count(&mut values, axis, label(meta.to_owned(), val.shown()), at);
            }
        }
    }
    totals.extend(most_frequent(values, top));
    totals
}

fn most_frequent(values: Vec<Series>, top: usize) -> Vec<Series> {
    let mut groups = BTreeMap::<(String, String), Vec<Series>>::new();
    for series in values {
        let [(_, meta), (field, _)] = &series.labels[..] else { panic!("{series:?}") };
        let key = (format!("{meta:?}"), field.clone());
        groups.entry(key).or_default().push(series);
    }
    let mut kept = Vec::new();
    for mut group in groups.into_values() {
        let total = |series: &Series| series.points.values().sum::<f64>();
        group.sort_by(|a, b| {
            let by_count = total(b).total_cmp(&total(a));
            by_count.then_with(|| value_order(&a.labels[1].1, &b.labels[1].1))
        });
        kept.extend(group.into_iter().take(top));
    }
    kept
}
