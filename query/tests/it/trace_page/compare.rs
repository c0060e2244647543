//! Two traces, and two sets of spans.

use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::{TraceId, Value};
use throughline_query::traces::TraceSearch;
use throughline_query::traces::compare::paths::Change;
use throughline_query::traces::compare::sets::{Place, SetComparison, SpanSelection, Test};
use throughline_query::{ErrorKind, QueryContext};

use super::{MS, span};
use crate::data::{self, TestSpan, attributes, text};
use crate::harness::Harness;

#[tokio::test]
async fn two_traces_side_by_side() {
    let harness = Harness::new().await;
    let first = [
        "1 - web get server 0..100",
        "2 1 cart list server 10..30",
        "3 2 db q client 12..20",
        "4 2 db q client 20..28",
        "5 1 mail send client 40..50",
    ];
    let second = [
        "1 - web get server 0..200",
        "2 1 cart list server 10..90 error",
        "3 2 db q client 20..30",
        "4 1 cart list server 100..110",
        "5 4 cache get client 101..102",
        "6 5 db q client 101..102",
    ];
    let spans =
        |lines: &[&str], trace| lines.iter().map(|line| span(line, trace)).collect::<Vec<_>>();
    harness.append(data::spans(&spans(&first, 1))).await;
    harness.append(data::spans(&spans(&second, 2))).await;
    let (a, b) = (TraceId(data::trace_id(1)), TraceId(data::trace_id(2)));
    let ctx = QueryContext::default();
    let found = harness.engine.compare_traces(a, b, &ctx).await.expect("compares");
    let shown = found.nodes.iter().map(|node| {
        let above =
            node.parent.map_or("-".to_owned(), |parent| found.nodes[parent as usize].name.clone());
        let [a, b] = [node.a, node.b]
            .map(|s| format!("{}/{} {} {}", s.count, s.errors, s.total_ns / MS, s.self_ns / MS));
        format!("{above} > {} {}: {:?} {a} | {b}", node.service, node.name, node.change())
    });
    let expected = [
        "- > web get: Same 1/0 100 70 | 1/0 200 110",
        "get > cart list: Changed 1/0 20 4 | 2/1 90 79",
        "get > mail send: Removed 1/0 10 10 | 0/0 0 0",
        "list > db q: Changed 2/0 16 16 | 1/0 10 10",
        "list > cache get: Added 0/0 0 0 | 1/0 1 0",
        "get > db q: Added 0/0 0 0 | 1/0 1 1",
    ];
    assert_eq!(shown.collect::<Vec<_>>(), expected);
    assert_eq!(
        (found.spans, found.duration_ns, found.spans_cut),
        ([5, 6], [100 * MS, 200 * MS], 0)
    );
    let same = harness.engine.compare_traces(a, a, &ctx).await.expect("compares");
    assert!(same.nodes.iter().all(|node| node.change() == Change::Same));
    let err =
        harness.engine.compare_traces(a, TraceId([9; 16]), &ctx).await.expect_err("not there");
    assert_eq!(err.kind(), ErrorKind::NotFound);
}

// 2000 spans, of which every tenth fails. Failures come from one host and version, and are slow; the
// user is different in each, a zone is common to all, and one attribute is there by chance.
fn shop() -> Vec<TestSpan> {
    let one = |number: usize| {
        let fails = number.is_multiple_of(10);
        let noise = number % 7 == 3;
        let mut attributes = attributes(&[
            ("user.id", text(&format!("u{number}"))),
            ("zone", text("z")),
            ("status_code", Value::Int(if fails { 503 } else { 200 })),
            ("items", Value::Int((number % 100) as i64)),
        ]);
        if noise {
            attributes.push(("lucky".into(), Value::Bool(true)));
        }
        if fails {
            attributes.push(("error.type".into(), text("timeout")));
        }
        let host = if fails || number % 4 == 1 { "h1" } else { "h2" };
        TestSpan {
            attributes,
            status: if fails { 2 } else { 0 },
            duration_ns: if fails { 900 * MS } else { (1 + number as i64 % 50) * MS },
            resource: data::attributes(&[("host.name", text(host))]),
            start_ns: super::START_NS + number as i64,
            ..span("1 - shop pay server 0..1", (number % 200) as u8)
        }
    };
    (0..2000).map(one).collect()
}

fn selection(op: Op) -> SpanSelection {
    let target = Target::Column("status_code".into());
    let search = TraceSearch { filters: vec![Predicate { target, op }], ..TraceSearch::default() };
    SpanSelection { search, traces: Vec::new() }
}

async fn failures_against_the_rest(harness: &Harness, limit: usize) -> SetComparison {
    let (a, b) = (selection(Op::Eq(Operand::Int(2))), selection(Op::Ne(Operand::Int(2))));
    harness.engine.compare_spans(&a, &b, limit, &QueryContext::default()).await.expect("compares")
}

