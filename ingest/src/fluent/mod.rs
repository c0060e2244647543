//! Fluent's forward protocol, of Fluent Bit and Fluentd: MessagePack over TCP, or TLS over it.
//!
//! ```text
//! connection -- whole values (`msgpack::Skipper`) -- admission, log -- {"ack": chunk} where one is wanted
//! ```
//! Sockets, TLS and tasks belong to the root.

pub mod decode;
pub mod msgpack;
pub mod tcp;

pub use decode::decode;
