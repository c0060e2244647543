//! Live traffic: the simulation goes on, exported by the OpenTelemetry SDK for Rust over gRPC, with
//! one tracer, logger and meter provider a service, as in a real fleet.

use std::cell::Cell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use opentelemetry::logs::{AnyValue, LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::{Counter, Histogram, MeterProvider as _};
use opentelemetry::trace::{
    Event, Link, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status,
    TraceContextExt as _, TraceFlags, TraceId, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, Value};
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{SdkLogger, SdkLoggerProvider};
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::{IdGenerator, SdkTracer, SdkTracerProvider};
use throughline_model::time::Clock;
use tokio_util::sync::CancellationToken;

use super::faults::Faults;
use super::resource::{self, SCOPE_NAME, SCOPE_VERSION};
use super::shop::SERVICES;
use super::sim::Simulation;
use super::trace::{Attributes, Kind, Log, Pod, Span, SpanRef, Trace, Val};
use super::{metrics, otlp};

/// Mean rate of live requests.
const REQUESTS_PER_SECOND: f64 = 1.5;
/// How often the loop looks for requests that have ended.
const TICK: Duration = Duration::from_millis(100);
/// How often services export metrics.
const METRICS_PERIOD: Duration = Duration::from_secs(10);
/// Requests that have begun and not ended; more are not begun.
const IN_FLIGHT_MAX: usize = 256;

thread_local! {
    // The ids of the span that is built next: the simulation draws them, the SDK asks for them.
    static NEXT_ID: Cell<(u128, u64)> = const { Cell::new((0, 0)) };
}

#[derive(Debug)]
struct SimulatedIds;

impl IdGenerator for SimulatedIds {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(NEXT_ID.get().0)
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(NEXT_ID.get().1)
    }
}

/// Sends live traffic until told to stop, then flushes what the SDKs hold.
pub async fn run(
    address: SocketAddr,
    faults: Faults,
    seed: u64,
    clock: Arc<dyn Clock>,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let fleet = Fleet::connect(address, faults, &clock)?;
    let mut simulation = Simulation::new(seed, faults);
    let mut in_flight: VecDeque<Trace> = VecDeque::new();
    let mut next_ns = clock.now_ns();
    let mut ticks = tokio::time::interval(TICK);
    while !stop.is_cancelled() {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => {}
        }
        let now_ns = clock.now_ns();
        while next_ns <= now_ns && in_flight.len() < IN_FLIGHT_MAX {
            in_flight.push_back(simulation.request(next_ns));
            next_ns += simulation.pause_ns(REQUESTS_PER_SECOND);
        }
        for trace in std::mem::take(&mut in_flight) {
            if end_ns(&trace) <= now_ns { fleet.export(&trace) } else { in_flight.push_back(trace) }
        }
    }
    tokio::task::spawn_blocking(move || fleet.shut_down())
        .await
        .context("the SDKs' shutdown panicked")
}

fn end_ns(trace: &Trace) -> i64 {
    trace.spans.iter().map(|span| span.end_ns).max().unwrap_or(0)
}

// The SDK of one service.
struct Sdk {
    tracers: SdkTracerProvider,
    loggers: SdkLoggerProvider,
    meters: SdkMeterProvider,
    tracer: SdkTracer,
    logger: SdkLogger,
    http_duration: Histogram<f64>,
    rpc_duration: Histogram<f64>,
    process_duration: Histogram<f64>,
    errors: Counter<u64>,
}

struct Fleet {
    services: Vec<Sdk>,
}

impl Fleet {
    fn connect(
        address: SocketAddr,
        faults: Faults,
        clock: &Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}"))?;
        let channel = endpoint.connect_lazy();
        let services: anyhow::Result<Vec<Sdk>> = (0..SERVICES.len())
            .map(|service| {
                let pod = Pod { service, replica: 0 };
                Sdk::start(pod, channel.clone(), faults, clock.clone())
            })
            .collect();
        Ok(Fleet { services: services? })
    }

    fn export(&self, trace: &Trace) {
        for span in &trace.spans {
            self.services[span.pod.service].span(span);
        }
        for log in &trace.logs {
            self.services[log.pod.service].log(log);
        }
    }

    fn shut_down(self) {
        for sdk in &self.services {
            let ended = [sdk.tracers.shutdown(), sdk.loggers.shutdown(), sdk.meters.shutdown()];
            for error in ended.into_iter().filter_map(Result::err) {
                tracing::debug!(%error, "an SDK did not flush");
            }
        }
    }
}

