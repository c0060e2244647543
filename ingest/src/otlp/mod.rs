//! The OpenTelemetry protocol: its decoder and its two transports.

mod body;
pub mod decode;
pub mod grpc;
pub mod http;
pub mod json;
pub mod reply;
