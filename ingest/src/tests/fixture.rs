//! An ingester over a store in a folder of its own, and requests for it.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use throughline_model::Signal;
use throughline_model::time::ManualClock;
use throughline_storage::{Encoding, Store, StoreOptions};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::{IngestLimits, Ingester};

pub const NOW_NS: i64 = 1_795_176_000_000_000_000;

pub struct Fixture {
    pub ingester: Ingester,
    pub store: Store,
    pub clock: ManualClock,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

/// Small limits, so that tests can pass them.
pub fn limits() -> IngestLimits {
    IngestLimits {
        body_bytes_max: 3 << 20,
        in_flight_bytes_max: 8 << 20,
        inflate_ratio_max: 200,
        ..IngestLimits::default()
    }
}

impl Fixture {
    pub async fn new() -> Self {
        Self::with(limits()).await
    }

    pub async fn with(limits: IngestLimits) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let options = StoreOptions { background: false, ..StoreOptions::new(folder.path()) };
        let clock = Arc::new(ManualClock::at(NOW_NS));
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let decode = Arc::new(crate::decode);
        let store = Store::open(options, clock.clone(), decode, tracker.clone(), stop.clone())
            .await
            .expect("opens");
        let ingester = Ingester::new(store.clone(), limits, clock.clone(), tracker);
        let clock = clock.as_ref().clone();
        Self { ingester, store, clock, stop, _folder: folder }
    }

    /// Items of the signal that readers see.
    pub fn rows(&self, signal: Signal) -> usize {
        let view = self.store.view();
        match signal {
            Signal::Traces => view.spans.heads.iter().map(|batch| batch.num_rows()).sum(),
            Signal::Logs => view.logs.heads.iter().map(|batch| batch.num_rows()).sum(),
            Signal::Metrics => {
                view.metrics.heads.iter().map(|batch| batch.numbers.num_rows()).sum()
            }
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// A small request of two items of any signal; `seed` tells one from another.
pub fn request(signal: Signal, seed: u8) -> Vec<u8> {
    match signal {
        Signal::Traces => traces(vec![span(seed), span(seed.wrapping_add(1))]),
        Signal::Logs => {
            let record = |n: u8| LogRecord {
                time_unix_nano: NOW_NS as u64 + u64::from(n),
                body: Some(text("hello")),
                ..Default::default()
            };
            let scope_logs = vec![ScopeLogs {
                log_records: vec![record(seed), record(seed)],
                ..Default::default()
            }];
            let resource_logs = vec![ResourceLogs { scope_logs, ..Default::default() }];
            ExportLogsServiceRequest { resource_logs }.encode_to_vec()
        }
        Signal::Metrics => {
            let point = |n: u8| NumberDataPoint {
                time_unix_nano: NOW_NS as u64 + u64::from(n),
                value: Some(number_data_point::Value::AsInt(n.into())),
                ..Default::default()
            };
            let data_points = vec![point(seed), point(seed.wrapping_add(1))];
            let data = Some(metric::Data::Gauge(Gauge { data_points }));
            let metrics = vec![Metric { name: "m".into(), data, ..Default::default() }];
            let scope_metrics = vec![ScopeMetrics { metrics, ..Default::default() }];
            let resource_metrics = vec![ResourceMetrics { scope_metrics, ..Default::default() }];
            ExportMetricsServiceRequest { resource_metrics }.encode_to_vec()
        }
    }
}

/// The same request in JSON.
pub fn request_json(signal: Signal, seed: u8) -> Vec<u8> {
    let wire = request(signal, seed);
    let wire = wire.as_slice();
    let expect = "own encoding";
    match signal {
        Signal::Traces => {
            serde_json::to_vec(&ExportTraceServiceRequest::decode(wire).expect(expect))
        }
        Signal::Logs => serde_json::to_vec(&ExportLogsServiceRequest::decode(wire).expect(expect)),
        Signal::Metrics => {
            serde_json::to_vec(&ExportMetricsServiceRequest::decode(wire).expect(expect))
        }
    }
    .expect("serializes")
}

pub fn span(seed: u8) -> Span {
    Span {
        trace_id: vec![1; 16],
        span_id: vec![seed.max(1); 8],
        name: "GET".into(),
        start_time_unix_nano: NOW_NS as u64,
        end_time_unix_nano: NOW_NS as u64 + 1000,
        ..Default::default()
    }
}

pub fn traces(spans: Vec<Span>) -> Vec<u8> {
    let scope_spans = vec![ScopeSpans { spans, ..Default::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..Default::default() }];
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

pub fn text(text: &str) -> AnyValue {
    AnyValue { value: Some(any_value::Value::StringValue(text.into())) }
}

/// A span with a value that nests `depth` deep.
pub fn deep_span(depth: usize) -> Span {
    let value = (0..depth).fold(text("leaf"), |inner, _| {
        let array = ArrayValue { values: vec![inner] };
        AnyValue { value: Some(any_value::Value::ArrayValue(array)) }
    });
    let attribute = KeyValue { key: "deep".into(), value: Some(value), ..Default::default() };
    Span { attributes: vec![attribute], ..span(9) }
}

/// A well-formed request of more than `len` bytes, most of them one attribute.
pub fn large_request(len: usize) -> Vec<u8> {
    let noise: String = (0..len as u32)
        .map(|i| char::from(b' ' + (i.wrapping_mul(2_654_435_761) >> 25) as u8 % 90))
        .collect();
    let value = Some(text(&noise));
    let attribute = KeyValue { key: "large".into(), value, ..Default::default() };
    traces(vec![Span { attributes: vec![attribute], ..span(1) }])
}

pub fn compress(encoding: Encoding, body: &[u8]) -> Bytes {
    match encoding {
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Gzip => {
            let mut writer = GzEncoder::new(Vec::new(), Compression::default());
            writer.write_all(body).and_then(|()| writer.finish())
        }
        Encoding::Zstd => zstd::encode_all(body, 3),
        Encoding::Deflate => {
            let mut writer = ZlibEncoder::new(Vec::new(), Compression::default());
            writer.write_all(body).and_then(|()| writer.finish())
        }
        Encoding::Snappy => Ok(snap::raw::Encoder::new().compress_vec(body).expect("in memory")),
    }
    .expect("in memory")
    .into()
}
