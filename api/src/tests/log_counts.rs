//! Counts of log records over HTTP.

use serde_json::json;

use super::*;

async fn shop() -> Server {
    let server = Server::start().await;
    append_logs(
        &server,
        "payment",
        &[
            (text("order 17 placed"), 9, None),
            (text("order 18 placed"), 9, None),
            (text("card declined, timeout"), 17, Some(1)),
        ],
    )
    .await;
    append_logs(&server, "cart", &[(text("order 19 placed"), 9, Some(2))]).await;
    server
}

#[tokio::test]
async fn counts_are_told_apart_as_asked() {
    let server = shop().await;
    let all = server.json("/api/v1/logs/counts").await;
    assert_eq!((&all["total"], &all["groups"]), (&json!(4), &json!([{"count": 4}])));
    assert_eq!(all.get("steps"), None);
    for (query, groups) in [
        (
            "by=service",
            json!([{"service": "payment", "count": 3}, {"service": "cart", "count": 1}]),
        ),
        (
            "by=severity&by=service&query=placed",
            json!([
                {"service": "payment", "severity_number": 9, "count": 2},
                {"service": "cart", "severity_number": 9, "count": 1},
            ]),
        ),
        ("severity=error", json!([{"count": 1}])),
        ("query=absent", json!([])),
        (
            "by=service&step=1m&start=2026-11-20T11:58:30Z&end=2026-11-20T12:00:00Z&query=placed",
            json!([
                {"service": "payment", "count": 2, "counts": [0, 2]},
                {"service": "cart", "count": 1, "counts": [0, 1]},
            ]),
        ),
    ] {
        let answer = server.json(&format!("/api/v1/logs/counts?{query}")).await;
        assert_eq!(answer["groups"], groups, "{query}");
    }
    let cut = server.json("/api/v1/logs/counts?by=template&limit=1").await;
    assert_eq!((&cut["total"], &cut["truncated"]), (&json!(4), &json!(true)));
    let group = &cut["groups"][0];
    assert_eq!((&group["count"], &group["template"]), (&json!(3), &json!("order <*> placed")));
    assert_eq!(group["template_id"].as_str().map(str::len), Some(16));
    let steps = server.json("/api/v1/logs/counts?step=1h&start=-1h").await;
    assert_eq!(steps["steps"]["step_seconds"], 3600.0);
    assert_eq!(steps["steps"]["start"], "2026-11-20T11:00:00.000000000Z");
}

#[tokio::test]
async fn wrong_counts_are_problems() {
    let server = shop().await;
    for (query, field) in [
        ("by=colour", "by"),
        ("step=1m", "start"),
        ("step=1ms&start=-1h", "step"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("order=newest", "order"),
        ("query=%22open", "query"),
    ] {
        let problem = server.problem(&format!("/api/v1/logs/counts?{query}"), 400).await;
        assert_eq!(problem["field"], field, "{query}: {problem}");
    }
}