impl Sdk {
    fn start(
        pod: Pod,
        channel: tonic::transport::Channel,
        faults: Faults,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Sdk> {
        let version = resource::version(pod, &faults, clock.now_ns());
        let attributes = key_values(&resource::attributes(pod, version));
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        let spans = SpanExporter::builder().with_tonic().with_channel(channel.clone()).build()?;
        let logs = LogExporter::builder().with_tonic().with_channel(channel.clone()).build()?;
        let points = MetricExporter::builder().with_tonic().with_channel(channel).build()?;
        let tracers = SdkTracerProvider::builder()
            .with_id_generator(SimulatedIds)
            .with_resource(resource.clone())
            .with_batch_exporter(spans)
            .build();
        let loggers = SdkLoggerProvider::builder()
            .with_resource(resource.clone())
            .with_batch_exporter(logs)
            .build();
        let reader = PeriodicReader::builder(points).with_interval(METRICS_PERIOD).build();
        let meters =
            SdkMeterProvider::builder().with_resource(resource).with_reader(reader).build();
        let scope = InstrumentationScope::builder(SCOPE_NAME).with_version(SCOPE_VERSION).build();
        let meter = meters.meter_with_scope(scope.clone());
        gauges(&meter, pod, faults, clock);
        let duration = |name| meter.f64_histogram(name).with_unit("s").build();
        Ok(Sdk {
            tracer: tracers.tracer_with_scope(scope.clone()),
            logger: loggers.logger_with_scope(scope),
            http_duration: duration("http.server.request.duration"),
            rpc_duration: duration("rpc.server.call.duration"),
            process_duration: duration("messaging.process.duration"),
            errors: meter.u64_counter("app.errors").with_unit("{error}").build(),
            tracers,
            loggers,
            meters,
        })
    }

    fn span(&self, span: &Span) {
        NEXT_ID.set((span.id.trace_id, span.id.span_id));
        let parent = match span.parent {
            Some(span_id) => {
                let id = SpanRef { trace_id: span.id.trace_id, span_id };
                Context::new().with_remote_span_context(context_of(id))
            }
            None => Context::new(),
        };
        let events = span.events.iter().map(|event| {
            Event::new(event.name, time(event.time_ns), key_values(&event.attributes), 0)
        });
        let links = span.links.iter().map(|link| Link::with_context(context_of(*link)));
        let built = SpanBuilder::from_name(span.name.clone())
            .with_kind(kind(span.kind))
            .with_start_time(time(span.start_ns))
            .with_attributes(key_values(&span.attributes))
            .with_events(events.collect())
            .with_links(links.collect());
        let mut built = self.tracer.build_with_context(built, &parent);
        if let Some(message) = &span.error {
            built.set_status(Status::error(message.clone()));
            self.errors.add(1, &[]);
        }
        built.end_with_timestamp(time(span.end_ns));
        self.measure(span);
    }

    fn measure(&self, span: &Span) {
        let histogram = match metrics::duration_metric(span) {
            Some("http.server.request.duration") => &self.http_duration,
            Some("rpc.server.call.duration") => &self.rpc_duration,
            Some(_) => &self.process_duration,
            None => return,
        };
        let seconds = (span.end_ns - span.start_ns) as f64 / 1e9;
        histogram.record(seconds, &key_values(&metrics::series_attributes(span)));
    }

    fn log(&self, log: &Log) {
        let mut record = self.logger.create_log_record();
        record.set_timestamp(time(log.time_ns));
        record.set_observed_timestamp(time(log.time_ns));
        record.set_severity_number(severity(log.severity));
        record.set_severity_text(otlp::severity_text(log.severity));
        record.set_body(AnyValue::from(log.text.clone()));
        for pair in key_values(&log.attributes) {
            record.add_attribute(pair.key, AnyValue::from(pair.value.to_string()));
        }
        if let Some(id) = log.span {
            record.set_trace_context(
                TraceId::from(id.trace_id),
                SpanId::from(id.span_id),
                Some(TraceFlags::SAMPLED),
            );
        }
        self.logger.emit(record);
    }
}

fn gauges(meter: &opentelemetry::metrics::Meter, pod: Pod, faults: Faults, clock: Arc<dyn Clock>) {
    let memory_clock = clock.clone();
    let _ = meter
        .i64_observable_gauge("process.memory.usage")
        .with_unit("By")
        .with_callback(move |observer| {
            observer.observe(metrics::memory_bytes(pod, memory_clock.now_ns()), &[]);
        })
        .build();
    let cpu_clock = clock.clone();
    let _ = meter
        .f64_observable_gauge("process.cpu.utilization")
        .with_unit("1")
        .with_callback(move |observer| {
            observer.observe(metrics::cpu_share(pod, cpu_clock.now_ns()), &[]);
        })
        .build();
    let _ = meter
        .i64_observable_gauge("db.client.connection.count")
        .with_unit("{connection}")
        .with_callback(move |observer| {
            let used = metrics::pool_in_use(pod, clock.now_ns(), &faults);
            observer.observe(used, &[KeyValue::new("db.client.connection.state", "used")]);
        })
        .build();
}

fn time(t_ns: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(t_ns.unsigned_abs())
}

fn context_of(id: SpanRef) -> SpanContext {
    SpanContext::new(
        TraceId::from(id.trace_id),
        SpanId::from(id.span_id),
        TraceFlags::SAMPLED,
        false,
        TraceState::default(),
    )
}

fn kind(kind: Kind) -> SpanKind {
    match kind {
        Kind::Internal => SpanKind::Internal,
        Kind::Server => SpanKind::Server,
        Kind::Client => SpanKind::Client,
        Kind::Producer => SpanKind::Producer,
        Kind::Consumer => SpanKind::Consumer,
    }
}

fn severity(number: i32) -> Severity {
    match number {
        ..=4 => Severity::Trace,
        5..=8 => Severity::Debug,
        9..=12 => Severity::Info,
        13..=16 => Severity::Warn,
        17..=20 => Severity::Error,
        21.. => Severity::Fatal,
    }
}

fn key_values(attributes: &Attributes) -> Vec<KeyValue> {
    attributes
        .iter()
        .map(|(key, value)| {
            let value: Value = match value {
                Val::Text(text) => text.clone().into(),
                Val::Int(number) => (*number).into(),
                Val::Float(number) => (*number).into(),
                Val::Bool(truth) => (*truth).into(),
                Val::Texts(texts) => Value::Array(Array::String(
                    texts.iter().map(|text| text.clone().into()).collect(),
                )),
            };
            KeyValue::new(*key, value)
        })
        .collect()
}
