//! The OpenTelemetry SDK for Rust over each transport it offers, plain and compressed: what comes back
//! through the API is what was recorded.

use std::time::{Duration, SystemTime};

use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{
    Link, Span as _, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
    Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, KeyValue, StringValue, Value};
use opentelemetry_otlp::{
    Compression, LogExporter, MetricExporter, Protocol, SpanExporter, WithExportConfig as _,
    WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde_json::{Value as Json, json};

use super::sdk::compare_everywhere;
use crate::harness::client::Client;
use crate::harness::tee::Tee;
use crate::harness::{Server, otlp};

#[derive(Clone, Copy, Debug)]
enum Transport {
    Grpc(Option<Compression>),
    Http(Protocol, Option<Compression>),
}

const TRANSPORTS: [Transport; 7] = [
    Transport::Grpc(None),
    Transport::Grpc(Some(Compression::Gzip)),
    Transport::Grpc(Some(Compression::Zstd)),
    Transport::Http(Protocol::HttpBinary, None),
    Transport::Http(Protocol::HttpBinary, Some(Compression::Gzip)),
    Transport::Http(Protocol::HttpJson, None),
    Transport::Http(Protocol::HttpJson, Some(Compression::Gzip)),
];

/// Builds one signal's exporter for a transport; the three builders share names, not a trait.
macro_rules! exporter {
    ($kind:ident, $transport:expr, $grpc:expr, $url:expr) => {
        match $transport {
            Transport::Grpc(compression) => {
                let builder =
                    $kind::builder().with_tonic().with_endpoint(format!("http://{}", $grpc));
                match compression {
                    Some(compression) => builder.with_compression(compression).build(),
                    None => builder.build(),
                }
            }
            Transport::Http(protocol, compression) => {
                let builder =
                    $kind::builder().with_http().with_protocol(protocol).with_endpoint($url);
                match compression {
                    Some(compression) => builder.with_compression(compression).build(),
                    None => builder.build(),
                }
            }
        }
        .expect("an exporter")
    };
}

fn attributes() -> Vec<KeyValue> {
    let texts = vec![StringValue::from("a"), StringValue::from("b")];
    vec![
        KeyValue::new("text", "grüße 🎈"),
        KeyValue::new("int", i64::MAX),
        KeyValue::new("double", 0.1),
        KeyValue::new("yes", true),
        KeyValue::new("texts", Value::Array(Array::String(texts))),
    ]
}

fn at(offset_us: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_nanos(otlp::T0) + Duration::from_micros(offset_us)
}

fn resource(service: &str) -> Resource {
    Resource::builder_empty()
        .with_attributes([KeyValue::new("service.name", service.to_owned())])
        .build()
}

/// Records one of everything; returns the trace and span ids.
fn send(service: &str, transport: Transport, grpc: &str, http: &str) -> (String, String) {
    let url = |signal: &str| format!("http://{http}/v1/{signal}");
    let spans = exporter!(SpanExporter, transport, grpc, url("traces"));
    let tracers = SdkTracerProvider::builder()
        .with_batch_exporter(spans)
        .with_resource(resource(service))
        .build();
    let linked = SpanContext::new(
        TraceId::from(1u128),
        SpanId::from(2u64),
        TraceFlags::SAMPLED,
        false,
        TraceState::from_key_value([("k", "v")]).expect("valid"),
    );
    let mut span = tracers
        .tracer("tests.sdk")
        .span_builder("operation")
        .with_kind(SpanKind::Server)
        .with_start_time(at(0))
        .with_attributes(attributes())
        .with_links(vec![Link::new(linked, vec![KeyValue::new("why", "because")], 0)])
        .start(&tracers.tracer("tests.sdk"));
    span.add_event_with_timestamp("happened", at(1), vec![KeyValue::new("n", 1)]);
    span.set_status(Status::error("it broke"));
    let (trace_id, span_id) = (span.span_context().trace_id(), span.span_context().span_id());
    span.end_with_timestamp(at(5));
    tracers.shutdown().expect("spans are exported");

    let logs = exporter!(LogExporter, transport, grpc, url("logs"));
    let loggers = SdkLoggerProvider::builder()
        .with_batch_exporter(logs)
        .with_resource(resource(service))
        .build();
    let logger = loggers.logger("tests.sdk");
    let mut record = logger.create_log_record();
    record.set_timestamp(at(2));
    record.set_severity_number(Severity::Warn);
    record.set_severity_text("WARN");
    record.set_body(AnyValue::from("hello world"));
    record.add_attribute("n", 7);
    record.set_trace_context(trace_id, span_id, Some(TraceFlags::SAMPLED));
    logger.emit(record);
    loggers.shutdown().expect("log records are exported");

    let metrics = exporter!(MetricExporter, transport, grpc, url("metrics"));
    let meters = SdkMeterProvider::builder()
        .with_periodic_exporter(metrics)
        .with_resource(resource(service))
        .build();
    let meter = meters.meter("tests.sdk");
    meter.u64_counter("requests").with_unit("1").build().add(5, &[KeyValue::new("route", "/a")]);
    meter.f64_gauge("temperature").build().record(21.5, &[]);
    let histogram = meter.f64_histogram("latency").build();
    [1.0, 5.0, 250.0].into_iter().for_each(|value| histogram.record(value, &[]));
    meters.shutdown().expect("metrics are exported");
    (trace_id.to_string(), span_id.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rust_round_trips() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path()).await;
    let grpc_tee = Tee::before(&server.otlp_grpc).await;
    let http_tee = Tee::before(&server.client.otlp).await;
    for (number, transport) in TRANSPORTS.into_iter().enumerate() {
        let service = format!("rust-{number}");
        let (name, grpc, http) =
            (service.clone(), grpc_tee.address.clone(), http_tee.address.clone());
        // The SDK blocks, on threads of its own and here.
        let sent = tokio::task::spawn_blocking(move || send(&name, transport, &grpc, &http));
        let (trace_id, span_id) = sent.await.unwrap_or_else(|err| panic!("{transport:?}: {err}"));
        compare(&server.client, &service, &trace_id, &span_id, &format!("{transport:?}")).await;
    }
    let mut sent = grpc_tee.take();
    sent.extend(http_tee.take());
    assert_eq!(sent.counts(), [1, 1, 3].map(|each| each * TRANSPORTS.len()));
    compare_everywhere(server, folder.path(), &sent).await;
}

async fn compare(client: &Client, service: &str, trace_id: &str, span_id: &str, transport: &str) {
    let nanos = |us: u64| (otlp::T0 + us * 1_000).to_string();
    let document = client.json(&format!("/api/v1/traces/{trace_id}")).await;
    let group = &document["resourceSpans"][0];
    assert_eq!(
        group["resource"]["attributes"],
        json!([{"key": "service.name", "value": {"stringValue": service}}]),
        "{transport}"
    );
    let span = &group["scopeSpans"][0]["spans"][0];
    let expected = json!({
        "spanId": span_id, "name": "operation", "kind": 2, "startTimeUnixNano": nanos(0), "endTimeUnixNano": nanos(5),
        "status": {"code": 2, "message": "it broke"},
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&span[field], value, "{transport}: {field}");
    }
    let mut got: Vec<Json> = span["attributes"].as_array().expect("attributes").clone();
    let key = |attribute: &Json| attribute["key"].as_str().unwrap_or_default().to_owned();
    got.sort_by_key(key);
    let texts = json!({"arrayValue": {"values": [{"stringValue": "a"}, {"stringValue": "b"}]}});
    let sent = json!([
        {"key": "double", "value": {"doubleValue": 0.1}}, {"key": "int", "value": {"intValue": i64::MAX.to_string()}},
        {"key": "text", "value": {"stringValue": "grüße 🎈"}}, {"key": "texts", "value": texts}, {"key": "yes", "value": {"boolValue": true}},
    ]);
    assert_eq!(Json::Array(got), sent, "{transport}");
    assert_eq!(
        (&span["events"][0]["name"], &span["events"][0]["timeUnixNano"]),
        (&json!("happened"), &json!(nanos(1))),
        "{transport}"
    );
    let link = &span["links"][0];
    assert_eq!(
        (&link["traceId"], &link["traceState"]),
        (&json!(format!("{:032x}", 1)), &json!("k=v")),
        "{transport}"
    );

    let rows = client.sql(&format!("SELECT body, severity_number, trace_id, span_id, attributes FROM logs WHERE service_name = '{service}'")).await;
    assert_eq!(rows.len(), 1, "{transport}");
    let row = json!({"body": "hello world", "severity_number": 13, "trace_id": trace_id, "span_id": span_id, "attributes": {"n": 7}});
    assert_eq!(Json::Object(rows[0].clone()), row, "{transport}");

    let rows = client.sql(&format!("SELECT metric_name, value, attributes['route'] AS route FROM metrics WHERE service_name = '{service}' ORDER BY 1")).await;
    let rows: Vec<_> = rows.into_iter().map(Json::Object).collect();
    let sent = json!([{"metric_name": "requests", "value": 5.0, "route": "/a"}, {"metric_name": "temperature", "value": 21.5, "route": null}]);
    assert_eq!(rows.len(), 2, "{transport}: {rows:?}");
    for (got, sent) in rows.iter().zip(sent.as_array().expect("rows")) {
        assert_eq!(
            (&got["metric_name"], &got["route"]),
            (&sent["metric_name"], &sent["route"]),
            "{transport}"
        );
        assert_eq!(got["value"].as_f64(), sent["value"].as_f64(), "{transport}");
    }
    let histogram = format!(
        "SELECT h.count, h.sum FROM histograms h JOIN series s ON h.series_id = s.series_id WHERE s.service_name = '{service}'"
    );
    let rows = client.sql(&histogram).await;
    assert_eq!(
        (rows[0]["count"].as_u64(), rows[0]["sum"].as_f64()),
        (Some(3), Some(256.0)),
        "{transport}"
    );
}
