//! Tempo's API, for its clients: Grafana's data source and Traces Drilldown.
//!
//! ```text
//! HTTP under /tempo/api/…                 routes ── params ─┐
//! gRPC tempopb.StreamingQuerier           grpc ── frame ────┼─→ search, tags, metrics, trace → query
//!                                         messages ←─ wire ─┘
//! ```
//! - `messages`: what goes over the wire, protobuf and JSON of the same types
//! - `wire`: answers of the engine as messages; `form`: in which of the two they leave
//! - `search`, `tags`, `metrics`, `trace`: one question each, asked by HTTP and gRPC alike
//! - `logfmt`: conditions of a search by tags as a query; `prune`: the part of a trace that is asked for
//! - `error`: errors as plain text
//!
//! Unlike the native API, unknown parameters are passed over, as clients send their own. The tenant
//! header `X-Scope-OrgID` is taken and chooses nothing: there is one tenant to ask.

mod error;
mod form;
mod frame;
mod grpc;
mod logfmt;
mod messages;
mod metrics;
pub(crate) mod params;
mod prune;
mod routes;
mod search;
mod tags;
mod trace;
mod wire;

use axum::Router;

use crate::state::ApiState;

/// The routes under `/tempo`, and those of the gRPC service.
pub fn routes() -> Router<ApiState> {
    routes::routes().merge(grpc::routes())
}
