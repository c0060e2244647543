//! The number by which occurrences are grouped: type, message without what varies, and where in the
//! application it happened.

use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::frames::{Frame, parse_frames};
use super::message::{mask_name, normalise_message};
use super::{ALGORITHM, Exception, head_of};
use crate::{Error, Result};

/// The innermost frames that count: further out lies who called, not what failed.
const FRAMES_HASHED_MAX: usize = 8;
/// Bytes of a type that count.
const TYPE_BYTES_MAX: usize = 512;
/// Stack traces that a [`Fingerprinter`] remembers.
const STACKS_KNOWN_MAX: usize = 4096;

/// Names a group of exceptions: `<algorithm>-<hash>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Fingerprint {
    /// See [`ALGORITHM`].
    pub algorithm: u8,
    /// What the algorithm says of the exception.
    pub hash: u64,
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.algorithm, self.hash)
    }
}

impl Fingerprint {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Result<Self> {
        let parts = text.split_once('-').and_then(|(algorithm, hash)| {
            let is_hex = hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit());
            let hash = u64::from_str_radix(hash, 16).ok().filter(|_| is_hex)?;
            Some(Self { algorithm: algorithm.parse().ok()?, hash })
        });
        parts.ok_or_else(|| {
            Error::invalid(format!("'{text}' is no fingerprint such as 1-00c0ffee00c0ffee"))
        })
    }
}

/// Makes fingerprints; remembers the stack traces it has parsed, since few differ among many.
#[derive(Debug, Default)]
pub struct Fingerprinter {
    /// Hash of the frames that count by hash of the stack trace.
    stacks: HashMap<u64, u64>,
}

impl Fingerprinter {
    /// The fingerprint of an exception.
    pub fn fingerprint(&mut self, exception: &Exception<'_>) -> Fingerprint {
        let mut hash = Xxh3::new();
        hash.update(head_of(exception.kind.trim(), TYPE_BYTES_MAX).as_bytes());
        hash.update(&[0]);
        hash.update(normalise_message(exception.message).as_bytes());
        hash.update(&[0]);
        hash.update(&self.stack(exception.stacktrace).to_le_bytes());
        Fingerprint { algorithm: ALGORITHM, hash: hash.digest() }
    }

    fn stack(&mut self, stacktrace: &str) -> u64 {
        if stacktrace.is_empty() {
            return 0;
        }
        let key = xxh3_64(stacktrace.as_bytes());
        if let Some(known) = self.stacks.get(&key) {
            return *known;
        }
        if self.stacks.len() >= STACKS_KNOWN_MAX {
            self.stacks.clear();
        }
        let hash = frames_hash(&parse_frames(stacktrace));
        self.stacks.insert(key, hash);
        hash
    }
}

// Frames of the application, or else all; the same frame in a row, as in a recursion, counts once.
fn frames_hash(frames: &[Frame]) -> u64 {
    let any_in_app = frames.iter().any(|frame| frame.in_app);
    let mut hash = Xxh3::new();
    let mut last: Option<(String, String)> = None;
    let mut hashed = 0;
    for frame in frames.iter().filter(|frame| frame.in_app || !any_in_app) {
        let this = (mask_name(&frame.function), mask_name(file_tail(&frame.file)));
        if last.as_ref() == Some(&this) {
            continue;
        }
        for part in [&this.0, &this.1] {
            hash.update(part.as_bytes());
            hash.update(&[0]);
        }
        last = Some(this);
        hashed += 1;
        if hashed == FRAMES_HASHED_MAX {
            break;
        }
    }
    if hashed == 0 { 0 } else { hash.digest() }
}

// The last two parts of a path: what stands before them differs from one installation to the next.
fn file_tail(path: &str) -> &str {
    let is_separator = |c: char| c == '/' || c == '\\';
    let mut cuts = path.rmatch_indices(is_separator).map(|(at, _)| at);
    match cuts.nth(1) {
        Some(at) => &path[at + 1..],
        None => path,
    }
}
