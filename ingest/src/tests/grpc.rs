//! OTLP over gRPC: frame by frame through the router, and with tonic's clients over a real socket.

use std::net::SocketAddr;

use axum::body::Body;
use base64::Engine;
use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use throughline_model::Signal;
use throughline_storage::Encoding;
use tonic::codec::CompressionEncoding;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tower::ServiceExt;

use super::fixture::{Fixture, compress, deep_span, large_request, limits, request, span, traces};
use crate::{IngestLimits, Ingester, grpc_routes};

const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// `google.rpc.Status` with its details.
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, optional, tag = "2")]
    retry_info: Option<RetryInfo>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Duration>,
}

#[derive(Clone, PartialEq, Message)]
struct Duration {
    #[prost(int64, tag = "1")]
    seconds: i64,
}

fn frame(flag: u8, message: &[u8]) -> Bytes {
    let mut framed = BytesMut::new();
    framed.put_u8(flag);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(message);
    framed.freeze()
}

struct Answer {
    headers: HeaderMap,
    message: Bytes,
    trailers: Option<HeaderMap>,
}

impl Answer {
    fn code(&self) -> i32 {
        let status = self.trailers.as_ref().unwrap_or(&self.headers).get("grpc-status");
        status.and_then(|code| code.to_str().ok()?.parse().ok()).expect("a status")
    }

    /// The details of a refusal, which must agree with its headers.
    fn details(&self) -> Status {
        let bytes = self.headers["grpc-status-details-bin"].as_bytes();
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(bytes).expect("base64");
        let status = Status::decode(bytes.as_slice()).expect("protobuf");
        assert_eq!(status.code, self.code());
        status
    }
}

async fn send(ingester: &Ingester, path: &str, encoding: &str, body: impl Into<Body>) -> Answer {
    let mut request = http::Request::post(path).header("content-type", "application/grpc+proto");
    if !encoding.is_empty() {
        request = request.header("grpc-encoding", encoding);
    }
    let request = request.body(body.into()).expect("valid");
    let response = grpc_routes(ingester.clone()).oneshot(request).await.expect("infallible");
    let (head, body) = response.into_parts();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.headers["content-type"], "application/grpc");
    let body = body.collect().await.expect("in memory");
    let trailers = body.trailers().cloned();
    Answer { headers: head.headers, message: body.to_bytes(), trailers }
}

#[tokio::test]
async fn messages_of_every_encoding_are_taken() {
    let fixture = Fixture::new().await;
    let encodings =
        [("gzip", Encoding::Gzip), ("zstd", Encoding::Zstd), ("deflate", Encoding::Deflate)];
    for (name, encoding) in encodings {
        let seed = 10 * encoding as u8;
        let compressed = compress(encoding, &request(Signal::Traces, seed));
        let answer = send(&fixture.ingester, TRACES, name, frame(1, &compressed)).await;
        assert_eq!((answer.code(), answer.message), (0, frame(0, b"")), "{name}");
        // A declared compression need not be used.
        let plain = frame(0, &request(Signal::Traces, seed + 2));
        assert_eq!(send(&fixture.ingester, TRACES, name, plain).await.code(), 0);
    }
    let empty = send(&fixture.ingester, TRACES, "", frame(0, b"")).await;
    assert_eq!(empty.code(), 0);
    assert_eq!(fixture.rows(Signal::Traces), 12);
    // In pieces, as the network may cut it.
    let framed = frame(0, &request(Signal::Traces, 77));
    let pieces: Vec<_> =
        framed.chunks(3).map(|c| Ok::<_, std::io::Error>(Bytes::copy_from_slice(c))).collect();
    let body = Body::from_stream(futures::stream::iter(pieces));
    assert_eq!(send(&fixture.ingester, TRACES, "", body).await.code(), 0);
    assert_eq!(fixture.rows(Signal::Traces), 14);
}

