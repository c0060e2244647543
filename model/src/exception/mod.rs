//! Exceptions: finding them in what spans and log records carry, and telling which are the same.
//!
//! Place in the flow: `storage` looks through rows with [`of_events`] and [`of_attributes`] when it
//! writes a segment or reads a head, and counts what it finds by [`Fingerprint`]; `query` shows the
//! [`frames`] of a sample. Why so: `docs/adr/0007-exceptions.md`.
//!
//! - `find`: exceptions in events and attributes
//! - `frames`: a stack trace of any of eight languages as (function, file) pairs
//! - `message`: a message without what differs from one occurrence to the next
//! - `fingerprint`: the number by which occurrences are grouped
//!
//! Every text here comes from outside: it is cut to a bound before it is looked at, and nothing in it
//! is an error.

mod find;
mod fingerprint;
mod frames;
mod message;
#[cfg(test)]
mod tests;

pub use find::{ExceptionEvent, KEY_PREFIX, of_attributes, of_events, user_of};
pub use fingerprint::{Fingerprint, Fingerprinter};
pub use frames::{FRAMES_MAX, Frame, STACK_BYTES_MAX, parse_frames};
pub use message::normalise_message;

/// The algorithm that [`Fingerprinter`] follows. Another one gets another number, so that groups of
/// both can be told apart and kept beside each other.
pub const ALGORITHM: u8 = 1;

/// An exception, as its event or record describes it. What the sender left out is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exception<'a> {
    /// `exception.type`.
    pub kind: &'a str,
    /// `exception.message`.
    pub message: &'a str,
    /// `exception.stacktrace`.
    pub stacktrace: &'a str,
}

impl Exception<'_> {
    /// Whether nothing is known of it.
    pub fn is_empty(&self) -> bool {
        self.kind.is_empty() && self.message.is_empty() && self.stacktrace.is_empty()
    }
}

/// The start of a text, at most so many bytes, cut between characters.
pub fn head_of(text: &str, bytes_max: usize) -> &str {
    if text.len() <= bytes_max {
        return text;
    }
    let end = (0..=bytes_max).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}
