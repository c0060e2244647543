//! Names and values of span fields, fresh and flushed, with and without a filter.

use throughline_model::Value;
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_query::QueryContext;
use throughline_query::complete::fields::{FIELDS_MAX, FieldLook};
use throughline_query::traceql::ast::{
    Field, FieldExpr, FieldExprKind, Root, Scope, SpansetExpr, Stage,
};
use throughline_query::traceql::{lenient_filter, parse};

use crate::data::{TestSpan, attributes, spans, text};
use crate::harness::{Harness, NOW_NS};

async fn shop() -> Harness {
    let harness = Harness::new().await;
    let span = |number: u8, service: &str, name: &str| TestSpan {
        service: service.to_owned(),
        trace: 1 + number / 3,
        span: number,
        parent: (!number.is_multiple_of(3)).then_some(number / 3 * 3),
        name: name.to_owned(),
        kind: 2,
        start_ns: NOW_NS - i64::from(number) * MINUTE_NS,
        duration_ns: 1_000_000,
        ..TestSpan::default()
    };
    let mut all = vec![
        span(3, "shop", "GET /"),
        span(4, "cart", "list"),
        span(5, "cart", "list"),
        span(6, "shop", "GET /cart"),
        span(7, "db", "SELECT"),
    ];
    all[0].attributes = attributes(&[("code", Value::Int(200)), ("path", text("/"))]);
    all[3].attributes = attributes(&[("code", Value::Int(500)), ("path", text("/cart"))]);
    all[3].status = 2;
    all[1].attributes =
        attributes(&[("code", text("none")), ("tags", Value::Array(vec![text("a"), text("b")]))]);
    all[2].attributes = attributes(&[("ratio", Value::Double(0.5)), ("hit", Value::Bool(true))]);
    all[4].message = "slow".to_owned();
    all[4].events = vec![(NOW_NS, "retry".to_owned()), (NOW_NS, "retry".to_owned())];
    all[4].resource = attributes(&[("host.name", text("h1"))]);
    harness.append(spans(&all)).await;
    harness
}

fn field(text: &str) -> Field {
    let query = parse(&format!("{{ {text} != nil }}")).expect(text);
    let Root::Search(pipeline) = query.root else { panic!("{text}") };
    let Some(Stage::Spans(SpansetExpr::Filter(Some(filter)))) = pipeline.stages.into_iter().next()
    else {
        panic!("{text}")
    };
    match filter.kind {
        FieldExprKind::Binary { left, .. } => match left.kind {
            FieldExprKind::Field(field) => field,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

fn filter(text: &str) -> Option<FieldExpr> {
    match lenient_filter(text)? {
        SpansetExpr::Filter(filter) => filter,
        _ => None,
    }
}

fn look(text: &str) -> FieldLook {
    FieldLook { time: None, filter: filter(text), limit: FIELDS_MAX }
}

/// Values with their counts as `value×count`, in order.
async fn values(harness: &Harness, name: &str, look: &FieldLook) -> Vec<String> {
    let found = harness.engine.field_values(&field(name), look, &QueryContext::default()).await;
    let found = found.unwrap_or_else(|err| panic!("{name}: {err}"));
    assert!(!found.truncated, "{name}");
    found.values.iter().map(|value| format!("{}×{}", value.value, value.count)).collect()
}

#[tokio::test]
async fn values_of_every_kind_of_field() {
    let harness = shop().await;
    for flushed in [false, true] {
        for (name, query, expected) in [
            (".code", "", vec!["200×1", "500×1", "\"none\"×1"]),
            ("span.code", "{ status = error }", vec!["500×1"]),
            ("span.tags", "", vec!["\"a\"×1", "\"b\"×1"]),
            ("span.ratio", "", vec!["0.5×1"]),
            ("span.hit", "", vec!["true×1"]),
            ("resource.service.name", "", vec!["\"cart\"×2", "\"shop\"×2", "\"db\"×1"]),
            ("resource.service.name", "{ name = \"list\" && .x = ", vec!["\"cart\"×2"]),
            ("resource.service.name", "{ .code >= 200 }", vec!["\"shop\"×2"]),
            // What a scan cannot decide is asked as a query.
            (
                "resource.service.name",
                "{ name = \"SELECT\" || span.path = \"/\" }",
                vec!["\"db\"×1", "\"shop\"×1"],
            ),
            ("name", "{ rootName = \"GET /cart\" }", vec!["\"GET /cart\"×1", "\"SELECT\"×1"]),
            ("name", "{ resource.host.name != nil }", vec!["\"SELECT\"×1"]),
            ("statusMessage", "", vec!["\"slow\"×1"]),
            ("rootName", "", vec!["\"GET /\"×1", "\"GET /cart\"×1"]),
            ("rootServiceName", "", vec!["\"shop\"×2"]),
            ("event:name", "", vec!["\"retry\"×2"]),
            ("event.event.kind", "{ resource.service.name = \"db\" }", vec!["\"note\"×2"]),
            ("instrumentation:name", "", vec!["\"test\"×5"]),
            ("instrumentation:version", "", vec!["\"1.2\"×5"]),
            ("instrumentation.scope.kind", "", vec!["\"library\"×5"]),
            ("status", "", vec!["unset×0", "ok×0", "error×0"]),
            ("duration", "", vec![]),
            ("span.nobody", "", vec![]),
        ] {
            let found = values(&harness, name, &look(query)).await;
            assert_eq!(sorted(&found), sorted(&expected), "{name} {query} {flushed}");
        }
        harness.store.flush().await.expect("flushed");
    }
}

fn sorted<T: AsRef<str>>(texts: &[T]) -> Vec<String> {
    let mut sorted: Vec<_> = texts.iter().map(|text| text.as_ref().to_owned()).collect();
    sorted.sort();
    sorted
}

#[tokio::test]
async fn names_by_scope() {
    let harness = shop().await;
    for flushed in [false, true] {
        for (scope, query, expected) in [
            (Scope::Span, "", vec!["code", "hit", "path", "ratio", "tags"]),
            (Scope::Span, "{ name = \"list\" }", vec!["code", "hit", "ratio", "tags"]),
            (Scope::Resource, "", vec!["host.name", "service.name"]),
            (Scope::Resource, "{ name = \"list\" }", vec!["service.name"]),
            (Scope::Event, "", vec!["event.kind"]),
            (Scope::Link, "", vec![]),
            (Scope::Instrumentation, "", vec!["scope.kind"]),
        ] {
            let ctx = QueryContext::default();
            let found = harness.engine.field_names(scope, &look(query), &ctx).await.expect("lists");
            let names: Vec<_> = found.names.iter().map(|name| name.name.as_str()).collect();
            assert_eq!(sorted(&names), expected, "{scope:?} {query} {flushed}");
        }
        harness.store.flush().await.expect("flushed");
    }
}

#[tokio::test]
async fn limits_and_ranges_hold() {
    let harness = shop().await;
    let ctx = QueryContext::default();
    let two = FieldLook { limit: 2, ..look("") };
    let name = field("resource.service.name");
    let found = harness.engine.field_values(&name, &two, &ctx).await.expect("lists");
    assert_eq!((found.values.len(), found.truncated), (2, true));
    let start_ns = NOW_NS - 3 * MINUTE_NS;
    let time = Some(TimeRange { start_ns, end_ns: NOW_NS });
    let recent = FieldLook { time, ..look("") };
    assert_eq!(values(&harness, "name", &recent).await, ["\"GET /\"×1"]);
}
