use serde_json::json;
use throughline_model::origin::Event;

use super::*;

/// A span of a service and version that failed.
fn failed(trace: u8, service: &str, version: &str, kind: &str, message: &str) -> Span {
    let stack = format!(
        "{kind}: {message}\n\tat shop.Pay.run(Pay.java:7)\n\tat java.lang.Thread.run(Thread.java:1)"
    );
    let mut span = span(trace, 1, service, "charge");
    let mut resource = Resource::clone(&span.resource);
    resource.attributes.push(("service.version".to_owned(), text(version)));
    span.resource = Arc::new(resource);
    span.attributes = attributes(&[("enduser.id", text("ann"))]);
    span.events = vec![Event {
        time_ns: span.start_time_ns + 5,
        name: "exception".to_owned(),
        attributes: attributes(&[
            ("exception.type", text(kind)),
            ("exception.message", text(message)),
            ("exception.stacktrace", text(&stack)),
        ]),
        ..Event::default()
    }];
    span
}

async fn shop() -> Server {
    let server = Server::start().await;
    let spans = [
        failed(30, "payment", "1.0", "Timeout", "after 2000 ms"),
        failed(20, "payment", "1.1", "Timeout", "after 1500 ms"),
        failed(10, "cart", "3", "NotFound", "item 'x'"),
    ];
    server.append_spans(&spans).await;
    server
}

impl Server {
    async fn send_json(&self, method: &str, path: &str, body: &Json) -> Answer {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("content-type", "application/json");
        self.ask(request.body(Body::from(body.to_string())).expect("valid")).await
    }
}

