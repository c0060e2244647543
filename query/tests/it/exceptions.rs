//! Exceptions by group and changes of version: the same from heads, segments and after a restart.

use std::collections::BTreeMap;

use throughline_model::exception::Fingerprint;
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{Resource, Scope, put_event};
use throughline_model::span::{SpanBatchBuilder, SpanFields};
use throughline_model::time::{HOUR_NS, MINUTE_NS, TimeRange};
use throughline_model::{Batch, Value, attrs};
use throughline_query::changes::{ChangeKind, ChangeSearch};
use throughline_query::exceptions::{
    ExceptionChange, ExceptionDetail, ExceptionOrder, ExceptionPage, ExceptionSearch,
    ExceptionStatus,
};
use throughline_query::{ErrorKind, QueryContext};
use throughline_storage::{Decision, PostedChange, PostedKind};

use crate::data::{attributes, span_id, text, trace_id};
use crate::harness::{Harness, NOW_NS};

/// A span or log record, with an exception or without.
#[derive(Clone, Default)]
struct Thrown {
    minutes_ago: i64,
    service: &'static str,
    version: &'static str,
    kind: &'static str,
    message: String,
    stack: &'static str,
    user: &'static str,
    trace: u8,
}

const CART: &str =
    "KeyError: x\n\tat shop.Cart.get(Cart.java:12)\n\tat java.lang.Thread.run(Thread.java:1)";

fn resource(of: &Thrown) -> Vec<u8> {
    let mut attributes = attributes(&[("service.name", text(of.service))]);
    if !of.version.is_empty() {
        attributes.push(("service.version".to_owned(), text(of.version)));
    }
    Resource { attributes, ..Resource::default() }.encode()
}

fn exception(of: &Thrown) -> Vec<(&'static str, Value)> {
    if of.kind.is_empty() {
        return Vec::new();
    }
    vec![
        ("exception.type", text(of.kind)),
        ("exception.message", text(&of.message)),
        ("exception.stacktrace", text(of.stack)),
    ]
}

fn time_ns(of: &Thrown) -> i64 {
    NOW_NS - of.minutes_ago * MINUTE_NS + i64::from(of.trace)
}

fn spans(all: &[Thrown]) -> Batch {
    let mut builder = SpanBatchBuilder::default();
    for one in all {
        builder.set_resource(&resource(one)).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        let put = |out: &mut Vec<u8>| text(one.user).encode(out);
        builder.attributes.push("enduser.id", put).expect("an attribute");
        let set = exception(one);
        if !set.is_empty() {
            let set = attrs::encode(set.iter().map(|(key, value)| (*key, value)));
            put_event(&mut builder.events.bytes, time_ns(one), "exception", 0, &set);
        }
        let fields = SpanFields {
            trace_id: trace_id(one.trace),
            span_id: span_id(one.trace),
            name: "work",
            start_time_ns: time_ns(one),
            duration_ns: 1,
            ..SpanFields::default()
        };
        builder.push(&fields).expect("a span");
    }
    Batch::Spans(builder.finish().expect("a batch"))
}

fn logs(all: &[Thrown]) -> Batch {
    let mut builder = LogBatchBuilder::default();
    for one in all {
        builder.set_resource(&resource(one)).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        for (key, value) in exception(one) {
            builder.attributes.push(key, |out| value.encode(out)).expect("an attribute");
        }
        let put = |out: &mut Vec<u8>| text(one.user).encode(out);
        builder.attributes.push("user.id", put).expect("an attribute");
        let trace_id = (one.trace > 0).then(|| trace_id(one.trace));
        let fields = LogFields { time_ns: time_ns(one), trace_id, ..LogFields::default() };
        builder.push(&fields).expect("a record");
    }
    Batch::Logs(builder.finish().expect("a batch"))
}

