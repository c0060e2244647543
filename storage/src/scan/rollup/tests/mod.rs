//! Rollups against a count of the spans themselves, wherever these lie: in one segment, in many, in
//! heads, before and after merges.

mod unusual;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow::array::RecordBatch;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use throughline_model::exponential::{Distribution, bucket};
use throughline_model::origin::{Resource, put_link};
use throughline_model::span::{Span, SpanBatchBuilder, SpanFields, read_spans};
use throughline_model::time::{MINUTE_NS, SECOND_NS, TimeRange};
use throughline_model::{SpanId, TraceId, Value};

use super::*;
use crate::segment::Layout;
use crate::segment::tests::{Fixture, context, tier};
use crate::{Tier, View};

const T0: i64 = 1_795_176_000_000_000_000;

/// Spans of some traces, each whole but for parents that never came.
fn random_traces(seed: u64, traces: u64) -> Vec<Span> {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut spans: Vec<Span> = Vec::new();
    for number in 0..traces {
        let mut trace_id = TraceId([7; 16]);
        trace_id.0[8..].copy_from_slice(&(number ^ seed << 32).to_be_bytes());
        let len = if number % 20 == 3 { rng.random_range(60..150) } else { rng.random_range(1..9) };
        let start = T0 + rng.random_range(0..20 * MINUTE_NS);
        let first = spans.len();
        for _ in 0..len {
            let parent = match rng.random_range(0..10) {
                0 => None,
                1 => Some(SpanId(rng.random::<u64>().to_be_bytes())),
                _ if spans.len() == first => None,
                _ => Some(spans[rng.random_range(first..spans.len())].span_id),
            };
            spans.push(random_span(&mut rng, trace_id, parent, start));
        }
    }
    link(&mut rng, &mut spans);
    spans
}

fn random_span(rng: &mut SmallRng, trace_id: TraceId, parent: Option<SpanId>, start: i64) -> Span {
    let text = |text: &str| Value::String(text.to_owned());
    let kind = rng.random_range(0..6);
    let mut attributes = Vec::new();
    if rng.random_ratio(1, 3) {
        attributes.push(("db.system".to_owned(), text("postgresql")));
        attributes.push(("db.name".to_owned(), text(["orders", "users"][rng.random_range(0..2)])));
    } else if rng.random_ratio(1, 3) {
        attributes.push(("server.address".to_owned(), text("api.example.com")));
        attributes.push((format!("rare.{}", rng.random::<u32>()), text("x")));
    } else if rng.random_ratio(1, 2) {
        attributes.push(("messaging.destination.name".to_owned(), text("events")));
    }
    Span {
        trace_id,
        span_id: SpanId(rng.random::<u64>().to_be_bytes()),
        parent_span_id: parent,
        trace_state: ["", "", "ot=th:8", "ot=p:3"][rng.random_range(0..4)].to_owned(),
        name: ["GET /", "query", "publish"][rng.random_range(0..3)].to_owned(),
        kind,
        start_time_ns: start + rng.random_range(0..40 * SECOND_NS),
        duration_ns: rng.random_range(-2..1_000_000_000),
        status_code: rng.random_range(0..3),
        service_name: ["cart", "shop", "payment"][rng.random_range(0..3)].to_owned(),
        attributes,
        ..Span::default()
    }
}

// Consumers link to spans of any trace, twice to some.
fn link(rng: &mut SmallRng, spans: &mut [Span]) {
    let targets = spans.iter().map(|span| (span.trace_id, span.span_id)).collect::<Vec<_>>();
    for span in spans.iter_mut().filter(|span| span.kind == 5) {
        for _ in 0..rng.random_range(0..4) {
            let (trace_id, span_id) = targets[rng.random_range(0..targets.len())];
            let link = throughline_model::origin::Link { trace_id, span_id, ..Default::default() };
            span.links.push(link);
        }
        if let (true, Some(parent)) = (rng.random_ratio(1, 4), span.parent_span_id) {
            let trace_id = span.trace_id;
            let span_id = parent;
            span.links.push(throughline_model::origin::Link {
                trace_id,
                span_id,
                ..Default::default()
            });
        }
    }
}

