//! The catalog: which segments there are, how far each log is flushed, which bodies are known.
//!
//! A seam. Everything that is true after a crash is what the catalog says plus what the logs hold
//! behind their checkpoints.

pub(crate) mod deletions;
pub(crate) mod notes;
mod sqlite;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use futures::future::BoxFuture;
use throughline_model::Signal;
use throughline_model::exception::Fingerprint;
use ulid::Ulid;

use self::deletions::LogDeletion;
use self::notes::{ChangesAsked, ExceptionState, PostedChange};
use crate::head::Receipt;
use crate::segment::SegmentMeta;
use crate::segment::deleted::DeletedRows;
use crate::status::Quarantined;
use crate::wal::Reply;
use crate::{Error, Result};

pub(crate) use sqlite::SqliteCatalog;

/// Everything in the catalog.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct CatalogState {
    /// Live segments, in the order of their ids.
    pub segments: Vec<SegmentMeta>,
    /// The last flushed request of each log.
    pub checkpoints: Checkpoints,
    /// Known bodies, flush by flush, oldest first.
    pub receipts: Vec<Vec<Receipt>>,
    /// What was set aside.
    pub quarantined: Vec<Quarantined>,
    /// The key of the deduplication hash.
    pub key: Vec<u8>,
    /// Deleted rows by segment.
    pub deleted: Vec<(Ulid, DeletedRows)>,
    /// Segments of which retention has looked at the rows of a class.
    pub passed: Vec<(Ulid, u64)>,
}

/// The last flushed request of each log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Checkpoints([u64; Signal::ALL.len()]);

impl Checkpoints {
    /// Of a signal.
    pub fn get(&self, signal: Signal) -> u64 {
        self.0[signal as usize - 1]
    }

    /// Moves a signal's checkpoint.
    pub fn set(&mut self, signal: Signal, seq: u64) {
        self.0[signal as usize - 1] = seq;
    }
}

/// The part of a [`Change`] that makes a flush.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Flushed {
    pub signal: Signal,
    /// The checkpoint before.
    pub from_seq: u64,
    /// The checkpoint after.
    pub to_seq: u64,
    /// The requests between.
    pub receipts: Vec<Receipt>,
    /// Receipts of this age or older may be forgotten.
    pub forget_before_ns: i64,
}

/// One transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Change {
    pub add: Vec<SegmentMeta>,
    /// Must all be there; else nothing happens.
    pub remove: Vec<Ulid>,
    pub flushed: Option<Flushed>,
    pub quarantine: Option<Quarantined>,
    /// All deleted rows of segments, in place of those before.
    pub deleted: Vec<(Ulid, Arc<DeletedRows>)>,
    /// The request that these come from.
    pub deletion: Option<LogDeletion>,
    /// Segments of which retention has looked at the rows of a class.
    pub passed: Vec<(Ulid, u64)>,
}

/// A durable catalog.
///
/// Contract: when `commit` returns `Ok`, the whole change is durable; when it returns an error, it is
/// either durable as a whole or did not happen. Committing the same flush again is harmless: the
/// checkpoint tells that it is done, and nothing is added twice. A change that does not fit the state
/// (a segment to remove is gone, a checkpoint moved elsewhere) is [`crate::ErrorKind::Invalid`].
pub(crate) trait Catalog: Send + Sync + std::fmt::Debug {
    /// Reads everything.
    fn load(&self) -> BoxFuture<'_, Result<CatalogState>>;
    /// Applies a change.
    fn commit<'a>(&'a self, change: &'a Change) -> BoxFuture<'a, Result<()>>;
    /// The states of all groups of exceptions that have one.
    fn exception_states(&self) -> BoxFuture<'_, Result<Vec<ExceptionState>>>;
    /// Keeps a state in place of the one before; beyond a limit [`crate::ErrorKind::Limit`].
    fn put_exception_state<'a>(&'a self, state: &'a ExceptionState) -> BoxFuture<'a, Result<()>>;
    /// Forgets a state; one that is not there is fine.
    fn remove_exception_state(&self, fingerprint: Fingerprint) -> BoxFuture<'_, Result<()>>;
    /// Keeps a change under a number of its own, which is returned; those that happened longest ago
    /// make room.
    fn add_change<'a>(&'a self, change: &'a PostedChange) -> BoxFuture<'a, Result<u64>>;
    /// Posted changes, the newest first.
    fn changes<'a>(&'a self, asked: &'a ChangesAsked) -> BoxFuture<'a, Result<Vec<PostedChange>>>;
    /// Deletions of log records, the newest first.
    fn log_deletions(&self) -> BoxFuture<'_, Result<Vec<LogDeletion>>>;
    /// Lets go of the files.
    fn close(&self) -> BoxFuture<'_, ()>;
}

/// The receipts of one flush as bytes.
///
/// ```text
/// receipt*  body hash u128 | received_at i64 | rejected u64 | message: u32 length, UTF-8
/// ```
fn encode_receipts(receipts: &[Receipt]) -> Vec<u8> {
    let mut out = Vec::with_capacity(receipts.len() * 36);
    for receipt in receipts {
        out.extend_from_slice(&receipt.body_hash.to_le_bytes());
        out.extend_from_slice(&receipt.received_at_ns.to_le_bytes());
        out.extend_from_slice(&receipt.reply.rejected.to_le_bytes());
        out.extend_from_slice(&(receipt.reply.message.len() as u32).to_le_bytes());
        out.extend_from_slice(receipt.reply.message.as_bytes());
    }
    out
}

fn decode_receipts(mut bytes: &[u8]) -> Result<Vec<Receipt>> {
    fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
        let (head, rest) = bytes
            .split_at_checked(len)
            .ok_or_else(|| Error::corrupt(format!("{} bytes of a receipt", bytes.len())))?;
        *bytes = rest;
        Ok(head)
    }
    fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
        take(bytes, N).map(|part| std::array::from_fn(|i| part[i]))
    }
    let mut receipts = Vec::new();
    while !bytes.is_empty() {
        let body_hash = u128::from_le_bytes(array(&mut bytes)?);
        let received_at_ns = i64::from_le_bytes(array(&mut bytes)?);
        let rejected = u64::from_le_bytes(array(&mut bytes)?);
        let len = u32::from_le_bytes(array(&mut bytes)?) as usize;
        let message = String::from_utf8_lossy(take(&mut bytes, len)?).into_owned();
        receipts.push(Receipt { body_hash, received_at_ns, reply: Reply { rejected, message } });
    }
    Ok(receipts)
}
