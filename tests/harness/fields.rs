//! Telemetry as prost messages: what was sent against what the API gives back, every field of it.
//!
//! Two sides are the same if they have the same items of the same resources and scopes. Only what has
//! no meaning is taken out: the order of items, of attributes and of exemplars, and whether an empty
//! message was left out or written.

use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, Metric, MetricsData, ResourceMetrics, metric,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span, TracesData};
use prost::Message;
use serde::de::DeserializeOwned;

use super::client::Client;

const PROTOBUF: &str = "application/x-protobuf";
const LOGS_PAGE: usize = 5_000;
const POINTS_MAX: usize = 100_000;

/// Telemetry of all signals.
#[derive(Clone, Debug, Default)]
pub struct Telemetry {
    pub spans: Vec<ResourceSpans>,
    pub logs: Vec<ResourceLogs>,
    pub metrics: Vec<ResourceMetrics>,
}

/// An item with its origin, to read and in bytes: these tell NaNs and zeros apart.
type Item = (String, Vec<u8>);

impl Telemetry {
    /// Adds the body of an Export request to a path of OTLP over HTTP or gRPC.
    pub fn add(&mut self, path: &str, json: bool, body: &[u8]) {
        if path.contains("trace") {
            self.spans.extend(read::<TracesData>(json, body).resource_spans);
        } else if path.contains("logs") {
            self.logs.extend(read::<LogsData>(json, body).resource_logs);
        } else {
            assert!(path.contains("metrics"), "{path}");
            self.metrics.extend(read::<MetricsData>(json, body).resource_metrics);
        }
    }

    /// Everything of the other as well.
    pub fn extend(&mut self, other: Telemetry) {
        self.spans.extend(other.spans);
        self.logs.extend(other.logs);
        self.metrics.extend(other.metrics);
    }