fn thrown(minutes_ago: i64, version: &'static str, trace: u8) -> Thrown {
    Thrown {
        minutes_ago,
        service: "cart",
        version,
        kind: "KeyError",
        message: format!("no item {trace}"),
        stack: CART,
        user: ["ann", "bob"][usize::from(trace % 2)],
        trace,
    }
}

async fn shop() -> Harness {
    let harness = Harness::new().await;
    let calm = |minutes_ago, trace| Thrown { kind: "", ..thrown(minutes_ago, "1.0", trace) };
    let first = [thrown(100, "1.0", 1), thrown(99, "1.0", 2), calm(98, 3)];
    let later = [
        thrown(50, "1.1", 4),
        Thrown { service: "shop", ..thrown(49, "2", 5) },
        Thrown { kind: "Timeout", stack: "", message: "after 5 s".into(), ..thrown(20, "1.1", 6) },
    ];
    let of_logs = [
        Thrown { kind: "Timeout", stack: "", message: "after 17 s".into(), ..thrown(10, "1.1", 6) },
        calm(9, 7),
        thrown(8, "1.1", 0),
    ];
    harness.append(spans(&first)).await;
    harness.append(spans(&later)).await;
    harness.append(logs(&of_logs)).await;
    harness
}

fn search() -> ExceptionSearch {
    ExceptionSearch { limit: 100, ..ExceptionSearch::default() }
}

async fn list(harness: &Harness, search: &ExceptionSearch) -> ExceptionPage {
    harness.engine.exception_groups(search, &QueryContext::default()).await.expect("lists")
}

// Type and count of each group.
fn counts(page: &ExceptionPage) -> Vec<(&str, u64)> {
    page.groups.iter().map(|group| (group.text.kind.as_str(), group.count)).collect()
}

async fn one(harness: &Harness, fingerprint: Fingerprint) -> ExceptionDetail {
    let ctx = QueryContext::default();
    let group = harness.engine.exception_group(fingerprint, None, None, &ctx).await;
    group.expect("is found").0
}

