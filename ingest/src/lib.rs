//! Receivers: what arrives on the wire is admitted, decoded into columns, and handed to `storage`,
//! which makes it durable before the sender is told so.
//!
//! Place in the flow: listeners, TLS and tokens belong to the root; from a request's head on, all is
//! done here. Ingest knows `model` and `storage` and nothing of queries.
//!
//! - [`admit`]: limits, inflating, deduplication, the way to the store; the counters
//! - [`otlp`]: the decoder, and OTLP over gRPC and HTTP

pub mod admit;
mod error;
pub mod otlp;

pub use admit::{IngestLimits, IngestStats, Ingester};
pub use error::{Error, ErrorKind, Result};
pub use otlp::decode;
pub use otlp::grpc::grpc_routes;
pub use otlp::http::http_routes;

#[cfg(test)]
mod tests;
