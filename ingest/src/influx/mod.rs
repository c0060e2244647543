//! Influx' line protocol over HTTP, as Telegraf sends it: the decoder, and the paths.

pub mod decode;
pub mod http;

pub use decode::{decode, says_when};