#[tokio::test]
async fn groups_are_the_same_at_every_stage() {
    let mut harness = shop().await;
    for stage in ["head", "flushed", "compacted", "reopened"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            "reopened" => harness = harness.reopen().await,
            _ => {}
        }
        let page = list(&harness, &search()).await;
        assert_eq!(counts(&page), [("KeyError", 5), ("Timeout", 2)], "{stage}");
        assert_eq!((page.total, page.left_out, page.next.as_deref()), (2, 0, None));
        let group = &page.groups[0];
        assert_eq!(group.status, ExceptionStatus::New);
        assert_eq!(group.first_seen_ns, NOW_NS - 100 * MINUTE_NS + 1);
        assert_eq!(group.last_seen_ns, NOW_NS - 8 * MINUTE_NS);
        assert_eq!(group.text.message, "no item 0", "of the newest");
        assert_eq!(group.frames[0].function, "shop.Cart.get");
        assert!(group.frames[0].in_app && !group.frames[1].in_app);
        let origins = group.origins.iter();
        let origins =
            origins.map(|o| (o.service.as_str(), o.version.as_str(), o.source as u8, o.count));
        let expected = [
            ("cart", "1.0", 0, 2),
            ("cart", "1.1", 0, 1),
            ("cart", "1.1", 1, 1),
            ("shop", "2", 0, 1),
        ];
        assert_eq!(origins.collect::<Vec<_>>(), expected, "{stage}");
        assert_eq!((group.users.count, group.users.is_exact), (2, true));
        assert_eq!(group.users.names.len(), 2);
        let traces = group.samples.iter().map(|s| s.trace_id.map(|id| id.0[15]));
        assert_eq!(traces.collect::<Vec<_>>(), [None, Some(5), Some(4), Some(2), Some(1)]);

        let detail = one(&harness, group.fingerprint).await;
        assert_eq!((detail.count, &detail.samples), (5, &group.samples), "{stage}");
        let rows = harness
            .rows("SELECT fingerprint, count(*) FROM exceptions GROUP BY 1 ORDER BY 2 DESC")
            .await;
        let expected = page.groups.iter().map(|g| format!("{}|{}", g.fingerprint, g.count));
        assert_eq!(rows, expected.collect::<Vec<_>>(), "{stage}");
    }
    let rows = harness
        .rows("SELECT time, service_name, type, message, source FROM exceptions WHERE type = 'Timeout' ORDER BY time")
        .await;
    let expected = [
        "2026-11-20T11:40:00.000000006Z|cart|Timeout|after 5 s|span",
        "2026-11-20T11:50:00.000000006Z|cart|Timeout|after 17 s|log",
    ];
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn searches_find_groups() {
    let harness = shop().await;
    harness.store.flush().await.expect("flushes");
    harness.append(spans(&[Thrown { kind: "Late", ..thrown(1, "1.1", 9) }])).await;
    let range = |from: i64, to: i64| {
        Some(TimeRange { start_ns: NOW_NS - from * MINUTE_NS, end_ns: NOW_NS - to * MINUTE_NS })
    };
    let by_count = ExceptionSearch { order: ExceptionOrder::Count, ..search() };
    for (search, expected) in [
        (search(), vec![("Late", 1), ("KeyError", 5), ("Timeout", 2)]),
        (by_count.clone(), vec![("KeyError", 5), ("Timeout", 2), ("Late", 1)]),
        (
            ExceptionSearch { order: ExceptionOrder::FirstSeen, ..search() },
            vec![("Late", 1), ("Timeout", 2), ("KeyError", 5)],
        ),
        (
            ExceptionSearch { time: range(60, 15), ..by_count.clone() },
            vec![("KeyError", 2), ("Timeout", 1)],
        ),
        // A range is widened to whole minutes.
        (
            ExceptionSearch {
                time: Some(TimeRange {
                    start_ns: NOW_NS - 50 * MINUTE_NS + 30,
                    end_ns: NOW_NS - 50 * MINUTE_NS + 40,
                }),
                ..search()
            },
            vec![("KeyError", 1)],
        ),
        (ExceptionSearch { services: vec!["shop".into()], ..search() }, vec![("KeyError", 1)]),
        (ExceptionSearch { services: vec!["nobody".into()], ..search() }, vec![]),
        (ExceptionSearch { text: "AFTER timeout".into(), ..search() }, vec![("Timeout", 2)]),
        (ExceptionSearch { text: "after never".into(), ..search() }, vec![]),
        (ExceptionSearch { statuses: vec![ExceptionStatus::Resolved], ..search() }, vec![]),
    ] {
        assert_eq!(counts(&list(&harness, &search).await), expected, "{search:?}");
    }
    // Page by page.
    let mut search = ExceptionSearch { limit: 1, ..by_count };
    let mut found = Vec::new();
    loop {
        let page = list(&harness, &search).await;
        assert_eq!(page.total, 3);
        found.extend(page.groups.iter().map(|group| group.text.kind.clone()));
        search.cursor = page.next;
        if search.cursor.is_none() {
            break;
        }
    }
    assert_eq!(found, ["KeyError", "Timeout", "Late"]);
}

