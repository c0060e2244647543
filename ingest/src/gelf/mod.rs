//! GELF, Graylog's format of messages: the decoder, the path, and what puts datagrams together.
//!
//! ```text
//! udp  -- chunks -- inflate ------.
//! tcp  -- messages end with NUL --+-> batch (as of syslog) -- admission, log
//! http -- one message a body -----------------------------------^
//! ```
//! Sockets, TLS and tasks belong to the root.

mod chunks;
pub mod decode;
pub mod http;
pub mod udp;

pub use decode::{decode, decode_batch};

/// Bytes of a message, inflated.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
