use opentelemetry_proto::tonic::logs::v1::LogsData;
use prost::Message;
use serde_json::json;

use super::*;

async fn shop() -> Server {
    let server = Server::start().await;
    append_logs(
        &server,
        "payment",
        &[
            (text("order placed"), 9, None),
            (text("card declined: timeout"), 17, Some(1)),
            (Value::Kvlist(attributes(&[("a", Value::Int(1))])), 9, Some(1)),
        ],
    )
    .await;
    append_logs(&server, "cart", &[(text("order emptied"), 13, Some(2))]).await;
    server
}

fn bodies(page: &Json) -> Vec<Json> {
    page["logs"].as_array().expect("logs").iter().map(|log| log["body"].clone()).collect()
}

#[tokio::test]
async fn search_by_every_condition() {
    let server = shop().await;
    let declined = json!("card declined: timeout");
    for (query, expected) in [
        ("query=declined", vec![declined.clone()]),
        ("query=ORDER%20-emptied", vec![json!("order placed")]),
        ("severity=error", vec![declined.clone()]),
        ("severity=13&service=cart", vec![json!("order emptied")]),
        ("filter=number%3D1", vec![declined.clone()]),
        ("filter=body~declined", vec![declined.clone()]),
        ("trace_id=01010101010101010101010101010101&severity=17", vec![declined.clone()]),
        ("service=nobody", vec![]),
    ] {
        let page = server.json(&format!("/api/v1/logs?{query}")).await;
        assert_eq!(bodies(&page), expected, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn logs_of_a_trace_come_oldest_first() {
    let server = shop().await;
    let path = "/api/v1/traces/01010101010101010101010101010101/logs";
    let page = server.json(path).await;
    assert_eq!(bodies(&page), [json!("card declined: timeout"), json!({"a": 1})]);
    let log = &page["logs"][0];
    assert_eq!(log["time"], "2026-11-20T11:59:00.000000001Z");
    assert_eq!(log["observed_time"], Json::Null);
    assert_eq!(log["severity_number"], 17);
    assert_eq!(log["trace_id"], "01010101010101010101010101010101");
    assert_eq!(log["span_id"], "0101010101010101");
    assert_eq!(log["service_name"], "payment");
    assert_eq!(log["attributes"], json!({"number": 1}));
    assert_eq!(log["resource_attributes"]["host.name"], "h1");
    let newest = server.json(&format!("{path}?order=newest&limit=1")).await;
    assert_eq!(bodies(&newest), [json!({"a": 1})]);
    let problem = server.problem(&format!("{path}?trace_id=02"), 400).await;
    assert_eq!(problem["field"], "trace_id");
    server.stop().await;
}

#[tokio::test]
async fn pages_follow_each_other() {
    let server = shop().await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.json(&format!("/api/v1/logs?limit=1&order=oldest&cursor={cursor}")).await;
        seen.extend(bodies(&page));
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
        assert!(seen.len() < 10);
    }
    assert_eq!(seen.len(), 4);
    server.stop().await;
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let server = Server::start().await;
    for (query, field) in [
        ("severity=loud", "severity"),
        ("severity=25", "severity"),
        ("order=random", "order"),
        ("trace_id=xyz", "trace_id"),
        ("span_id=xyz", "span_id"),
        ("limit=5001", "limit"),
        ("word=x", "word"),
    ] {
        let problem = server.problem(&format!("/api/v1/logs?{query}"), 400).await;
        assert_eq!(problem["field"], field, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn otlp_pages_follow_each_other_by_header() {
    let server = shop().await;
    let (mut texts, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/logs?limit=3&order=oldest&cursor={cursor}");
        let answer = server.get_as(&path, "application/x-protobuf").await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("content-type"), "application/x-protobuf");
        assert_eq!(answer.header("vary"), "accept");
        let page = LogsData::decode(answer.body.clone()).expect("protobuf");
        let scopes = page.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
        let records = scopes.flat_map(|scope| &scope.log_records);
        texts.extend(records.map(|record| record.severity_text.clone()));
        answer.header("throughline-next-cursor").clone_into(&mut cursor);
        if cursor.is_empty() {
            break;
        }
        assert!(texts.len() < 10);
    }
    assert_eq!(texts.len(), 4);
    server.stop().await;
}

#[tokio::test]
async fn the_form_is_chosen_by_format_and_accept() {
    let server = shop().await;
    let whole = server.json("/api/v1/logs?format=otlp&order=oldest&query=placed").await;
    assert_eq!(
        whole["resourceLogs"][0]["scopeLogs"][0]["logRecords"],
        json!([{
            "timeUnixNano": "1795175940000000000", "severityNumber": 9, "severityText": "INFO",
            "body": {"stringValue": "order placed"},
            "attributes": [{"key": "number", "value": {"intValue": "0"}}],
        }])
    );
    let typed = server.json("/api/v1/logs?format=json&query=placed").await;
    assert_eq!(bodies(&typed), [json!("order placed")]);
    assert_eq!(server.problem("/api/v1/logs?format=xml", 400).await["field"], "format");
    let refused = server.get_as("/api/v1/logs?format=json", "application/x-protobuf").await;
    refused.problem(406);
    server.stop().await;
}

#[tokio::test]
async fn the_context_of_a_record() {
    let server = shop().await;
    append_logs(&server, "payment", &[(text("order again"), 9, None)]).await;
    let all = server.json("/api/v1/logs?service=payment&order=oldest").await;
    assert_eq!(bodies(&all).len(), 4);
    let id = |at: usize| all["logs"][at]["id"].as_str().expect("an id").to_owned();
    let context = server.json(&format!("/api/v1/logs/context?id={}&before=1", id(2))).await;
    assert_eq!(context["record"], all["logs"][2]);
    assert_eq!(context["before"], json!([all["logs"][1]]));
    assert_eq!(context["after"], json!([all["logs"][3]]));
    let by = server.json(&format!("/api/v1/logs/context?id={}&by=service&after=0", id(3))).await;
    assert_eq!(by["before"], json!([all["logs"][0], all["logs"][1], all["logs"][2]]));
    assert_eq!(by["after"], json!([]));
    for (query, status, field) in [
        ("", 400, json!("id")),
        ("id=x", 400, json!("id")),
        (&format!("id={}&by=host", id(0)), 400, json!("by")),
        (&format!("id={}&before=501", id(0)), 400, json!("before")),
        (&format!("id={}&query=x", id(0)), 400, json!("query")),
        ("id=1.0000000000000001.0", 404, Json::Null),
    ] {
        let problem = server.problem(&format!("/api/v1/logs/context?{query}"), status).await;
        assert_eq!(problem["field"], field, "{query}");
    }
    server.stop().await;
}
