//! Numbers over time, and one number a series.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use prost::Message;
use serde::Serialize;

use super::json::{is_default, key_values, status, text};
use super::{PartialStatus, SearchMetrics};
use crate::render::value::double;

/// Asks for numbers over time.
#[derive(Clone, PartialEq, Message)]
pub struct QueryRangeRequest {
    /// The query in TraceQL.
    #[prost(string, tag = "1")]
    pub query: String,
    /// Unix time in nanoseconds; 0 for an hour before the end.
    #[prost(uint64, tag = "2")]
    pub start: u64,
    /// Unix time in nanoseconds; 0 for now.
    #[prost(uint64, tag = "3")]
    pub end: u64,
    /// Nanoseconds; 0 for one that fits the range.
    #[prost(uint64, tag = "4")]
    pub step: u64,
    /// Exemplars at most; 0 for the default.
    #[prost(uint32, tag = "16")]
    pub exemplars: u32,
    /// Series at most; 0 for the default.
    #[prost(uint32, tag = "17")]
    pub max_series: u32,
}

/// Asks for one number a series.
#[derive(Clone, PartialEq, Message)]
pub struct QueryInstantRequest {
    /// The query in TraceQL.
    #[prost(string, tag = "1")]
    pub query: String,
    /// Unix time in nanoseconds; 0 for an hour before the end.
    #[prost(uint64, tag = "2")]
    pub start: u64,
    /// Unix time in nanoseconds; 0 for now.
    #[prost(uint64, tag = "3")]
    pub end: u64,
}

/// Numbers over time.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct QueryRangeResponse {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<TimeSeries>,
    /// What the query did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether that is all.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "status")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A series of numbers.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimeSeries {
    /// What tells it from others.
    #[prost(message, repeated, tag = "1")]
    #[serde(serialize_with = "key_values")]
    pub labels: Vec<KeyValue>,
    /// The numbers.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
    /// The labels in the form of Prometheus, for clients from before `labels` had types.
    #[prost(string, tag = "3")]
    pub prom_labels: String,
    /// Spans that stand for numbers.
    #[prost(message, repeated, tag = "4")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exemplars: Vec<Exemplar>,
}

/// A number at a time.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// The number.
    #[prost(double, tag = "1")]
    #[serde(serialize_with = "double")]
    pub value: f64,
    /// The time.
    #[prost(int64, tag = "2")]
    #[serde(serialize_with = "text")]
    pub timestamp_ms: i64,
}

/// A span that stands for a number.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exemplar {
    /// `trace:id` and `span:id`.
    #[prost(message, repeated, tag = "1")]
    #[serde(serialize_with = "key_values")]
    pub labels: Vec<KeyValue>,
    /// What was measured.
    #[prost(double, tag = "2")]
    #[serde(serialize_with = "double")]
    pub value: f64,
    /// The span's start.
    #[prost(int64, tag = "3")]
    #[serde(serialize_with = "text")]
    pub timestamp_ms: i64,
}

/// One number a series.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct QueryInstantResponse {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub series: Vec<InstantSeries>,
    /// What the query did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
    /// Whether that is all.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "status")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// A series of one number.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct InstantSeries {
    /// What tells it from others.
    #[prost(message, repeated, tag = "1")]
    #[serde(serialize_with = "key_values")]
    pub labels: Vec<KeyValue>,
    /// The number.
    #[prost(double, tag = "2")]
    #[serde(serialize_with = "double")]
    pub value: f64,
}
