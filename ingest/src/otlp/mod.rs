//! The OpenTelemetry protocol: its decoder and its two transports.

pub mod decode;
