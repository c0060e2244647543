//! Elasticsearch: the decoder of the documents that shippers of logs index, and the little of its API that
//! they speak.

mod answer;
pub mod decode;
mod handshake;
pub mod http;
mod wrap;

pub use decode::{Shape, decode};
