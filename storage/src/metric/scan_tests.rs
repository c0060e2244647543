//! Reading metrics: heads, segments and merges give the same answers.

use std::sync::Arc;

use throughline_model::metric::{MetricBatch, MetricBatchBuilder, MetricKind, Number, PointTime};
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{SECOND_NS, TimeRange};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::scan::{SeriesRequest, SeriesSet, find_exemplars, find_series};
use super::tests::{Folder, T0, folder, options, request, series, write, write_with};
use super::{MetricSegment, merge_metrics};
use crate::ErrorKind;
use crate::head::Heads;
use crate::scan::ScanContext;
use crate::view::{Tier, View};

pub fn context() -> ScanContext {
    ScanContext {
        cancel: CancellationToken::new(),
        deadline: None,
        bytes_max: u64::MAX,
        stats: Arc::default(),
        tracker: TaskTracker::new(),
    }
}

fn find(snapshot: &Arc<View>, predicates: Vec<Predicate>, time: TimeRange) -> SeriesSet {
    let request = SeriesRequest { predicates, time };
    find_series(snapshot, &request, &context()).expect("finds")
}

fn names(set: &SeriesSet) -> Vec<(String, String)> {
    let columns = set.columns().expect("columns");
    let services = columns.dict("service_name").expect("there");
    let of = |row| (columns.names().text(row).to_owned(), services.text(row).to_owned());
    (0..set.len()).map(of).collect()
}

/// Everything in a set as text.
fn dump(set: &SeriesSet) -> Vec<String> {
    let columns = set.columns().expect("columns");
    let context = context();
    let mut reader = set.points(&context).expect("reads");
    let mut lines = Vec::new();
    while let Some(groups) = reader.next_group().expect("reads") {
        for group in groups {
            let id = columns.id(group.series);
            for i in 0..group.numbers.len() {
                lines.push(format!(
                    "{id:02x?} {} {:?}",
                    group.numbers.times[i],
                    group.numbers.value(i)
                ));
            }
            for (time, point) in group.complex.times.iter().zip(&group.complex.points) {
                lines.push(format!("{id:02x?} {time} {point:?}"));
            }
        }
    }
    lines
}

/// All exemplars of a snapshot in a range as text.
fn dump_exemplars(snapshot: &Arc<View>, time: TimeRange) -> Vec<String> {
    let request = SeriesRequest { predicates: vec![], time };
    let (set, found) = find_exemplars(snapshot, &request, 1000, &context()).expect("reads");
    let columns = set.columns().expect("columns");
    let line = |(row, exemplar)| format!("{:02x?} {exemplar:?}", columns.id(row));
    found.into_iter().map(line).collect()
}

fn view(segments: Vec<Arc<MetricSegment>>, heads: Vec<MetricBatch>) -> View {
    let heads = heads.into_iter().map(|batch| ("default".into(), batch, 1));
    let heads = Heads::from_batches(heads);
    let metrics = Tier { segments: Arc::new(segments), heads, ..Tier::default() };
    View { metrics, ..View::default() }
}

fn heads(batches: &[Arc<MetricBatch>]) -> Vec<MetricBatch> {
    batches.iter().map(|batch| MetricBatch::clone(batch)).collect()
}

/// The same points in heads, in heads and segments, in a merge.
fn snapshots(folder: &Folder) -> Vec<Arc<View>> {
    let batches = (0..60).map(|step| request(&["cart", "ad", "web"], step)).collect::<Vec<_>>();
    let first = write(folder, 1, &batches[..25], TimeRange::ALL);
    let second = write(folder, 2, &batches[20..40], TimeRange::ALL);
    let inputs = [second.clone(), first.clone()];
    let merged = write_with(folder, options(3, 1, TimeRange::ALL), |options, sinks| {
        merge_metrics(&inputs, options, sinks)
    });
    [
        view(vec![], heads(&batches)),
        view(vec![first, second], heads(&batches[40..])),
        view(vec![merged], heads(&batches[40..])),
    ]
    .map(Arc::new)
    .to_vec()
}