fn batch(spans: &[Span]) -> RecordBatch {
    let mut builder = SpanBatchBuilder::default();
    for span in spans {
        let name = Value::String(span.service_name.clone());
        let attributes = vec![("service.name".to_owned(), name)];
        let resource = Resource { attributes, ..Resource::default() };
        builder.set_resource(&resource.encode()).expect("fits");
        builder.set_scope(&throughline_model::origin::Scope::default().encode()).expect("fits");
        for (key, value) in &span.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("fits");
        }
        for link in &span.links {
            let out = &mut builder.links.bytes;
            put_link(out, &link.trace_id.0, &link.span_id.0, "", 0, 0, &[]);
        }
        let fields = SpanFields {
            trace_id: span.trace_id.0,
            span_id: span.span_id.0,
            parent_span_id: span.parent_span_id.map(|id| id.0),
            trace_state: &span.trace_state,
            name: &span.name,
            kind: span.kind,
            start_time_ns: span.start_time_ns,
            duration_ns: span.duration_ns,
            status_code: span.status_code,
            ..SpanFields::default()
        };
        builder.push(&fields).expect("fits");
    }
    builder.finish().expect("a batch")
}

type Sums = (u64, u64, f64, f64, EdgeSide, EdgeSide);

#[derive(Default)]
struct Naive(BTreeMap<(i64, EdgeKey), Sums>);

impl Naive {
    fn add(&mut self, step: i64, key: EdgeKey, client: Option<&Span>, server: Option<&Span>) {
        let sums = self.0.entry((step, key)).or_default();
        let sides = || [client, server].into_iter().flatten();
        let weight = sides().map(weight).fold(0.0, f64::max);
        sums.0 += 1;
        sums.2 += weight;
        if sides().any(|span| span.status_code == 2) {
            sums.1 += 1;
            sums.3 += weight;
        }
        for (span, side) in
            [(client.filter(|span| matches!(span.kind, 3 | 4)), &mut sums.4), (server, &mut sums.5)]
        {
            if let Some(span) = span {
                side.sum_ns += span.duration_ns as f64;
                side.durations.add(span.duration_ns as f64, 1.0);
            }
        }
    }
}

fn weight(span: &Span) -> f64 {
    match span.trace_state.as_str() {
        "ot=th:8" => 2.0,
        "ot=p:3" => 8.0,
        _ => 1.0,
    }
}

/// What a span calls that has no span of its own.
fn mere_name(span: &Span) -> Option<(ConnectionType, String)> {
    let value = |key: &str| span.attributes.iter().find(|(k, _)| k == key);
    let text = |key: &str| match value(key) {
        Some((_, Value::String(text))) => Some(text.clone()),
        _ => None,
    };
    let (database, host, queue) =
        (text("db.name"), text("server.address"), text("messaging.destination.name"));
    match span.kind {
        3 if database.is_some() => database.map(|name| (ConnectionType::Database, name)),
        3 => host.map(|name| (ConnectionType::Virtual, name)),
        4 => queue.or(host).map(|name| (ConnectionType::Messaging, name)),
        _ => None,
    }
}

