//! Group commit: one task per log gathers requests, writes and syncs them together, publishes them
//! to the head, and only then answers.
//!
//! Requests are published in the order of their frames, so that a sealed head covers an unbroken run
//! of the log.

use std::sync::Arc;

use throughline_model::Signal;
use throughline_model::batch::Batch;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::writer::{CommitError, WalWriter};
use super::{Reply, WalRecord};
use crate::core::Core;
use crate::dedup::Ticket;
use crate::head::{Incoming, Receipt, Reservation};
use crate::{Error, ErrorKind, Result};

/// Requests that may wait for their commit. What they weigh is bounded by `heads_bytes_max` and by
/// the ingest's limit of bytes in flight.
pub(crate) const QUEUE_REQUESTS: usize = 1024;

/// A request that waits for its commit.
#[derive(Debug)]
pub(crate) struct Pending {
    pub record: WalRecord,
    pub batch: Batch,
    pub reply: Reply,
    pub ticket: Ticket,
    pub reservation: Reservation,
    pub done: oneshot::Sender<Result<Reply>>,
}

/// The committer of one log.
pub(crate) struct Committer {
    pub core: Arc<Core>,
    pub signal: Signal,
    pub writer: WalWriter,
    pub queue: mpsc::Receiver<Pending>,
}

impl Committer {
    /// Runs until the store closes and the queue is empty, or the log fails.
    pub async fn run(mut self) {
        let closing = self.core.closing.clone();
        loop {
            let first = tokio::select! {
                biased;
                first = self.queue.recv() => first,
                () = closing.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            let Some(first) = first else { return };
            let window = self.gather(first).await;
            match self.commit(window).await {
                Some(committer) => self = committer,
                None => return,
            }
        }
    }

    async fn gather(&mut self, first: Pending) -> Vec<Pending> {
        let options = &self.core.options;
        let deadline = Instant::now() + options.commit_window;
        let mut bytes = first.record.body.len() as u64;
        let mut window = vec![first];
        while bytes < options.commit_bytes && window.len() < QUEUE_REQUESTS {
            match tokio::time::timeout_at(deadline, self.queue.recv()).await {
                Ok(Some(pending)) => {
                    bytes += pending.record.body.len() as u64;
                    window.push(pending);
                }
                Ok(None) | Err(_) => break,
            }
        }
        window
    }

    /// Commits a window; `None` ends the committer.
    async fn commit(mut self, window: Vec<Pending>) -> Option<Self> {
        let core = self.core.clone();
        let signal = self.signal;
        let committed = self.core.tracker.clone().spawn_blocking(move || {
            let records: Vec<&WalRecord> = window.iter().map(|pending| &pending.record).collect();
            let outcome = match self.core.failure() {
                Some(error) => Err(CommitError::Failed(error)),
                None => self.writer.commit(&records),
            };
            (self, window, outcome)
        });
        let (committer, window, outcome) = match committed.await {
            Ok(done) => done,
            Err(panic) => {
                core.fail(Error::new(ErrorKind::Io, format!("log of {signal}: {panic}")));
                return None;
            }
        };
        match outcome {
            Ok(first_seq) => {
                publish(&core, signal, first_seq, window);
                if committer.writer.wants_spare() {
                    core.prepare_spare(signal);
                }
                Some(committer)
            }
            Err(CommitError::Refused(error)) => {
                tracing::warn!(%signal, %error, "refused requests: the log has no room");
                refuse(window, &error);
                Some(committer)
            }
            Err(CommitError::Failed(error)) => {
                core.fail(error.clone());
                refuse(window, &error);
                // Whoever waits in the queue learns it too.
                Some(committer)
            }
        }
    }
}

fn publish(core: &Core, signal: Signal, first_seq: u64, window: Vec<Pending>) {
    let last_seq = first_seq + window.len() as u64 - 1;
    let mut incoming = Vec::with_capacity(window.len());
    let mut answers = Vec::with_capacity(window.len());
    let mut rows = 0;
    for Pending { record, batch, reply, ticket, reservation, done } in window {
        rows += batch.len() as u64;
        let receipt = Receipt {
            body_hash: record.body_hash,
            received_at_ns: record.received_at_ns,
            reply: reply.clone(),
        };
        incoming.push(Incoming { tenant: record.tenant, batch, reservation, receipt });
        answers.push((ticket, record.received_at_ns, reply, done));
    }
    core.publisher.append(signal, last_seq, incoming, core.clock.now_ns());
    core.counters.committed(answers.len() as u64, rows);
    for (ticket, received_at_ns, reply, done) in answers {
        ticket.complete(received_at_ns, &reply);
        // Whoever asked may have gone; the request counts all the same.
        let _ = done.send(Ok(reply));
    }
    if core.publisher.live(signal).bytes >= core.options.head_bytes || core.budget.is_tight() {
        core.wake_flush.notify_one();
    }
}

fn refuse(window: Vec<Pending>, error: &Error) {
    for pending in window {
        let _ = pending.done.send(Err(error.clone()));
    }
}
