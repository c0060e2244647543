//! SQL: every table and column, ids, attributes, what is refused, what is pushed down.

use throughline_model::Value;
use throughline_model::time::MINUTE_NS;
use throughline_query::{Engine, EngineOptions, ErrorKind, QueryContext};

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
    let id = trace(1);
    let cases = [
        ("SELECT count(*) FROM spans", vec!["3"]),
        ("SELECT count(*) AS n FROM logs WHERE trace_id IS NULL", vec!["1"]),
        (
            "SELECT service_name, count(*) FROM spans GROUP BY 1 ORDER BY 1",
            vec!["db|1", "payment|1", "shop|1"],
        ),
        ("SELECT name FROM spans WHERE kind = 'CLIENT' AND status_code = 'ERROR'", vec!["charge"]),
        (
            "SELECT kind, kind_number, status_code, status_code_number, status_message FROM spans \
          WHERE name = 'charge'",
            vec!["CLIENT|3|ERROR|2|card refused"],
        ),
        (
            &format!("SELECT span_id FROM spans WHERE trace_id = '{id}' ORDER BY span_id"),
            vec!["cdcdcdcdcdcdcd01", "cdcdcdcdcdcdcd02"],
        ),
        (&format!("SELECT count(*) FROM spans WHERE trace_id = x'{id}'"), vec!["2"]),
        (
            &format!(
                "SELECT count(*) FROM spans WHERE trace_id IN ('{}', '{}')",
                id.to_uppercase(),
                trace(2)
            ),
            vec!["3"],
        ),
        (&format!("SELECT count(*) FROM spans WHERE trace_id <> '{id}'"), vec!["1"]),
        ("SELECT count(*) FROM spans WHERE trace_id LIKE 'abab%01'", vec!["2"]),
        ("SELECT name FROM spans WHERE parent_span_id IS NULL", vec!["POST /checkout"]),
        (
            "SELECT child.name FROM spans child JOIN spans parent ON child.parent_span_id = parent.span_id \
          AND child.trace_id = parent.trace_id",
            vec!["charge"],
        ),
        (
            "SELECT l.body FROM logs l JOIN spans s ON l.trace_id = s.trace_id AND l.span_id = s.span_id",
            vec!["Card refused: limit"],
        ),
        (
            "SELECT attributes['http.status_code'], attributes['none'] FROM spans WHERE name LIKE 'POST%'",
            vec!["500|-"],
        ),
        (
            "SELECT name FROM spans WHERE attributes['http.status_code'] = '500'",
            vec!["POST /checkout"],
        ),
        (
            "SELECT name FROM spans WHERE attr_int(attributes, 'http.status_code') >= 500",
            vec!["POST /checkout"],
        ),
        ("SELECT name FROM spans WHERE attributes['user'] <> 'bob'", vec!["POST /checkout"]),
        (
            "SELECT attr_float(attributes,'amount') * 2, attr_bool(attributes,'retry'), \
          attr_int(attributes,'amount') FROM spans WHERE name = 'charge'",
            vec!["25.0|true|-"],
        ),
        (
            "SELECT resource_attributes['host'], scope_attributes['scope.kind'], scope_name, scope_version \
          FROM spans WHERE name = 'charge'",
            vec!["a1|library|test|1.2"],
        ),
        (
            "SELECT attributes, resource_attributes FROM spans WHERE name = 'charge'",
            vec![r#"{"amount":12.5,"retry":true}|{"host":"a1","service.name":"payment"}"#],
        ),
        (
            "SELECT x['user'] FROM (SELECT attributes AS x FROM spans) WHERE x['user'] IS NOT NULL",
            vec!["ann"],
        ),
        (
            "SELECT attributes['user'] u, count(*) FROM spans GROUP BY attributes['user'] ORDER BY u NULLS LAST",
            vec!["ann|1", "-|2"],
        ),
        (
            "SELECT trace_id, span_name, name, attributes['event.kind'], dropped_attributes_count FROM span_events",
            vec!["abababababababababababababababXX|charge|exception|note|1"],
        ),
        ("SELECT count(*) FROM span_events WHERE service_name = 'shop'", vec!["0"]),
        ("SELECT linked_span_id, linked_trace_state FROM span_links", vec!["cdcdcdcdcdcdcd08|a=b"]),
        (
            "SELECT root_service, root_name, span_count, error_count, duration_ns, services FROM traces \
          WHERE span_count > 1",
            vec!["shop|POST /checkout|2|1|120000000|[payment, shop]"],
        ),
        (&format!("SELECT root_service FROM traces WHERE trace_id = '{}'", trace(2)), vec!["db"]),
        ("SELECT name FROM spans ORDER BY start_time DESC LIMIT 2", vec!["query", "charge"]),
        ("SELECT name FROM spans WHERE start_time >= now() - INTERVAL '6 minutes'", vec!["query"]),
        (
            "SELECT name FROM spans WHERE start_time < '2026-11-20T11:51:00Z' ORDER BY name",
            vec!["POST /checkout", "charge"],
        ),
        (
            "SELECT start_time, end_time - start_time = INTERVAL '3 milliseconds' FROM spans WHERE name = 'query'",
            vec!["2026-11-20T11:55:00.003Z|true"],
        ),
        (
            "SELECT time, severity_number, severity_text, body, attributes['user'] FROM logs ORDER BY time",
            vec![
                "2026-11-20T11:50:00Z|17|ERROR|Card refused: limit|-",
                r#"2026-11-20T11:51:00Z|9|INFO|{"a":1}|bob"#,
            ],
        ),
        ("SELECT count(*) FROM logs WHERE body ILIKE '%REFUSED%'", vec!["1"]),
        (
            "SELECT array_agg(DISTINCT trace_id ORDER BY trace_id)[1] = trace_id FROM spans WHERE kind = 'INTERNAL' GROUP BY trace_id",
            vec!["true"],
        ),
    ];
    let mut harness = harness;
    for stage in ["head", "flushed", "compacted", "reopened"] {
        match stage {
            "flushed" => harness.store.flush().await.expect("flushes"),
            "compacted" => harness.store.compact().await.expect("compacts"),
            "reopened" => harness = harness.reopen().await,
            _ => {}
        }
        for (query, expected) in &cases {
            let rows = harness.rows(query).await;
            let expected = expected.iter().map(|row| row.replace("XX", "01")).collect::<Vec<_>>();
            assert_eq!(rows, expected, "{stage}: {query}");
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
    let mut options = EngineOptions::default();
    options.rows_max = 2;
    options.query_memory_bytes_max = 20_000;
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
