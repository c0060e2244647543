//! Jaeger: batches in thrift and protobuf, to columns; `POST /api/traces`, `CollectorService/PostSpans`,
//! and the sampling strategies that its clients ask for.
//!
//! A body that does not follow its format fails as a whole; a span that cannot be kept is refused alone.

mod columns;
pub mod grpc;
pub mod http;
mod protobuf;
pub mod sampling;
mod span;
mod thrift;

use throughline_model::Result;
use throughline_model::batch::Decoded;

use crate::thrift::Protocol;
use columns::Columns;

/// How a batch is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A `Batch` in thrift.
    Thrift(Protocol),
    /// A `PostSpansRequest`.
    Protobuf,
}

/// Decodes a body.
pub fn decode(encoding: Encoding, body: &[u8]) -> Result<Decoded> {
    let mut columns = Columns::default();
    match encoding {
        Encoding::Thrift(protocol) => thrift::read(body, protocol, &mut columns)?,
        Encoding::Protobuf => protobuf::read(body, &mut columns)?,
    }
    columns.finish()
}
