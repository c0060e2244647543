//! Splunk's events and raw lines, to columns. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! ```text
//! events: JSON objects, one after the other --.
//! raw: what the request said, as one, lines ---> event --> columns (docs/translation.md)
//! ```
//! A body that does not follow its format fails as a whole; an event that cannot be kept is refused alone.

mod columns;
mod event;
mod raw;

use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

use columns::Columns;

/// What a body without any event is refused for.
pub const NO_DATA: &str = "the body has no events";
/// What an event without its text is refused for.
pub const EVENT_ABSENT: &str = "event is absent";
/// What an event whose text is empty is refused for.
pub const EVENT_BLANK: &str = "event is blank";
/// What an event whose fields are no object is refused for.
pub const FIELDS_WRONG: &str = "fields is no object";
/// What events are called in refusals, before their number in brackets.
pub const EVENTS: &str = "events";

/// How events are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JSON objects, with or without white space in between.
    Events,
    /// A line with a JSON object of what holds for all, then a line for each event.
    Raw,
}

/// Decodes a body. `received_at_ns` dates events that say nothing of when they were.
pub fn decode(encoding: Encoding, body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut columns = Columns::new(received_at_ns)?;
    match encoding {
        Encoding::Events => event::read(body, &mut columns)?,
        Encoding::Raw => raw::read(body, &mut columns)?,
    }
    if columns.is_empty() {
        return Err(Error::invalid(NO_DATA));
    }
    columns.finish()
}
