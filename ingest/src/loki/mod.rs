//! Loki's push protocol: the decoder of its streams, and the paths that take them.

pub mod decode;
pub mod http;

pub use decode::{Encoding, decode};