/// Every edge by the rules, span by span.
fn naive_edges(spans: &[Span], request: &EdgesRequest) -> Vec<EdgeRow> {
    let ids = spans.iter().enumerate().map(|(at, span)| ((span.trace_id, span.span_id), at));
    let ids = ids.collect::<HashMap<_, _>>();
    let of = |trace: TraceId, id: SpanId| ids.get(&(trace, id)).copied();
    let mut naive = Naive::default();
    let mut paired = vec![false; spans.len()];
    let key = |client: &Span, server: &str, connection| EdgeKey {
        client: Arc::from(client.service_name.as_str()),
        server: Arc::from(server),
        connection,
    };
    let step = |start: i64| match request.step_ns {
        Some(step) => start.div_euclid(step) * step,
        None => request.time.start_ns,
    };
    for child in spans {
        let parent = child.parent_span_id.and_then(|id| of(child.trace_id, id));
        let mut pairs = Vec::new();
        if let Some(parent) = parent {
            let (p, caller) = (&spans[parent], matches!(spans[parent].kind, 3 | 4));
            if p.service_name != child.service_name || (caller && matches!(child.kind, 2 | 5)) {
                pairs.push(parent);
            }
        }
        for link in child.links.iter().filter(|_| child.kind == 5) {
            let target = of(link.trace_id, link.span_id);
            let target = target.filter(|target| matches!(spans[*target].kind, 3 | 4));
            pairs.extend(target.filter(|at| Some(*at) != parent && !pairs.contains(at)));
        }
        for client in pairs {
            paired[client] = true;
            let messaging = spans[client].kind == 4 || child.kind == 5;
            let connection =
                if messaging { ConnectionType::Messaging } else { ConnectionType::Direct };
            if request.time.contains(child.start_time_ns) {
                let key = key(&spans[client], &child.service_name, connection);
                naive.add(step(child.start_time_ns), key, Some(&spans[client]), Some(child));
            }
        }
    }
    for (span, _) in spans.iter().zip(&paired).filter(|(_, paired)| !**paired) {
        if let Some((connection, name)) =
            mere_name(span).filter(|_| request.time.contains(span.start_time_ns))
        {
            naive.add(step(span.start_time_ns), key(span, &name, connection), Some(span), None);
        }
    }
    let row = |((start_ns, edge), sums): ((i64, EdgeKey), Sums)| EdgeRow {
        edge: Arc::new(edge),
        start_ns,
        calls: sums.0,
        failed: sums.1,
        weighted_calls: sums.2,
        weighted_failed: sums.3,
        client: sums.4,
        server: sums.5,
    };
    naive.0.into_iter().map(row).collect()
}

fn ranges() -> Vec<EdgesRequest> {
    let range = |start_ns, end_ns| TimeRange { start_ns, end_ns };
    vec![
        EdgesRequest { time: TimeRange::ALL, step_ns: None },
        EdgesRequest { time: TimeRange::ALL, step_ns: Some(MINUTE_NS) },
        EdgesRequest { time: range(T0 + 1, T0 + 10 * MINUTE_NS + 7), step_ns: Some(MINUTE_NS) },
        EdgesRequest { time: range(T0 + 5 * MINUTE_NS, T0 + 9 * MINUTE_NS), step_ns: None },
        EdgesRequest {
            time: range(T0 + MINUTE_NS + 3, T0 + MINUTE_NS + 9 * SECOND_NS),
            step_ns: None,
        },
        EdgesRequest { time: range(T0, T0), step_ns: None },
    ]
}

fn view(tier: Tier) -> Arc<View> {
    Arc::new(View { spans: tier, ..View::default() })
}

fn check_edges(tier: Tier, spans: &[Span], what: &str) {
    let view = view(tier);
    for request in ranges() {
        let found = read_edges(&view, &request, &context()).expect("reads");
        let expected = naive_edges(spans, &request);
        let texts =
            |rows: &[EdgeRow]| rows.iter().map(|row| format!("{row:?}")).collect::<Vec<_>>();
        let (found, expected) = (texts(&found), texts(&expected));
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found, expected, "{what}, {request:?}");
        }
        assert_eq!(found.len(), expected.len(), "{what}, {request:?}");
    }
}

type Operations = BTreeMap<(OperationKey, i64), (u64, f64, i64, Distribution)>;

