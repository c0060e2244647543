//! SQL: every table and column, ids, attributes, what is refused, what is pushed down.

use throughline_model::Value;
use throughline_model::time::MINUTE_NS;
use throughline_query::{Engine, EngineOptions, ErrorKind, QueryContext};

use crate::cases::{ATTRIBUTES, COLUMNS};
use crate::data::{self, TestLog, TestSpan, attributes, text};
use crate::harness::{Harness, NOW_NS};

/// Two traces: a checkout that fails in payment, and a lone query.
pub fn shop() -> Vec<TestSpan> {
    let span = |trace, span, parent, service: &str, name: &str, minutes, ms: i64| TestSpan {
        service: service.into(),
        trace,
        span,
        parent,
        name: name.into(),
        start_ns: NOW_NS - minutes * MINUTE_NS + i64::from(span) * 1_000_000,
        duration_ns: ms * 1_000_000,
        ..TestSpan::default()
    };
    vec![
        TestSpan {
            kind: 2,
            attributes: attributes(&[("http.status_code", Value::Int(500)), ("user", text("ann"))]),
            ..span(1, 1, None, "shop", "POST /checkout", 10, 120)
        },
        TestSpan {
            kind: 3,
            status: 2,
            message: "card refused".into(),
            attributes: attributes(&[
                ("amount", Value::Double(12.5)),
                ("retry", Value::Bool(true)),
            ]),
            resource: attributes(&[("host", text("a1"))]),
            events: vec![(NOW_NS - 10 * MINUTE_NS + 5, "exception".into())],
            links: vec![(7, 8)],
            ..span(1, 2, Some(1), "payment", "charge", 10, 100)
        },
        TestSpan { kind: 1, ..span(2, 3, Some(9), "db", "query", 5, 3) },
    ]
}

fn shop_logs() -> Vec<TestLog> {
    let log = |minutes, severity, body: &str| TestLog {
        service: "payment".into(),
        time_ns: NOW_NS - minutes * MINUTE_NS,
        severity,
        body: Some(text(body)),
        ..TestLog::default()
    };
    vec![
        TestLog { trace: Some(1), span: Some(2), ..log(10, 17, "Card refused: limit") },
        TestLog {
            attributes: attributes(&[("user", text("bob"))]),
            body: Some(Value::Kvlist(attributes(&[("a", Value::Int(1))]))),
            ..log(9, 9, "")
        },
    ]
}

async fn harness() -> Harness {
    let harness = Harness::new().await;
    harness.append(data::spans(&shop())).await;
    harness.append(data::logs(&shop_logs())).await;
    harness
}

const TRACE: &str = "abababababababababababababababab01";
fn trace(number: u8) -> String {
    format!("{}{number:02x}", &TRACE[..30])
}

#[tokio::test]
async fn answers_are_right_at_every_stage() {
    let harness = harness().await;
    let mut harness = harness;
    for stage in ["head", "flushed", "compacted", "reopened"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            "reopened" => harness = harness.reopen().await,
            _ => {}
        }
        for (query, expected) in COLUMNS.iter().chain(ATTRIBUTES) {
            let query = query.replace("{1}", &trace(1)).replace("{2}", &trace(2));
            assert_eq!(harness.rows(&query).await, *expected, "{stage}: {query}");
        }
    }
}

#[tokio::test]
async fn every_column_of_every_table_can_be_selected() {
    let harness = harness().await;
    for (table, rows) in
        [("spans", 3), ("logs", 2), ("span_events", 1), ("span_links", 1), ("traces", 2)]
    {
        let all = harness.rows(&format!("SELECT * FROM {table}")).await;
        assert_eq!(all.len(), rows, "{table}: {all:?}");
        assert_eq!(
            harness.rows(&format!("SELECT count(*) FROM {table}")).await,
            [rows.to_string()]
        );
    }
    let tables = harness.rows("SHOW TABLES").await.join("\n");
    for table in ["spans", "logs", "traces"] {
        assert!(tables.contains(table), "{tables}");
    }
}

