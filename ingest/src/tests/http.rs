//! OTLP over HTTP through the real router: what each request is answered.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures::stream;
use http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use throughline_model::Signal;
use throughline_storage::Encoding;
use tower::ServiceExt;

use super::fixture::{
    Fixture, compress, deep_span, large_request, limits, request, request_json, span, traces,
};
use crate::{ErrorKind, IngestLimits, Ingester, http_routes};

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// `google.rpc.Status` as senders read it.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Answer {
    /// Code and message of a refusal, after a look at whether its encoding is the one given.
    fn refusal(&self, content_type: &str) -> (i32, String) {
        assert_eq!(self.headers[CONTENT_TYPE], content_type);
        if content_type == JSON {
            let json: serde_json::Value = serde_json::from_slice(&self.body).expect("JSON");
            let message = json["message"].as_str().expect("a string").to_owned();
            return (json["code"].as_i64().expect("a number") as i32, message);
        }
        let status = Status::decode(self.body.clone()).expect("protobuf");
        (status.code, status.message)
    }
}

async fn answer(response: Response) -> Answer {
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    Answer { status: head.status, headers: head.headers, body }
}

async fn send(ingester: &Ingester, request: http::Request<Body>) -> Answer {
    let response = http_routes(ingester.clone()).oneshot(request).await.expect("infallible");
    answer(response).await
}

async fn post(
    ingester: &Ingester,
    path: &str,
    content_type: &str,
    content_encoding: &str,
    body: impl Into<Bytes>,
) -> Answer {
    let body = body.into();
    let mut request = http::Request::post(path).header(CONTENT_LENGTH, body.len());
    if !content_type.is_empty() {
        request = request.header(CONTENT_TYPE, content_type);
    }
    if !content_encoding.is_empty() {
        request = request.header(CONTENT_ENCODING, content_encoding);
    }
    send(ingester, request.body(Body::from(body)).expect("valid")).await
}

fn path(signal: Signal) -> String {
    format!("/v1/{signal}")
}

#[tokio::test]
async fn every_signal_format_and_encoding_is_taken() {
    let fixture = Fixture::new().await;
    let encodings = [
        ("", Encoding::Identity),
        ("identity", Encoding::Identity),
        ("gzip", Encoding::Gzip),
        ("zstd", Encoding::Zstd),
        ("deflate", Encoding::Deflate),
        ("GZIP", Encoding::Gzip),
    ];
    for signal in Signal::ALL {
        let mut seed = 1;
        for (name, encoding) in encodings {
            for content_type in [PROTOBUF, JSON, "Application/JSON; charset=utf-8"] {
                let is_json = content_type != PROTOBUF;
                seed += 2;
                let body = if is_json { request_json(signal, seed) } else { request(signal, seed) };
                let body = compress(encoding, &body);
                let answer = post(&fixture.ingester, &path(signal), content_type, name, body).await;
                assert_eq!(answer.status, StatusCode::OK, "{signal} {name} {content_type}");
                let expected = if is_json { (JSON, &b"{}"[..]) } else { (PROTOBUF, &b""[..]) };
                assert_eq!(answer.headers[CONTENT_TYPE], expected.0);
                assert_eq!(answer.body, expected.1);
            }
        }
        assert_eq!(fixture.rows(signal), encodings.len() * 3 * 2, "{signal}");
    }
}

