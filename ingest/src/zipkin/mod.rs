//! Zipkin: the decoder of its spans, and the transports that bring them.

pub mod decode;
pub mod grpc;
pub mod http;

pub use decode::{Encoding, decode};
