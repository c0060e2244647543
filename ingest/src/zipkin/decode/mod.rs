//! Zipkin's spans in four encodings, to columns. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! ```text
//! v2 JSON ----.
//! v2 protobuf --> Span (the model of v2) --> columns (docs/translation.md)
//! v1 JSON ----> v1::Span --'
//! v1 thrift --'
//! ```
//! A body that does not follow its format fails as a whole; a span that cannot be kept is refused alone.

mod columns;
mod json;
mod json_v1;
mod json_v2;
mod protobuf;
mod span;
mod thrift_v1;
mod v1;

use throughline_model::Result;
use throughline_model::batch::Decoded;

use columns::Columns;

/// How spans are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A list of v2 spans in JSON.
    V2Json,
    /// `ListOfSpans`.
    V2Protobuf,
    /// A list of v1 spans in JSON.
    V1Json,
    /// A list of v1 spans in thrift's binary protocol.
    V1Thrift,
}

/// Decodes a body. `received_at_ns` dates spans that say nothing of when they were.
pub fn decode(encoding: Encoding, body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut columns = Columns::new(received_at_ns);
    match encoding {
        Encoding::V2Json => json_v2::read(body, |span| columns.item(span))?,
        Encoding::V2Protobuf => protobuf::read(body, |span| columns.item(span))?,
        Encoding::V1Json => json_v1::read(body, |span| columns.item_v1(span))?,
        Encoding::V1Thrift => thrift_v1::read(body, |span| columns.item_v1(span))?,
    }
    columns.finish()
}