#[tokio::test]
async fn nothing_is_a_request_too() {
    let fixture = Fixture::new().await;
    for (content_type, body) in [(PROTOBUF, ""), (JSON, "{}"), (JSON, "")] {
        for signal in Signal::ALL {
            for encoding in ["", "gzip"] {
                let compressed = compress(
                    if encoding.is_empty() { Encoding::Identity } else { Encoding::Gzip },
                    body.as_bytes(),
                );
                let answer =
                    post(&fixture.ingester, &path(signal), content_type, encoding, compressed)
                        .await;
                assert_eq!(answer.status, StatusCode::OK, "{signal} {content_type} {encoding}");
            }
            let no_body = post(&fixture.ingester, &path(signal), content_type, "gzip", "").await;
            assert_eq!(no_body.status, StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_repeated_request_is_stored_once_and_answered_alike() {
    let fixture = Fixture::new().await;
    let body = traces(vec![span(1), span(2), deep_span(65)]);
    let mut answers = Vec::new();
    for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Identity] {
        let name = if encoding == Encoding::Gzip { "gzip" } else { "" };
        let compressed = compress(encoding, &body);
        let answer = post(&fixture.ingester, "/v1/traces", PROTOBUF, name, compressed).await;
        assert_eq!(answer.status, StatusCode::OK);
        answers.push(answer.body);
    }
    assert_eq!(fixture.rows(Signal::Traces), 2);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
    let response = ExportTraceServiceResponse::decode(answers[0].clone()).expect("protobuf");
    let partial = response.partial_success.expect("one was rejected");
    assert_eq!(partial.rejected_spans, 1);
    assert!(partial.error_message.contains("nests deeper than 64"), "{}", partial.error_message);
    let counts = &fixture.ingester.stats().snapshot()[0];
    assert_eq!((counts.requests, counts.repeated, counts.items_rejected), (3, 2, 1));
}

#[tokio::test]
async fn partial_success_in_both_encodings() {
    let fixture = Fixture::new().await;
    let mut bad = span(3);
    bad.trace_id = vec![1, 2, 3];
    let answer =
        post(&fixture.ingester, "/v1/traces", PROTOBUF, "", traces(vec![span(1), bad])).await;
    let response = ExportTraceServiceResponse::decode(answer.body).expect("protobuf");
    let error_message = "spans[1]: trace_id has 3 bytes, expected 16".to_owned();
    let expected = ExportTracePartialSuccess { rejected_spans: 1, error_message };
    assert_eq!(response.partial_success, Some(expected));

    let json = r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"traceId":"0102"}]}]}]}"#;
    let answer = post(&fixture.ingester, "/v1/logs", JSON, "", json).await;
    let json: serde_json::Value = serde_json::from_slice(&answer.body).expect("JSON");
    let message = "log_records[0]: trace_id has 2 bytes, expected 16 or none";
    let expected = serde_json::json!({"rejectedLogRecords": "1", "errorMessage": message});
    assert_eq!((answer.status, &json["partialSuccess"]), (StatusCode::OK, &expected));
}

#[tokio::test]
async fn refusals_name_what_is_wrong_in_the_requests_encoding() {
    let fixture = Fixture::new().await;
    let whole = request(Signal::Traces, 1);
    let truncated = whole[..whole.len() - 3].to_vec();
    let truncated_gzip = compress(Encoding::Gzip, &whole).slice(..20);
    let bomb = |encoding| compress(encoding, &vec![0; 16 << 20]);
    let large = large_request(limits().body_bytes_max);
    let ratio = compress(Encoding::Gzip, &vec![b' '; 2 << 20]);
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let cases: Vec<(&str, &str, &str, Bytes, u16, i32, &str)> = vec![
        ("truncated", PROTOBUF, "", truncated.into(), 400, 3, "malformed protobuf"),
        ("garbage", PROTOBUF, "", b"\xff\xff\xff\xff"[..].into(), 400, 3, "malformed protobuf"),
        ("JSON as protobuf", PROTOBUF, "", request_json(Signal::Traces, 1).into(), 400, 3, ""),
        ("protobuf as JSON", JSON, "", whole.clone().into(), 400, 3, "malformed JSON at $"),
        ("half JSON", JSON, "", b"{\"resourceSpans\":["[..].into(), 400, 3, "EOF"),
        ("deep JSON", JSON, "", format!("{{\"resourceSpans\":{nested}}}").into(), 400, 3, "$"),
        ("not gzip", PROTOBUF, "gzip", whole.clone().into(), 400, 3, "malformed gzip"),
        ("half gzip", PROTOBUF, "gzip", truncated_gzip, 400, 3, "malformed gzip"),
        ("not zstd", JSON, "zstd", whole.clone().into(), 400, 3, "malformed zstd"),
        ("too large", PROTOBUF, "", large.clone().into(), 413, 8, "the limit is 3145728"),
        ("too large, gzip", PROTOBUF, "gzip", compress(Encoding::Gzip, &large), 413, 8, "limit"),
        ("gzip bomb", PROTOBUF, "gzip", bomb(Encoding::Gzip), 413, 8, "the limit is"),
        ("zstd bomb", JSON, "zstd", bomb(Encoding::Zstd), 413, 8, "200 times"),
        ("deflate bomb", JSON, "deflate", bomb(Encoding::Deflate), 413, 8, "the limit is"),
        ("ratio", JSON, "gzip", ratio, 413, 8, "200 times"),
        ("encoding", PROTOBUF, "br", whole.clone().into(), 415, 12, "'br'"),
        ("two encodings", JSON, "gzip, gzip", whole.clone().into(), 415, 12, "'gzip, gzip'"),
    ];
    for (what, content_type, encoding, body, status, code, part) in cases {
        let answer = post(&fixture.ingester, "/v1/traces", content_type, encoding, body).await;
        assert_eq!(answer.status, status, "{what}");
        let (got, message) = answer.refusal(content_type);
        assert_eq!(got, code, "{what}: {message}");
        assert!(message.contains(part), "{what}: {message}");
        assert!(!answer.headers.contains_key(RETRY_AFTER), "{what}");
    }
    assert_eq!(fixture.rows(Signal::Traces), 0);
    // The server goes on, and has given back all room.
    let answer = post(&fixture.ingester, "/v1/traces", PROTOBUF, "", whole).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
    let refused = &fixture.ingester.stats().snapshot()[0].refused;
    let refused = |kind| refused.iter().find(|(k, _)| *k == kind).map(|(_, n)| *n);
    assert_eq!(refused(ErrorKind::Malformed), Some(9));
    assert_eq!(refused(ErrorKind::TooLarge), Some(6));
}

