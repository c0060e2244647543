//! Jaeger: the decoder of its batches, the transports that bring them, and the sampling strategies that its
//! clients ask for.

pub mod decode;
pub mod grpc;
pub mod http;
pub mod sampling;

pub use decode::{Encoding, decode};
