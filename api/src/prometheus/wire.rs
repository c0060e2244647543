//! Values, series and notes as Prometheus writes them.

use serde::ser::{SerializeMap, SerializeSeq, SerializeTuple};
use serde::{Serialize, Serializer};
use throughline_model::histogram::NativeHistogram;
use throughline_query::promql::labels::Labels;
use throughline_query::promql::numbers::sample;
use throughline_query::promql::series::{PointSeries, Sample, Series};
use throughline_query::promql::{Answer, Value};

/// An answer that succeeded.
#[derive(Debug, Serialize)]
pub struct Success<T: Serialize> {
    status: &'static str,
    data: T,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    infos: Vec<String>,
}

impl<T: Serialize> Success<T> {
    /// Data without notes.
    pub fn of(data: T) -> Self {
        Self { status: "success", data, warnings: Vec::new(), infos: Vec::new() }
    }

    /// Data with notes.
    pub fn with(data: T, warnings: Vec<String>, infos: Vec<String>) -> Self {
        Self { status: "success", data, warnings, infos }
    }
}

/// The value of a query.
#[derive(Debug)]
pub struct Result<'a> {
    /// The answer.
    pub answer: &'a Answer,
    /// Series at most.
    pub limit: usize,
    /// Statistics, where they are asked for.
    pub stats: Option<serde_json::Value>,
}

impl Serialize for Result<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let time_ms = self.answer.time_ms;
        match &self.answer.value {
            Value::Scalar(values) => {
                map.serialize_entry("resultType", "scalar")?;
                let value = values.first().copied().unwrap_or(f64::NAN);
                map.serialize_entry("result", &Float(time_ms, value))?;
            }
            Value::Text(text) => {
                map.serialize_entry("resultType", "string")?;
                map.serialize_entry("result", &(Time(time_ms), text))?;
            }
            Value::Vector(series) => {
                map.serialize_entry("resultType", "vector")?;
                let series = series.iter().take(self.limit).map(|s| InVector(time_ms, s));
                map.serialize_entry("result", &series.collect::<Vec<_>>())?;
            }
            Value::Matrix(series) => {
                map.serialize_entry("resultType", "matrix")?;
                let series = series.iter().take(self.limit).map(InMatrix);
                map.serialize_entry("result", &series.collect::<Vec<_>>())?;
            }
        }
        if let Some(stats) = &self.stats {
            map.serialize_entry("stats", stats)?;
        }
        map.end()
    }
}

/// Milliseconds as seconds.
struct Time(i64);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 % 1000 {
            0 => serializer.serialize_i64(self.0 / 1000),
            _ => serializer.serialize_f64(self.0 as f64 / 1e3),
        }
    }
}

/// A number at a time.
struct Float(i64, f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        (Time(self.0), sample(self.1)).serialize(serializer)
    }
}

/// A label set.
pub struct Metric<'a>(pub &'a Labels);

impl Serialize for Metric<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (&**name, &**value)))
    }
}

struct InVector<'a>(i64, &'a Series);

impl Serialize for InVector<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("metric", &Metric(&self.1.labels))?;
        match self.1.samples.get(0) {
            Some(Sample::Histogram(histogram)) => {
                map.serialize_entry("histogram", &(Time(self.0), Histogram(&histogram)))?;
            }
            Some(Sample::Float(value)) => map.serialize_entry("value", &Float(self.0, value))?,
            None => {}
        }
        map.end()
    }
}

struct InMatrix<'a>(&'a PointSeries);

impl Serialize for InMatrix<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let points = &self.0.points;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("metric", &Metric(&self.0.labels))?;
        if !points.floats.is_empty() {
            let floats = points.float_times.iter().zip(&points.floats);
            let floats = floats.map(|(time, value)| Float(*time, *value));
            map.serialize_entry("values", &floats.collect::<Vec<_>>())?;
        }
        if !points.histograms.is_empty() {
            let histograms = points.histogram_times.iter().zip(&points.histograms);
            let histograms = histograms.map(|(time, value)| (Time(*time), Histogram(value)));
            map.serialize_entry("histograms", &histograms.collect::<Vec<_>>())?;
        }
        map.end()
    }
}

/// A native histogram; each bucket says by a number which of its bounds belong to it.
struct Histogram<'a>(&'a NativeHistogram);

impl Serialize for Histogram<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("count", &sample(self.0.count))?;
        map.serialize_entry("sum", &sample(self.0.sum))?;
        let buckets = self.0.buckets();
        if !buckets.is_empty() {
            map.serialize_entry("buckets", &Buckets(&buckets))?;
        }
        map.end()
    }
}

struct Buckets<'a>(&'a [throughline_model::histogram::Bucket]);

impl Serialize for Buckets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for bucket in self.0 {
            list.serialize_element(&Bucket(bucket))?;
        }
        list.end()
    }
}

struct Bucket<'a>(&'a throughline_model::histogram::Bucket);

impl Serialize for Bucket<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let bucket = self.0;
        let rule = match (bucket.has_lower, bucket.has_upper) {
            (false, true) => 0,
            (true, false) => 1,
            (false, false) => 2,
            (true, true) => 3,
        };
        let mut list = serializer.serialize_tuple(4)?;
        list.serialize_element(&rule)?;
        for number in [bucket.lower, bucket.upper, bucket.count] {
            list.serialize_element(&sample(number))?;
        }
        list.end()
    }
}
