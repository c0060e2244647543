//! An append-only list that is shared with readers without copying.
//!
//! ```text
//! HeadList  (one writer)   chunk 0 [b b b … b]  chunk 1 [b b · ·]      len 130
//! HeadSlice (any reader)   ↑ the same chunks, as they were at len 129
//! ```
//!
//! A chunk's slots are filled once and never change, so a reader that knows a length sees exactly
//! that many batches, whatever is appended meanwhile. Publishing costs two reference counts.

use std::sync::{Arc, OnceLock};

use throughline_model::batch::Batch;

use super::budget::Reservation;
use crate::wal::Reply;

const CHUNK_SLOTS: usize = 64;

/// A batch in a head, with what the flush needs to know of its request.
#[derive(Debug)]
pub struct HeadBatch<B> {
    /// Whose rows they are.
    pub tenant: Arc<str>,
    /// The columns.
    pub batch: B,
    /// Rows or points.
    pub rows: u64,
    /// Bytes of memory, given back when the last reader lets go.
    pub(crate) reservation: Reservation,
    /// For the deduplication window.
    pub(crate) receipt: Receipt,
}

/// What remains of a request once it is answered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Receipt {
    pub body_hash: u128,
    pub received_at_ns: i64,
    pub reply: Reply,
}

/// A batch on its way from the log to a head.
#[derive(Debug)]
pub(crate) struct Incoming {
    pub tenant: Arc<str>,
    pub batch: Batch,
    pub reservation: Reservation,
    pub receipt: Receipt,
}

#[derive(Debug)]
struct Chunk<B>(Box<[OnceLock<HeadBatch<B>>]>);

impl<B> Chunk<B> {
    fn new() -> Arc<Self> {
        Arc::new(Self((0..CHUNK_SLOTS).map(|_| OnceLock::new()).collect()))
    }
}

/// The writing end.
#[derive(Debug)]
pub(crate) struct HeadList<B> {
    slice: HeadSlice<B>,
}

impl<B> Default for HeadList<B> {
    fn default() -> Self {
        Self { slice: HeadSlice::default() }
    }
}

impl<B> HeadList<B> {
    /// Appends a batch.
    pub fn push(&mut self, batch: HeadBatch<B>) {
        let slot = self.slice.len % CHUNK_SLOTS;
        if slot == 0 {
            Arc::make_mut(&mut self.slice.chunks).push(Chunk::new());
        }
        self.slice.rows += batch.rows;
        self.slice.bytes += batch.reservation.bytes();
        if let Some(chunk) = self.slice.chunks.last() {
            // The slot is empty: only this writer fills slots, each index once.
            let _ = chunk.0[slot].set(batch);
        }
        self.slice.len += 1;
    }

    /// What is in the list by now.
    pub fn slice(&self) -> HeadSlice<B> {
        self.slice.clone()
    }
}

/// A fixed part of a head.
#[derive(Debug)]
pub struct HeadSlice<B> {
    chunks: Arc<Vec<Arc<Chunk<B>>>>,
    len: usize,
    rows: u64,
    bytes: u64,
}

impl<B> Clone for HeadSlice<B> {
    fn clone(&self) -> Self {
        Self { chunks: self.chunks.clone(), len: self.len, rows: self.rows, bytes: self.bytes }
    }
}

impl<B> Default for HeadSlice<B> {
    fn default() -> Self {
        Self { chunks: Arc::default(), len: 0, rows: 0, bytes: 0 }
    }
}

impl<B> HeadSlice<B> {
    /// The batches in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = &HeadBatch<B>> {
        let slots = self.chunks.iter().flat_map(|chunk| chunk.0.iter());
        slots.take(self.len).filter_map(OnceLock::get)
    }

    /// Batches.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Rows or points.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The heads of one signal in a view: those that wait for their flush, then the live one.
#[derive(Debug)]
pub struct Heads<B> {
    pub(crate) sealed: Arc<[HeadSlice<B>]>,
    pub(crate) live: HeadSlice<B>,
}

impl<B> Clone for Heads<B> {
    fn clone(&self) -> Self {
        Self { sealed: self.sealed.clone(), live: self.live.clone() }
    }
}

impl<B> Default for Heads<B> {
    fn default() -> Self {
        Self { sealed: Arc::from([]), live: HeadSlice::default() }
    }
}

impl<B> Heads<B> {
    /// The columns in the order of their arrival.
    pub fn iter(&self) -> impl Iterator<Item = &B> {
        self.batches().map(|batch| &batch.batch)
    }

    /// The batches with their tenants in the order of their arrival.
    pub fn batches(&self) -> impl Iterator<Item = &HeadBatch<B>> {
        self.sealed.iter().flat_map(HeadSlice::iter).chain(self.live.iter())
    }

    /// Rows or points.
    pub fn rows(&self) -> u64 {
        self.sealed.iter().map(HeadSlice::rows).sum::<u64>() + self.live.rows()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows() == 0
    }
}

impl<B> Heads<B> {
    /// The same with one more batch, for readers that make rows of other rows.
    pub fn with(&self, batch: B, rows: u64) -> Self {
        let mut list = HeadList::default();
        let receipt = Receipt { body_hash: 0, received_at_ns: 0, reply: Reply::default() };
        let (tenant, reservation) = (Arc::from(""), Reservation::none());
        list.push(HeadBatch { tenant, batch, rows, reservation, receipt });
        let sealed = self.sealed.iter().cloned().chain([list.slice()]).collect();
        Self { sealed, live: self.live.clone() }
    }
}

impl<B> Heads<B>
where
    B: Clone,
{
    /// Heads of the given batches, for tests and benches of readers.
    pub fn from_batches(batches: impl IntoIterator<Item = (Arc<str>, B, u64)>) -> Self {
        let mut list = HeadList::default();
        for (tenant, batch, rows) in batches {
            let receipt = Receipt { body_hash: 0, received_at_ns: 0, reply: Reply::default() };
            let reservation = Reservation::none();
            list.push(HeadBatch { tenant, batch, rows, reservation, receipt });
        }
        Self { sealed: Arc::from([]), live: list.slice() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(n: usize) -> HeadBatch<usize> {
        HeadBatch {
            tenant: Arc::from("default"),
            batch: n,
            rows: 2,
            reservation: Reservation::none(),
            receipt: Receipt { body_hash: 0, received_at_ns: 0, reply: Reply::default() },
        }
    }

    #[test]
    fn a_slice_does_not_see_later_appends() {
        let mut list = HeadList::default();
        let mut slices = vec![list.slice()];
        for n in 0..CHUNK_SLOTS * 2 + 3 {
            list.push(numbered(n));
            slices.push(list.slice());
        }
        for (len, slice) in slices.iter().enumerate() {
            assert_eq!(slice.len(), len);
            assert_eq!(slice.rows(), 2 * len as u64);
            let seen: Vec<usize> = slice.iter().map(|batch| batch.batch).collect();
            assert_eq!(seen, (0..len).collect::<Vec<_>>());
        }
    }
}
