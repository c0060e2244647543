//! The facts of a trace, on small traces drawn in text files, on random ones, and on a large one.
//!
//! ```text
//! # what the case shows
//! 1 - web@a get server 0..100 error        id, parent, service@host, name, kind, start..end in ms
//! = path: 1 0..100                         a fact and what it says
//! ```

mod compare;
mod elsewhere;
mod large;
mod random;

use throughline_model::{SpanId, TraceId};
use throughline_query::QueryContext;
use throughline_query::traces::page::{Fact, NO_PARENT, Skeleton, TraceFacts, flag};

use crate::data::{self, TestSpan, attributes, text};
use crate::harness::{Harness, NOW_NS};

pub const MS: i64 = 1_000_000;
/// When traces of cases start.
pub const START_NS: i64 = NOW_NS - 600_000 * MS;

const KINDS: [&str; 6] = ["unset", "internal", "server", "client", "producer", "consumer"];

/// The span of a line.
pub fn span(line: &str, trace: u8) -> TestSpan {
    let words = line.split_whitespace().collect::<Vec<_>>();
    let [id, parent, origin, name, kind, times, rest @ ..] = &words[..] else {
        panic!("a span has six words: {line}");
    };
    let (service, host) = origin.split_once('@').unwrap_or((origin, ""));
    let (start, end) = times.split_once("..").expect("start..end");
    let ms = |text: &str| text.parse::<i64>().expect("milliseconds") * MS;
    let number = |text: &str| text.parse::<u8>().expect("a small number");
    let link = |word: &&str| {
        let (trace, span) = word.strip_prefix("link=")?.split_once(':')?;
        Some((number(trace), number(span)))
    };
    TestSpan {
        service: service.to_owned(),
        trace,
        span: number(id),
        parent: (*parent != "-").then(|| number(parent)),
        name: (*name).to_owned(),
        kind: KINDS.iter().position(|known| known == kind).expect("a kind") as i32,
        start_ns: START_NS + ms(start),
        duration_ns: ms(end) - ms(start),
        status: if rest.contains(&"error") { 2 } else { 0 },
        resource: match host {
            "" => Vec::new(),
            host => attributes(&[("host.name", text(host))]),
        },
        events: if rest.contains(&"event") { vec![(START_NS, "e".into())] } else { Vec::new() },
        links: rest.iter().filter_map(link).collect(),
        ..TestSpan::default()
    }
}

/// A number of milliseconds, with decimals where there are some.
fn ms(ns: i64) -> String {
    format!("{}", ns as f64 / MS as f64)
}

fn number(id: &SpanId) -> u8 {
    id.0[7]
}

/// A fact in the words of the cases.
fn told(fact: &str, skeleton: &Skeleton, facts: &TraceFacts) -> String {
    let id = |place: usize| number(&skeleton.span_id[place]).to_string();
    let each = |text: &dyn Fn(usize) -> String| -> Vec<String> {
        (0..skeleton.len()).map(|place| format!("{} {}", id(place), text(place))).collect()
    };
    let all = match fact {
        "tree" => each(&|place| match skeleton.parent[place] {
            NO_PARENT => "-".to_owned(),
            parent => id(parent as usize),
        }),
        "flags" => each(&|place| flags(skeleton.flags[place])),
        "depth" => {
            let depth = facts.depth.as_ref().expect("asked for");
            each(&|place| depth[place].to_string())
        }
        "self" => {
            let own = facts.self_ns.as_ref().expect("asked for");
            each(&|place| ms(own[place]))
        }
        "path" => {
            let path = facts.critical_path.as_ref().expect("asked for").iter();
            let span = |span: i32| if span < 0 { "?".to_owned() } else { id(span as usize) };
            path.map(|p| format!("{} {}..{}", span(p.span), ms(p.from_ns), ms(p.to_ns))).collect()
        }
        "shifts" => {
            let shifts = facts.skew.as_ref().expect("asked for").shifts.iter();
            shifts.map(|(place, by)| format!("{} {}", id(*place as usize), ms(*by))).collect()
        }
        "skew" => {
            let skews = facts.skew.as_ref().expect("asked for").skews.iter();
            let pair = |s: &throughline_query::traces::page::Skew| {
                let by = [s.shift_min_ns, s.shift_median_ns, s.shift_max_ns].map(ms).join(" ");
                format!(
                    "{}@{} -> {}@{} moved {} by {by}",
                    s.parent_service, s.parent_clock, s.child_service, s.child_clock, s.moved
                )
            };
            skews.map(pair).collect()
        }
        "orphans" => {
            let orphans = facts.orphans.as_ref().expect("asked for").iter();
            let one =
                |span: u32, parent: &SpanId| format!("{} of {}", id(span as usize), number(parent));
            orphans.map(|orphan| one(orphan.span, &orphan.parent_span_id)).collect()
        }
        "late" => {
            let late = facts.late.as_ref().expect("asked for").iter();
            let by = |parent: i64, root: i64| format!("{} {}", ms(parent), ms(root));
            late.map(|l| {
                format!("{} {}", id(l.span as usize), by(l.after_parent_ns, l.after_root_ns))
            })
            .collect()
        }
        "operations" => {
            let (operations, _) = facts.operations.as_ref().expect("asked for");
            let one = |o: &throughline_query::traces::page::Operation| {
                let times = [o.total_ns, o.self_ns, o.p50_ns, o.p95_ns, o.max_ns].map(ms).join(" ");
                format!("{} {} {}/{} {times} {:.2}", o.service, o.name, o.count, o.errors, o.share)
            };
            operations.iter().map(one).collect()
        }
        other => panic!("no fact is called {other}"),
    };
    all.join(", ")
}

