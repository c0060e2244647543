//! Deletion of log records over the API.

use serde_json::json;

use super::*;

async fn post(server: &Server, body: &Json) -> Answer {
    let request = Request::post("/api/v1/logs/delete").header("content-type", "application/json");
    server.ask(request.body(Body::from(body.to_string())).expect("valid")).await
}

async fn bodies(server: &Server) -> Vec<String> {
    let page = server.json("/api/v1/logs?order=oldest").await;
    let logs = page["logs"].as_array().expect("records").iter();
    logs.map(|log| log["body"].as_str().expect("text").to_owned()).collect()
}

#[tokio::test]
async fn deleted_records_are_listed_as_deleted_and_found_no_more() {
    let server = Server::start().await;
    let records = ["card 4111 declined", "card 4222 accepted", "no stock", "mail sent"];
    let records: Vec<_> = records.iter().map(|body| (text(body), 9, Some(1))).collect();
    append_logs(&server, "cart", &records).await;
    append_logs(&server, "shop", &records[..1]).await;

    let request = json!({"query": "card", "service": ["cart"], "dry_run": true});
    let counted = post(&server, &request).await.json();
    assert_eq!((&counted["status"], &counted["records"]), (&json!("counted"), &json!(2)));
    assert_eq!(counted["id"], Json::Null);
    assert_eq!(bodies(&server).await.len(), 5);

    let request = json!({"query": "card", "service": ["cart"], "end": "now"});
    let deleted = post(&server, &request).await.json();
    assert_eq!((&deleted["status"], &deleted["records"]), (&json!("deleted"), &json!(2)));
    assert_eq!(deleted["request"], request);
    let mut left = bodies(&server).await;
    left.sort();
    assert_eq!(left, ["card 4111 declined", "mail sent", "no stock"]);
    let sql = json!({"query": "SELECT count(*) AS n FROM logs WHERE body LIKE '%card%'"});
    assert_eq!(server.post_sql(&sql, "application/json").await.json()["rows"][0][0], 1);
    let counts = server.json("/api/v1/logs/counts?by=service").await;
    assert_eq!(counts["total"], 3);
    let trace = server.json("/api/v1/traces/01010101010101010101010101010101/logs").await;
    assert_eq!(trace["logs"].as_array().map(Vec::len), Some(3));

    server.store.compact().await.expect("compacts");
    let id = deleted["id"].as_str().expect("an id");
    let now = server.json(&format!("/api/v1/logs/delete/{id}")).await;
    assert_eq!((&now["status"], &now["segments_left"]), (&json!("rewritten"), &json!(0)));
    let all = server.json("/api/v1/logs/delete").await;
    assert_eq!(all["deletions"], json!([now]));
    assert_eq!(bodies(&server).await.len(), 3);
    server.problem("/api/v1/logs/delete/none", 404).await;
    server.stop().await;
}

#[tokio::test]
async fn a_deletion_says_what_is_to_go() {
    let server = Server::start().await;
    for (body, field) in [
        (json!({}), "query"),
        (json!({"dry_run": true}), "query"),
        (json!({"severity_max": "loud"}), "severity_max"),
        (json!({"filter": ["=x"]}), "filter"),
        (json!({"services": ["a"]}), "body"),
        (json!({"start": "tomorrow"}), "start"),
    ] {
        let problem = post(&server, &body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    let form = Request::post("/api/v1/logs/delete").body(Body::from("{}")).expect("valid");
    server.ask(form).await.problem(415);
    server.stop().await;
}
