//! Lines of JSON over HTTP, in the way that VictoriaLogs takes them: the decoder, and the path.

pub mod decode;
pub mod http;

pub use decode::decode;

use memchr::memmem;

/// Whether a body says, or may say, when its lines were. One that does not is sent again whenever the same happens
/// again: it is no repetition of the first.
pub fn says_when(body: &[u8]) -> bool {
    let lines = body.iter().position(|byte| *byte == b'\n').map_or(body, |end| &body[end..]);
    memmem::find(lines, b"time").is_some()
}