#[tokio::test]
async fn wrong_paths_methods_and_types() {
    let fixture = Fixture::new().await;
    for content_type in ["", "text/plain", "application/x-protobuffer", "application/grpc"] {
        let answer = post(&fixture.ingester, "/v1/logs", content_type, "", "").await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
        assert!(answer.refusal(JSON).1.contains(&format!("'{content_type}'")));
    }
    for content_type in [PROTOBUF, JSON] {
        let answer = post(&fixture.ingester, "/v1/profiles", content_type, "", "").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND);
        assert!(answer.refusal(content_type).1.contains("'/v1/profiles'"));
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let request = http::Request::builder()
                .method(method)
                .uri("/v1/metrics")
                .header(CONTENT_TYPE, content_type)
                .body(Body::empty())
                .expect("valid");
            let answer = send(&fixture.ingester, request).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
            assert!(answer.headers[ALLOW].to_str().expect("text").contains("POST"));
            answer.refusal(content_type);
        }
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_is_held_to_the_limit() {
    let fixture = Fixture::new().await;
    let chunked = |chunks: Vec<Bytes>| {
        let chunks = chunks.into_iter().map(Ok::<_, std::io::Error>);
        http::Request::post("/v1/traces")
            .header(CONTENT_TYPE, PROTOBUF)
            .body(Body::from_stream(stream::iter(chunks)))
            .expect("valid")
    };
    let body = large_request(1 << 20);
    let chunks = body.chunks(10_000).map(Bytes::copy_from_slice).collect();
    assert_eq!(send(&fixture.ingester, chunked(chunks)).await.status, StatusCode::OK);
    let chunks = vec![Bytes::from(vec![0; 64 << 10]); 100];
    let answer = send(&fixture.ingester, chunked(chunks)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let broken = stream::iter([Ok(Bytes::from(body)), Err(std::io::Error::other("gone"))]);
    let request = http::Request::post("/v1/traces")
        .header(CONTENT_TYPE, PROTOBUF)
        .body(Body::from_stream(broken))
        .expect("valid");
    assert_eq!(send(&fixture.ingester, request).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

#[tokio::test]
async fn a_client_that_stalls_is_let_go() {
    let limits = IngestLimits { body_pause_ms_max: 1, ..limits() };
    let fixture = Fixture::with(limits).await;
    let stalled = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let request = http::Request::post("/v1/traces")
        .header(CONTENT_TYPE, JSON)
        .header(CONTENT_LENGTH, 1000)
        .body(stalled)
        .expect("valid");
    let answer = send(&fixture.ingester, request).await;
    assert_eq!(answer.status, StatusCode::REQUEST_TIMEOUT);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

#[tokio::test]
async fn overload_and_shutdown_ask_for_a_retry() {
    let limits = IngestLimits { waiting_requests_max: 0, ..limits() };
    let fixture = Fixture::with(limits).await;
    let all = fixture.ingester.room().take(usize::MAX).await.expect("capped");
    let body = request(Signal::Logs, 1);
    let answer = post(&fixture.ingester, "/v1/logs", PROTOBUF, "", body.clone()).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[RETRY_AFTER], "1");
    assert_eq!(answer.refusal(PROTOBUF).0, 14);
    drop(all);

    fixture.ingester.set_serving(false).await;
    let answer = post(&fixture.ingester, "/v1/logs", JSON, "", request_json(Signal::Logs, 1)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.headers[RETRY_AFTER], "5");
    assert_eq!(answer.refusal(JSON).0, 14);
    fixture.ingester.set_serving(true).await;
    let answer = post(&fixture.ingester, "/v1/logs", PROTOBUF, "", body).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn a_tenant_over_its_share_is_told_when_to_come_back() {
    let limits = IngestLimits { tenant_bytes_per_second: 10, tenant_burst_bytes: 1, ..limits() };
    let fixture = Fixture::with(limits).await;
    let ingester = &fixture.ingester;
    // Larger than the burst, and yet admitted.
    let first = post(ingester, "/v1/logs", PROTOBUF, "", request(Signal::Logs, 1)).await;
    assert_eq!(first.status, StatusCode::OK);
    for content_type in [PROTOBUF, JSON] {
        let body = match content_type {
            JSON => request_json(Signal::Logs, 2),
            _ => request(Signal::Logs, 2),
        };
        let answer = post(ingester, "/v1/logs", content_type, "", body.clone()).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{content_type}");
        let wait_s: i64 =
            answer.headers[RETRY_AFTER].to_str().expect("text").parse().expect("seconds");
        let (code, message) = answer.refusal(content_type);
        assert_eq!(code, 8);
        assert!(
            message.contains("'default'") && message.contains("10 bytes a second"),
            "{message}"
        );
        let body_text = String::from_utf8_lossy(&answer.body);
        assert!(body_text.contains("type.googleapis.com/google.rpc.RetryInfo"), "{body_text}");
        // A repeated request costs nothing, however often it comes.
        let again = post(ingester, "/v1/logs", PROTOBUF, "", request(Signal::Logs, 1)).await;
        assert_eq!(again.status, StatusCode::OK);
        fixture.clock.advance_ns((wait_s - 1) * throughline_model::time::SECOND_NS);
        let early = post(ingester, "/v1/logs", content_type, "", body.clone()).await;
        assert_eq!(early.headers[RETRY_AFTER], "1");
        fixture.clock.advance_ns(throughline_model::time::SECOND_NS);
        let in_time = post(ingester, "/v1/logs", content_type, "", body).await;
        assert_eq!(in_time.status, StatusCode::OK, "{content_type}");
    }
    let counts = ingester.stats().snapshot();
    let refused = &counts.iter().find(|c| c.signal == Signal::Logs).expect("counted").refused;
    assert!(refused.contains(&(ErrorKind::Quota, 4)), "{refused:?}");
    assert!(ingester.quota().refused_bytes() > 0);
}

#[tokio::test]
async fn browsers_may_export() {
    let preflight = || {
        http::Request::builder()
            .method(Method::OPTIONS)
            .uri("/v1/traces")
            .header("origin", "http://shop.example")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization")
            .body(Body::empty())
            .expect("valid")
    };
    let fixture = Fixture::new().await;
    let answer = send(&fixture.ingester, preflight()).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers["access-control-allow-origin"], "*");
    assert_eq!(answer.headers["access-control-allow-methods"], "POST");
    assert_eq!(answer.headers["access-control-allow-headers"], "content-type,authorization");
    assert!(!answer.headers.contains_key("access-control-allow-credentials"));

    let limits = IngestLimits { cors_origins: vec!["http://other.example".into()], ..limits() };
    let fixture = Fixture::with(limits).await;
    let answer = send(&fixture.ingester, preflight()).await;
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
