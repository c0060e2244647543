//! OTLP protobuf to columns, without structs in between: one walk over the wire fills the batch
//! builders of `model`. Resources and scopes are encoded once a request and interned.
//!
//! Knows `model` alone: `fuzz/` compiles these files without the rest of the crate.
//!
//! A malformed request fails as a whole (as it does in every protobuf library); an item whose ids or
//! times cannot be kept is refused alone, and the sender is told which and why.

mod common;
mod logs;
mod metrics;
mod origin;
mod plain;
mod points;
mod traces;
pub mod wire;

use throughline_model::batch::Decoded;
use throughline_model::{Result, Signal};

pub use common::ITEMS_PER_REQUEST_MAX;
pub(crate) use common::{Refusals, check_items};

/// Decodes the protobuf body of an Export request. `received_at_ns` dates log records that carry no
/// time of their own.
pub fn decode_request(signal: Signal, request: &[u8], received_at_ns: i64) -> Result<Decoded> {
    match signal {
        Signal::Traces => traces::decode(request),
        Signal::Logs => logs::decode(request, received_at_ns),
        Signal::Metrics => metrics::decode(request),
    }
}