    /// Everything as protobuf, by the path it is sent to.
    pub fn bodies(&self) -> [(&'static str, Vec<u8>); 3] {
        let Telemetry { spans, logs, metrics } = self.clone();
        [
            ("/v1/traces", TracesData { resource_spans: spans }.encode_to_vec()),
            ("/v1/logs", LogsData { resource_logs: logs }.encode_to_vec()),
            ("/v1/metrics", MetricsData { resource_metrics: metrics }.encode_to_vec()),
        ]
    }

    /// Sends everything as protobuf over HTTP.
    pub async fn send(&self, client: &Client) {
        for (path, body) in self.bodies() {
            client.send(path, body).await;
        }
    }

    /// What the server gives back of the same traces and metrics, and of all logs, as protobuf.
    pub async fn back(&self, client: &Client) -> Telemetry {
        let mut back = Telemetry::default();
        for (path, url) in self.addresses() {
            let mut cursor = None;
            loop {
                let url = match &cursor {
                    Some(cursor) => format!("{url}&cursor={cursor}"),
                    None => url.clone(),
                };
                let (next, body) = client.get_as(&url, PROTOBUF).await;
                back.add(path, false, &body);
                cursor = next;
                if cursor.is_none() {
                    break;
                }
            }
        }
        back
    }

    /// Where to ask for it, under the path it is sent to.
    pub fn addresses(&self) -> Vec<(&'static str, String)> {
        let spans = self.spans.iter().flat_map(|resource| &resource.scope_spans);
        let mut ids: Vec<String> =
            spans.flat_map(|scope| &scope.spans).map(|span| hex(&span.trace_id)).collect();
        let metrics = self.metrics.iter().flat_map(|resource| &resource.scope_metrics);
        let mut names: Vec<String> =
            metrics.flat_map(|scope| &scope.metrics).map(|metric| encoded(&metric.name)).collect();
        for list in [&mut ids, &mut names] {
            list.sort();
            list.dedup();
        }
        let traces = ids.iter().map(|id| ("/v1/traces", format!("/api/v1/traces/{id}?")));
        let points = names.iter().map(|name| {
            ("/v1/metrics", format!("/api/v1/metrics/{name}/points?format=otlp&limit={POINTS_MAX}"))
        });
        let logs = ("/v1/logs", format!("/api/v1/logs?format=otlp&limit={LOGS_PAGE}"));
        traces.chain(points).chain([logs]).collect()
    }

    /// Spans, log records, points.
    pub fn counts(&self) -> [usize; 3] {
        [spans(self).len(), logs(self).len(), points(self).len()]
    }

    /// Fails with the first item that differs.
    pub fn assert_same(&self, got: &Telemetry, when: &str) {
        let sides = [
            ("spans", spans(self), spans(got)),
            ("log records", logs(self), logs(got)),
            ("points", points(self), points(got)),
        ];
        for (what, sent, got) in sides {
            for (sent, got) in sent.iter().zip(&got) {
                assert!(sent == got, "{what} {when}: {}", difference(&sent.0, &got.0));
            }
            assert_eq!(sent.len(), got.len(), "{what} {when}");
        }
    }
}

// Where two texts begin to differ, with a little of what stands before and behind.
fn difference(sent: &str, got: &str) -> String {
    const BEFORE: usize = 200;
    const SHOWN: usize = 600;
    let same = sent.chars().zip(got.chars()).take_while(|(a, b)| a == b).count();
    let part = |text: &str| -> String {
        text.chars().skip(same.saturating_sub(BEFORE)).take(SHOWN).collect()
    };
    if sent == got {
        return format!("NaNs or zeros differ in\n{sent}");
    }
    format!("\nsent …{}…\n got …{}…", part(sent), part(got))
}

fn read<T: Message + Default + DeserializeOwned>(json: bool, body: &[u8]) -> T {
    if json {
        let text = String::from_utf8_lossy(body);
        return serde_json::from_slice(body).unwrap_or_else(|err| panic!("{err}: {text}"));
    }
    T::decode(body).expect("protobuf")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(name: &str) -> String {
    name.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

// Items in an order that depends on nothing but what they say.
fn sorted(mut items: Vec<Item>) -> Vec<Item> {
    items.sort();
    items
}

fn spans(telemetry: &Telemetry) -> Vec<Item> {
    let mut items = Vec::new();
    for group in &telemetry.spans {
        for scope in &group.scope_spans {
            let origin =
                (&group.resource, &*group.schema_url, &scope.scope, scope.schema_url.as_str());
            for span in &scope.spans {
                let mut span: Span = span.clone();
                normal_attributes(&mut span.attributes);
                span.status.get_or_insert_default();
                span.events.iter_mut().for_each(|event| normal_attributes(&mut event.attributes));
                span.links.iter_mut().for_each(|link| normal_attributes(&mut link.attributes));
                items.push(item(origin, &span));
            }
        }
    }
    sorted(items)
}

fn logs(telemetry: &Telemetry) -> Vec<Item> {
    let mut items = Vec::new();
    for group in &telemetry.logs {
        for scope in &group.scope_logs {
            let origin =
                (&group.resource, &*group.schema_url, &scope.scope, scope.schema_url.as_str());
            for record in &scope.log_records {
                let mut record: LogRecord = record.clone();
                normal_attributes(&mut record.attributes);
                items.push(item(origin, &record));
            }
        }
    }
    sorted(items)
}

fn points(telemetry: &Telemetry) -> Vec<Item> {
    let mut items = Vec::new();
    for group in &telemetry.metrics {
        for scope in &group.scope_metrics {
            let origin =
                (&group.resource, &*group.schema_url, &scope.scope, scope.schema_url.as_str());
            for metric in &scope.metrics {
                items.extend(one_each_point(metric).iter().map(|metric| item(origin, metric)));
            }
        }
    }
    sorted(items)
}

// The metric once for each of its points.
fn one_each_point(metric: &Metric) -> Vec<Metric> {
    use metric::Data;
    macro_rules! split {
        ($data:expr, $kind:path, $normal:expr) => {{
            let points = $data.data_points.iter().cloned();
            let one = |mut point| {
                $normal(&mut point);
                let mut data = $data.clone();
                data.data_points = vec![point];
                $kind(data)
            };
            points.map(one).collect::<Vec<Data>>()
        }};
    }
    let datas = match metric.data.as_ref().expect("a kind") {
        Data::Gauge(data) => split!(data, Data::Gauge, normal_number),
        Data::Sum(data) => split!(data, Data::Sum, normal_number),
        Data::Histogram(data) => split!(data, Data::Histogram, normal_histogram),
        Data::ExponentialHistogram(data) => {
            split!(data, Data::ExponentialHistogram, normal_exponential)
        }
        Data::Summary(data) => split!(data, Data::Summary, normal_summary),
    };
    let with = |data| {
        let mut one = Metric { data: Some(data), ..metric.clone() };
        normal_attributes(&mut one.metadata);
        one
    };
    datas.into_iter().map(with).collect()
}

type ProtoNumber = opentelemetry_proto::tonic::metrics::v1::NumberDataPoint;
type ProtoHistogram = opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint;
type ProtoExponential = opentelemetry_proto::tonic::metrics::v1::ExponentialHistogramDataPoint;
type ProtoSummary = opentelemetry_proto::tonic::metrics::v1::SummaryDataPoint;

fn normal_number(point: &mut ProtoNumber) {
    normal_attributes(&mut point.attributes);
    normal_exemplars(&mut point.exemplars);
}

fn normal_histogram(point: &mut ProtoHistogram) {
    normal_attributes(&mut point.attributes);
    normal_exemplars(&mut point.exemplars);
}

fn normal_exponential(point: &mut ProtoExponential) {
    normal_attributes(&mut point.attributes);
    normal_exemplars(&mut point.exemplars);
    for buckets in [&mut point.positive, &mut point.negative] {
        *buckets = buckets.take().filter(|buckets| *buckets != Buckets::default());
    }
}

fn normal_summary(point: &mut ProtoSummary) {
    normal_attributes(&mut point.attributes);
}

fn normal_exemplars(exemplars: &mut [Exemplar]) {
    exemplars.iter_mut().for_each(|one| normal_attributes(&mut one.filtered_attributes));
    exemplars.sort_by_key(Message::encode_to_vec);
}

fn normal_attributes(attributes: &mut [KeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
    for attribute in attributes {
        attribute.value.get_or_insert_with(AnyValue::default);
    }
}

type Origin<'a> = (&'a Option<Resource>, &'a str, &'a Option<InstrumentationScope>, &'a str);

fn item(origin: Origin<'_>, item: &(impl Message + std::fmt::Debug)) -> Item {
    let (resource, resource_url, scope, scope_url) = origin;
    let (mut resource, mut scope) =
        (resource.clone().unwrap_or_default(), scope.clone().unwrap_or_default());
    normal_attributes(&mut resource.attributes);
    normal_attributes(&mut scope.attributes);
    let text = format!("{item:?}\n of {resource:?} {resource_url:?}\n of {scope:?} {scope_url:?}");
    let bytes = [item.encode_to_vec(), resource.encode_to_vec(), scope.encode_to_vec()];
    (text, bytes.concat())
}