fn flags(bits: u16) -> String {
    let names = [
        (flag::ROOT, "root"),
        (flag::ORPHAN, "orphan"),
        (flag::ERROR, "error"),
        (flag::EVENTS, "events"),
        (flag::LINKS, "links"),
        (flag::LATE_FOR_PARENT, "late"),
        (flag::LATE_FOR_ROOT, "after-root"),
        (flag::CYCLE, "cycle"),
        (flag::MOVED, "moved"),
    ];
    let set = names.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, name)| *name);
    set.collect::<Vec<_>>().join("+")
}

/// What the engine says of a trace.
pub async fn ask(harness: &Harness, trace: u8) -> (Skeleton, TraceFacts) {
    let (id, ctx) = (TraceId(data::trace_id(trace)), QueryContext::default());
    let skeleton = harness.engine.trace_skeleton(id, None, &ctx).await.expect("reads");
    let facts = Fact::NAMES.map(|(_, fact)| fact);
    let facts = harness.engine.trace_facts(id, None, &facts, &ctx).await.expect("reads");
    (skeleton.expect("is there").skeleton, facts.expect("is there"))
}

/// Each case of a file holds in heads and in segments.
async fn check(cases: &str) {
    let harness = Harness::new().await;
    let cases = cases.split("\n\n").map(str::trim).filter(|case| !case.is_empty());
    let cases = cases.collect::<Vec<_>>();
    let is_span = |line: &&str| !line.starts_with(['#', '=']);
    for (case, trace) in cases.iter().zip(0u8..) {
        let spans = case.lines().filter(is_span).map(|line| span(line, trace));
        harness.append(data::spans(&spans.collect::<Vec<_>>())).await;
    }
    for stage in ["head", "segment"] {
        if stage == "segment" {
            harness.store.flush().await.expect("flushes");
        }
        for (case, trace) in cases.iter().zip(0u8..) {
            let (skeleton, facts) = ask(&harness, trace).await;
            let expected = case.lines().filter_map(|line| line.strip_prefix("= "));
            for line in expected {
                let (fact, says) = line.split_once(':').expect("fact: what it says");
                assert_eq!(
                    told(fact, &skeleton, &facts).trim(),
                    says.trim(),
                    "{stage}: {fact} of\n{case}"
                );
            }
        }
    }
}

#[tokio::test]
async fn trees() {
    check(include_str!("cases/trees.txt")).await;
}

#[tokio::test]
async fn skew() {
    check(include_str!("cases/skew.txt")).await;
}

#[tokio::test]
async fn critical_paths() {
    check(include_str!("cases/critical_paths.txt")).await;
}

#[tokio::test]
async fn times_and_operations() {
    check(include_str!("cases/times.txt")).await;
}
