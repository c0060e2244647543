//! Jaeger's batches in thrift and protobuf, to columns. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! A body that does not follow its format fails as a whole; a span that cannot be kept is refused alone.

mod columns;
mod protobuf;
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
