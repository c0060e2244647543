//! Random native questions: searches of traces and logs to the last page, traces by id, completion,
//! metrics.

use rand::Rng;
use rand::rngs::StdRng;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::time::{HOUR_NS, MINUTE_NS, TimeRange};
use throughline_model::{Signal, SpanId, TraceId, Value};
use throughline_query::complete::AttributePlace;
use throughline_query::logs::{LogOrder, LogRecord, LogSearch};
use throughline_query::metrics::MetricQuery;
use throughline_query::traces::compare::sets::SpanSelection;
use throughline_query::traces::page::{Fact, TraceFacts};
use throughline_query::traces::{Status, TraceSearch};
use throughline_query::{QueryContext, QueryStatsSnapshot};

use super::pick;
use super::rows::{self, DOUBLES, KEYS, METRICS, UNITS};
use crate::data::{self, NAMES, SERVICES, WORDS};
use crate::harness::{Harness, NOW_NS};
use crate::{logs, traces};

/// A question that is no SQL.
#[derive(Clone, Debug)]
pub enum Native {
    Traces(TraceSearch),
    Logs(LogSearch),
    Histogram(LogSearch, i64),
    Trace(TraceId),
    TracePage(TraceId),
    Names(Signal, AttributePlace, &'static str, Option<TimeRange>),
    Metrics(MetricQuery),
}

fn operand(rng: &mut StdRng) -> Operand {
    match rng.random_range(0..6) {
        0 => Operand::Int(rng.random_range(-3..8)),
        1 => Operand::Float(DOUBLES[rng.random_range(0..DOUBLES.len())]),
        2 => Operand::Bool(rng.random()),
        3 => Operand::Str(pick(rng, &WORDS).to_owned()),
        4 => Operand::Bytes(vec![rng.random_range(0..3)]),
        _ => Operand::Text(
            pick(rng, &["alpha", "beta", "5", "2.5", "true", "NaN", "", "-0", "1"]).to_owned(),
        ),
    }
}

fn op(rng: &mut StdRng) -> Op {
    let text = pick(rng, &["a", "ü", "", "5", "alpha"]).to_owned();
    match rng.random_range(0..13) {
        0 | 1 => Op::Eq(operand(rng)),
        2 => Op::Ne(operand(rng)),
        3 => Op::Lt(operand(rng)),
        4 => Op::Le(operand(rng)),
        5 => Op::Gt(operand(rng)),
        6 => Op::Ge(operand(rng)),
        7 => Op::In((0..rng.random_range(0..4)).map(|_| operand(rng)).collect()),
        8 => Op::Matches(text),
        9 => Op::NotMatches(text),
        10 => Op::Contains(text),
        11 => Op::NotContains(text),
        _ if rng.random() => Op::Exists,
        _ => Op::Missing,
    }
}

fn attribute(rng: &mut StdRng) -> Target {
    let key = pick(rng, &KEYS).to_owned();
    match rng.random_range(0..6) {
        0 => Target::ResourceAttribute(key),
        1 | 2 => Target::AnyAttribute(key),
        3 => Target::ScopeAttribute(pick(rng, &["scope.kind", "k"]).to_owned()),
        _ => Target::Attribute(key),
    }
}

fn filters(rng: &mut StdRng) -> Vec<Predicate> {
    let count = [0, 1, 1, 2][rng.random_range(0..4)];
    (0..count).map(|_| Predicate { target: attribute(rng), op: op(rng) }).collect()
}

fn range(rng: &mut StdRng) -> TimeRange {
    let (a, b) = (rows::time(rng), rows::time(rng));
    TimeRange { start_ns: a.min(b), end_ns: a.max(b).max(a.min(b).saturating_add(1)) }
}

fn some(rng: &mut StdRng, from: &[&str], chance: f64) -> Vec<String> {
    if !rng.random_bool(chance) {
        return Vec::new();
    }
    (0..rng.random_range(1..3)).map(|_| pick(rng, from).to_owned()).collect()
}

fn trace_search(rng: &mut StdRng) -> TraceSearch {
    let least = rng.random_range(-1..20) * 30_000_000_000i64;
    let (min, max) = (rng.random_bool(0.2), rng.random_bool(0.2));
    TraceSearch {
        services: some(rng, &SERVICES, 0.3),
        operations: some(rng, &NAMES, 0.2),
        filters: filters(rng),
        min_duration_ns: min.then_some(least),
        max_duration_ns: max.then_some(least + 60_000_000_000),
        status: [None, None, Some(Status::Error), Some(Status::Ok), Some(Status::Unset)]
            [rng.random_range(0..5)],
        time: rng.random_bool(0.3).then(|| range(rng)),
        limit: [1, 2, 3, 5, 100][rng.random_range(0..5)],
        ..TraceSearch::default()
    }
}

fn log_search(rng: &mut StdRng) -> LogSearch {
    let words =
        ["", "", "alpha", "\"alpha beta\"", "-beta", "al*", "ünïcödé", "true", "long -alpha"];
    LogSearch {
        text: pick(rng, &words).to_owned(),
        services: some(rng, &SERVICES, 0.3),
        severity_min: rng.random_bool(0.2).then_some(9),
        severity_max: rng.random_bool(0.2).then_some(17),
        filters: filters(rng),
        trace_id: rng.random_bool(0.2).then(|| TraceId(data::trace_id(rng.random_range(0..12)))),
        span_id: rng.random_bool(0.1).then(|| SpanId(data::span_id(rng.random_range(0..60)))),
        time: rng.random_bool(0.3).then(|| range(rng)),
        order: if rng.random() { LogOrder::NewestFirst } else { LogOrder::OldestFirst },
        limit: [3, 17, 40, 1000][rng.random_range(0..4)],
        cursor: None,
    }
}

fn metric_query(rng: &mut StdRng) -> MetricQuery {
    let column = |name: &str, text: &str| Predicate {
        target: Target::Column(name.to_owned()),
        op: Op::Eq(Operand::Text(text.to_owned())),
    };
    let filters = match rng.random_range(0..5) {
        0 => Vec::new(),
        1 => vec![column("metric_name", pick(rng, &METRICS))],
        2 => vec![column("service_name", pick(rng, &SERVICES))],
        3 => vec![column("unit", pick(rng, &UNITS))],
        _ => filters(rng),
    };
    let time = if rng.random() { TimeRange::ALL } else { range(rng) };
    MetricQuery { filters, time, limit: 10_000 }
}

/// A question of any kind.
pub fn native(rng: &mut StdRng) -> Native {
    match rng.random_range(0..12) {
        0..4 => Native::Traces(trace_search(rng)),
        4..7 => Native::Logs(log_search(rng)),
        7 => {
            let start_ns = NOW_NS - rng.random_range(1..3) * HOUR_NS;
            let time = TimeRange { start_ns, end_ns: NOW_NS + rng.random_range(0..2) * HOUR_NS };
            let search = LogSearch { time: Some(time), ..log_search(rng) };
            Native::Histogram(search, [MINUTE_NS, 7 * MINUTE_NS][rng.random_range(0..2)])
        }
        8 if rng.random() => Native::TracePage(TraceId(data::trace_id(rng.random_range(0..13)))),
        8 => Native::Trace(TraceId(data::trace_id(rng.random_range(0..13)))),
        9 => {
            let signal = [Signal::Traces, Signal::Logs][rng.random_range(0..2)];
            let place = [AttributePlace::Item, AttributePlace::Resource, AttributePlace::Scope];
            let time = rng.random_bool(0.5).then(|| range(rng));
            Native::Names(signal, place[rng.random_range(0..3)], pick(rng, &KEYS), time)
        }
        _ => Native::Metrics(metric_query(rng)),
    }
}

fn sorted(mut entries: Vec<(String, Value)>) -> Vec<(String, Value)> {
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}

/// What a store answers, as text; in order where the order is promised.
pub async fn answer(harness: &Harness, question: &Native) -> Vec<String> {
    let ctx = QueryContext::default();
    let engine = &harness.engine;
    match question {
        Native::Traces(search) => {
            let pages = traces::pages(harness, search).await;
            assert!(pages.iter().all(|page| page.len() <= search.limit), "{search:?}");
            pages.concat().iter().map(|trace| format!("{trace:?}")).collect()
        }
        Native::Logs(search) => {
            let text = |record: LogRecord| {
                let attributes = sorted(record.attributes.clone());
                format!("{:?}", LogRecord { attributes, ..record })
            };
            logs::pages(harness, search).await.into_iter().map(text).collect()
        }
        Native::Histogram(search, step_ns) => {
            let found = engine.log_histogram(search, *step_ns, &ctx).await.expect("counts");
            found.buckets.iter().map(|bucket| format!("{bucket:?}")).collect()
        }
        Native::Trace(id) => {
            let found = engine.trace(*id, None, &ctx).await.expect("reads");
            let spans = found.map(|found| found.spans).unwrap_or_default();
            let text = |mut span: throughline_model::span::Span| {
                span.attributes = sorted(span.attributes);
                format!("{span:?}")
            };
            let mut texts = spans.into_iter().map(text).collect::<Vec<_>>();
            texts.sort(); // the order of equal starts and ids is nobody's promise
            texts
        }
        Native::TracePage(id) => trace_page(harness, *id).await,
        Native::Names(signal, place, key, time) => {
            let mut texts = Vec::new();
            let names = engine.attribute_names(*signal, *place, "", *time, &ctx).await;
            texts.extend(names.expect("lists").names);
            let values = engine.attribute_values(*signal, *place, key, "", *time, &ctx).await;
            texts.extend(values.expect("lists").names);
            texts.extend(engine.services(*time, &ctx).await.expect("lists").names);
            texts.extend(engine.operations(Some("shop"), *time, &ctx).await.expect("lists").names);
            texts.iter().map(|name| format!("{name:?}")).collect()
        }
        Native::Metrics(query) => metrics(harness, query).await,
    }
}

// Skeleton, facts, every span in full, and what the trace differs in from all others.
async fn trace_page(harness: &Harness, id: TraceId) -> Vec<String> {
    let ctx = QueryContext::default();
    let engine = &harness.engine;
    let Some(found) = engine.trace_skeleton(id, None, &ctx).await.expect("reads") else {
        return Vec::new();
    };
    let all = Fact::NAMES.map(|(_, fact)| fact);
    let facts = engine.trace_facts(id, None, &all, &ctx).await.expect("reads").expect("is there");
    let mut texts = vec![
        format!("{:?}", found.skeleton),
        format!("{:?}", TraceFacts { stats: QueryStatsSnapshot::default(), ..facts }),
    ];
    let details = engine.trace_details(id, &found.skeleton.span_id, None, &ctx).await;
    let mut spans = details.expect("reads").spans;
    spans.iter_mut().for_each(|span| span.attributes = sorted(span.attributes.clone()));
    let mut spans = spans.iter().map(|span| format!("{span:?}")).collect::<Vec<_>>();
    spans.sort();
    texts.extend(spans);
    let of_trace = SpanSelection { traces: vec![id], ..SpanSelection::default() };
    let all = SpanSelection::default();
    let differences = engine.compare_spans(&of_trace, &all, 1000, &ctx).await.expect("compares");
    texts.push(format!("{:?} {:?}", differences.spans, differences.differences));
    texts
}

async fn metrics(harness: &Harness, query: &MetricQuery) -> Vec<String> {
    let ctx = QueryContext::default();
    let engine = &harness.engine;
    let mut texts = Vec::new();
    let metrics = engine.metrics(query, &ctx).await.expect("reads").metrics;
    texts.extend(metrics.iter().map(|metric| format!("{metric:?}")));
    let series = engine.metric_series(query, &ctx).await.expect("reads").series;
    texts.extend(series.iter().map(|series| format!("{series:?}")));
    let points = engine.metric_points(query, &ctx).await.expect("reads").series;
    texts.extend(points.iter().map(|points| format!("{points:?}")));
    let exemplars = engine.metric_exemplars(query, &ctx).await.expect("reads").series;
    texts.extend(exemplars.iter().map(|exemplars| format!("{exemplars:?}")));
    // Edges look for partners within an hour of a segment, and rows here lie years apart and share
    // ids; `storage::scan::rollup` compares edges with a naive count of traces as they are.
    texts.retain(|text| !text.contains("traces_service_graph_"));
    texts
}