fn predicate(target: Target, op: Op) -> Predicate {
    Predicate { target, op }
}

fn column(name: &str) -> Target {
    Target::Column(name.into())
}

fn text(text: &str) -> Operand {
    Operand::Text(text.into())
}

#[test]
fn heads_segments_and_merges_give_the_same_points() {
    let folder = folder();
    let snapshots = snapshots(&folder);
    let at = |step: i64| T0 + step * 15 * SECOND_NS;
    let ranges = [
        (TimeRange::ALL, 60),
        (TimeRange { start_ns: at(10), end_ns: at(30) }, 20),
        (TimeRange { start_ns: at(39), end_ns: at(41) }, 2),
        (TimeRange { start_ns: at(10) + 1, end_ns: at(11) }, 0),
        (TimeRange { start_ns: at(59), end_ns: i64::MAX }, 1),
    ];
    for (range, steps) in ranges {
        let expected = dump(&find(&snapshots[0], vec![], range));
        assert_eq!(expected.len(), steps * 9, "{range:?}");
        let exemplars = dump_exemplars(&snapshots[0], range);
        for snapshot in &snapshots[1..] {
            let found = dump(&find(snapshot, vec![], range));
            let different = found.iter().zip(&expected).find(|(a, b)| a != b);
            assert_eq!((different, found.len()), (None, expected.len()), "{range:?}");
            assert_eq!(dump_exemplars(snapshot, range), exemplars);
        }
    }
    let refused = find_exemplars(
        &snapshots[1],
        &SeriesRequest { predicates: vec![], time: TimeRange::ALL },
        179,
        &context(),
    );
    assert_eq!(refused.err().expect("180 are too many").kind(), ErrorKind::Limit);
}

#[test]
fn conditions_choose_series() {
    let folder = folder();
    let all = |service: &[&str], metric: &[&str]| -> Vec<(String, String)> {
        let pair = |name: &&str, service: &str| ((*name).to_owned(), service.to_owned());
        metric
            .iter()
            .flat_map(|name| service.iter().map(move |service| pair(name, service)))
            .collect()
    };
    let (services, metrics) = (["ad", "cart", "web"], ["depth", "latency", "requests"]);
    let cases = [
        (predicate(column("metric_name"), Op::Eq(text("depth"))), all(&services, &["depth"])),
        (
            predicate(column("metric_name"), Op::Matches("^(de|la)".into())),
            all(&services, &metrics[..2]),
        ),
        (predicate(column("metric_name"), Op::Ne(text("depth"))), all(&services, &metrics[1..])),
        (predicate(column("metric_kind"), Op::Eq(text("gauge"))), all(&services, &["depth"])),
        (predicate(column("metric_kind"), Op::Eq(Operand::Int(2))), all(&services, &["requests"])),
        (
            predicate(column("is_monotonic"), Op::Eq(Operand::Bool(true))),
            all(&services, &["requests"]),
        ),
        (
            predicate(column("service_name"), Op::In(vec![text("ad"), text("web")])),
            all(&["ad", "web"], &metrics),
        ),
        (
            predicate(Target::Attribute("shard".into()), Op::Gt(Operand::Int(0))),
            all(&["ad", "web"], &metrics),
        ),
        (predicate(Target::Attribute("shard".into()), Op::Eq(text("0"))), all(&["cart"], &metrics)),
        (predicate(Target::Attribute("none".into()), Op::Missing), all(&services, &metrics)),
        (predicate(Target::Attribute("none".into()), Op::Ne(text("x"))), all(&services, &metrics)),
        (predicate(Target::Attribute("none".into()), Op::Exists), vec![]),
        (
            predicate(Target::ResourceAttribute("service.name".into()), Op::Contains("a".into())),
            all(&["ad", "cart"], &metrics),
        ),
        (
            predicate(Target::AnyAttribute("service.name".into()), Op::NotContains("a".into())),
            all(&["web"], &metrics),
        ),
        (
            predicate(Target::AnyAttribute("shard".into()), Op::Le(Operand::Float(0.5))),
            all(&["cart"], &metrics),
        ),
        (predicate(Target::ScopeAttribute("x".into()), Op::Exists), vec![]),
    ];
    for snapshot in snapshots(&folder) {
        for (predicate, expected) in &cases {
            let found = find(&snapshot, vec![predicate.clone()], TimeRange::ALL);
            assert_eq!(&names(&found), expected, "{predicate:?}");
        }
    }
}

