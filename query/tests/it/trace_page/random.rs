//! Facts of random traces against what is true of them by definition.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use throughline_model::TraceId;
use throughline_query::QueryContext;
use throughline_query::traces::page::{NO_PARENT, Skeleton, TraceFacts, flag};

use super::{MS, START_NS, ask};
use crate::data::{self, TestSpan, attributes, text};
use crate::harness::Harness;

const TRACES: u8 = 250;
const LENGTH_MS: i64 = 40;

fn random_trace(rng: &mut StdRng, trace: u8) -> Vec<TestSpan> {
    let spans = rng.random_range(1..14u8);
    let hosts = rng.random_range(1..4);
    (1..=spans)
        .map(|number| {
            let start = rng.random_range(0..LENGTH_MS);
            let parent = match rng.random_range(0..12) {
                0 => Some(200), // is not stored
                1 => Some(rng.random_range(1..=spans)),
                _ => (number > 1).then(|| rng.random_range(1..number)),
            };
            TestSpan {
                trace,
                // Few ids come twice.
                span: if rng.random_range(0..15) == 0 { 1 } else { number },
                parent,
                service: ["a", "b"][rng.random_range(0..2)].to_owned(),
                name: ["x", "y", "z"][rng.random_range(0..3)].to_owned(),
                kind: rng.random_range(0..6),
                start_ns: START_NS + start * MS,
                duration_ns: rng.random_range(-1..LENGTH_MS - start + 1) * MS,
                status: rng.random_range(0..3),
                resource: attributes(&[(
                    "host.name",
                    text(["h", "i", "j"][rng.random_range(0..hosts)]),
                )]),
                ..TestSpan::default()
            }
        })
        .collect()
}

/// Adjusted start and end of each span, relative to the trace.
fn intervals(skeleton: &Skeleton, facts: &TraceFacts) -> Vec<(i64, i64)> {
    let mut shift = vec![0; skeleton.len()];
    for (place, by) in &facts.skew.as_ref().expect("asked for").shifts {
        shift[*place as usize] = *by;
    }
    (0..skeleton.len())
        .map(|at| {
            let start = skeleton.start[at] + shift[at];
            (start, start + skeleton.duration[at].max(0))
        })
        .collect()
}

fn children(skeleton: &Skeleton, place: usize) -> impl Iterator<Item = usize> {
    let is_child = move |at: &usize| skeleton.parent[*at] == place as i32;
    (0..skeleton.len()).filter(is_child)
}

// Moments in which it runs and none of its children does.
fn check_self_times(skeleton: &Skeleton, facts: &TraceFacts, times: &[(i64, i64)]) {
    let own = facts.self_ns.as_ref().expect("asked for");
    for (at, (start, end)) in times.iter().enumerate() {
        let all = children(skeleton, at).map(|child| times[child]).collect::<Vec<_>>();
        let mut edges = vec![*start, *end];
        edges.extend(all.iter().flat_map(|(from, to)| [*from, *to]).map(|t| t.clamp(*start, *end)));
        edges.sort_unstable();
        let free = |from: i64, to: i64| !all.iter().any(|child| child.0 <= from && to <= child.1);
        let pieces = edges.windows(2).filter(|edge| free(edge[0], edge[1]));
        assert_eq!(own[at], pieces.map(|edge| edge[1] - edge[0]).sum::<i64>());
    }
    let (operations, cut) = facts.operations.as_ref().expect("asked for");
    assert_eq!(*cut, 0);
    assert_eq!(operations.iter().map(|o| o.self_ns).sum::<i64>(), own.iter().sum::<i64>());
    assert_eq!(operations.iter().map(|o| o.count).sum::<u64>(), skeleton.len() as u64);
    let share = operations.iter().map(|o| o.share).sum::<f64>();
    assert!(share == 0.0 || (share - 1.0).abs() < 1e-9);
}

fn check_path(skeleton: &Skeleton, facts: &TraceFacts, times: &[(i64, i64)]) {
    let path = facts.critical_path.as_ref().expect("asked for");
    let root = (0..skeleton.len()).find(|at| skeleton.flags[*at] & flag::ROOT != 0);
    let (start, end) = match root {
        Some(root) => times[root],
        None => (
            times.iter().map(|time| time.0).min().expect("a span"),
            times.iter().map(|time| time.1).max().expect("a span"),
        ),
    };
    let mut at_ns = start;
    for piece in path {
        assert_eq!(piece.from_ns, at_ns, "without gap or overlap");
        assert!(piece.from_ns < piece.to_ns);
        at_ns = piece.to_ns;
        let Ok(span) = usize::try_from(piece.span) else {
            assert!(root.is_none());
            continue;
        };
        assert!(times[span].0 <= piece.from_ns && piece.to_ns <= times[span].1, "while it runs");
        let mut top = span;
        while skeleton.parent[top] != NO_PARENT {
            top = skeleton.parent[top] as usize;
        }
        assert!(root.is_none_or(|root| root == top), "below the root");
        // While a span works itself, none of its children ends: that one would be waited for.
        let ends = children(skeleton, span).filter(|child| {
            let (from, to) = times[*child];
            from < to && from < piece.to_ns && piece.from_ns < to && to <= piece.to_ns
        });
        assert_eq!(ends.count(), 0, "{path:?}");
    }
    assert_eq!(at_ns, end.max(start));
}

