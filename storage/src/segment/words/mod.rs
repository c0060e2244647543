//! The word index of a segment of log records: which rows of a row group have a word.
//!
//! Place in the flow: built when a merge writes level 1 and above, never on the way of an
//! acknowledgement; asked by `scan::text` before bodies are read. Heads and level 0 are read through
//! with the same words (`model::words`), so an index only ever saves work.
//!
//! One part a row group; a document of the index is a row of it.
//!
//! ```text
//! part := head | postings | rare
//! head := crc32c u32 LE of the rest | letters of rare words | rows varint
//!         | (bytes varint, crc32c u32 LE) of each shard of rare words
//!         | crc32c u32 LE of each frame of FRAME_BYTES of the postings, behind their bytes' varint
//!         | tantivy's term dictionary, behind its bytes' varint
//! ```
//! - `build`: bodies to pieces; `part`: pieces back to rows
//! - `postings`: the rows of one word; `rare`: words that are hardly there; `letters`: parts of these
//!
//! The dictionary is tantivy's (a finite state transducer, so that beginnings and patterns of words are
//! found); postings are our own since rows lie sorted (docs/adr/0009-words.md).

mod build;
mod letters;
mod part;
mod postings;
mod rare;
#[cfg(test)]
mod tests;

pub(crate) use build::build;
pub(crate) use part::{Found, Part, Read};

/// Words with more bytes are in no dictionary.
const TERM_BYTES_MAX: usize = 255;
/// Postings are read and checked in frames of so many bytes.
const FRAME_BYTES: usize = 4096;

/// The bytes of a part.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    pub head: Vec<u8>,
    pub postings: Vec<u8>,
    pub rare: Vec<u8>,
}

fn checked_frames(postings: &[u8]) -> Vec<u8> {
    postings.chunks(FRAME_BYTES).flat_map(|frame| crc32c::crc32c(frame).to_le_bytes()).collect()
}
