//! The HTTP API of Prometheus, for its clients: Grafana's data source, promtool, client libraries, and
//! whoever else asks in PromQL.
//!
//! ```text
//! HTTP under /prometheus/api/v1/…   routes ── form ── params ─→ query::promql ─→ wire
//! ```
//! - `form`: parameters of the address and of a form in the body
//! - `params`: times, steps, selectors
//! - `wire`: values, series and notes as Prometheus writes them
//! - `targets`: what is scraped
//! - `tree`: the syntax tree of a query as JSON
//! - `error`: errors with Prometheus's types
//!
//! Unlike the native API, unknown parameters are passed over, as clients send their own. Names and
//! labels of what came over OTLP: docs/prometheus.md.

mod error;
mod form;
mod params;
mod routes;
mod status;
pub mod targets;
mod tree;
mod wire;

use axum::Router;

use crate::state::ApiState;

/// The routes under `/prometheus`.
pub fn routes() -> Router<ApiState> {
    routes::routes().merge(status::routes()).merge(targets::routes())
}
