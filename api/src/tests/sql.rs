use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use serde_json::json;

use super::*;

const JSON: &str = "application/json";

#[tokio::test]
async fn json_has_columns_rows_and_stats() {
    let server = Server::start().await;
    let mut one = span(0xab, 1, "cart", "GET /");
    one.attributes = attributes(&[("n", Value::Int(i64::MAX)), ("s", text("x"))]);
    server.append_spans(&[one, span(0xab, 2, "cart", "SELECT")]).await;

    let query = "SELECT trace_id, name, start_time, duration_ns, attributes FROM spans \
                 WHERE name = 'GET /'";
    let answer = server.post_sql(&json!({ "query": query }), JSON).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let answer = answer.json();
    assert_eq!(
        answer["columns"],
        json!([
            {"name": "trace_id", "type": "id"},
            {"name": "name", "type": "string"},
            {"name": "start_time", "type": "timestamp"},
            {"name": "duration_ns", "type": "int64"},
            {"name": "attributes", "type": "attributes"},
        ])
    );
    assert_eq!(
        answer["rows"],
        json!([[
            "abababababababababababababababab",
            "GET /",
            "2026-11-20T09:09:00.000000001Z",
            1_000_000,
            {"n": "9223372036854775807", "s": "x"},
        ]])
    );
    assert_eq!(answer["truncated"], false);
    assert_eq!(answer["stats"]["rows"], 1);

    let counted =
        server.post_sql(&json!({"query": "SELECT count(*) AS n FROM spans"}), "*/*").await;
    assert_eq!(counted.json()["rows"], json!([[2]]));
    server.stop().await;
}

#[tokio::test]
async fn limit_truncates_and_says_so() {
    let server = Server::start().await;
    let query = "SELECT unnest(range(1, 6)) AS value ORDER BY 1";
    for (limit, rows, truncated) in [(2, 2, true), (5, 5, false), (9, 5, false)] {
        let body = json!({ "query": query, "limit": limit });
        let answer = server.post_sql(&body, JSON).await.json();
        assert_eq!(answer["rows"].as_array().map(Vec::len), Some(rows), "{limit}: {answer}");
        assert_eq!(answer["truncated"], truncated, "{limit}");
    }
    server.stop().await;
}

#[tokio::test]
async fn streams_are_ndjson_and_arrow() {
    let server = Server::start().await;
    server.append_spans(&[span(1, 1, "cart", "a"), span(1, 2, "cart", "b")]).await;
    let body = json!({"query": "SELECT name, duration_ns FROM spans ORDER BY name"});

    let lines = server.post_sql(&body, "application/x-ndjson").await;
    assert_eq!(lines.header("content-type"), "application/x-ndjson");
    let expected =
        "{\"name\":\"a\",\"duration_ns\":1000000}\n{\"name\":\"b\",\"duration_ns\":2000000}\n";
    assert_eq!(lines.text(), expected);

    let arrow = "application/vnd.apache.arrow.stream";
    let stream = server.post_sql(&body, arrow).await;
    assert_eq!(stream.header("content-type"), arrow);
    let batches: Vec<RecordBatch> = StreamReader::try_new(&stream.body[..], None)
        .expect("reads")
        .collect::<Result<_, _>>()
        .expect("reads");
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, 2);
    assert_eq!(batches[0].column(1).as_primitive::<Int64Type>().value(0), 1_000_000);
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_query_is_said() {
    let server = Server::start().await;
    for (query, named) in [
        ("", "empty"),
        ("SELEC 1", "SELEC"),
        ("SELECT nothing FROM spans", "nothing"),
        ("SELECT * FROM nowhere", "nowhere"),
        ("DROP TABLE spans", ""),
        ("SELECT 1; SELECT 2", ""),
    ] {
        let problem = server.post_sql(&json!({ "query": query }), JSON).await.problem(400);
        let detail = problem["detail"].as_str().expect("text");
        assert!(detail.contains(named), "{query}: {detail}");
    }
    for (query, position) in [
        ("SELEC 1", 0),
        ("SELECT 'ä',\n  FROM spans WHERE", 30),
        ("SELECT 1 +\n  nothing FROM spans", 13),
        ("SELECT count(*)\nFROM nowhere", 21),
        ("SELECT 'open", 7),
    ] {
        let problem = server.post_sql(&json!({ "query": query }), JSON).await.problem(400);
        assert_eq!(problem["position"], position, "{query}: {problem}");
        assert_eq!(problem["field"], "query", "{problem}");
    }
    let zero = server.post_sql(&json!({"query": "SELECT 1", "limit": 0}), JSON).await.problem(400);
    assert_eq!((&zero["field"], &zero["limit"]), (&json!("limit"), &json!("1")));
    let unknown = server.post_sql(&json!({"query": "SELECT 1", "limt": 1}), JSON).await;
    assert!(unknown.problem(400)["detail"].as_str().expect("text").contains("limt"));
    server.post_sql(&json!({"query": "SELECT 1"}), "text/html").await.problem(406);
    let untyped = Request::post("/api/v1/sql").body(Body::from("{}")).expect("valid");
    server.ask(untyped).await.problem(415);
    server.stop().await;
}

#[tokio::test]
async fn large_answers_want_a_stream() {
    let limits = ApiLimits { json_rows_max: 3, json_bytes_max: 60 };
    let server = Server::start_with(limits).await;
    let many = json!({"query": "SELECT unnest(range(1, 6)) AS value"});
    let problem = server.post_sql(&many, JSON).await.problem(422);
    assert_eq!(problem["limit"], "3 rows");
    assert!(problem["detail"].as_str().expect("text").contains("application/x-ndjson"));
    let wide = json!({"query": format!("SELECT '{}'", "x".repeat(100))});
    assert_eq!(server.post_sql(&wide, JSON).await.problem(422)["limit"], "60 bytes");
    let streamed = server.post_sql(&many, "application/x-ndjson").await;
    assert_eq!(streamed.text().lines().count(), 5);
    server.stop().await;
}

#[tokio::test]
async fn a_late_error_ends_ndjson_with_a_line() {
    let server = Server::start().await;
    // The engine's own limit on rows is reached after the first batches are out.
    let query = "SELECT a FROM (SELECT unnest(range(2000)) AS a), (SELECT unnest(range(2000)))";
    let streamed = server.post_sql(&json!({ "query": query }), "application/x-ndjson").await;
    assert_eq!(streamed.status, StatusCode::OK);
    let text = streamed.text();
    let last: Json = serde_json::from_str(text.lines().last().expect("lines")).expect("JSON");
    assert_eq!(last["error"]["status"], 422, "{last}");
    server.stop().await;
}
