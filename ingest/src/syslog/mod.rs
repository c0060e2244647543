//! Syslog: the decoder of its messages, and what gathers them into batches from UDP and TCP.
//!
//! ```text
//! udp  -- one message a datagram ------.
//! tcp  -- framing -- back-pressure ----+-> batch -- admission, log, answer as for one body
//! ```
//! Sockets, TLS and tasks belong to the root.

pub mod batch;
pub mod decode;
pub mod framing;
pub mod tcp;
pub mod udp;

pub use decode::{decode, each_frame};

/// Bytes of a message that are kept; what goes beyond is cut, and an attribute says so.
pub const MESSAGE_BYTES_MAX: usize = 64 << 10;
