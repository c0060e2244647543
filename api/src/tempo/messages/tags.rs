//! Names and values of fields.

use prost::Message;
use serde::Serialize;

use super::json::{is_default, text};

/// What a look for names or values did.
#[derive(Clone, Copy, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetadataMetrics {
    /// Bytes that were read.
    #[prost(uint64, tag = "1")]
    #[serde(skip_serializing_if = "is_default", serialize_with = "text")]
    pub inspected_bytes: u64,
    /// Parts of the work.
    #[prost(uint32, tag = "2")]
    #[serde(skip_serializing_if = "is_default")]
    pub total_jobs: u32,
    /// Parts of the work that are done.
    #[prost(uint32, tag = "3")]
    #[serde(skip_serializing_if = "is_default")]
    pub completed_jobs: u32,
    /// Segments there are.
    #[prost(uint32, tag = "4")]
    #[serde(skip_serializing_if = "is_default")]
    pub total_blocks: u32,
}

/// Asks for names of attributes.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagsRequest {
    /// Which scope; empty for all.
    #[prost(string, tag = "1")]
    pub scope: String,
    /// A filter in TraceQL, which may be incomplete.
    #[prost(string, tag = "2")]
    pub query: String,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "3")]
    pub start: u32,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "4")]
    pub end: u32,
    /// Names a scope; 0 for the most.
    #[prost(uint32, tag = "5")]
    pub max_tags_per_scope: u32,
}

/// Names of attributes.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchTagsResponse {
    /// The names.
    #[prost(string, repeated, tag = "1")]
    pub tag_names: Vec<String>,
    /// What the look did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Names of attributes by scope.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct SearchTagsV2Response {
    /// The scopes that have names.
    #[prost(message, repeated, tag = "1")]
    pub scopes: Vec<SearchTagsV2Scope>,
    /// What the look did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Names of attributes of one scope.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct SearchTagsV2Scope {
    /// The scope.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The names.
    #[prost(string, repeated, tag = "2")]
    pub tags: Vec<String>,
}

/// Asks for values of a field.
#[derive(Clone, PartialEq, Message)]
pub struct SearchTagValuesRequest {
    /// The field.
    #[prost(string, tag = "1")]
    pub tag_name: String,
    /// A filter in TraceQL, which may be incomplete.
    #[prost(string, tag = "2")]
    pub query: String,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "4")]
    pub start: u32,
    /// Unix time in seconds; 0 for none.
    #[prost(uint32, tag = "5")]
    pub end: u32,
    /// Values in the answer; 0 for the most.
    #[prost(uint32, tag = "6")]
    pub max_tag_values: u32,
}

/// Values of a field as text.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchTagValuesResponse {
    /// The values.
    #[prost(string, repeated, tag = "1")]
    pub tag_values: Vec<String>,
    /// What the look did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// Values of a field with their types.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchTagValuesV2Response {
    /// The values.
    #[prost(message, repeated, tag = "1")]
    pub tag_values: Vec<TagValue>,
    /// What the look did.
    #[prost(message, optional, tag = "2")]
    pub metrics: Option<MetadataMetrics>,
}

/// A value of a field.
#[derive(Clone, PartialEq, Message, Serialize)]
pub struct TagValue {
    /// `string`, `int`, `float`, `bool`, `duration` or `keyword`.
    #[prost(string, tag = "1")]
    #[serde(rename = "type")]
    pub kind: String,
    /// Its text.
    #[prost(string, tag = "2")]
    pub value: String,
}