#[tokio::test]
async fn what_is_not_reading_is_refused() {
    let harness = harness().await;
    use ErrorKind::{Invalid, Unsupported};
    for (query, kind, part) in [
        ("", Invalid, "empty"),
        ("SELEC 1", Unsupported, ""),
        ("SELECT 1; SELECT 2", Unsupported, "one statement"),
        ("CREATE TABLE t AS SELECT 1", Unsupported, "CREATE"),
        ("CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'", Unsupported, "CREATE"),
        ("COPY spans TO '/tmp/x.csv'", Unsupported, "COPY"),
        ("INSERT INTO spans SELECT * FROM spans", Unsupported, "INSERT"),
        ("SET datafusion.execution.batch_size = 1", Unsupported, "SET"),
        ("DROP TABLE spans", Unsupported, "DROP"),
        ("EXPLAIN DROP TABLE spans", Unsupported, ""),
        ("SELECT * FROM '/etc/passwd'", Invalid, "not found"),
        ("SELECT nope FROM spans", Invalid, "nope"),
        ("SELECT * FROM nope", Invalid, "nope"),
        ("SELECT * FROM spans WHERE trace_id = 'abc'", Invalid, "'abc'"),
        ("SELECT attr_int(name, 'x') FROM spans", Invalid, "attribute set"),
        ("SELECT 1 / 0", Invalid, "zero"),
    ] {
        let err = harness.try_rows(query).await.expect_err(query);
        if !query.starts_with("SELEC 1") {
            assert_eq!(err.kind(), kind, "{query}: {err}");
        }
        assert!(err.to_string().to_lowercase().contains(&part.to_lowercase()), "{query}: {err}");
    }
}

#[tokio::test]
async fn conditions_reach_the_scan() {
    let harness = harness().await;
    for (query, parts) in [
        (
            "SELECT count(*) FROM spans WHERE service_name = 'db'",
            vec!["columns=[]", "Column(\"service_name\")"],
        ),
        (
            "SELECT name FROM spans WHERE attributes['user'] = 'ann'",
            vec!["columns=[name]", "Attribute(\"user\")"],
        ),
        (
            "SELECT name FROM spans WHERE start_time >= now() - INTERVAL '1 hour'",
            vec!["time=[1795172400000000000"],
        ),
        ("SELECT name FROM spans ORDER BY start_time DESC LIMIT 5", vec!["newest first, limit=5"]),
        ("SELECT body FROM logs LIMIT 7", vec!["limit=7"]),
        (
            "SELECT body FROM logs WHERE time < '2026-01-01T00:00:00Z' ORDER BY time DESC LIMIT 7",
            vec!["newest first, limit=7"],
        ),
    ] {
        let plan = harness.rows(&format!("EXPLAIN {query}")).await.join("\n");
        for part in parts {
            assert!(plan.contains(part), "{query} lacks {part}:\n{plan}");
        }
    }
}

#[tokio::test]
async fn limits_hold() {
    let harness = harness().await;
    let options =
        EngineOptions { rows_max: 2, query_memory_bytes_max: 20_000, ..EngineOptions::default() };
    let engine = Engine::new(
        harness.store.clone(),
        options,
        std::sync::Arc::new(throughline_model::time::ManualClock::at(NOW_NS)),
        tokio_util::task::TaskTracker::new(),
    );
    let ctx = QueryContext::default();
    let err = engine.sql_rows("SELECT name FROM spans", &ctx).await.expect_err("three rows");
    assert_eq!((err.kind(), err.to_string().contains("rows_max = 2")), (ErrorKind::Limit, true));
    let err = engine
        .sql_rows("SELECT count(DISTINCT value) FROM generate_series(1, 100000) t(value)", &ctx)
        .await
        .expect_err("much memory");
    assert_eq!(err.kind(), ErrorKind::Limit, "{err}");
    let ctx = QueryContext { timeout_ms: Some(0), ..QueryContext::default() };
    let err = engine.sql_rows("SELECT 1", &ctx).await.expect_err("no time");
    assert_eq!(err.kind(), ErrorKind::Deadline, "{err}");
    let ctx = QueryContext::default();
    ctx.cancel.cancel();
    let err = engine.sql_rows("SELECT 1", &ctx).await.expect_err("nobody asks");
    assert_eq!(err.kind(), ErrorKind::Cancelled, "{err}");
}