#[tokio::test]
async fn occurrences_are_counted_over_time() {
    let harness = shop().await;
    harness.store.flush().await.expect("flushes");
    let time = Some(TimeRange { start_ns: NOW_NS - 2 * HOUR_NS, end_ns: NOW_NS });
    let search = ExceptionSearch { time, step_ns: Some(30 * MINUTE_NS), ..search() };
    let page = list(&harness, &search).await;
    let steps = page.groups[0].steps.as_ref().expect("steps");
    assert_eq!((steps.start_ns, steps.step_ns), (NOW_NS - 2 * HOUR_NS, 30 * MINUTE_NS));
    let expected = BTreeMap::from(
        [("1.0", [2, 0, 0, 0]), ("1.1", [0, 0, 1, 1]), ("2", [0, 0, 1, 0])]
            .map(|(version, counts)| (version.to_owned(), counts.to_vec())),
    );
    assert_eq!(steps.counts, expected);
    let ctx = QueryContext::default();
    for (field, bad) in [
        ("step", ExceptionSearch { step_ns: Some(MINUTE_NS / 2), ..search.clone() }),
        ("step", ExceptionSearch { step_ns: Some(-MINUTE_NS), ..search.clone() }),
        ("start", ExceptionSearch { time: None, ..search.clone() }),
        ("limit", ExceptionSearch { limit: 0, ..search.clone() }),
        ("limit", ExceptionSearch { limit: 501, ..search.clone() }),
        ("cursor", ExceptionSearch { cursor: Some("7".into()), ..search.clone() }),
        (
            "step",
            ExceptionSearch {
                time: Some(TimeRange { start_ns: 0, end_ns: NOW_NS }),
                step_ns: Some(MINUTE_NS),
                ..search.clone()
            },
        ),
    ] {
        let err = harness.engine.exception_groups(&bad, &ctx).await.expect_err("is refused");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)), "{bad:?}: {err}");
    }
}

async fn decide(harness: &Harness, of: Fingerprint, change: ExceptionChange) -> ExceptionStatus {
    let ctx = QueryContext::default();
    harness.engine.change_exception(of, &change, &ctx).await.expect("is changed").status
}