#[test]
fn ids_choose_a_series_and_bad_conditions_are_refused() {
    let folder = folder();
    for snapshot in snapshots(&folder) {
        let depth = predicate(column("metric_name"), Op::Eq(text("depth")));
        let id = find(&snapshot, vec![depth], TimeRange::ALL).columns().expect("columns").id(1);
        let by_id = predicate(column("series_id"), Op::Eq(Operand::Bytes(id.to_vec())));
        assert_eq!(
            names(&find(&snapshot, vec![by_id], TimeRange::ALL)),
            [("depth".to_owned(), "cart".to_owned())]
        );
        for bad in [
            predicate(column("body"), Op::Exists),
            predicate(column("unit"), Op::Matches("(".into())),
        ] {
            let request = SeriesRequest { predicates: vec![bad], time: TimeRange::ALL };
            let refused = find_series(&snapshot, &request, &context()).err().expect("refuses");
            assert_eq!(refused.kind(), ErrorKind::Invalid);
        }
    }
}

#[test]
fn points_that_differ_at_one_time_are_all_read_and_repeated_ones_once() {
    let folder = folder();
    let batch = |values: &[f64]| {
        let mut batch = MetricBatchBuilder::default();
        for value in values {
            let row = series(&mut batch, "depth", MetricKind::Gauge, "ad", 0);
            let time = PointTime { time_ns: T0, ..Default::default() };
            batch.push_number(row, &time, Number::Double(*value));
        }
        Arc::new(batch.finish().expect("fits"))
    };
    let (first, second) = (batch(&[2.0, 1.0, 2.0]), batch(&[3.0, 1.0]));
    let flushed = write(&folder, 1, std::slice::from_ref(&second), TimeRange::ALL);
    let snapshots =
        [view(vec![], heads(&[first.clone(), second])), view(vec![flushed], heads(&[first]))];
    for snapshot in snapshots.map(Arc::new) {
        let set = find(&snapshot, vec![], TimeRange::ALL);
        let context = context();
        let groups =
            set.points(&context).expect("reads").next_group().expect("reads").expect("one");
        let numbers = &groups[0].numbers;
        let values =
            (0..numbers.len()).filter_map(|i| numbers.value(i).as_f64()).collect::<Vec<_>>();
        assert_eq!(values, [1.0, 2.0, 3.0]);
    }
}

#[test]
fn a_damaged_segment_is_named_and_left_out() {
    let folder = folder();
    let batches = (0..4).map(|step| request(&["ad"], step)).collect::<Vec<_>>();
    let good = write(&folder, 1, &batches[..2], TimeRange::ALL);
    let bad = write(&folder, 2, &batches[2..], TimeRange::ALL);
    folder.store.delete(&bad.meta.index_name()).expect("removes");
    let name = bad.meta.id.to_string();
    let snapshot = Arc::new(view(vec![good, bad], vec![]));
    let context = context();
    let request = SeriesRequest { predicates: vec![], time: TimeRange::ALL };
    let set = find_series(&snapshot, &request, &context).expect("finds");
    assert_eq!(set.len(), 3);
    assert_eq!(context.stats.snapshot().partial, [name]);
    context.cancel.cancel();
    let refused = set.points(&context).expect("reads").next_group().expect_err("cancelled");
    assert_eq!(refused.kind(), ErrorKind::Cancelled);
}
