//! Jaeger's v3 API: searches of the current Jaeger UI and of Grafana's newer source. Traces are OTLP.

pub mod error;
pub mod filter;
pub mod params;
pub mod routes;
pub mod wire;
