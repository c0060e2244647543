//! Splunk's HTTP Event Collector: the decoder of its events, its answers, and the paths that take them.

mod answer;
pub mod decode;
pub mod http;

pub use decode::{Encoding, decode};

use memchr::memmem;

/// The field of an event's time.
const TIME: &[u8] = b"\"time\"";

/// Whether a body says, or may say, when its events were. One that does not is sent again whenever the same
/// happens again: it is no repetition of the first.
pub fn says_when(encoding: Encoding, body: &[u8]) -> bool {
    let place = match encoding {
        Encoding::Events => body,
        Encoding::Raw => body.split(|byte| *byte == b'\n').next().unwrap_or_default(),
    };
    memmem::find(place, TIME).is_some()
}
