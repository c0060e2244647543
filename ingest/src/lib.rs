//! Receivers: what arrives on the wire is admitted, decoded into columns, and handed to `storage`,
//! which makes it durable before the sender is told so.
//!
//! Place in the flow: listeners, TLS and tokens belong to the root; from a request's head on, all is
//! done here. Ingest knows `model` and `storage` and nothing of queries.
//!
//! - [`admit`]: limits, inflating, deduplication, the way to the store; the counters
//! - [`otlp`]: the decoder, and OTLP over gRPC and HTTP
//! - [`zipkin`], [`jaeger`]: what older services send, by docs/translation.md; [`translate`] and
//!   [`thrift`] are what they share
//! - [`loki`], [`splunk`], [`elasticsearch`], [`syslog`], [`json_lines`], [`gelf`], [`fluent`]: logs that older senders push and ship, likewise;
//!   [`records`], [`json_parts`] and [`times`] are what they share
//! - [`remote_write`]: series that Prometheus and its agents push
//! - [`influx`]: lines that Telegraf and its kind push
//! - [`scrape`]: targets of Prometheus' kind, asked again and again
//! - [`rules`]: what log records go through before anything of them is stored
//! - `preface`: what a request says beside its body, put before it in the log
//! - [`decode`]: which decoder a body is for

pub mod admit;
pub mod decode;
pub mod elasticsearch;
mod error;
pub mod fluent;
pub mod gelf;
pub mod influx;
pub mod jaeger;
pub mod json_lines;
pub mod json_parts;
pub mod loki;
pub mod otlp;
mod post;
mod preface;
pub mod records;
pub mod remote_write;
pub mod rules;
pub mod scrape;
pub mod splunk;
pub mod syslog;
pub mod thrift;
pub mod times;
pub mod translate;
pub mod zipkin;

pub use admit::{IngestLimits, IngestStats, Ingester};
pub use decode::decode;
pub use elasticsearch::http::routes as elasticsearch_routes;
pub use error::{Error, ErrorKind, Result};
pub use gelf::http::routes as gelf_routes;
pub use influx::http::routes as influx_routes;
pub use jaeger::grpc::sampling_routes as jaeger_sampling_grpc_routes;
pub use jaeger::http::{sampling_routes as jaeger_sampling_routes, thrift_routes as jaeger_routes};
pub use jaeger::sampling::Strategies;
pub use json_lines::http::routes as json_lines_routes;
pub use loki::http::routes as loki_routes;
pub use otlp::grpc::grpc_routes;
pub use otlp::http::http_routes;
pub use post::own_port;
pub use remote_write::http::routes as remote_write_routes;
pub use splunk::http::routes as splunk_routes;
pub use zipkin::http::routes as zipkin_routes;

#[cfg(test)]
mod tests;
