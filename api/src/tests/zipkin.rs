//! Zipkin's API: what Lens asks, what a search means, and that a span goes out as it came in.

use super::shared::{converse, shop};
use super::*;

#[tokio::test]
async fn what_lens_asks() {
    let server = shop().await;
    converse(&server, "zipkin_lens.json").await;
    server.stop().await;
}

#[tokio::test]
async fn wrong_questions_are_said_in_a_line_of_text() {
    let server = shop().await;
    converse(&server, "zipkin_errors.json").await;
    let answer = server.get("/zipkin/api/v2/trace/x").await;
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let request = Request::post("/zipkin/api/v2/traces").body(Body::empty()).expect("valid");
    assert_eq!(server.ask(request).await.status, StatusCode::METHOD_NOT_ALLOWED);
    server.stop().await;
}

async fn found(server: &Server, query: &str) -> Vec<String> {
    let answer = server.json(&format!("/zipkin/api/v2/traces?{query}")).await;
    let traces = answer.as_array().expect("a list").iter();
    traces.map(|trace| trace[0]["traceId"].as_str().expect("an id")[..2].to_owned()).collect()
}

#[tokio::test]
async fn searches_by_every_condition() {
    let server = shop().await;
    for stage in ["head", "segment"] {
        if stage == "segment" {
            server.store.flush().await.expect("flushes");
        }
        for (query, expected) in [
            ("", vec!["01", "02"]),
            ("limit=1", vec!["01"]),
            ("serviceName=cart", vec!["01", "02"]),
            ("serviceName=cart&spanName=GET%20/cart", vec![]),
            ("serviceName=frontend&spanName=GET%20/cart", vec!["01", "02"]),
            ("spanName=all", vec!["01", "02"]),
            ("remoteServiceName=postgres", vec!["01", "02"]),
            ("remoteServiceName=cart.shop&serviceName=frontend", vec!["01", "02"]),
            ("remoteServiceName=cart.shop&serviceName=cart", vec![]),
            ("annotationQuery=error", vec!["02"]),
            ("annotationQuery=error%3Dconnection%20lost", vec!["02"]),
            ("annotationQuery=error%3Dother", vec![]),
            ("annotationQuery=exception%20and%20peer.service%3Dpostgres", vec!["02"]),
            ("annotationQuery=http.route", vec!["01", "02"]),
            ("annotationQuery=http.route%20and%20http.status_code%3D500", vec!["02"]),
            ("annotationQuery=http.status_code%3D5..", vec![]),
            ("minDuration=4000&spanName=SELECT", vec!["01", "02"]),
            ("minDuration=4001", vec![]),
            ("maxDuration=1000", vec!["01", "02"]),
            ("maxDuration=999", vec![]),
            ("endTs=1795175900000", vec!["02"]),
            ("lookback=90000", vec!["01"]),
        ] {
            assert_eq!(found(&server, query).await, expected, "{stage}: {query}");
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn fields_that_only_zipkin_has_come_back_in_their_places() {
    let server = Server::start().await;
    let mut half = span(1, 1, "cart", "post");
    half.trace_id = TraceId::parse("1e223ff1f80f1c69").expect("an id");
    half.attributes = attributes(&[
        ("net.host.ip", text("192.0.0.1")),
        ("net.host.port", Value::Int(8080)),
        ("net.peer.ip", text("2001:db8::c001")),
        ("peer.service", text("frontend")),
        ("zipkin.shared", Value::Bool(true)),
        ("zipkin.debug", Value::Bool(true)),
        ("http.method", text("POST")),
    ]);
    half.resource = Arc::new(Resource {
        attributes: attributes(&[("service.name", text("cart"))]),
        ..Resource::default()
    });
    half.scope = Arc::default();
    half.status_code = 2;
    let mut absent = half.clone();
    absent.span_id = SpanId([2; 8]);
    absent.attributes = attributes(&[("otel.zipkin.absentField.startTime", Value::Bool(true))]);
    absent.resource = Arc::default();
    absent.duration_ns = 0;
    absent.kind = 1;
    absent.status_code = 1;
    server.append_spans(&[half, absent]).await;
    let spans = server.json("/zipkin/api/v2/trace/1e223ff1f80f1c69").await;
    let expected = serde_json::json!([
        {
            "traceId": "1e223ff1f80f1c69", "id": "0101010101010101", "kind": "SERVER", "name": "post",
            "timestamp": 1_795_175_940_000_000u64, "duration": 1000,
            "localEndpoint": {"serviceName": "cart", "ipv4": "192.0.0.1", "port": 8080},
            "remoteEndpoint": {"serviceName": "frontend", "ipv6": "2001:db8::c001"},
            "tags": {"error": "", "http.method": "POST"}, "debug": true, "shared": true
        },
        {
            "traceId": "1e223ff1f80f1c69", "id": "0202020202020202", "name": "post",
            "tags": {"otel.status_code": "OK"}
        }
    ]);
    assert_eq!(spans, expected);
    server.stop().await;
}
