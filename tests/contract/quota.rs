//! A tenant that sends more than its share is refused over both transports, and told when to come back.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message;
use serde_json::Value;

use crate::harness::{Server, otlp};

/// Slow enough that nothing comes in while the test runs.
const SHARE: [(&str, &str); 2] = [
    ("THROUGHLINE_INGEST_TENANT_BYTES_PER_SECOND", "1"),
    ("THROUGHLINE_INGEST_TENANT_BURST_BYTES", "256"),
];
const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];

/// `google.rpc.Status`, as far as it is looked at.
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
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

fn is_quota_with_retry(status: &[u8]) {
    let status = Status::decode(status).expect("google.rpc.Status");
    assert_eq!(status.code, 8);
    for part in ["'default'", "1 bytes a second", "come back in"] {
        assert!(status.message.contains(part), "{}", status.message);
    }
    assert_eq!(status.details[0].type_url, "type.googleapis.com/google.rpc.RetryInfo");
    assert!(!status.details[0].value.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_over_its_share_is_refused_until_it_is_paid() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start_with(folder.path(), &SHARE).await;
    // Each body is larger than the burst.
    server.client.send("/v1/traces", otlp::spans(1)).await;
    let spent = server.client.post("/v1/traces", &PROTOBUF, otlp::spans(2)).await;
    let spent = spent.expect("an answer");
    assert_eq!(spent.status().as_u16(), 429);
    let retry_after = spent.headers()["retry-after"].to_str().expect("text").to_owned();
    assert!(retry_after.parse::<u64>().expect("seconds") > 1, "{retry_after}");
    is_quota_with_retry(&spent.bytes().await.expect("a body"));

    let json = serde_json::to_vec(
        &ExportTraceServiceRequest::decode(&otlp::spans(3)[..]).expect("its own encoding"),
    );
    let headers = [("content-type", "application/json")];
    let answer = server.client.post("/v1/traces", &headers, json.expect("serialises")).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status().as_u16(), 429);
    let status: Value = answer.json().await.expect("JSON");
    assert_eq!(
        (&status["code"], status["details"].is_array()),
        (&Value::from(8), true),
        "{status}"
    );

    let address = format!("http://{}", server.otlp_grpc);
    let mut grpc = TraceServiceClient::connect(address).await.expect("the server listens");
    let request = |body| ExportTraceServiceRequest::decode(&otlp::spans(body)[..]).expect("valid");
    let refused = grpc.export(request(4)).await.expect_err("over its share");
    assert_eq!(refused.code(), tonic::Code::ResourceExhausted, "{refused:?}");
    is_quota_with_retry(refused.details());

    // What was acknowledged is acknowledged again, on either port, and stored once.
    server.client.send("/v1/traces", otlp::spans(1)).await;
    grpc.export(request(1)).await.expect("a repeated request costs nothing");
    assert_eq!(server.client.count("SELECT count(*) FROM spans").await, otlp::ITEMS);

    let page = server.client.get("/metrics").await.expect("an answer").text().await.expect("text");
    let line = "throughline_ingest_refused_total{signal=\"traces\",kind=\"quota\"} 3";
    assert!(page.lines().any(|found| found == line), "{page}");
    assert!(page.contains("throughline_ingest_quota_refused_bytes_total"), "{page}");
}
