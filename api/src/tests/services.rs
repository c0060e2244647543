use serde_json::json;

use super::*;

/// A shop that calls a cart twice, once in vain, and a database.
async fn shop() -> Server {
    let server = Server::start().await;
    let call = |number: u8, failed: bool| {
        let client = Span { kind: 3, ..span(1, number, "shop", "GET /cart") };
        let called = Span {
            parent_span_id: Some(client.span_id),
            status_code: if failed { 2 } else { 0 },
            ..span(1, number + 1, "cart", "GET /cart")
        };
        [client, called]
    };
    let database = Span {
        kind: 3,
        trace_state: "ot=th:8".to_owned(),
        attributes: attributes(&[("db.system", text("redis"))]),
        ..span(1, 9, "cart", "GET")
    };
    server.append_spans(&call(2, false)).await;
    server.store.flush().await.expect("flushed");
    server.append_spans(&call(4, true)).await;
    server.append_spans(&[database]).await;
    server
}

#[tokio::test]
async fn the_service_map() {
    let server = shop().await;
    let map = server.json("/api/v1/service-map?start=-1h").await;
    let edges = map["edges"].as_array().expect("edges");
    let short = edges.iter().map(|edge| {
        json!([
            edge["client"],
            edge["server"],
            edge["connection_type"],
            edge["calls"],
            edge["failed"],
            edge["weighted_calls"],
        ])
    });
    let expected =
        json!([["cart", "redis", "database", 1, 0, 2.0], ["shop", "cart", "", 2, 1, 2.0],]);
    assert_eq!(Json::from(short.collect::<Vec<_>>()), expected);
    assert_eq!(edges[0]["server_duration"], Json::Null);
    assert_eq!(edges[1]["client_duration"]["count"], 2.0);
    assert_eq!(edges[1]["client_duration"]["mean_ms"], 3.0);
    assert_eq!(edges[1]["server_duration"]["mean_ms"], 4.0);
    assert_eq!(edges[1]["rate"], 2.0 / 3600.0);
    assert_eq!(edges[1]["start"], "2026-11-20T11:00:00.000000000Z");
    let some = server.json("/api/v1/service-map?service=redis&step=1m").await;
    assert_eq!(some["edges"].as_array().map(Vec::len), Some(1));
    assert_eq!(some["edges"][0]["start"], "2026-11-20T11:59:00.000000000Z");
    let none = server.json("/api/v1/service-map?start=-10s").await;
    assert_eq!(none["edges"], json!([]));
    for query in ["step=10s", "step=0s", "start=now&end=-1h", "kind=server", "limit=1"] {
        server.problem(&format!("/api/v1/service-map?{query}"), 400).await;
    }
    server.stop().await;
}

#[tokio::test]
async fn rate_errors_and_durations() {
    let server = shop().await;
    let red = server.json("/api/v1/red?service=cart&kind=server").await;
    assert_eq!(red["names_complete"], true);
    let operations = red["operations"].as_array().expect("operations");
    assert_eq!(operations.len(), 1, "{operations:?}");
    let operation = &operations[0];
    for (field, expected) in [
        ("operation", json!("GET /cart")),
        ("kind", json!("server")),
        ("spans", json!(2)),
        ("errors", json!(1)),
        ("weighted_spans", json!(2.0)),
        ("rate", json!(2.0 / 3600.0)),
    ] {
        assert_eq!(operation[field], expected, "{field}");
    }
    assert_eq!(operation["exemplar"]["span_id"], "0505050505050505");
    assert_eq!(operation["exemplar"]["duration_ns"], 5_000_000);
    assert_eq!(operation["duration"]["mean_ms"], 4.0);
    let p99 = operation["duration"]["p99_ms"].as_f64().expect("a number");
    assert!((4.8..=5.25).contains(&p99), "{p99}"); // to a bucket, 4.4 % wide
    let services = server.json("/api/v1/red?by=service").await;
    let rows = services["operations"].as_array().expect("rows").iter();
    let rows = rows.map(|row| json!([row["service"], row["operation"], row["kind"], row["spans"]]));
    let expected =
        json!([["cart", "", "server", 2], ["cart", "", "client", 1], ["shop", "", "client", 2]]);
    assert_eq!(Json::from(rows.collect::<Vec<_>>()), expected);
    for query in ["by=moon", "kind=9", "step=1s", "operation=x"] {
        server.problem(&format!("/api/v1/red?{query}"), 400).await;
    }
    server.stop().await;
}