fn shown(found: &SetComparison) -> Vec<String> {
    let one = |d: &throughline_query::traces::compare::sets::Difference| {
        let test = match &d.test {
            Test::Is(value) => format!("is {}", value.to_json()),
            Test::Above(number) => format!("above {:.0} ms", number / MS as f64),
            Test::Exists => "exists".to_owned(),
        };
        format!("{:?} {} {test}: {:?}", d.place, d.key, d.counts)
    };
    found.differences.iter().map(one).collect()
}

#[tokio::test]
async fn what_failures_have_in_common_ranks_first() {
    let harness = Harness::new().await;
    harness.append(data::spans(&shop())).await;
    let mut before = None;
    for stage in ["head", "segment", "compacted"] {
        let found = failures_against_the_rest(&harness, 100).await;
        assert_eq!(found.spans, [200, 1800], "{stage}");
        let differences = shown(&found);
        let expected = [
            "Field duration_ns above 865 ms: [200, 0]",
            "Field status is \"ERROR\": [200, 0]",
            "Field status is \"UNSET\": [0, 1800]",
            "Span error.type is \"timeout\": [200, 0]",
            "Span status_code is 200: [0, 1800]",
            "Span status_code is 503: [200, 0]",
        ];
        assert_eq!(differences[..6], expected, "{stage}: {differences:?}");
        assert!(differences.contains(&"Resource host.name is \"h1\": [200, 500]".to_owned()));
        // What is common to all, what is different in each, and what is there by chance.
        for word in ["zone", "user.id", "lucky", "service", "scope"] {
            assert!(differences.iter().all(|one| !one.contains(word)), "{stage}: {differences:?}");
        }
        assert_eq!((found.differences_cut, found.keys_over), (0, false));
        assert_eq!(*before.get_or_insert(differences.clone()), differences, "{stage}");
        let duration = &found.differences[0];
        let medians = duration.spreads.map(|spread| spread.expect("numbers").p50 / MS as f64);
        assert!((860.0..940.0).contains(&medians[0]) && medians[1] < 30.0, "{medians:?}");
        match stage {
            "head" => harness.store.flush().await.expect("flushes"),
            _ => harness.store.compact().await.expect("compacts"),
        }
    }
    let two = failures_against_the_rest(&harness, 2).await;
    assert_eq!((two.differences.len(), two.differences_cut > 3), (2, true));
}

#[tokio::test]
async fn frequent_values_of_a_key_with_too_many_are_found() {
    let harness = Harness::new().await;
    // In each set 6000 values that come once, and one that 40 % of the failures have.
    let one = |number: usize| {
        let fails = number.is_multiple_of(2);
        let frequent = fails && number.is_multiple_of(5);
        let id = if frequent { "frequent".to_owned() } else { format!("u{number}") };
        TestSpan {
            attributes: attributes(&[("user.id", text(&id))]),
            status: if fails { 2 } else { 0 },
            ..span("1 - shop pay server 0..1", 1)
        }
    };
    harness.append(data::spans(&(0..12_000).map(one).collect::<Vec<_>>())).await;
    for stage in ["head", "segment"] {
        let found = failures_against_the_rest(&harness, 100).await;
        assert_eq!(found.keys_cut, [(Place::Span, "user.id".to_owned())], "{stage}");
        let differences = shown(&found);
        let frequent = "Span user.id is \"frequent\": [1200, 0]".to_owned();
        assert!(differences.contains(&frequent), "{stage}: {differences:?}");
        assert_eq!(differences.iter().filter(|one| one.contains("user.id")).count(), 1);
        harness.store.flush().await.expect("flushes");
    }
}

#[tokio::test]
async fn sets_may_name_traces_and_may_be_empty() {
    let harness = Harness::new().await;
    harness.append(data::spans(&shop())).await;
    let of = |numbers: &[u8]| SpanSelection {
        traces: numbers.iter().map(|n| TraceId(data::trace_id(*n))).collect(),
        ..SpanSelection::default()
    };
    let ctx = QueryContext::default();
    let found = harness.engine.compare_spans(&of(&[1, 2]), &of(&[250]), 10, &ctx).await;
    assert_eq!(found.expect("compares").spans, [20, 0]);
    let all = SpanSelection::default();
    let same = harness.engine.compare_spans(&all, &all, 10, &ctx).await.expect("compares");
    assert_eq!((same.spans, same.differences.len()), ([2000, 2000], 0));
    for limit in [0, 1001] {
        let err = harness.engine.compare_spans(&all, &all, limit, &ctx).await.expect_err("a limit");
        assert_eq!(err.field(), Some("limit"));
    }
}
