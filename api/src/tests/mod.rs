//! Requests through the router, over a real store and engine in a temporary folder.

mod elasticsearch;
mod exceptions;
mod jaeger;
mod log_counts;
mod log_delete;
mod log_export;
mod log_query;
mod log_tail;
mod logs;
mod loki;
mod metrics;
mod names;
mod openapi;
mod prometheus;
mod prometheus_expressions;
mod recorded;
mod server;
mod services;
mod shared;
mod sql;
mod tempo;
mod trace_page;
mod traceql;
mod traces;
mod zipkin;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value as Json;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::{self, Resource, Scope};
use throughline_model::span::{Span, SpanBatchBuilder, SpanFields};
use throughline_model::time::{ManualClock, SECOND_NS};
use throughline_model::{Signal, SpanId, TraceId, Value, attrs};
use throughline_query::{Engine, EngineOptions};
use throughline_storage::{Claim, Encoding, Format, Store, StoreOptions, WalRecord};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::{ApiLimits, ApiState, BuildInfo, Readiness, elastic, routes};

/// 2026-11-20T12:00:00Z.
const NOW_NS: i64 = 1_795_176_000_000_000_000;
const TENANT: &str = "default";

/// A store with an API in front.
struct Server {
    store: Store,
    routes: Router,
    ready: watch::Sender<Readiness>,
    tracker: TaskTracker,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// An answer, read to its end.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Server {
    async fn start() -> Self {
        Self::start_with(ApiLimits::default()).await
    }

    async fn start_with(limits: ApiLimits) -> Self {
        let folder = tempfile::tempdir().expect("folder");
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let clock = Arc::new(ManualClock::at(NOW_NS));
        let mut options = StoreOptions::new(folder.path());
        options.wal_file_bytes = 256 * 1024;
        options.commit_window = Duration::ZERO;
        options.disk_reserve_bytes = 0;
        options.background = false;
        let decode = Arc::new(|_: &WalRecord| Err(throughline_model::Error::invalid("no replay")));
        let store = Store::open(options, clock.clone(), decode, tracker.clone(), stop.clone());
        let store = store.await.expect("opens");
        let engine =
            Engine::new(store.clone(), EngineOptions::default(), clock.clone(), tracker.clone());
        let (ready, readiness) =
            watch::channel(Readiness { ready: true, stage: "ready".to_owned() });
        let state = ApiState {
            engine,
            store: store.clone(),
            clock,
            tracker: tracker.clone(),
            ready: readiness,
            build: BuildInfo {
                version: "1.2.3".to_owned(),
                commit: None,
                started_at_ns: NOW_NS - 90 * SECOND_NS,
            },
            limits,
            counters: Arc::default(),
            metrics_page: Arc::new(|| "# TYPE x gauge\nx 1\n# EOF\n".to_owned()),
            target_pools: Arc::new(Vec::new),
        };
        // As the root does, but for the shippers' receiver.
        let receiver = Router::new().route("/elasticsearch/{*path}", any(StatusCode::IM_A_TEAPOT));
        let searches = elastic::before(receiver, state.clone(), "/elasticsearch");
        let routes = routes(state).merge(searches);
        Self { store, routes, ready, tracker, stop, _folder: folder }
    }

    async fn append(&self, signal: Signal, batch: Batch) {
        let body = format!("{signal} {batch:?}").into_bytes();
        self.append_as(signal, batch, body).await;
    }

    /// Appends a batch whose request is logged as `body`, which need not be like it: nothing here
    /// is replayed.
    async fn append_as(&self, signal: Signal, batch: Batch, body: Vec<u8>) {
        let body_hash = self.store.body_hash(signal, TENANT, &body);
        let Claim::New(ticket) = self.store.claim(signal, TENANT, body_hash).await.expect("open")
        else {
            panic!("the same body twice");
        };
        let record = WalRecord {
            signal,
            tenant: Arc::from(TENANT),
            format: Format::OtlpProtobuf,
            encoding: Encoding::Identity,
            received_at_ns: NOW_NS,
            body_hash,
            body: body.into(),
        };
        let decoded = Decoded { batch, rejected: 0, message: String::new() };
        self.store.append(ticket, record, decoded).await.expect("appended");
    }

    async fn append_spans(&self, spans: &[Span]) {
        self.append(Signal::Traces, Batch::Spans(span_batch(spans))).await;
    }

    async fn send(&self, request: Request<Body>) -> Response {
        self.routes.clone().oneshot(request).await.expect("never fails")
    }