fn read_all(tier: Tier, time: TimeRange, cut_buckets: bool) -> (Operations, Coverage) {
    let view = view(tier);
    let request = OperationsRequest { time, durations: true, cut_buckets, nameless_steps: None };
    let (all, coverage) = read_steps(&view, &request);
    // Sums of whole segments are those of their slabs' buckets.
    let five = Steps { origin_ns: 0, step_ns: 5 * MINUTE_NS };
    for steps in [Steps::ONE, five] {
        let by_step = |operations: &Operations| {
            let mut sums = Operations::new();
            for ((key, start_ns), (count, weighted, sum_ns, durations)) in operations {
                let step = if steps == five { start_ns.div_euclid(5 * MINUTE_NS) } else { 0 };
                let key = OperationKey { name: Arc::from(""), ..key.clone() };
                let into = sums.entry((key, step)).or_default();
                into.0 += count;
                into.1 += weighted;
                into.2 += sum_ns;
                into.3.merge(durations);
            }
            sums
        };
        let (summed, _) =
            read_steps(&view, &OperationsRequest { nameless_steps: Some(steps), ..request });
        assert_eq!(by_step(&summed), by_step(&all), "{steps:?}");
        if steps == five {
            continue;
        }
        let counts = OperationsRequest { nameless_steps: Some(steps), durations: false, ..request };
        let mut count = 0;
        let add = |_: &[OperationKey], rows: OperationRows| {
            count += rows.counts.iter().sum::<u64>();
            Ok(())
        };
        read_operations(&view, &counts, &context(), add).expect("reads");
        assert_eq!(count, all.values().map(|sums| sums.0).sum::<u64>(), "{steps:?}");
    }
    (all, coverage)
}

fn read_steps(view: &Arc<View>, request: &OperationsRequest) -> (Operations, Coverage) {
    let mut all = Operations::new();
    let mut slowest: BTreeMap<(OperationKey, i64), Vec<SpanRef>> = BTreeMap::new();
    let coverage = read_operations(view, request, &context(), |keys, rows| {
        let durations = rows.durations.as_ref().expect("asked for");
        for row in 0..rows.keys.len() {
            let key = (keys[rows.keys[row] as usize].clone(), rows.starts_ns[row]);
            slowest.entry(key.clone()).or_default().push(durations.slowest(row));
            let sums = all.entry(key).or_default();
            sums.0 += rows.counts[row];
            sums.1 += rows.weighted[row];
            sums.2 += durations.sum_ns(row);
            durations.add_to(row, 1.0, &mut sums.3);
        }
        Ok(())
    })
    .expect("reads");
    for (key, spans) in slowest {
        let spans = read_exemplars(view, &spans, &context()).expect("reads");
        let longest = spans.iter().flatten().map(|span| span.duration_ns).max().expect("one");
        let durations = &all[&key].3;
        let top = durations.buckets.keys().next_back().copied();
        assert_eq!(top, (longest > 0).then(|| bucket(longest as f64)), "{key:?}");
    }
    (all, coverage)
}

fn naive_operations(spans: &[Span], time: TimeRange) -> Operations {
    let mut all = Operations::new();
    for span in spans.iter().filter(|span| time.contains(span.start_time_ns)) {
        let key = OperationKey {
            service: Arc::from(span.service_name.as_str()),
            name: Arc::from(span.name.as_str()),
            kind: span.kind,
            status_code: span.status_code,
        };
        let start = span.start_time_ns.div_euclid(ROLLUP_NS) * ROLLUP_NS;
        let sums = all.entry((key, start)).or_default();
        sums.0 += 1;
        sums.1 += weight(span);
        sums.2 += span.duration_ns;
        sums.3.add(span.duration_ns as f64, 1.0);
    }
    all
}

fn check_operations(tier: Tier, spans: &[Span], what: &str) {
    for request in ranges() {
        let (found, coverage) = read_all(tier.clone(), request.time, true);
        assert_eq!(found, naive_operations(spans, request.time), "{what}, {request:?}");
        assert_eq!(coverage, Coverage { time: Some(request.time), names_complete: true });
        let (found, coverage) = read_all(tier.clone(), request.time, false);
        match coverage.time {
            Some(time) => assert_eq!(found, naive_operations(spans, time), "{what}, {time:?}"),
            None => assert!(found.is_empty()),
        }
    }
}

