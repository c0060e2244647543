//! Tempo's gRPC service on the port of the API, called as Grafana calls it: by its path on the same
//! host and port, with messages of our own that know nothing of the server's.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::harness::{Server, otlp};

#[derive(Clone, PartialEq, Message)]
struct SearchRequest {
    #[prost(map = "string, string", tag = "1")]
    tags: HashMap<String, String>,
    #[prost(uint32, tag = "4")]
    limit: u32,
    #[prost(uint32, tag = "5")]
    start: u32,
    #[prost(uint32, tag = "6")]
    end: u32,
    #[prost(string, tag = "8")]
    query: String,
    #[prost(uint32, tag = "9")]
    spans_per_span_set: u32,
}

#[derive(Clone, PartialEq, Message)]
struct SearchResponse {
    #[prost(message, repeated, tag = "1")]
    traces: Vec<Trace>,
    #[prost(message, optional, tag = "2")]
    metrics: Option<Metrics>,
}

#[derive(Clone, PartialEq, Message)]
struct Trace {
    #[prost(string, tag = "1")]
    id: String,
    #[prost(string, tag = "2")]
    root_service: String,
    #[prost(uint64, tag = "4")]
    start: u64,
    #[prost(message, repeated, tag = "7")]
    span_sets: Vec<SpanSet>,
}