    async fn ask(&self, request: Request<Body>) -> Answer {
        let response = self.send(request).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.into_body().collect().await.expect("a whole body").to_bytes();
        Answer { status, headers, body }
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Request::get(path).body(Body::empty()).expect("valid")).await
    }

    async fn get_as(&self, path: &str, accept: &str) -> Answer {
        let request = Request::get(path).header("accept", accept);
        self.ask(request.body(Body::empty()).expect("valid")).await
    }

    async fn post_sql(&self, body: &Json, accept: &str) -> Answer {
        let request = Request::post("/api/v1/sql")
            .header("content-type", "application/json")
            .header("accept", accept);
        self.ask(request.body(Body::from(body.to_string())).expect("valid")).await
    }

    /// The JSON of a path that must succeed.
    async fn json(&self, path: &str) -> Json {
        let answer = self.get(path).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    /// The problem of a path that must fail with this status.
    async fn problem(&self, path: &str, status: u16) -> Json {
        let answer = self.get(path).await;
        answer.problem(status)
    }

    async fn stop(self) {
        // As the root does: what has no end by itself ends now.
        let stage = "stopping".to_owned();
        self.ready.send_replace(Readiness { ready: false, stage });
        self.stop.cancel();
        drop(self.routes);
        drop(self.store);
        self.tracker.close();
        self.tracker.wait().await;
    }
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|err| panic!("{err}: {}", self.text()))
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    fn problem(&self, status: u16) -> Json {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()));
        problem
    }
}

fn attributes(pairs: &[(&str, Value)]) -> Vec<(String, Value)> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()
}

fn text(value: &str) -> Value {
    Value::String(value.to_owned())
}

/// A span of a trace and service; `number` is its id and its start in seconds before now.
fn span(trace: u8, number: u8, service: &str, name: &str) -> Span {
    let resource = Resource {
        attributes: attributes(&[("service.name", text(service)), ("host.name", text("h1"))]),
        ..Resource::default()
    };
    Span {
        trace_id: TraceId([trace; 16]),
        span_id: SpanId([number; 8]),
        parent_span_id: (number > 1).then_some(SpanId([1; 8])),
        name: name.to_owned(),
        kind: 2,
        start_time_ns: NOW_NS - i64::from(trace) * 60 * SECOND_NS + i64::from(number),
        duration_ns: i64::from(number) * 1_000_000,
        service_name: service.to_owned(),
        resource: Arc::new(resource),
        scope: Arc::new(Scope { name: "tests".to_owned(), ..Scope::default() }),
        ..Span::default()
    }
}

fn put_set(out: &mut Vec<u8>, entries: &[(String, Value)]) {
    entries.iter().for_each(|(key, value)| attrs::put_attr(out, key, value));
}

/// Spans as a decoder builds them.
fn span_batch(spans: &[Span]) -> RecordBatch {
    let mut builder = SpanBatchBuilder::default();
    for span in spans {
        builder.set_resource(&span.resource.encode()).expect("fits");
        builder.set_scope(&span.scope.encode()).expect("fits");
        for (key, value) in &span.attributes {
            builder.attributes.push(key, |out| value.encode(out)).expect("fits");
        }
        for event in &span.events {
            let mut set = Vec::new();
            put_set(&mut set, &event.attributes);
            let dropped = event.dropped_attributes_count;
            origin::put_event(&mut builder.events.bytes, event.time_ns, &event.name, dropped, &set);
        }
        for link in &span.links {
            let mut set = Vec::new();
            put_set(&mut set, &link.attributes);
            origin::put_link(
                &mut builder.links.bytes,
                &link.trace_id.0,
                &link.span_id.0,
                &link.trace_state,
                link.flags,
                link.dropped_attributes_count,
                &set,
            );
        }
        let fields = SpanFields {
            trace_id: span.trace_id.0,
            span_id: span.span_id.0,
            parent_span_id: span.parent_span_id.map(|id| id.0),
            trace_state: &span.trace_state,
            flags: span.flags,
            name: &span.name,
            kind: span.kind,
            start_time_ns: span.start_time_ns,
            duration_ns: span.duration_ns,
            status_code: span.status_code,
            status_message: &span.status_message,
            dropped_attributes_count: span.dropped_attributes_count,
            dropped_events_count: span.dropped_events_count,
            dropped_links_count: span.dropped_links_count,
        };
        builder.push(&fields).expect("fits");
    }
    builder.finish().expect("builds")
}

/// Log records of a service: body, severity and trace.
async fn append_logs(server: &Server, service: &str, records: &[(Value, i32, Option<u8>)]) {
    server.append(Signal::Logs, log_batch(service, records)).await;
}

fn log_batch(service: &str, records: &[(Value, i32, Option<u8>)]) -> Batch {
    let mut builder = LogBatchBuilder::default();
    let resource = span(1, 1, service, "").resource;
    builder.set_resource(&resource.encode()).expect("fits");
    builder.set_scope(&Scope::default().encode()).expect("fits");
    for (i, (body, severity, trace)) in records.iter().enumerate() {
        let number = i64::try_from(i).expect("small");
        builder.attributes.push("number", |out| Value::Int(number).encode(out)).expect("fits");
        let encoded = body.to_bytes();
        builder
            .push(&LogFields {
                time_ns: NOW_NS - 60 * SECOND_NS + number,
                severity_number: *severity,
                severity_text: if *severity >= 17 { "ERROR" } else { "INFO" },
                body: Some(&encoded),
                trace_id: trace.map(|trace| [trace; 16]),
                span_id: trace.map(|_| [1; 8]),
                ..LogFields::default()
            })
            .expect("fits");
    }
    Batch::Logs(builder.finish().expect("builds"))
}
