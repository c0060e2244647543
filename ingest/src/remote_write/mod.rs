//! Prometheus' remote write, 1.0 and 2.0: the decoder of its series, and the path that takes them.

pub mod decode;
pub mod http;

pub use decode::{Version, decode};