#[tokio::test]
async fn groups_and_one_group() {
    let server = shop().await;
    let page = server.json("/api/v1/exceptions?step=10m&start=-1h").await;
    assert_eq!(page["total"], 2);
    assert_eq!(page["next_cursor"], Json::Null);
    assert_eq!((&page["left_out"], &page["truncated"]), (&json!(0), &json!(false)));
    let group = &page["exceptions"][1];
    let fingerprint = group["fingerprint"].as_str().expect("text").to_owned();
    assert!(fingerprint.starts_with("1-") && fingerprint.len() == 18, "{fingerprint}");
    assert_eq!(group["type"], "Timeout");
    assert_eq!(group["message"], "after 1500 ms");
    assert_eq!(
        group["culprit"],
        json!({"function": "shop.Pay.run", "file": "Pay.java", "in_app": true})
    );
    assert_eq!((&group["state"], &group["decision"]), (&json!("new"), &Json::Null));
    assert_eq!(group["first_seen"], "2026-11-20T11:30:00.000000006Z");
    assert_eq!(group["last_seen"], "2026-11-20T11:40:00.000000006Z");
    assert_eq!(group["count"], 2);
    assert_eq!(group["users"], json!({"count": 1, "exact": true, "names": ["ann"]}));
    assert_eq!(group["services"], json!(["payment"]));
    assert_eq!(group["versions"], json!(["1.0", "1.1"]));
    assert_eq!(group["origins"][0]["service_version"], "1.0");
    assert_eq!(group["origins"][0]["source"], "span");
    assert_eq!(group["steps"]["start"], "2026-11-20T11:00:00.000000000Z");
    assert_eq!(
        group["steps"]["counts"],
        json!({"1.0": [0, 0, 0, 1, 0, 0], "1.1": [0, 0, 0, 0, 1, 0]})
    );
    assert_eq!(group["samples"][0]["trace_id"], "14141414141414141414141414141414");
    assert_eq!(group["samples"][0]["span_id"], "0101010101010101");
    assert_eq!(group["stacktrace"], Json::Null, "of one group alone");

    let one = server.json(&format!("/api/v1/exceptions/{fingerprint}")).await;
    assert!(
        one["stacktrace"].as_str().is_some_and(|stack| stack.starts_with("Timeout: after 1500"))
    );
    assert_eq!(one["frames"][1]["in_app"], false);
    assert_eq!(one["steps"], Json::Null);
    assert!(one["stats"]["elapsed_ms"].is_number());
    for (query, expected) in [
        ("query=TIMEOUT", 1),
        ("service=cart", 1),
        ("state=new&state=ignored", 2),
        ("state=resolved", 0),
        ("end=-15m&order=count", 1),
        ("limit=1", 2),
    ] {
        let page = server.json(&format!("/api/v1/exceptions?{query}")).await;
        assert_eq!(page["total"], expected, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn states_are_changed() {
    let server = shop().await;
    let page = server.json("/api/v1/exceptions?query=timeout").await;
    let path = format!(
        "/api/v1/exceptions/{}",
        page["exceptions"][0]["fingerprint"].as_str().expect("text")
    );
    let state = format!("{path}/state");
    let body = json!({"state": "ignored", "by": "ann", "ignored_until": "now+1h", "note": "known"});
    let group = server.send_json("PATCH", &state, &body).await;
    assert_eq!(group.status, StatusCode::OK, "{}", group.text());
    assert_eq!(group.json()["state"], "ignored");
    let one = server.json(&path).await;
    assert_eq!(
        one["decision"],
        json!({
            "state": "ignored", "changed_at": "2026-11-20T12:00:00.000000000Z", "changed_by": "ann",
            "resolved_in_version": null, "ignored_until": "2026-11-20T13:00:00.000000000Z", "note": "known",
        })
    );
    let resolved = json!({"state": "resolved", "resolved_in_version": "1.1"});
    assert_eq!(server.send_json("PATCH", &state, &resolved).await.json()["state"], "resolved");
    let mut late = failed(1, "payment", "1.2", "Timeout", "after 9 ms");
    late.events[0].time_ns = NOW_NS + SECOND_NS;
    server.append_spans(&[late]).await;
    let end = "2026-11-21";
    let list = server.json(&format!("/api/v1/exceptions?state=regressed&end={end}")).await;
    assert_eq!(list["exceptions"][0]["versions"], json!(["1.0", "1.1", "1.2"]));
    assert_eq!(
        server.send_json("PATCH", &state, &json!({"state": "new"})).await.json()["state"],
        "new"
    );

    for (body, field) in [
        (json!({"state": "gone"}), "state"),
        (json!({"state": "ignored", "ignored_until": "-1h"}), "ignored_until"),
        (json!({"state": "ignored", "ignored_until": "soon"}), "ignored_until"),
        (json!({"state": "new", "resolved_in_version": "1"}), "resolved_in_version"),
        (json!({"state": "resolved", "note": "x".repeat(5000)}), "note"),
        (json!({"state": "resolved", "nope": 1}), "body"),
        (json!([]), "body"),
    ] {
        let problem = server.send_json("PATCH", &state, &body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}");
    }
    let unknown = "/api/v1/exceptions/1-0000000000000007";
    server.problem(unknown, 404).await;
    server
        .send_json("PATCH", &format!("{unknown}/state"), &json!({"state": "new"}))
        .await
        .problem(404);
    for (path, field) in [
        ("/api/v1/exceptions/7", "fingerprint"),
        ("/api/v1/exceptions?state=old", "state"),
        ("/api/v1/exceptions?order=name", "order"),
        ("/api/v1/exceptions?limit=501", "limit"),
        ("/api/v1/exceptions?cursor=7", "cursor"),
        ("/api/v1/exceptions?step=1s", "step"),
        ("/api/v1/exceptions?start=now&end=-1h", "start"),
        ("/api/v1/exceptions?servce=x", "servce"),
    ] {
        assert_eq!(server.problem(path, 400).await["field"], field, "{path}");
    }
    server.stop().await;
}

#[tokio::test]
async fn changes_are_told_and_posted() {
    let server = shop().await;
    let body = json!({
        "kind": "feature-flag", "title": "express is on", "time": "2026-11-20T11:50:00Z",
        "service_name": "checkout", "link": "https://ci.example/7", "attributes": {"flag": "express"},
    });
    let posted = server.send_json("POST", "/api/v1/changes", &body).await;
    assert_eq!(posted.status, StatusCode::CREATED, "{}", posted.text());
    let posted = posted.json();
    assert_eq!(
        posted,
        json!({
            "id": 1, "source": "posted", "kind": "feature-flag", "time": "2026-11-20T11:50:00.000000000Z",
            "service_name": "checkout", "service_version": "", "previous_version": "",
            "title": "express is on", "link": "https://ci.example/7", "attributes": {"flag": "express"},
        })
    );
    let all = server.json("/api/v1/changes?start=-1h").await;
    assert_eq!(all["changes"][0], posted);
    let deployed = &all["changes"][1];
    assert_eq!((&deployed["id"], &deployed["source"]), (&Json::Null, &json!("telemetry")));
    assert_eq!(
        (&deployed["kind"], &deployed["time"]),
        (&json!("deployment"), &json!("2026-11-20T11:40:00.000000001Z"))
    );
    assert_eq!(
        (&deployed["service_version"], &deployed["previous_version"]),
        (&json!("1.1"), &json!("1.0"))
    );
    assert_eq!(all["truncated"], false);
    let of = async |query: &str| {
        server.json(&format!("/api/v1/changes?{query}")).await["changes"].as_array().map(Vec::len)
    };
    assert_eq!(of("service=payment").await, Some(1));
    assert_eq!(of("service=checkout").await, Some(1));
    assert_eq!(of("start=-15m").await, Some(1));
    let now =
        server.send_json("POST", "/api/v1/changes", &json!({"kind": "other", "title": "x"})).await;
    assert_eq!(now.json()["time"], "2026-11-20T12:00:00.000000000Z");
    for (body, field) in [
        (json!({"kind": "outage", "title": "x"}), "kind"),
        (json!({"kind": "other", "title": ""}), "title"),
        (json!({"kind": "other"}), "body"),
        (json!({"kind": "other", "title": "x", "time": "noon"}), "time"),
        (json!({"kind": "other", "title": "x", "link": "javascript:1"}), "link"),
        (
            json!({"kind": "other", "title": "x", "attributes": {"a": "b".repeat(20_000)}}),
            "attributes",
        ),
    ] {
        let problem = server.send_json("POST", "/api/v1/changes", &body).await.problem(400);
        assert_eq!(problem["field"], field, "{body}");
    }
    let request = Request::post("/api/v1/changes").header("content-type", "text/plain");
    server.ask(request.body(Body::from("{}")).expect("valid")).await.problem(415);
    server.stop().await;
}