#[tokio::test]
async fn only_so_many_queries_run_and_wait() {
    let harness = harness().await;
    let options = EngineOptions { concurrency_max: 1, waiting_max: 1, ..EngineOptions::default() };
    let engine = Engine::new(
        harness.store.clone(),
        options,
        std::sync::Arc::new(throughline_model::time::ManualClock::at(NOW_NS)),
        tokio_util::task::TaskTracker::new(),
    );
    let ctx = QueryContext::default();
    let running = engine.sql("SELECT 1", &ctx).await.expect("runs");
    let mut waiting = Box::pin(engine.sql_rows("SELECT 2", &ctx));
    assert!(futures::poll!(&mut waiting).is_pending());
    let err = engine.sql_rows("SELECT 3", &ctx).await.expect_err("no place");
    assert_eq!(err.kind(), ErrorKind::Busy, "{err}");
    drop(running);
    assert_eq!(waiting.await.expect("has its turn").len(), 1);
}

#[tokio::test]
async fn the_last_nanosecond_is_no_end() {
    let harness = Harness::new().await;
    let late = TestSpan { start_ns: i64::MAX, ..shop().remove(0) };
    harness.append(data::spans(&[late.clone(), shop().remove(1)])).await;
    harness.append(data::logs(&[TestLog { time_ns: i64::MAX, ..TestLog::default() }])).await;
    let last = "'2262-04-11T23:47:16.854775807Z'";
    for stage in ["head", "flushed"] {
        if stage == "flushed" {
            harness.store.flush().await.expect("flushes");
        }
        for (condition, expected) in [
            ("spans WHERE start_time >= '2026-01-01T00:00:00Z'".to_owned(), "2"),
            (format!("spans WHERE start_time >= {last}"), "1"),
            (format!("spans WHERE start_time < {last}"), "1"),
            (format!("spans WHERE start_time <= {last}"), "2"),
            (format!("logs WHERE time > '2026-01-01T00:00:00Z' AND time <= {last}"), "1"),
            (format!("logs WHERE time < {last}"), "0"),
        ] {
            let sql = format!("SELECT count(*) FROM {condition}");
            assert_eq!(harness.rows(&sql).await, [expected], "{stage}: {sql}");
        }
    }
}

#[tokio::test]
async fn the_root_of_a_trace_does_not_depend_on_where_rows_are() {
    let harness = Harness::new().await;
    let root = shop().remove(0);
    for name in ["b", "c", "a"] {
        harness.append(data::spans(&[TestSpan { name: name.into(), ..root.clone() }])).await;
        assert_eq!(
            harness.rows("SELECT root_name = (SELECT min(name) FROM spans) FROM traces").await,
            ["true"]
        );
        harness.store.flush().await.expect("flushes");
    }
    harness.store.compact().await.expect("compacts");
    assert_eq!(harness.rows("SELECT root_name FROM traces").await, ["a"]);
}

// The scan once dropped what SQL's order of floats keeps: NaN is above all numbers.
#[tokio::test]
async fn floats_are_ordered_the_same_at_every_stage() {
    let harness = Harness::new().await;
    let values = [f64::NAN, f64::INFINITY, 1.5, 0.0, -0.0, -2.0];
    let span = |(i, value): (usize, f64)| TestSpan {
        span: i as u8,
        attributes: attributes(&[("x", Value::Double(value))]),
        ..shop().remove(0)
    };
    let spans = values.into_iter().enumerate().map(span).collect::<Vec<_>>();
    harness.append(data::spans(&spans)).await;
    for stage in ["head", "flushed"] {
        if stage == "flushed" {
            harness.store.flush().await.expect("flushes");
        }
        for (condition, expected) in [
            ("> 1.0", "3"),
            (">= 1.5", "3"),
            ("< 0.0", "1"),
            ("<= 0.0", "3"),
            ("<> 1.5", "5"),
            ("<> 0.0", "4"),
            ("= 0.0", "2"),
        ] {
            let sql = |x: &str| format!("SELECT count(*) FROM spans WHERE {x} {condition}");
            let direct = sql("attr_float(attributes, 'x')");
            assert_eq!(harness.rows(&direct).await, [expected], "{stage}: {direct}");
            let above = sql("coalesce(attr_float(attributes, 'x'), attr_float(attributes, 'y'))");
            assert_eq!(harness.rows(&above).await, [expected], "{stage}: {above}");
        }
    }
}
