use serde_json::json;

use super::*;

#[tokio::test]
async fn the_server_says_how_it_is() {
    let server = Server::start().await;
    server.append_spans(&[span(1, 1, "cart", "a"), span(1, 2, "cart", "b")]).await;
    let status = server.json("/api/v1/status").await;
    assert_eq!(status["ready"], true);
    assert_eq!(status["build"]["version"], "1.2.3");
    assert_eq!(status["uptime_seconds"], 90.0);
    assert_eq!(status["started_at"], "2026-11-20T11:58:30.000000000Z");
    assert_eq!(status["settled"], false);
    assert_eq!(status["stored"]["spans"], 2);
    assert!(status["store"]["signals"].is_array());

    let metrics = server.get("/metrics").await;
    let openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(metrics.header("content-type"), openmetrics);
    assert!(metrics.text().ends_with("# EOF\n"));

    assert_eq!(server.get("/-/healthy").await.status, StatusCode::OK);
    assert_eq!(server.json("/-/ready").await, json!({"ready": true, "stage": "ready"}));
    server.ready.send_replace(Readiness { ready: false, stage: "stopping".to_owned() });
    let answer = server.get("/-/ready").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json()["stage"], "stopping");
    server.stop().await;
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let server = Server::start().await;
    for path in ["/api", "/api/v1", "/api/v1/nothing", "/api/v2/traces", "/api/v1/traces/a/b/c"] {
        let problem = server.problem(path, 404).await;
        assert_eq!(problem["value"], path);
        assert_eq!(problem["type"], "urn:throughline:problem:not-found");
    }
    assert_eq!(server.get("/elsewhere").await.body.len(), 0);
    for (method, path, allowed) in
        [("GET", "/api/v1/sql", "POST"), ("DELETE", "/api/v1/traces", "GET,HEAD")]
    {
        let request = Request::builder().method(method).uri(path);
        let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
        assert_eq!(answer.problem(405)["value"], method);
        assert_eq!(answer.header("allow"), allowed);
    }
    server.stop().await;
}

#[tokio::test]
async fn large_json_is_compressed_when_asked() {
    let server = Server::start().await;
    let request = Request::get("/api/v1/openapi.json").header("accept-encoding", "gzip");
    let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(answer.body[..2], [0x1f, 0x8b]);
    assert_eq!(server.get("/api/v1/openapi.json").await.header("content-encoding"), "");
    server.stop().await;
}

#[tokio::test]
async fn bodies_have_a_limit() {
    let server = Server::start().await;
    let request = Request::post("/api/v1/sql").header("content-type", "application/json");
    let large = vec![b' '; crate::native::body::BODY_BYTES_MAX + 1];
    let problem = server.ask(request.body(Body::from(large)).expect("valid")).await.problem(413);
    assert_eq!(problem["limit"], crate::native::body::BODY_BYTES_MAX.to_string());
    server.stop().await;
}
