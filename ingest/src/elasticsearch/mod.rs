//! Elasticsearch: the decoder of the documents that shippers of logs index, and the little of its API that
//! they speak.

mod answer;
pub mod decode;
mod handshake;
pub mod http;

pub use decode::{Shape, decode};

use memchr::memmem;

/// The field of a document's time.
const TIME: &[u8] = b"\"@timestamp\"";

/// Whether a body says, or may say, when its documents were. One that does not is sent again whenever the
/// same happens again: it is no repetition of the first.
pub fn says_when(body: &[u8]) -> bool {
    memmem::find(body, TIME).is_some()
}
