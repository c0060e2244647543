//! Documents for Elasticsearch to log records, by docs/translation.md.
//!
//! ```text
//! body of POST /_bulk          (action line, document line)*
//! body of POST /{index}/_bulk  -> "index"          LF, the body        the receiver writes the first line
//! body of POST /{index}/_doc   -> {"create": {…}}  LF, the body        (see `http`)
//! ```
//! A body whose action lines cannot be read fails as a whole; a document that is no JSON object is refused
//! alone.

mod actions;
mod columns;

use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

pub use crate::records::document::check;
pub use actions::{Item, Verb, items};

use columns::Columns;

/// How documents are wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Lines of actions and documents.
    Bulk,
    /// The same after a line with the index, in JSON, that the path named.
    BulkOf,
    /// One document after the line of its action.
    Document,
}

/// Decodes a body. `received_at_ns` dates documents that say nothing of when they were.
pub fn decode(shape: Shape, body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut columns = Columns::new(received_at_ns)?;
    each(shape, body, |item| columns.item(&item))?;
    columns.finish()
}

/// Hands the items of a body to `take`, in their order.
pub fn each(shape: Shape, body: &[u8], mut take: impl FnMut(Item<'_>) -> Result<()>) -> Result<()> {
    match shape {
        Shape::Bulk => items("", body, take),
        Shape::BulkOf => {
            let (line, rest) = split_line(body);
            let index: String = serde_json::from_slice(line)
                .map_err(|err| Error::invalid(format!("malformed line of the index: {err}")))?;
            items(&index, rest, take)
        }
        Shape::Document => {
            let (line, document) = split_line(body);
            let action = actions::Action::parse(line)
                .map_err(|reason| Error::invalid(format!("malformed action: {reason}")))?;
            take(action.item("", Ok(document)))
        }
    }
}

/// The first line without its end, and what follows it.
fn split_line(body: &[u8]) -> (&[u8], &[u8]) {
    match body.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&body[..end], &body[end + 1..]),
        None => (body, &[]),
    }
}