#[derive(Clone, PartialEq, Message)]
struct SpanSet {
    #[prost(uint32, tag = "2")]
    matched: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Metrics {
    #[prost(uint32, tag = "4")]
    completed_jobs: u32,
    #[prost(uint32, tag = "5")]
    total_jobs: u32,
}

#[derive(Clone, PartialEq, Message)]
struct TagsRequest {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    query: String,
}

/// Names of tags, or values without types.
#[derive(Clone, PartialEq, Message)]
struct Texts {
    #[prost(string, repeated, tag = "1")]
    texts: Vec<String>,
}

/// Scopes with their names, or values after their types.
#[derive(Clone, PartialEq, Message)]
struct Pairs {
    #[prost(message, repeated, tag = "1")]
    pairs: Vec<Pair>,
}

#[derive(Clone, PartialEq, Message)]
struct Pair {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, repeated, tag = "2")]
    texts: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct MetricsRequest {
    #[prost(string, tag = "1")]
    query: String,
    #[prost(uint64, tag = "2")]
    start: u64,
    #[prost(uint64, tag = "3")]
    end: u64,
    #[prost(uint64, tag = "4")]
    step: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RangeResponse {
    #[prost(message, repeated, tag = "1")]
    series: Vec<Series>,
    #[prost(int32, tag = "3")]
    status: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Series {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<KeyValue>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    timestamp_ms: i64,
}

#[derive(Clone, PartialEq, Message)]
struct InstantResponse {
    #[prost(message, repeated, tag = "1")]
    series: Vec<InstantSeries>,
}

#[derive(Clone, PartialEq, Message)]
struct InstantSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<KeyValue>,
    #[prost(double, tag = "2")]
    value: f64,
}

/// A client on the port of the API.
struct Querier {
    channel: Channel,
    token: Option<&'static str>,
}

impl Querier {
    async fn connect(server: &Server, token: Option<&'static str>) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{}", server.client.api));
        let channel = endpoint.expect("an address").connect().await.expect("connects");
        Self { channel, token }
    }

    /// All messages of a call.
    async fn call<M, N>(&self, method: &'static str, message: M) -> Result<Vec<N>, Status>
    where
        M: Message + Default + 'static,
        N: Message + Default + 'static,
    {
        let mut client = Grpc::new(self.channel.clone());
        client.ready().await.expect("connected");
        let mut request = Request::new(message);
        if let Some(token) = self.token {
            let value = MetadataValue::try_from(format!("Bearer {token}")).expect("text");
            request.metadata_mut().insert("authorization", value);
        }
        let path = PathAndQuery::from_static(method);
        let codec = ProstCodec::<M, N>::default();
        let mut stream = client.server_streaming(request, path, codec).await?.into_inner();
        let mut messages = Vec::new();
        while let Some(message) = stream.message().await? {
            messages.push(message);
        }
        Ok(messages)
    }
}

const SEARCH: &str = "/tempopb.StreamingQuerier/Search";
/// Traces that the tests send.
const TRACES: u64 = 45;

async fn filled() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    for body in 0..TRACES {
        server.client.send("/v1/traces", otlp::spans(body)).await;
    }
    (folder, server)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_streams_what_it_finds_newest_first() {
    let (_folder, server) = filled().await;
    let querier = Querier::connect(&server, None).await;
    let request = SearchRequest { query: "{}".to_owned(), limit: 40, ..SearchRequest::default() };
    let messages: Vec<SearchResponse> = querier.call(SEARCH, request).await.expect("answers");
    assert!(messages.len() > 1, "it grows");
    let traces: Vec<&Trace> = messages.iter().flat_map(|message| &message.traces).collect();
    assert_eq!(traces.len(), 40);
    let mut ids: Vec<&str> = traces.iter().map(|trace| trace.id.as_str()).collect();
    assert!(traces.is_sorted_by(|a, b| a.start >= b.start), "newest first");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 40, "each once");
    assert!(traces.iter().all(|trace| trace.root_service.starts_with("service-")));
    assert!(traces.iter().all(|trace| trace.span_sets[0].matched == otlp::ITEMS as u32));
    let last = messages.last().and_then(|message| message.metrics.clone()).expect("metrics");
    assert_eq!(last.completed_jobs, last.total_jobs);
    let first = messages[0].metrics.clone().expect("metrics");
    assert!(first.completed_jobs < first.total_jobs);

    // As Grafana's health check does.
    let request = SearchRequest { query: "{}".to_owned(), limit: 1, ..SearchRequest::default() };
    let messages: Vec<SearchResponse> = querier.call(SEARCH, request).await.expect("answers");
    assert_eq!(messages.len(), 1);
    let tags = HashMap::from([("body".to_owned(), "7".to_owned())]);
    let request = SearchRequest { tags, ..SearchRequest::default() };
    let found: Vec<SearchResponse> = querier.call(SEARCH, request).await.expect("answers");
    // 7, 17, 27 and 37: a tag is a part of the text.
    assert_eq!(found.iter().map(|message| message.traces.len()).sum::<usize>(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn errors_are_those_of_grpc() {
    let (_folder, server) = filled().await;
    let querier = Querier::connect(&server, None).await;
    let request = SearchRequest { query: "{ .a = }".to_owned(), ..SearchRequest::default() };
    let refused = querier.call::<_, SearchResponse>(SEARCH, request).await.expect_err("no query");
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert!(refused.message().contains("line 1, col "), "{}", refused.message());
    let unknown = "/tempopb.StreamingQuerier/Nothing";
    let request = SearchRequest::default();
    let refused = querier.call::<_, SearchResponse>(unknown, request).await.expect_err("no method");
    assert_eq!(refused.code(), Code::Unimplemented);
    let answer = server.client.post(SEARCH, &[], Vec::new()).await;
    assert!(answer.is_ok_and(|answer| !answer.status().is_success()), "not on the receivers' port");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_values_and_numbers() {
    let (_folder, server) = filled().await;
    let querier = Querier::connect(&server, None).await;
    let ask = |name: &str| TagsRequest { name: name.to_owned(), query: String::new() };
    let path = "/tempopb.StreamingQuerier/SearchTags";
    let tags: Vec<Texts> = querier.call(path, ask("span")).await.expect("answers");
    assert_eq!(tags[0].texts, ["body", "item"]);
    let path = "/tempopb.StreamingQuerier/SearchTagsV2";
    let scopes: Vec<Pairs> = querier.call(path, ask("")).await.expect("answers");
    let names: Vec<&str> = scopes[0].pairs.iter().map(|pair| pair.name.as_str()).collect();
    assert_eq!(names, ["span", "resource", "intrinsic"]);
    let path = "/tempopb.StreamingQuerier/SearchTagValues";
    let values: Vec<Texts> = querier.call(path, ask("service.name")).await.expect("answers");
    assert_eq!(values[0].texts.len(), 5);
    let path = "/tempopb.StreamingQuerier/SearchTagValuesV2";
    let mut asked = ask("span.item");
    asked.query = "{ name = \"operation 2\" && .x = }".to_owned();
    let values: Vec<Pairs> = querier.call(path, asked).await.expect("answers");
    let mut found: Vec<&str> =
        values[0].pairs.iter().flat_map(|pair| &pair.texts).map(String::as_str).collect();
    found.sort_unstable();
    assert_eq!(found, ["2", "5", "8"]);
    assert!(values[0].pairs.iter().all(|pair| pair.name == "int"));

    let range = MetricsRequest {
        query: "{} | count_over_time() by(resource.service.name)".to_owned(),
        start: otlp::T0,
        end: otlp::T0 + 9_000_000_000_000,
        step: 0,
    };
    let path = "/tempopb.StreamingQuerier/MetricsQueryRange";
    let answers: Vec<RangeResponse> = querier.call(path, range.clone()).await.expect("answers");
    let series: Vec<&Series> = answers.iter().flat_map(|answer| &answer.series).collect();
    assert_eq!(series.len(), 5);
    assert!(series.iter().all(|series| series.labels[0].key == "resource.service.name"));
    let total: f64 = series.iter().flat_map(|series| &series.samples).map(|s| s.value).sum();
    assert_eq!(total, (TRACES * otlp::ITEMS) as f64);
    let path = "/tempopb.StreamingQuerier/MetricsQueryInstant";
    let answers: Vec<InstantResponse> = querier.call(path, range).await.expect("answers");
    let total: f64 = answers[0].series.iter().map(|series| series.value).sum();
    assert_eq!(total, (TRACES * otlp::ITEMS) as f64);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_opens_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("THROUGHLINE_AUTH_TOKENS", "first")];
    let server = Server::spawn(folder.path(), &settings);
    server.ready().await;
    let request = || SearchRequest { query: "{}".to_owned(), ..SearchRequest::default() };
    let stranger = Querier::connect(&server, None).await;
    let refused =
        stranger.call::<_, SearchResponse>(SEARCH, request()).await.expect_err("no token");
    assert_eq!(refused.code(), Code::Unauthenticated);
    let known = Querier::connect(&server, Some("first")).await;
    let messages: Vec<SearchResponse> = known.call(SEARCH, request()).await.expect("answers");
    assert_eq!(messages.iter().map(|message| message.traces.len()).sum::<usize>(), 0);
}
