use serde_json::json;

use super::*;

const RANGE: &str = "start=2026-11-20T11:00:00Z&end=2026-11-20T12:00:00Z";

async fn shop() -> Server {
    let server = Server::start().await;
    let mut spans = Vec::new();
    for trace in 1..=5u8 {
        let mut root = span(trace, 1, "frontend", "GET /cart");
        root.attributes = attributes(&[("http.route", text("/cart")), ("a key", Value::Int(1))]);
        let mut child = span(trace, 150, "db", "SELECT");
        child.status_code = if trace == 2 { 2 } else { 0 };
        spans.extend([root, child]);
    }
    server.append_spans(&spans).await;
    server
}

fn encoded(query: &str) -> String {
    query.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

async fn get(server: &Server, what: &str, query: &str, more: &str) -> Json {
    server.json(&format!("/api/v1/traceql/{what}?q={}{more}", encoded(query))).await
}

#[tokio::test]
async fn a_search_goes_page_by_page() {
    let server = shop().await;
    let error = get(&server, "search", "{ status = error } | select(span:name)", "").await;
    let trace = &error["traces"][0];
    assert_eq!(trace["trace_id"], "02020202020202020202020202020202");
    assert_eq!(trace["root_service"], "frontend");
    let set = &trace["spansets"][0];
    assert_eq!(set["matched"], 1);
    assert_eq!(set["spans"][0]["service"], "db");
    assert_eq!(set["spans"][0]["start_time"], "2026-11-20T11:58:00.000000150Z");
    assert!(set["spans"][0]["attributes"].as_array().is_some_and(|list| !list.is_empty()));

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&server, "search", "{}", &format!("&limit=2&cursor={cursor}")).await;
        let traces = page["traces"].as_array().expect("traces").iter();
        seen.extend(traces.map(|trace| trace["trace_id"].as_str().expect("id")[..2].to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
        assert!(seen.len() < 10);
    }
    assert_eq!(seen, ["01", "02", "03", "04", "05"]);
    server.stop().await;
}

#[tokio::test]
async fn numbers_over_time() {
    let server = shop().await;
    let more = format!("&{RANGE}&step=none");
    let answer = get(&server, "metrics", "{} | count_over_time() by(name)", &more).await;
    let series = answer["series"].as_array().expect("series");
    assert_eq!(series.len(), 2);
    assert_eq!(series[0]["labels"], json!([{"name": "name", "value": "GET /cart"}]));
    assert_eq!(
        series[0]["points"],
        json!([{"time": "2026-11-20T12:00:00.000000000Z", "value": 5.0}])
    );
    let more = format!("&{RANGE}");
    let answer = get(&server, "metrics", "{} | rate()", &more).await;
    assert_eq!(answer["series"][0]["points"].as_array().map(Vec::len), Some(240));
    server.stop().await;
}

#[tokio::test]
async fn completion_proposes_what_fits() {
    let server = shop().await;
    for (query, kind, expected) in [
        ("{ resource.service.name = ", "value", vec!["\"frontend\"", "\"db\""]),
        ("{ resource.service.name = \"d", "value", vec!["\"db\""]),
        ("{ status = error && name = ", "value", vec!["\"SELECT\""]),
        ("{ status = e", "value", vec!["error"]),
        ("{ span.", "field", vec!["span.\"a key\"", "span.http.route"]),
        ("{ span.ht", "field", vec!["span.http.route"]),
        ("{ rootS", "", vec!["rootServiceName"]),
    ] {
        let answer = get(&server, "complete", query, "").await;
        let proposals = answer["proposals"].as_array().expect("a list").iter();
        let mut found: Vec<_> = proposals
            .filter(|one| kind.is_empty() || one["kind"] == kind)
            .map(|one| one["text"].as_str().expect("text").to_owned())
            .collect();
        let mut expected = expected;
        found.sort();
        expected.sort_unstable();
        assert_eq!(found, expected, "{query}: {answer}");
    }
    let answer = get(&server, "complete", "{ span.ht = 1 }", "&cursor=9").await;
    assert_eq!(answer["replace"], json!({"start": 2, "end": 9}));
    server.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let server = Server::start().await;
    for (what, query, more, field) in [
        ("search", "{ .a = }", "", "q"),
        ("search", "{} | rate()", "", "q"),
        ("search", "{}", "&limit=1001", "limit"),
        ("search", "{}", "&spans=0", "spans"),
        ("search", "{}", "&sort=x", "sort"),
        ("search", "", "", "q"),
        ("metrics", "{}", "", "q"),
        ("metrics", "{} | rate()", "&step=5", "step"),
        ("metrics", "{} | rate()", "&step=1ns", "step"),
        ("complete", "{", "&cursor=2", "cursor"),
    ] {
        let path = format!("/api/v1/traceql/{what}?q={}{more}", encoded(query));
        let problem = server.problem(&path, 400).await;
        assert_eq!(problem["field"], field, "{what} {query} {more}: {problem}");
    }
    let problem = server.problem("/api/v1/traceql/search?q=%7B%20.a%20%3D%20%7D", 400).await;
    assert_eq!(problem["position"], 7);
    server.stop().await;
}
