//! The deduplication window: a request body that was acknowledged is not stored again.
//!
//! Bodies are known by a keyed xxh3-128 of tenant, signal and inflated body. A claim is made before
//! decoding; while one request holds it, a twin waits and then gets the same reply. Entries leave the
//! window by age and by number. It is rebuilt from the catalog (flushed requests) and the log (the
//! others) at start.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;
use parking_lot::Mutex;
use throughline_model::Signal;
use tokio::sync::watch;
use xxhash_rust::xxh3::{Xxh3, Xxh3Builder};

use crate::wal::Reply;

/// Bytes of the key.
pub(crate) const KEY_BYTES: usize = 192;

/// What [`crate::Store::claim`] found.
#[derive(Debug)]
pub enum Claim {
    /// The body is new: decode it and append it with the ticket.
    New(Ticket),
    /// The body was acknowledged before, with this reply.
    Known(Reply),
}

#[derive(Debug)]
enum Entry {
    /// Held by a ticket; the channel closes when it is settled.
    InFlight(watch::Receiver<()>),
    /// Acknowledged. Most replies refuse nothing and take no memory.
    Done { at_ns: i64, reply: Option<Box<Reply>> },
}

#[derive(Debug, Default)]
struct Window {
    entries: HashMap<u128, Entry>,
    /// Done entries, oldest first.
    order: VecDeque<(i64, u128)>,
}

/// The window, shared.
#[derive(Debug)]
pub(crate) struct Dedup {
    key: [u8; KEY_BYTES],
    age_max_ns: i64,
    entries_max: usize,
    window: Mutex<Window>,
}

impl Dedup {
    /// An empty window.
    pub fn new(key: [u8; KEY_BYTES], age_max_ns: i64, entries_max: usize) -> Arc<Self> {
        Arc::new(Self { key, age_max_ns, entries_max, window: Mutex::default() })
    }

    /// The keyed hash of a body.
    pub fn hash(&self, signal: Signal, tenant: &str, inflated: &[u8]) -> u128 {
        let mut hash: Xxh3 = Xxh3Builder::new().with_secret(self.key).build();
        hash.update(&[signal as u8]);
        hash.update(&(tenant.len() as u64).to_le_bytes());
        hash.update(tenant.as_bytes());
        hash.update(inflated);
        hash.digest128()
    }

    /// Claims a body, waiting while a twin holds it.
    pub async fn claim(self: &Arc<Self>, body_hash: u128, now_ns: i64) -> Claim {
        loop {
            let mut settled = {
                let mut window = self.window.lock();
                window.forget(now_ns - self.age_max_ns, self.entries_max);
                match window.entries.get(&body_hash) {
                    Some(Entry::Done { at_ns, reply }) if *at_ns >= now_ns - self.age_max_ns => {
                        return Claim::Known(reply.as_deref().cloned().unwrap_or_default());
                    }
                    Some(Entry::InFlight(settled)) => settled.clone(),
                    Some(Entry::Done { .. }) | None => {
                        let (open, settled) = watch::channel(());
                        window.entries.insert(body_hash, Entry::InFlight(settled));
                        return Claim::New(Ticket {
                            dedup: self.clone(),
                            body_hash,
                            done: false,
                            _open: open,
                        });
                    }
                }
            };
            // Ends with an error when the ticket is dropped, which is all that is waited for.
            let _ = settled.changed().await;
        }
    }

    /// Whether a body that was received at a time repeats another, for the replay.
    pub fn repeats(&self, body_hash: u128, received_at_ns: i64) -> bool {
        match self.window.lock().entries.get(&body_hash) {
            Some(Entry::Done { at_ns, .. }) => *at_ns >= received_at_ns - self.age_max_ns,
            Some(Entry::InFlight(_)) | None => false,
        }
    }

    /// Enters an acknowledged body.
    pub fn insert(&self, body_hash: u128, received_at_ns: i64, reply: &Reply) {
        let mut window = self.window.lock();
        let reply = (*reply != Reply::default()).then(|| Box::new(reply.clone()));
        window.entries.insert(body_hash, Entry::Done { at_ns: received_at_ns, reply });
        window.order.push_back((received_at_ns, body_hash));
        window.forget(received_at_ns.saturating_sub(self.age_max_ns), self.entries_max);
    }