#[test]
fn rollups_equal_a_count_of_the_spans() {
    let small = Layout { slab_rows: 64, page_rows: 16, page_bytes: 256, ..Layout::default() };
    for seed in 0..6 {
        let fixture = Fixture::new();
        let mut rng = SmallRng::seed_from_u64(seed);
        let spans = random_traces(seed, 60);
        let mut shares: Vec<Vec<Span>> = vec![Vec::new(); 5];
        for span in &spans {
            let share = match seed % 3 {
                0 => rng.random_range(0..5),
                // Mostly whole traces.
                _ if rng.random_ratio(1, 20) => rng.random_range(0..5),
                _ => span.trace_id.0[15] as usize % 5,
            };
            shares[share].push(span.clone());
        }
        let batches = shares.iter().map(|spans| batch(spans)).collect::<Vec<_>>();
        let check = |tier: Tier, what: &str| {
            check_edges(tier.clone(), &spans, &format!("seed {seed}, {what}"));
            check_operations(tier, &spans, &format!("seed {seed}, {what}"));
        };
        check(tier(&[], &batches), "heads");
        for layout in [small, Layout::default()] {
            let segments =
                batches.iter().map(|batch| fixture.spans(0, &layout, std::slice::from_ref(batch)));
            let segments = segments.collect::<Vec<_>>();
            check(tier(&segments, &[]), "segments");
            check(tier(&segments[..3], &batches[3..]), "both");
            let merged = fixture.merge(&layout, &segments[..4]);
            check(tier(&[merged.clone(), segments[4].clone()], &[]), "merged");
            check(
                tier(&[fixture.merge(&small, &[merged, segments[4].clone()])], &[]),
                "all merged",
            );
        }
    }
}

#[test]
fn a_merge_rolls_up_what_one_write_of_the_same_rows_does() {
    let fixture = Fixture::new();
    let spans = random_traces(99, 80);
    let (left, right) = spans.split_at(spans.len() / 2);
    let halves = [left, right].map(|spans| fixture.spans(0, &Layout::default(), &[batch(spans)]));
    let merged = fixture.merge(&Layout::default(), &halves);
    let whole = fixture.spans(0, &Layout::default(), &[batch(&spans)]);
    let counts = |segment: &Arc<Segment>| {
        read_all(tier(std::slice::from_ref(segment), &[]), TimeRange::ALL, false).0
    };
    assert_eq!(counts(&merged), counts(&whole));
    let request = EdgesRequest { time: TimeRange::ALL, step_ns: Some(ROLLUP_NS) };
    let edges = |segment: Arc<Segment>| {
        read_edges(&view(tier(&[segment], &[])), &request, &context()).expect("reads")
    };
    assert_eq!(edges(merged), edges(whole));
}

#[test]
fn ranges_split_into_buckets_and_cuts() {
    let range = |start_ns, end_ns| TimeRange { start_ns, end_ns };
    let r = ROLLUP_NS;
    for (time, whole, cuts) in [
        (TimeRange::ALL, Some(TimeRange::ALL), vec![]),
        (range(0, r), Some(range(0, r)), vec![]),
        (range(1, r), None, vec![range(1, r)]),
        (range(-1, r + 1), Some(range(0, r)), vec![range(-1, 0), range(r, r + 1)]),
        (range(5, 7), None, vec![range(5, 7)]),
        (range(r - 1, r + 1), None, vec![range(r - 1, r + 1)]),
        (range(7, 7), None, vec![]),
    ] {
        let found = split(time);
        let found_whole = (found.whole.start_ns < found.whole.end_ns).then_some(found.whole);
        assert_eq!((found_whole, found.cuts), (whole, cuts), "{time:?}");
    }
    assert!(check_step(Some(r + 1)).is_err() && check_step(Some(0)).is_err());
    assert!(check_step(Some(4 * r)).is_ok() && check_step(None).is_ok());
}
