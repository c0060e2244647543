//! The rollup of a span segment: what a service map and rates, errors and durations need, counted
//! when the segment is written.
//!
//! Place in the flow: a flush and a merge roll up each slab that they write ([`build`]); the result
//! stands in the `.idx` ([`section`]) and is read by `scan::rollup` without touching a row. Heads, and
//! traces that lie in several slabs, are rolled up by the same code when they are asked for. So a
//! rollup is as durable as its rows, counts none twice, and is of the same view as they are.
//!
//! - *operations*: rows by bucket of [`ROLLUP_NS`], service, name, kind and status, in the bucket of
//!   the span's start; over the whole segment also by wider buckets ([`wide`])
//! - *edges*: rows by bucket, client service, server service and type of connection, in the bucket
//!   of the server's start, or of the client's where there is no server
//! - *halves*: spans whose parent is not in the slab, and links of consumers to spans that are not;
//!   what they add is found out when they are asked for, so that late pairs join exactly
//!
//! A pair is a span and its parent in one trace where the parent is a client or producer and the span
//! a server or consumer, or where their services differ; or a consumer and a producer that it links
//! to; or a server and a client with the same id ([`twins`]). A client or producer of no pair whose attributes name whom it calls counts as an edge to that
//! name.
pub(crate) mod build;
pub(crate) mod columns;
pub(crate) mod edges;
pub(crate) mod operations;
pub(crate) mod peers;
pub(crate) mod section;
pub(crate) mod tables;
mod twins;
pub(crate) mod weight;
pub(crate) mod wide;

use throughline_model::time::SECOND_NS;

/// The length of a bucket of time.
pub const ROLLUP_NS: i64 = 15 * SECOND_NS;
/// Distinct operations, and distinct edges, that a segment's rollup names. Names of spans and of
/// hosts beyond them are counted under the empty name.
pub const ROLLUP_KEYS_MAX: usize = 4096;

/// `SpanKind` of a server.
pub(crate) const SERVER: i32 = 2;
/// `SpanKind` of a client.
pub(crate) const CLIENT: i32 = 3;
/// `SpanKind` of a producer.
pub(crate) const PRODUCER: i32 = 4;
/// `SpanKind` of a consumer.
pub(crate) const CONSUMER: i32 = 5;
/// `StatusCode` of an error.
pub(crate) const ERROR: i32 = 2;

/// How a client reaches a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ConnectionType {
    /// A call between two services.
    Direct = 0,
    /// Through a queue or topic.
    Messaging = 1,
    /// To a database that has no spans of its own.
    Database = 2,
    /// To a host or service that has no spans of its own.
    Virtual = 3,
}

impl ConnectionType {
    /// All of them, by number.
    pub const ALL: [Self; 4] = [Self::Direct, Self::Messaging, Self::Database, Self::Virtual];

    /// The name that Grafana's service graph knows; a direct call has none.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "",
            Self::Messaging => "messaging_system",
            Self::Database => "database",
            Self::Virtual => "virtual_node",
        }
    }
}

/// The number of the bucket that a time falls into.
pub(crate) fn bucket_of(time_ns: i64) -> i64 {
    time_ns.div_euclid(ROLLUP_NS)
}
