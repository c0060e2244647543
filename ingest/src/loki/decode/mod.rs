//! Loki's streams in two encodings, to columns. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! ```text
//! protobuf (PushRequest) --.
//! JSON, of today or of old --> labels, entries --> columns (docs/translation.md)
//! ```
//! A body that does not follow its format fails as a whole; an entry that cannot be kept is refused alone, and
//! so are the entries of a stream whose labels cannot be read.

mod columns;
mod json;
mod labels;
mod protobuf;

use throughline_model::Result;
use throughline_model::batch::Decoded;

use columns::Columns;

/// How streams are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// `PushRequest`.
    Protobuf,
    /// An object with a list of streams.
    Json,
}

/// Decodes a body. `received_at_ns` dates entries that say nothing of when they were.
pub fn decode(encoding: Encoding, body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut columns = Columns::new(received_at_ns)?;
    match encoding {
        Encoding::Protobuf => protobuf::read(body, &mut columns)?,
        Encoding::Json => json::read(body, &mut columns)?,
    }
    columns.finish()
}