#[tokio::test]
async fn refusals_use_the_protocols_codes() {
    let fixture = Fixture::new().await;
    let whole = request(Signal::Traces, 1);
    let large = large_request(limits().body_bytes_max);
    let two = [frame(0, &whole), frame(0, &whole)].concat();
    let cases: Vec<(&str, &str, Bytes, i32, &str)> = vec![
        ("malformed", "", frame(0, b"\xff\xff"), 3, "malformed protobuf"),
        ("truncated message", "", frame(0, &whole[..whole.len() - 2]), 3, "malformed protobuf"),
        ("truncated frame", "", frame(0, &whole).slice(..20), 3, "was announced"),
        ("truncated prefix", "", frame(0, &whole).slice(..3), 3, "ends before"),
        ("no message", "", Bytes::new(), 3, "ends before"),
        ("two messages", "", two.into(), 3, "more than one"),
        ("flag 2", "", frame(2, &whole), 3, "flag 2"),
        ("flag without encoding", "", frame(1, &whole), 3, "grpc-encoding"),
        ("not gzip", "gzip", frame(1, &whole), 3, "malformed gzip"),
        ("too large", "", frame(0, &large), 8, "the limit is 3145728"),
        ("too large, zstd", "zstd", frame(1, &compress(Encoding::Zstd, &large)), 8, "limit"),
        (
            "bomb",
            "gzip",
            frame(1, &compress(Encoding::Gzip, &vec![0; 16 << 20])),
            8,
            "the limit is",
        ),
        ("announced only", "", Bytes::from_static(&[0, 255, 255, 255, 255]), 8, "limit"),
        ("snappy", "snappy", frame(1, &whole), 12, "'snappy'"),
    ];
    for (what, encoding, body, code, part) in cases {
        let answer = send(&fixture.ingester, TRACES, encoding, body).await;
        assert_eq!(answer.code(), code, "{what}");
        let message = answer.headers["grpc-message"].to_str().expect("ASCII");
        assert!(message.contains(part), "{what}: {message}");
        assert!(answer.details().details.is_empty(), "{what}: no RetryInfo");
        assert_eq!(answer.headers["grpc-accept-encoding"], "identity,gzip,zstd,deflate");
    }
    let unknown = TRACES.replace("Export", "Import");
    assert_eq!(send(&fixture.ingester, &unknown, "", frame(0, b"")).await.code(), 12);
    assert_eq!(fixture.rows(Signal::Traces), 0);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

#[tokio::test]
async fn other_protocols_on_the_port_are_told_so() {
    let fixture = Fixture::new().await;
    for content_type in ["application/json", "application/grpc-web", "application/grpc+json", ""] {
        let request = http::Request::post(TRACES)
            .header("content-type", content_type)
            .body(Body::empty())
            .expect("valid");
        let routes = grpc_routes(fixture.ingester.clone());
        let response = routes.oneshot(request).await.expect("infallible");
        assert_eq!(response.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{content_type}");
    }
}

#[tokio::test]
async fn overload_carries_retry_info() {
    let fixture = Fixture::with(IngestLimits { waiting_requests_max: 0, ..limits() }).await;
    let all = fixture.ingester.room().take(usize::MAX).await.expect("capped");
    let body = frame(0, &request(Signal::Traces, 1));
    let answer = send(&fixture.ingester, TRACES, "", body.clone()).await;
    let details = answer.details();
    assert_eq!(details.code, 14);
    assert_eq!(details.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let retry_info = details.details[0].retry_info.clone().expect("there");
    assert_eq!(retry_info.retry_delay.expect("there").seconds, 1);
    drop(all);
    assert_eq!(send(&fixture.ingester, TRACES, "", body).await.code(), 0);
}

#[tokio::test]
async fn a_tenant_over_its_share_is_told_when_to_come_back() {
    let limits = IngestLimits { tenant_bytes_per_second: 10, tenant_burst_bytes: 1, ..limits() };
    let fixture = Fixture::with(limits).await;
    let first = frame(0, &request(Signal::Traces, 1));
    let second = frame(0, &request(Signal::Traces, 3));
    assert_eq!(send(&fixture.ingester, TRACES, "", first.clone()).await.code(), 0);
    let details = send(&fixture.ingester, TRACES, "", second.clone()).await.details();
    assert_eq!(details.code, 8);
    assert!(details.message.contains("'default'") && details.message.contains("10 bytes a second"));
    let retry_info = details.details[0].retry_info.clone().expect("there");
    let wait_s = retry_info.retry_delay.expect("there").seconds;
    assert!(wait_s > 1);
    // The first again costs nothing, and is answered.
    assert_eq!(send(&fixture.ingester, TRACES, "", first).await.code(), 0);
    fixture.clock.advance_ns(wait_s * throughline_model::time::SECOND_NS);
    assert_eq!(send(&fixture.ingester, TRACES, "", second).await.code(), 0);
    assert_eq!(fixture.rows(Signal::Traces), 4);
}

#[tokio::test]
async fn the_senders_own_timeout_holds() {
    let fixture = Fixture::new().await;
    let post = |timeout: &'static str, body: Body| {
        let request = http::Request::post(TRACES)
            .header("content-type", "application/grpc")
            .header("grpc-timeout", timeout);
        let routes = grpc_routes(fixture.ingester.clone());
        async move {
            let response = routes.oneshot(request.body(body).expect("valid")).await;
            let response = response.expect("infallible");
            let (head, body) = response.into_parts();
            let body = body.collect().await.expect("in memory");
            let trailers = body.trailers().cloned();
            Answer { headers: head.headers, message: body.to_bytes(), trailers }
        }
    };
    let whole = frame(0, &request(Signal::Traces, 1));
    for timeout in ["10S", "99999999H", "1M", "10000m"] {
        assert_eq!(post(timeout, whole.clone().into()).await.code(), 0, "{timeout}");
    }
    // A body that never ends.
    let begun = futures::stream::iter([Ok::<_, std::io::Error>(whole.slice(..20))]);
    let endless = futures::StreamExt::chain(begun, futures::stream::pending());
    let late = post("5000u", Body::from_stream(endless)).await;
    assert_eq!(late.details().code, 4);
    assert!(late.details().message.contains("5 ms"), "{}", late.details().message);
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
    for wrong in ["", "S", "10", "10 S", "123456789S", "-1S", "10s"] {
        let details = post(wrong, whole.clone().into()).await.details();
        assert_eq!(details.code, 3, "{wrong}");
        assert!(details.message.contains("grpc-timeout"), "{}", details.message);
    }
}

async fn listen(ingester: Ingester) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(axum::serve(listener, grpc_routes(ingester)).into_future());
    address
}

#[tokio::test]
async fn tonic_clients_export_over_a_socket() {
    let fixture = Fixture::new().await;
    let address = format!("http://{}", listen(fixture.ingester.clone()).await);
    let channel = tonic::transport::Channel::from_shared(address)
        .expect("valid")
        .connect()
        .await
        .expect("listens");
    let decoded = |wire: Vec<u8>| ExportTraceServiceRequest::decode(wire.as_slice()).expect("own");
    for (n, encoding) in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)]
        .into_iter()
        .enumerate()
    {
        let mut client = TraceServiceClient::new(channel.clone());
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding).accept_compressed(encoding);
        }
        let request = decoded(traces(vec![span(10 + n as u8), deep_span(40), Default::default()]));
        let response = client.export(request).await.expect("taken").into_inner();
        let partial = response.partial_success.expect("one was rejected");
        assert_eq!(partial.rejected_spans, 1);
        assert!(partial.error_message.starts_with("spans[2]: trace_id has 0 bytes"));
    }
    let logs = ExportLogsServiceRequest::decode(request(Signal::Logs, 1).as_slice()).expect("own");
    LogsServiceClient::new(channel.clone()).export(logs).await.expect("taken");
    let metrics =
        ExportMetricsServiceRequest::decode(request(Signal::Metrics, 1).as_slice()).expect("own");
    MetricsServiceClient::new(channel.clone()).export(metrics).await.expect("taken");
    assert_eq!(Signal::ALL.map(|signal| fixture.rows(signal)), [6, 2, 2]);

    let mut client = TraceServiceClient::new(channel.clone());
    let large = decoded(large_request(limits().body_bytes_max));
    let refused = client.export(large).await.expect_err("too large");
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused}");

    let mut health = HealthClient::new(channel.clone());
    let service = "opentelemetry.proto.collector.logs.v1.LogsService";
    for (serving, expected) in [(true, 1), (false, 2)] {
        fixture.ingester.set_serving(serving).await;
        for service in ["", service] {
            let request = HealthCheckRequest { service: service.into() };
            let response = health.check(request).await.expect("known").into_inner();
            assert_eq!(response.status, expected, "{service}");
        }
    }
    let refused = client.export(decoded(traces(vec![span(5)]))).await.expect_err("closing");
    assert_eq!(refused.code(), tonic::Code::Unavailable);
}
