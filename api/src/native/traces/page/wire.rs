//! What goes over the wire of skeletons and of single spans.

use serde::{Serialize, Serializer};
use throughline_model::span::Span as ModelSpan;
use throughline_model::{SpanId, TraceId, Value, origin as model};
use throughline_query::traces::page::SkeletonResult;
use utoipa::ToSchema;

use super::super::super::origin::{Scope, attributes, optional_text};
use super::super::super::stats::Stats;
use crate::render::value::{exact_i64, text, time};

/// Every span of a trace, in columns: entry `i` of each column belongs to one span. Spans are ordered
/// by start, then id.
#[derive(Debug, Serialize, ToSchema)]
pub struct TraceSkeleton {
    /// The trace's id in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Earliest start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// Latest end minus earliest start, in nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
    /// Spans, which is the length of every column.
    pub span_count: u64,
    /// Distinct names; the column `name` numbers them from 0.
    pub names: Vec<String>,
    /// Distinct services.
    pub services: Vec<String>,
    /// What tells apart whose clock timed a span: a host, else a process.
    #[schema(example = json!(["host.name=a1"]))]
    pub clocks: Vec<String>,
    /// The columns.
    pub columns: SkeletonColumns,
    /// What the lookup cost.
    pub stats: Stats,
}

/// The columns of a skeleton.
#[derive(Debug, Serialize, ToSchema)]
pub struct SkeletonColumns {
    /// Ids in hex digits.
    #[serde(serialize_with = "texts")]
    #[schema(value_type = Vec<String>)]
    pub span_id: Vec<SpanId>,
    /// Place of the parent in the columns; -1 for none.
    pub parent: Vec<i32>,
    /// Start after the start of the trace, in nanoseconds, as sent.
    #[serde(serialize_with = "exact")]
    pub start_ns: Vec<i64>,
    /// End minus start, in nanoseconds, as sent.
    #[serde(serialize_with = "exact")]
    pub duration_ns: Vec<i64>,
    /// Place in `names`.
    pub name: Vec<u32>,
    /// Place in `services`.
    pub service: Vec<u32>,
    /// Place in `clocks`.
    pub clock: Vec<u32>,
    /// `SpanKind` as a number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer.
    pub kind: Vec<i32>,
    /// Status as a number: 0 unset, 1 ok, 2 error.
    pub status: Vec<i32>,
    /// Bits: 1 names no parent; 2 names one that is not in the trace; 4 status error; 8 has events;
    /// 16 has links; 32 starts after its parent ended; 64 starts after the top of its tree ended;
    /// 128 its parent was cut, as it closed a cycle; 256 was moved to make up for skew of clocks.
    pub flags: Vec<u16>,
}

impl From<SkeletonResult> for TraceSkeleton {
    fn from(result: SkeletonResult) -> Self {
        let skeleton = result.skeleton;
        Self {
            trace_id: skeleton.trace_id,
            start_time: skeleton.start_ns,
            duration_ns: skeleton.duration_ns,
            span_count: skeleton.span_id.len() as u64,
            names: skeleton.names,
            services: skeleton.services,
            clocks: skeleton.clocks,
            columns: SkeletonColumns {
                span_id: skeleton.span_id,
                parent: skeleton.parent,
                start_ns: skeleton.start,
                duration_ns: skeleton.duration,
                name: skeleton.name,
                service: skeleton.service,
                clock: skeleton.clock,
                kind: skeleton.kind,
                status: skeleton.status,
                flags: skeleton.flags,
            },
            stats: result.stats.into(),
        }
    }
}

fn texts<T: std::fmt::Display, S: Serializer>(ids: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(ToString::to_string))
}

/// Integers, each as a number while every reader takes it exactly.
pub fn exact<S: Serializer>(numbers: &[i64], serializer: S) -> Result<S::Ok, S::Error> {
    struct Exact(i64);
    impl Serialize for Exact {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            exact_i64(&self.0, serializer)
        }
    }
    serializer.collect_seq(numbers.iter().map(|number| Exact(*number)))
}

/// Spans in full.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanPage {
    /// The spans, by start. An id may stand for more than one where senders used it twice.
    pub spans: Vec<SpanDetail>,
    /// Ids asked for that are not there.
    #[serde(serialize_with = "texts")]
    #[schema(value_type = Vec<String>)]
    pub missing: Vec<SpanId>,
    /// What the lookup cost.
    pub stats: Stats,
}

