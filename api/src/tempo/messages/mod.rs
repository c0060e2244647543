//! The messages of Tempo's API: protobuf by their tags, JSON by the mapping of protobuf (64-bit
//! integers as strings, defaults left out, lists that clients walk always there).
//!
//! Grafana reads the JSON of searches and instant queries strictly: a field that its version does not
//! know is an error, so there are no others than these.

mod json;
mod metrics;
mod tags;

pub use metrics::{
    Exemplar, InstantSeries, QueryInstantRequest, QueryInstantResponse, QueryRangeRequest,
    QueryRangeResponse, Sample, TimeSeries,
};
pub use tags::{
    MetadataMetrics, SearchTagValuesRequest, SearchTagValuesResponse, SearchTagValuesV2Response,
    SearchTagsRequest, SearchTagsResponse, SearchTagsV2Response, SearchTagsV2Scope, TagValue,
};

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::trace::v1::TracesData;
use prost::Message;
use serde::Serialize;

use json::{is_default, key_values, text};

/// Asks for traces.
#[derive(Clone, PartialEq, Message)]
pub struct SearchRequest {
    /// Conditions on attributes, where there is no query.
    #[prost(btree_map = "string, string", tag = "1")]
    pub tags: BTreeMap<String, String>,
    /// Least duration of the trace.
    #[prost(uint32, tag = "2")]
    pub min_duration_ms: u32,
    /// Greatest duration of the trace.
    #[prost(uint32, tag = "3")]
    pub max_duration_ms: u32,
    /// Traces in the answer; 0 for the default.
    #[prost(uint32, tag = "4")]
    pub limit: u32,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "5")]
    pub start: u32,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "6")]
    pub end: u32,
    /// The query in TraceQL.
    #[prost(string, tag = "8")]
    pub query: String,
    /// Spans that each spanset lists; 0 for all.
    #[prost(uint32, tag = "9")]
    pub spans_per_span_set: u32,
}

/// Traces that were found.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct SearchResponse {
    /// The traces; in a stream, those that were not in a message before.
    #[prost(message, repeated, tag = "1")]
    pub traces: Vec<TraceSearchMetadata>,
    /// What the search did so far.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<SearchMetrics>,
}

/// A trace that was found.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceSearchMetadata {
    /// 32 hex digits.
    #[prost(string, tag = "1")]
    #[serde(rename = "traceID")]
    pub trace_id: String,
    /// Service of the root.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_service_name: String,
    /// Name of the root.
    #[prost(string, tag = "3")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub root_trace_name: String,
    /// Earliest start.
    #[prost(uint64, tag = "4")]
    #[serde(serialize_with = "text")]
    pub start_time_unix_nano: u64,
    /// Latest end minus earliest start.
    #[prost(uint32, tag = "5")]
    #[serde(skip_serializing_if = "is_default")]
    pub duration_ms: u32,
    /// The first spanset, for clients that know only one.
    #[prost(message, optional, tag = "6")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span_set: Option<SpanSet>,
    /// The spansets.
    #[prost(message, repeated, tag = "7")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub span_sets: Vec<SpanSet>,
    /// Spans by service.
    #[prost(btree_map = "string, message", tag = "8")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub service_stats: BTreeMap<String, ServiceStats>,
}

/// Spans of a service.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceStats {
    /// All of them.
    #[prost(uint32, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub span_count: u32,
    /// Those with status ERROR.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub error_count: u32,
}

/// Spans that belong together.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct SpanSet {
    /// Some of them.
    #[prost(message, repeated, tag = "1")]
    pub spans: Vec<Span>,
    /// How many there are.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub matched: u32,
    /// What groups and aggregates said.
    #[prost(message, repeated, tag = "3")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "key_values")]
    pub attributes: Vec<KeyValue>,
}

/// A span that was found.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// 16 hex digits.
    #[prost(string, tag = "1")]
    #[serde(rename = "spanID")]
    pub span_id: String,
    /// Its name.
    #[prost(string, tag = "2")]
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its start.
    #[prost(uint64, tag = "3")]
    #[serde(serialize_with = "text")]
    pub start_time_unix_nano: u64,
    /// Its duration.
    #[prost(uint64, tag = "4")]
    #[serde(serialize_with = "text")]
    pub duration_nanos: u64,
    /// The fields that the query names.
    #[prost(message, repeated, tag = "5")]
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "key_values")]
    pub attributes: Vec<KeyValue>,
}

/// What a search or a query for numbers did.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchMetrics {
    /// Traces that were looked at.
    #[prost(uint32, tag = "1")]
    #[serde(skip_serializing_if = "is_default")]
    pub inspected_traces: u32,
    /// Bytes that were read.
    #[prost(uint64, tag = "2")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "text")]
    pub inspected_bytes: u64,
    /// Segments there are.
    #[prost(uint32, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub total_blocks: u32,
    /// Parts of the work that are done.
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub completed_jobs: u32,
    /// Parts of the work.
    #[prost(uint32, tag = "5")]
    #[serde(skip_serializing_if = "is_default")]
    pub total_jobs: u32,
    /// Bytes of the segments.
    #[prost(uint64, tag = "6")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "text")]
    pub total_block_bytes: u64,
}

/// A trace by its id, as the second version of the API answers.
#[derive(Clone, PartialEq, Message)]
pub struct TraceByIdResponse {
    /// The trace.
    #[prost(message, optional, tag = "1")]
    pub trace: Option<TracesData>,
    /// What the look did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<TraceByIdMetrics>,
    /// Whether that is all of the trace.
    #[prost(enumeration = "PartialStatus", tag = "3")]
    pub status: i32,
    /// Why not.
    #[prost(string, tag = "4")]
    pub message: String,
}

/// What a look for a trace did.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TraceByIdMetrics {
    /// Bytes that were read.
    #[prost(uint64, tag = "1")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "text")]
    pub inspected_bytes: u64,
}

/// Whether an answer is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum PartialStatus {
    /// It is.
    Complete = 0,
    /// Something is missing; the message says what.
    Partial = 1,
}