    /// Acknowledged bodies in the window.
    pub fn len(&self) -> usize {
        self.window.lock().order.len()
    }
}

impl Window {
    fn forget(&mut self, before_ns: i64, entries_max: usize) {
        while let Some((at_ns, body_hash)) = self.order.front().copied() {
            if at_ns >= before_ns && self.order.len() <= entries_max {
                return;
            }
            self.order.pop_front();
            self.entries.remove(&body_hash);
        }
    }
}

/// The right to append a body. Dropped unused (the request failed), it lets a twin try.
#[derive(Debug)]
pub struct Ticket {
    dedup: Arc<Dedup>,
    body_hash: u128,
    done: bool,
    /// Its end wakes the twins.
    _open: watch::Sender<()>,
}

impl Ticket {
    /// The hash that was claimed.
    pub fn body_hash(&self) -> u128 {
        self.body_hash
    }

    /// Settles the claim: twins, now and later, get this reply.
    pub(crate) fn complete(mut self, received_at_ns: i64, reply: &Reply) {
        self.dedup.insert(self.body_hash, received_at_ns, reply);
        self.done = true;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done {
            self.dedup.window.lock().entries.remove(&self.body_hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // A key of equal bytes cancels itself out in short bodies.
    fn key(factor: u8) -> [u8; KEY_BYTES] {
        std::array::from_fn(|i| (i as u8).wrapping_mul(factor) ^ (i as u8 >> 3))
    }

    fn dedup() -> Arc<Dedup> {
        Dedup::new(key(7), 100, 3)
    }

    fn ticket(claim: Claim) -> Ticket {
        match claim {
            Claim::New(ticket) => ticket,
            Claim::Known(reply) => panic!("known: {reply:?}"),
        }
    }

    #[test]
    fn the_hash_covers_signal_tenant_and_body() {
        let dedup = dedup();
        let hashes = [
            dedup.hash(Signal::Traces, "a", b"body"),
            dedup.hash(Signal::Logs, "a", b"body"),
            dedup.hash(Signal::Traces, "b", b"body"),
            dedup.hash(Signal::Traces, "", b"abody"),
            Dedup::new(key(8), 1, 1).hash(Signal::Traces, "a", b"body"),
        ];
        for (i, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..i].contains(hash), "hash {i}");
        }
    }

    #[tokio::test]
    async fn a_twin_waits_for_the_first_and_gets_its_reply() {
        let dedup = dedup();
        let first = ticket(dedup.claim(1, 0).await);
        let twin = tokio::spawn({
            let dedup = dedup.clone();
            async move { dedup.claim(1, 0).await }
        });
        tokio::task::yield_now().await;
        assert!(!twin.is_finished());
        let reply = Reply { rejected: 2, message: "two".into() };
        first.complete(0, &reply);
        assert!(matches!(twin.await.expect("no panic"), Claim::Known(known) if known == reply));
    }

    #[tokio::test]
    async fn a_twin_takes_over_when_the_first_fails() {
        let dedup = dedup();
        let first = ticket(dedup.claim(1, 0).await);
        let twin = tokio::spawn({
            let dedup = dedup.clone();
            async move { ticket(dedup.claim(1, 0).await).body_hash() }
        });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(twin.await.expect("no panic"), 1);
    }

    #[tokio::test]
    async fn entries_leave_by_age_and_number() {
        let dedup = dedup();
        for hash in 1..=4 {
            ticket(dedup.claim(hash, 0).await).complete(0, &Reply::default());
        }
        assert!(!dedup.repeats(1, 0), "the fourth pushed the first out");
        assert!(matches!(dedup.claim(4, 100).await, Claim::Known(_)));
        assert!(matches!(dedup.claim(4, 101).await, Claim::New(_)));
        assert_eq!(dedup.len(), 0);
    }
}
