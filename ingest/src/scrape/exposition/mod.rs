//! What a target exposes: the three forms in which it may, read into the same samples.
//!
//! ```text
//! Prometheus' text 0.0.4 and 1.0.0, OpenMetrics' text ─ text ─┐
//! delimited protobuf (io.prometheus.client)  ─ protobuf ──────┴─→ Exposition: families, samples
//! ```
//! A malformed exposition is refused as a whole, with the line: what stands after the fault cannot be trusted.

mod number;
mod protobuf;
mod scan;
mod text;

use crate::records::Read;

/// Samples of one exposition, at most.
pub const SAMPLES_MAX: usize = 5_000_000;

/// The form of an exposition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Prometheus' text 0.0.4.
    Text,
    /// Prometheus' text 1.0.0: names may be any UTF-8.
    Text1,
    /// OpenMetrics 0.0.1.
    OpenMetrics0,
    /// OpenMetrics 1.0.0.
    OpenMetrics1,
    /// Delimited protobuf.
    Protobuf,
}

impl Form {
    /// The form by its name in a configuration.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "PrometheusText0.0.4" => Form::Text,
            "PrometheusText1.0.0" => Form::Text1,
            "OpenMetricsText0.0.1" => Form::OpenMetrics0,
            "OpenMetricsText1.0.0" => Form::OpenMetrics1,
            "PrometheusProto" => Form::Protobuf,
            _ => return None,
        })
    }

    /// How a client asks for it.
    pub fn accepted(self) -> &'static str {
        match self {
            Form::Text => "text/plain;version=0.0.4",
            Form::Text1 => "text/plain;version=1.0.0;escaping=allow-utf-8",
            Form::OpenMetrics0 => "application/openmetrics-text;version=0.0.1",
            Form::OpenMetrics1 => "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8",
            Form::Protobuf => {
                "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;\
                 encoding=delimited;escaping=allow-utf-8"
            }
        }
    }

    /// The form that a content type names; `fallback` where it names none.
    pub fn of(content_type: &str, fallback: Option<Form>) -> Read<Self> {
        let mut parts = content_type.split(';').map(str::trim);
        let media = parts.next().unwrap_or_default().to_ascii_lowercase();
        let parameters = parts.filter_map(|part| part.split_once('='));
        let parameters = parameters.collect::<Vec<_>>();
        let is = |name: &str, wanted: &str| {
            let found = parameters.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
            found.is_some_and(|(_, value)| value.trim_matches('"').eq_ignore_ascii_case(wanted))
        };
        match media.as_str() {
            "application/openmetrics-text" if is("version", "0.0.1") => Ok(Form::OpenMetrics0),
            "application/openmetrics-text" => Ok(Form::OpenMetrics1),
            "text/plain" if is("version", "1.0.0") => Ok(Form::Text1),
            "text/plain" => Ok(Form::Text),
            "application/vnd.google.protobuf"
                if is("proto", "io.prometheus.client.MetricFamily")
                    && is("encoding", "delimited") =>
            {
                Ok(Form::Protobuf)
            }
            _ => fallback.ok_or_else(|| {
                let said = if content_type.is_empty() { "none" } else { content_type };
                format!(
                    "the content type of the target is '{said}', expected text/plain, \
                     application/openmetrics-text or delimited protobuf, or a \
                     fallback_scrape_protocol in the configuration"
                )
            }),
        }
    }
}

/// What a target exposed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exposition {
    /// What is said of metrics.
    pub families: Vec<Family>,
    /// The samples, in order.
    pub samples: Vec<Sample>,
}

/// A metric, as the target describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge`, `histogram`, `gaugehistogram`, `summary`, `info`, `stateset`, or nothing.
    pub metric_type: &'static str,
    /// What it measures.
    pub help: String,
    /// In which unit.
    pub unit: String,
}

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its metric, among the families.
    pub family: Option<usize>,
    /// Labels as they stand there, the name (`__name__`) among them.
    pub labels: Vec<(String, String)>,
    /// Its value.
    pub value: Value,
    /// The time that the target gives it, in milliseconds.
    pub time_ms: Option<i64>,
    /// Exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A native histogram.
    Native(Box<Native>),
}

/// A native histogram, as remote write has it: counts of buckets by spans.
#[derive(Clone, Debug, Default, PartialEq)]
#[allow(missing_docs)] // named as in the protocol
pub struct Native {
    pub schema: i32,
    pub zero_threshold: f64,
    pub count: Counts,
    pub zero_count: Counts,
    pub sum: f64,
    pub positive: Buckets,
    pub negative: Buckets,
    pub is_gauge: bool,
    /// When it began, in milliseconds; zero if it does not say.
    pub start_ms: i64,
}

/// A count: of events, or of their weight.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Counts {
    Integer(u64),
    Float(f64),
}

impl Default for Counts {
    fn default() -> Self {
        Counts::Integer(0)
    }
}

/// Buckets of one sign.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Gap to the buckets before, and how many follow each other.
    pub spans: Vec<(i32, u32)>,
    /// Differences of integer counts.
    pub deltas: Vec<i64>,
    /// Counts that are no integers.
    pub counts: Vec<f64>,
}

/// An exemplar.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// The value.
    pub value: f64,
    /// When it was measured.
    pub time_ms: Option<i64>,
}

/// How an exposition is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Whether native histograms are wanted of those who have both kinds.
    pub wants_native: bool,
    /// Whether classic buckets are wanted beside native ones.
    pub keeps_classic: bool,
}

/// Reads an exposition.
pub fn read(body: &[u8], form: Form, options: Options) -> Read<Exposition> {
    match form {
        Form::Protobuf => protobuf::read(body, options),
        form => {
            let text = std::str::from_utf8(body).map_err(|err| {
                let line = body[..err.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
                format!("line {line}: not UTF-8")
            })?;
            text::read(text, matches!(form, Form::OpenMetrics0 | Form::OpenMetrics1))
        }
    }
}

/// The spelling of a bound or quantile: with a fraction, as OpenMetrics has it.
fn canonical_bound(text: &str) -> String {
    match number::parse(text) {
        Ok(value) if value.is_finite() => {
            let plain = number::format(value);
            if plain.contains(['.', 'e']) { plain } else { format!("{plain}.0") }
        }
        Ok(value) if value == f64::INFINITY => "+Inf".to_owned(),
        Ok(value) if value == f64::NEG_INFINITY => "-Inf".to_owned(),
        _ => text.to_owned(),
    }
}
