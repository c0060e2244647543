//! What senders over HTTP and gRPC are answered.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use prost::Message;
use throughline_model::Signal;
use throughline_storage::Encoding;
use tower::ServiceExt;

use super::wire::{jaeger, v1, zipkin};
use crate::tests::fixture::{Fixture, NOW_NS, compress, limits};
use crate::thrift::Protocol;
use crate::{
    IngestLimits, Ingester, Strategies, grpc_routes, jaeger_routes, jaeger_sampling_grpc_routes,
    jaeger_sampling_routes, own_port, zipkin_routes,
};

const V2: &str = "/api/v2/spans";
const V1: &str = "/api/v1/spans";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const THRIFT: &str = "application/x-thrift";

fn zipkin_span(id: u8) -> zipkin::Span {
    let timestamp = NOW_NS as u64 / 1000;
    zipkin::Span { trace_id: vec![1; 16], id: vec![id; 8], timestamp, ..Default::default() }
}

fn zipkin_json(id: u8) -> Vec<u8> {
    zipkin::json_list(&[zipkin_span(id)])
}

fn zipkin_protobuf(id: u8) -> Vec<u8> {
    zipkin::ListOfSpans { spans: vec![zipkin_span(id)] }.encode_to_vec()
}

fn old_span(id: u8) -> v1::Span {
    v1::Span {
        trace_id: 1,
        trace_id_high: 0,
        name: "old".to_owned(),
        id: id.into(),
        parent_id: None,
        annotations: Vec::new(),
        tags: Vec::new(),
        address: None,
        debug: false,
        timestamp: Some(NOW_NS as u64 / 1000),
        duration: None,
    }
}

fn batch(id: u8) -> jaeger::Batch {
    let span = jaeger::Span { trace_id: vec![2; 16], span_id: vec![id; 8], ..Default::default() };
    let process = jaeger::Process { service_name: "old".to_owned(), ..Default::default() };
    jaeger::Batch { spans: vec![span], process: Some(process) }
}

