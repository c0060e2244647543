//! The native API: questions over HTTP on the port of the UI, under `/api/v1`.
//!
//! Place in the flow: the root hands over an [`ApiState`] and serves the router of [`routes`];
//! handlers turn parameters into the questions of `query` and its answers into wire types.
//!
//! - [`native`]: one folder a resource
//! - [`jaeger`]: what Jaeger's clients ask
//! - [`zipkin`]: what Zipkin's ask
//! - [`loki`]: what Loki's ask, Grafana among them
//! - [`elastic`]: what Elasticsearch's ask of logs, likewise
//! - [`error`]: the one place that says how an error becomes HTTP
//! - [`edge`]: panics, counts, unknown paths and methods
//! - [`otlp`], [`render`]: spans as OTLP, values and Arrow columns as JSON and IPC
//! - [`tempo`]: Tempo's API, for Grafana
//! - [`openapi`]: the description of all this

mod counters;
pub mod edge;
pub mod elastic;
pub mod error;
mod form;
pub mod jaeger;
pub mod loki;
pub mod native;
pub mod openapi;
pub mod otlp;
pub mod prometheus;
pub mod render;
mod state;
pub mod tempo;
#[cfg(test)]
mod tests;
pub mod zipkin;

pub use counters::{ApiCounters, RouteCount};
pub use state::{ApiLimits, ApiState, BuildInfo, MetricsPage, Readiness, asker};

use axum::Router;
use axum::middleware::from_fn_with_state;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{NotForContentType, Predicate, SizeAbove};

/// Answers below this size go out as they are.
const COMPRESS_BYTES_MIN: u16 = 1024;

/// Everything that this crate answers: `/api/v1/…`, `/metrics`, `/-/healthy` and `/-/ready`, and
/// "not found" for the rest of `/api`. Other paths are the caller's.
pub fn routes(state: ApiState) -> Router {
    // Streams are left alone: compression would hold their rows back.
    let compressible = SizeAbove::new(COMPRESS_BYTES_MIN)
        .and(NotForContentType::const_new("application/x-ndjson"))
        .and(NotForContentType::GRPC)
        .and(NotForContentType::SSE)
        .and(NotForContentType::const_new("text/csv"))
        .and(NotForContentType::const_new(render::ipc::ARROW_STREAM));
    native::routes()
        .merge(jaeger::routes::routes())
        .merge(zipkin::routes::routes())
        .merge(tempo::routes())
        .merge(loki::routes())
        .merge(prometheus::routes())
        .method_not_allowed_fallback(edge::wrong_method)
        .layer(from_fn_with_state(state.clone(), edge::surround))
        .layer(
            CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(compressible),
        )
        .with_state(state)
}