fn check_moves(skeleton: &Skeleton, facts: &TraceFacts, times: &[(i64, i64)]) {
    let moves = facts.skew.as_ref().expect("asked for");
    for (place, _) in &moves.shifts {
        let at = *place as usize;
        let parent = usize::try_from(skeleton.parent[at]).expect("only children are moved");
        let length = |at: usize| times[at].1 - times[at].0;
        if skeleton.clock[at] == skeleton.clock[parent] {
            let by = |at: usize| times[at].0 - skeleton.start[at];
            assert_eq!(by(at), by(parent), "moves with its parent");
        } else if length(at) <= length(parent) {
            assert!(times[parent].0 <= times[at].0 && times[at].1 <= times[parent].1, "fits");
        } else {
            assert_eq!(times[at].0, times[parent].0);
        }
    }
    let told = moves.skews.iter().map(|skew| skew.moved).sum::<u64>();
    let other_clock = moves.shifts.iter().filter(|(at, _)| {
        let at = *at as usize;
        skeleton.clock[at] != skeleton.clock[skeleton.parent[at] as usize]
    });
    assert_eq!(told, other_clock.count() as u64);
}

#[tokio::test]
async fn facts_hold_by_definition() {
    let mut rng = StdRng::seed_from_u64(3);
    let harness = Harness::new().await;
    let traces = (0..TRACES).map(|trace| random_trace(&mut rng, trace)).collect::<Vec<_>>();
    for some in traces.chunks(50) {
        harness.append(data::spans(&some.concat())).await;
        harness.store.flush().await.expect("flushes");
    }
    let mut moved = 0;
    for trace in 0..TRACES {
        let (skeleton, facts) = ask(&harness, trace).await;
        let id = TraceId(data::trace_id(trace));
        same_as_whole(&harness, id, &skeleton).await;
        let times = intervals(&skeleton, &facts);
        check_self_times(&skeleton, &facts, &times);
        check_path(&skeleton, &facts, &times);
        check_moves(&skeleton, &facts, &times);
        moved += facts.skew.map_or(0, |moves| moves.shifts.len());
    }
    assert!(moved > 50, "{moved} spans moved");
}

/// A skeleton says what the whole trace says.
pub async fn same_as_whole(harness: &Harness, id: TraceId, skeleton: &Skeleton) {
    let whole = harness.engine.trace(id, None, &QueryContext::default()).await.expect("reads");
    let spans = whole.expect("is there").spans;
    let mut expected = spans
        .iter()
        .map(|span| {
            let parent = span.parent_span_id.filter(|id| spans.iter().any(|s| s.span_id == *id));
            let has_root = span.parent_span_id.is_none();
            let times = (span.start_time_ns, span.duration_ns);
            let bits = (has_root, span.status_code == 2);
            let texts = (span.name.clone(), span.service_name.clone());
            (times, span.span_id, span.kind, span.status_code, texts, bits, parent)
        })
        .collect::<Vec<_>>();
    let mut found = (0..skeleton.len())
        .map(|at| {
            let bit = |bit: u16| skeleton.flags[at] & bit != 0;
            let parent = usize::try_from(skeleton.parent[at]).ok();
            let start = skeleton.start_ns + skeleton.start[at];
            let texts = (
                skeleton.names[skeleton.name[at] as usize].clone(),
                skeleton.services[skeleton.service[at] as usize].clone(),
            );
            let bits = (bit(flag::ROOT), bit(flag::ERROR));
            (
                (start, skeleton.duration[at]),
                skeleton.span_id[at],
                skeleton.kind[at],
                skeleton.status[at],
                texts,
                bits,
                parent.map(|parent| skeleton.span_id[parent]),
            )
        })
        .collect::<Vec<_>>();
    // Where parents were cut or found by other means than their id, the rest is the same.
    for (at, one) in found.iter_mut().enumerate() {
        let exact = spans.iter().find(|span| {
            let times = (span.start_time_ns, span.duration_ns);
            let texts = (&span.name, &span.service_name);
            (times, span.span_id, span.kind, span.status_code, texts)
                == (one.0, one.1, one.2, one.3, (&one.4.0, &one.4.1))
        });
        let named = exact.and_then(|span| span.parent_span_id);
        let odd = skeleton.flags[at] & flag::CYCLE != 0 || (one.6.is_some() && one.6 != named);
        if odd || named == Some(one.1) {
            one.6 = named.filter(|id| spans.iter().any(|span| span.span_id == *id));
            one.5.0 = named.is_none();
        }
    }
    expected.sort_by_key(|one| format!("{one:?}"));
    expected.dedup();
    found.sort_by_key(|one| format!("{one:?}"));
    assert_eq!(found, expected);
}
