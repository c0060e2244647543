//! What goes over the wire of Zipkin's v2 API.

use std::collections::BTreeMap;

use serde::Serialize;

/// A span.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SpanJson<'a> {
    /// The trace's id, of 16 or 32 digits.
    pub trace_id: String,
    /// The parent's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// Its id.
    pub id: String,
    /// `CLIENT`, `SERVER`, `PRODUCER`, `CONSUMER`, or none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<&'static str>,
    /// Its name.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub name: &'a str,
    /// Microseconds since the epoch; none where the sender gave none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<u64>,
    /// Microseconds; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// Where it was recorded.
    #[serde(skip_serializing_if = "Endpoint::is_empty")]
    pub local_endpoint: Endpoint<'a>,
    /// The other side.
    #[serde(skip_serializing_if = "Endpoint::is_empty")]
    pub remote_endpoint: Endpoint<'a>,
    /// Events.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// Attributes, as text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<&'a str, String>,
    /// Whether the sender asked to keep it in any case.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub debug: bool,
    /// Whether it has the id of the client's span.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub shared: bool,
}

/// One side of a call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint<'a> {
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<&'a str>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv4: Option<&'a str>,
    /// Its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipv6: Option<&'a str>,
    /// Its port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

impl Endpoint<'_> {
    fn is_empty(&self) -> bool {
        *self == Endpoint::default()
    }
}

/// An event.
#[derive(Debug, Serialize)]
pub struct Annotation {
    /// Microseconds since the epoch.
    pub timestamp: u64,
    /// What happened.
    pub value: String,
}

/// Calls from one service to another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DependencyLink {
    /// Who calls.
    pub parent: String,
    /// Who is called.
    pub child: String,
    /// How often.
    pub call_count: u64,
    /// How often it failed.
    #[serde(skip_serializing_if = "is_zero")]
    pub error_count: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}