fn routes(ingester: &Ingester) -> Router {
    own_port(
        zipkin_routes(ingester.clone(), &["", "/zipkin"])
            .merge(jaeger_routes(ingester.clone(), &[""])),
    )
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

async fn send(router: Router, request: http::Request<Body>) -> Answer {
    let (head, body) = router.oneshot(request).await.expect("infallible").into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    let text = String::from_utf8(body.to_vec()).expect("text");
    Answer { status: head.status, headers: head.headers, text }
}

async fn post(
    ingester: &Ingester,
    path: &str,
    content_type: &str,
    encoding: &str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut request = http::Request::post(path);
    for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    send(routes(ingester), request.body(Body::from(body.into())).expect("valid")).await
}

#[tokio::test]
async fn every_format_and_encoding_is_taken() {
    let fixture = Fixture::new().await;
    let old = |id, protocol| v1::thrift_list(&[old_span(id)]).encode(protocol);
    let traces = |id, protocol| jaeger::thrift_batch(&batch(id)).encode(protocol);
    let (binary, compact) = (Protocol::Binary, Protocol::Compact);
    let cases: Vec<(&str, &str, Vec<u8>)> = vec![
        (V2, JSON, zipkin_json(1)),
        (V2, "", zipkin_json(2)),
        (V2, "Application/JSON; charset=utf-8", zipkin_json(3)),
        ("/zipkin/api/v2/spans", JSON, zipkin_json(4)),
        (V2, PROTOBUF, zipkin_protobuf(5)),
        (V1, JSON, v1::json_list(&[old_span(6)])),
        (V1, THRIFT, old(7, binary)),
        ("/zipkin/api/v1/spans", THRIFT, old(8, binary)),
        ("/api/traces", THRIFT, traces(9, binary)),
        ("/api/traces", "application/vnd.apache.thrift.binary", traces(10, binary)),
        ("/api/traces", "application/vnd.apache.thrift.compact", traces(11, compact)),
    ];
    for (path, content_type, body) in &cases {
        let answer = post(&fixture.ingester, path, content_type, "", body.clone()).await;
        let got = (answer.status, answer.text.as_str());
        assert_eq!(got, (StatusCode::ACCEPTED, ""), "{path} {content_type}");
        // The same again, compressed, is the same request.
        let gzip = compress(Encoding::Gzip, body);
        let answer = post(&fixture.ingester, path, content_type, "gzip", gzip).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{path} {content_type}: {}", answer.text);
    }
    assert_eq!(fixture.rows(Signal::Traces), cases.len());
    // Senders try the address with an empty list.
    let answer = post(&fixture.ingester, V2, JSON, "", "[]").await;
    assert_eq!((answer.status, answer.text.as_str()), (StatusCode::ACCEPTED, ""));
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

#[tokio::test]
async fn refusals_say_what_is_wrong() {
    let fixture = Fixture::new().await;
    let bad = r#"[{"traceId": "xyz", "id": "1"}]"#;
    let large = vec![b' '; limits().body_bytes_max + 1];
    let bomb = compress(Encoding::Gzip, &vec![b' '; 2 << 20]);
    let truncated = jaeger::thrift_batch(&batch(1)).encode(Protocol::Binary);
    let truncated = truncated[..truncated.len() - 3].to_vec();
    let cases: Vec<(&str, &str, &str, Bytes, u16, &str)> = vec![
        (V2, JSON, "", Bytes::from_static(b"[{"), 400, "malformed JSON"),
        (V2, JSON, "", Bytes::from_static(b"\xff"), 400, "malformed JSON"),
        (V2, JSON, "", bad.into(), 400, "spans[0]: traceId: trace id 'xyz' has a character"),
        (V2, PROTOBUF, "", Bytes::from_static(b"\xff\xff"), 400, "malformed protobuf"),
        (V2, THRIFT, "", bad.into(), 415, "'application/x-thrift' is not supported"),
        (V1, PROTOBUF, "", bad.into(), 415, "application/json or application/x-thrift"),
        (V1, THRIFT, "", Bytes::from_static(b"\x0c\0\0\0\x01"), 400, "1 elements, 0 bytes"),
        (V1, THRIFT, "", Bytes::from_static(b"\x0c\0\0\0\x01\x0f"), 400, "malformed thrift"),
        ("/api/traces", "", "", bad.into(), 415, "content-type '' is not supported"),
        ("/api/traces", THRIFT, "", truncated.into(), 400, "malformed thrift"),
        ("/api/traces", THRIFT, "", Bytes::from_static(b"\0"), 400, "the batch has no process"),
        (V2, JSON, "", large.into(), 413, "the limit is 3145728"),
        (V2, JSON, "gzip", bomb, 413, "200 times"),
        (V2, JSON, "br", bad.into(), 415, "content-encoding 'br' is not supported"),
        (V2, JSON, "gzip", bad.into(), 400, "malformed gzip body"),
        ("/api/v3/spans", JSON, "", bad.into(), 404, "nothing at POST '/api/v3/spans'"),
    ];
    for (path, content_type, encoding, body, status, part) in cases {
        let answer = post(&fixture.ingester, path, content_type, encoding, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path} {part}: {}", answer.text);
        assert!(answer.text.contains(part), "{part}: {}", answer.text);
        assert!(!answer.headers.contains_key(RETRY_AFTER));
    }
    assert_eq!(fixture.rows(Signal::Traces), 0);
}

#[tokio::test]
async fn bad_spans_are_told_and_the_others_kept() {
    let fixture = Fixture::new().await;
    let mixed = r#"[{"traceId": "1", "id": "2"}, {"traceId": "1", "id": "zz"}]"#;
    for _ in 0..2 {
        let answer = post(&fixture.ingester, V2, JSON, "", mixed).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
        let told = "1 spans refused: spans[1]: id: span id 'zz' has a character";
        assert!(answer.text.starts_with(told), "{}", answer.text);
    }
    assert_eq!(fixture.rows(Signal::Traces), 1);
}

#[tokio::test]
async fn a_passing_refusal_says_when_to_come_back() {
    let small = IngestLimits { tenant_bytes_per_second: 1, tenant_burst_bytes: 1, ..limits() };
    let fixture = Fixture::with(small).await;
    let first = post(&fixture.ingester, V2, JSON, "", zipkin_json(1)).await;
    assert_eq!(first.status, StatusCode::ACCEPTED, "{}", first.text);
    let second = post(&fixture.ingester, V2, JSON, "", zipkin_json(2)).await;
    assert_eq!(second.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(second.text.contains("come back in"), "{}", second.text);
    let wait_s = second.headers[RETRY_AFTER].to_str().expect("text").parse::<u64>();
    assert!(wait_s.expect("seconds") > 1);
    fixture.ingester.set_serving(false).await;
    let third = post(&fixture.ingester, V2, JSON, "", zipkin_json(1)).await;
    assert_eq!(third.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(third.headers[RETRY_AFTER], "5");
}

async fn call(router: Router, path: &str, message: &[u8]) -> (i32, Bytes) {
    let framed = [&[0][..], &(message.len() as u32).to_be_bytes(), message].concat();
    let request = http::Request::post(path).header(CONTENT_TYPE, "application/grpc");
    let request = request.body(Body::from(framed)).expect("valid");
    let response = router.oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("in memory");
    let code = |headers: &HeaderMap| headers.get("grpc-status")?.to_str().ok()?.parse().ok();
    let code = body.trailers().and_then(code).or_else(|| code(&head.headers));
    let bytes = body.to_bytes();
    (code.expect("a status"), bytes.slice(bytes.len().min(5)..))
}

#[tokio::test]
async fn grpc_takes_batches_and_answers_for_sampling() {
    let fixture = Fixture::new().await;
    let strategies = Arc::new(Strategies::of_probability(0.5));
    let sampling = jaeger_sampling_grpc_routes(fixture.ingester.clone(), strategies.clone());
    let router = grpc_routes(fixture.ingester.clone()).merge(sampling);
    let posted = jaeger::PostSpansRequest { batch: Some(batch(1)) }.encode_to_vec();
    let unnamed = jaeger::PostSpansRequest {
        batch: Some(jaeger::Batch { spans: vec![jaeger::Span::default()], process: None }),
    };
    let post_spans = "/jaeger.api_v2.CollectorService/PostSpans";
    let strategy = "/jaeger.api_v2.SamplingManager/GetSamplingStrategy";
    let cases: Vec<(&str, Vec<u8>, i32, Vec<u8>)> = vec![
        (post_spans, posted, 0, Vec::new()),
        (post_spans, b"\xff".to_vec(), 3, Vec::new()),
        (post_spans, unnamed.encode_to_vec(), 3, Vec::new()),
        ("/zipkin.proto3.SpanService/Report", zipkin_protobuf(7), 0, Vec::new()),
        (strategy, b"\x0a\x04cart".to_vec(), 0, strategies.protobuf("cart")),
        (strategy, b"\x0a\x04car".to_vec(), 3, Vec::new()),
        (strategy, vec![0; 20 << 10], 8, Vec::new()),
        ("/jaeger.api_v2.QueryService/GetTrace", Vec::new(), 12, Vec::new()),
    ];
    for (path, message, code, answer) in cases {
        assert_eq!(call(router.clone(), path, &message).await, (code, answer.into()), "{path}");
    }
    assert_eq!(fixture.rows(Signal::Traces), 2);
}

#[tokio::test]
async fn sampling_wants_one_service() {
    let strategies = Arc::new(Strategies::of_probability(0.5));
    let router = jaeger_sampling_routes(strategies, &["/sampling"]);
    for (query, status, part) in [
        ("?service=cart", 200, r#""samplingRate":0.5"#),
        ("?service=a%20b&x=1", 200, r#""strategyType":"PROBABILISTIC""#),
        ("", 400, "there 0 times"),
        ("?service=a&service=b", 400, "there 2 times"),
    ] {
        let request = http::Request::get(format!("/sampling{query}")).body(Body::empty());
        let answer = send(router.clone(), request.expect("valid")).await;
        assert_eq!(answer.status.as_u16(), status, "{query}");
        assert!(answer.text.contains(part), "{query}: {}", answer.text);
    }
}