/// A span with everything that was sent of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct SpanDetail {
    /// Its trace, in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// Its id, in hex digits.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub span_id: SpanId,
    /// The id of its parent; null for a root.
    #[serde(serialize_with = "optional_text")]
    #[schema(value_type = Option<String>)]
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state.
    pub trace_state: String,
    /// Trace flags.
    pub flags: u32,
    /// Its name.
    #[schema(example = "GET /cart")]
    pub name: String,
    /// Its service.
    #[schema(example = "cart")]
    pub service_name: String,
    /// `SpanKind`: `SERVER`, `CLIENT`, …; the number where there is no name.
    #[schema(example = "SERVER")]
    pub kind: String,
    /// Its start.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub start_time: i64,
    /// End minus start, in nanoseconds.
    #[serde(serialize_with = "exact_i64")]
    pub duration_ns: i64,
    /// `UNSET`, `OK` or `ERROR`; the number where there is no name.
    #[schema(example = "ERROR")]
    pub status: String,
    /// Message of the status.
    pub status_message: String,
    /// Its attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Its events.
    pub events: Vec<EventDetail>,
    /// Events that the sender dropped.
    pub dropped_events_count: u32,
    /// Its links.
    pub links: Vec<LinkDetail>,
    /// Links that the sender dropped.
    pub dropped_links_count: u32,
    /// Who produced it.
    pub resource: ResourceDetail,
    /// The library that recorded it.
    pub scope: Scope,
}

/// An event of a span.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventDetail {
    /// When it happened.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// What happened.
    #[schema(example = "exception")]
    pub name: String,
    /// Its attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A link of a span.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkDetail {
    /// The linked trace.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "4bf92f3577b34da6a3ce929d0e0e4736")]
    pub trace_id: TraceId,
    /// The linked span.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, example = "00f067aa0ba902b7")]
    pub span_id: SpanId,
    /// Its W3C trace state.
    pub trace_state: String,
    /// Its trace flags.
    pub flags: u32,
    /// Attributes of the link in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A resource.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResourceDetail {
    /// Its attributes in their own types.
    #[serde(serialize_with = "attributes")]
    #[schema(value_type = Object)]
    pub attributes: Vec<(String, Value)>,
    /// Attributes that the sender dropped.
    pub dropped_attributes_count: u32,
    /// Its schema.
    pub schema_url: String,
}

const KINDS: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const STATUSES: [&str; 3] = ["UNSET", "OK", "ERROR"];

fn named(names: &[&str], number: i32) -> String {
    let name = usize::try_from(number).ok().and_then(|at| names.get(at));
    name.map_or_else(|| number.to_string(), |name| (*name).to_owned())
}

impl From<ModelSpan> for SpanDetail {
    fn from(span: ModelSpan) -> Self {
        Self {
            trace_id: span.trace_id,
            span_id: span.span_id,
            parent_span_id: span.parent_span_id,
            trace_state: span.trace_state,
            flags: span.flags,
            name: span.name,
            service_name: span.service_name,
            kind: named(&KINDS, span.kind),
            start_time: span.start_time_ns,
            duration_ns: span.duration_ns,
            status: named(&STATUSES, span.status_code),
            status_message: span.status_message,
            attributes: span.attributes,
            dropped_attributes_count: span.dropped_attributes_count,
            events: span.events.into_iter().map(EventDetail::from).collect(),
            dropped_events_count: span.dropped_events_count,
            links: span.links.into_iter().map(LinkDetail::from).collect(),
            dropped_links_count: span.dropped_links_count,
            resource: ResourceDetail {
                attributes: span.resource.attributes.clone(),
                dropped_attributes_count: span.resource.dropped_attributes_count,
                schema_url: span.resource.schema_url.clone(),
            },
            scope: span.scope.as_ref().clone().into(),
        }
    }
}

impl From<model::Event> for EventDetail {
    fn from(event: model::Event) -> Self {
        Self {
            time: event.time_ns,
            name: event.name,
            attributes: event.attributes,
            dropped_attributes_count: event.dropped_attributes_count,
        }
    }
}

impl From<model::Link> for LinkDetail {
    fn from(link: model::Link) -> Self {
        Self {
            trace_id: link.trace_id,
            span_id: link.span_id,
            trace_state: link.trace_state,
            flags: link.flags,
            attributes: link.attributes,
            dropped_attributes_count: link.dropped_attributes_count,
        }
    }
}