#[tokio::test]
async fn groups_are_resolved_ignored_and_come_back() {
    use ExceptionStatus::{Ignored, New, Regressed, Resolved};
    let mut harness = shop().await;
    let fingerprint = list(&harness, &search()).await.groups[0].fingerprint;
    let resolved = |version: Option<&str>| ExceptionChange {
        decision: Some(Decision::Resolved),
        by: "ann".into(),
        resolved_in_version: version.map(str::to_owned),
        note: "fixed".into(),
        ..ExceptionChange::default()
    };
    assert_eq!(decide(&harness, fingerprint, resolved(Some("1.1"))).await, Resolved);
    harness = harness.reopen().await;
    let state = one(&harness, fingerprint).await.state.expect("is kept");
    assert_eq!((state.changed_at_ns, state.changed_by.as_str()), (NOW_NS, "ann"));

    // A straggler of the version that had it is no news, and neither is a late row.
    harness.append(spans(&[thrown(-5, "1.1", 20), thrown(3, "1.2", 21)])).await;
    assert_eq!(one(&harness, fingerprint).await.status, Resolved);
    harness.append(spans(&[thrown(-6, "1.2", 22)])).await;
    for stage in ["head", "flushed"] {
        assert_eq!(one(&harness, fingerprint).await.status, Regressed, "{stage}");
        let regressed = ExceptionSearch { statuses: vec![Regressed], ..search() };
        assert_eq!(counts(&list(&harness, &regressed).await), [("KeyError", 8)], "{stage}");
        harness.store.flush().await.expect("flushes");
    }
    harness.clock.advance_ns(10 * MINUTE_NS);
    assert_eq!(decide(&harness, fingerprint, resolved(None)).await, Resolved);
    assert_eq!(decide(&harness, fingerprint, ExceptionChange::default()).await, New);
    assert_eq!(one(&harness, fingerprint).await.state, None);

    let ignored = |until: Option<i64>| ExceptionChange {
        decision: Some(Decision::Ignored),
        ignored_until_ns: until.map(|minutes| NOW_NS + minutes * MINUTE_NS),
        ..ExceptionChange::default()
    };
    assert_eq!(decide(&harness, fingerprint, ignored(None)).await, Ignored);
    assert_eq!(decide(&harness, fingerprint, ignored(Some(20))).await, Ignored);
    harness.clock.advance_ns(10 * MINUTE_NS);
    assert_eq!(one(&harness, fingerprint).await.status, New, "the time has passed");

    let ctx = QueryContext::default();
    for (field, bad) in [
        ("ignored_until", ignored(Some(20))),
        ("ignored_until", ExceptionChange { decision: None, ..ignored(Some(90)) }),
        ("resolved_in_version", ExceptionChange { decision: None, ..resolved(Some("1")) }),
        ("note", ExceptionChange { note: "x".repeat(5000), ..resolved(None) }),
    ] {
        let err = harness.engine.change_exception(fingerprint, &bad, &ctx).await;
        let err = err.expect_err("is refused");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)), "{err}");
    }
    let unknown = Fingerprint { algorithm: 1, hash: 7 };
    let err = harness.engine.change_exception(unknown, &resolved(None), &ctx).await;
    assert_eq!(err.expect_err("is unknown").kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn changes_of_version_are_told_once() {
    use ChangeKind::{Config, Deployment, Rollback};
    let mut harness = Harness::new().await;
    let calm = |minutes_ago, version| Thrown { kind: "", ..thrown(minutes_ago, version, 1) };
    harness.append(spans(&[calm(100, "1.0"), calm(90, "1.0"), calm(60, "1.1")])).await;
    harness.store.flush().await.expect("flushes");
    harness.append(logs(&[calm(30, "1.0"), Thrown { service: "shop", ..calm(30, "7") }])).await;
    let posted = PostedChange {
        id: 0,
        kind: PostedKind::Config,
        time_ns: NOW_NS - 45 * MINUTE_NS,
        service: String::new(),
        version: String::new(),
        title: "more replicas".into(),
        link: "https://example.com/1".into(),
        attributes: "{}".into(),
    };
    harness.engine.post_change(posted.clone()).await.expect("is kept");
    let found = async |harness: &Harness, service: Option<&str>, from: i64, limit| {
        let time = TimeRange { start_ns: NOW_NS - from * MINUTE_NS, end_ns: NOW_NS };
        let search = ChangeSearch { time: Some(time), service: service.map(str::to_owned), limit };
        harness.engine.changes(&search, &QueryContext::default()).await.expect("lists")
    };
    for stage in ["head", "flushed", "late", "compacted", "reopened"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            // What comes late moves a change, and makes none.
            "late" => harness.append(spans(&[calm(61, "1.1"), calm(95, "1.0")])).await,
            "compacted" => {
                harness.store.flush().await.expect("flushes");
                harness.store.compact().await.expect("compacts");
            }
            "reopened" => harness = harness.reopen().await,
            _ => {}
        }
        let deployed = if matches!(stage, "head" | "flushed") { 60 } else { 61 };
        let all = found(&harness, None, 200, 10).await;
        let kinds = all.changes.iter();
        let kinds = kinds.map(|c| {
            (
                c.kind,
                (NOW_NS - c.time_ns) / MINUTE_NS,
                c.version.as_str(),
                c.previous_version.as_str(),
            )
        });
        let expected = [
            (Rollback, 29, "1.0", "1.1"),
            (Config, 45, "", ""),
            (Deployment, deployed - 1, "1.1", "1.0"),
        ];
        assert_eq!(kinds.collect::<Vec<_>>(), expected, "{stage}");
        assert_eq!(found(&harness, Some("shop"), 200, 10).await.changes.len(), 1, "{stage}");
        assert_eq!(found(&harness, Some("cart"), 50, 10).await.changes.len(), 2, "{stage}");
        let cut = found(&harness, None, 200, 1).await;
        assert!(cut.truncated && cut.changes.len() == 1 && !all.truncated, "{stage}");
    }
    for (field, bad) in [
        ("title", PostedChange { title: " ".into(), ..posted.clone() }),
        ("title", PostedChange { title: "x".repeat(2000), ..posted.clone() }),
        ("link", PostedChange { link: "javascript:alert(1)".into(), ..posted.clone() }),
    ] {
        let err = harness.engine.post_change(bad).await.expect_err("is refused");
        assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some(field)), "{err}");
    }
}
