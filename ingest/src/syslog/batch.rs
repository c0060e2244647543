//! Messages gathered into batches, each of which goes the way of one request's body.
//!
//! A queue bounded in messages and bytes stands between the sockets and the store. While the store refuses,
//! the batch is tried again and the queue fills: TCP then waits, which holds up the sender, and UDP drops.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use throughline_model::Signal;
use throughline_storage::{Encoding, Format};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::MESSAGE_BYTES_MAX;
use super::decode::{put_frame, put_header};
use super::framing::Frame;
use crate::Result;
use crate::admit::{Ingester, Request};
use crate::gelf;

/// Messages of one batch.
const BATCH_MESSAGES_MAX: usize = 512;
/// Bytes of one batch.
const BATCH_BYTES_MAX: usize = 1 << 20;
/// How long a batch waits for more messages after its first.
const BATCH_WAIT: Duration = Duration::from_millis(50);
/// Messages of one queue.
const QUEUE_MESSAGES_MAX: usize = 8 << 10;
/// Bytes of one queue, with the batch that is being stored.
const QUEUE_BYTES_MAX: usize = 8 << 20;
/// What a message takes beside its own bytes.
const MESSAGE_BYTES_BESIDE: usize = 128;
/// Pauses between attempts to store a batch.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// What is counted, for the root's `/metrics`.
#[derive(Debug, Default)]
pub struct SyslogStats {
    /// Messages stored.
    pub stored: AtomicU64,
    /// Messages lost: datagrams without room in the queue, and batches refused for good.
    pub dropped: AtomicU64,
    /// Messages of which only the beginning was kept.
    pub cut: AtomicU64,
}

/// A message on its way to a batch.
struct Waiting {
    frame: Frame,
    peer: IpAddr,
    arrived_at_ns: i64,
    _room: OwnedSemaphorePermit,
}

/// Where sockets put their messages. Cheap to clone; the batches end when the last one is gone.
#[derive(Clone)]
pub struct Inlet {
    sender: mpsc::Sender<Waiting>,
    room: Arc<Semaphore>,
    ingester: Ingester,
    stats: Arc<SyslogStats>,
    kind: Kind,
}

/// What the messages of a queue are.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// The format of a batch.
    pub format: Format,
    /// Bytes of a message that are kept.
    pub message_bytes_max: usize,
}

impl Kind {
    /// Messages of syslog.
    pub const SYSLOG: Kind = Kind { format: Format::Syslog, message_bytes_max: MESSAGE_BYTES_MAX };
    /// Messages of GELF.
    pub const GELF: Kind =
        Kind { format: Format::GelfBatch, message_bytes_max: gelf::MESSAGE_BYTES_MAX };
}

/// The other end: gathers and stores.
pub struct Gatherer {
    receiver: mpsc::Receiver<Waiting>,
    ingester: Ingester,
    stats: Arc<SyslogStats>,
    close: CancellationToken,
    batches: u64,
    kind: Kind,
}

/// A queue. When `close` is cancelled, what the store refuses is no longer tried again.
pub fn queue(
    ingester: Ingester,
    stats: Arc<SyslogStats>,
    close: CancellationToken,
    kind: Kind,
) -> (Inlet, Gatherer) {
    let (sender, receiver) = mpsc::channel(QUEUE_MESSAGES_MAX);
    let room = Arc::new(Semaphore::new(QUEUE_BYTES_MAX));
    let inlet = Inlet { sender, room, ingester: ingester.clone(), stats: stats.clone(), kind };
    (inlet, Gatherer { receiver, ingester, stats, close, batches: 0, kind })
}

impl Inlet {
    /// Bytes of a message that are kept here: a batch of one must be a body that is not refused.
    pub fn message_bytes_max(&self) -> usize {
        self.kind.message_bytes_max.min(self.ingester.limits().body_bytes_max / 2)
    }

    /// Whether messages end with NUL alone.
    pub fn ends_with_nul(&self) -> bool {
        self.kind.format == Format::GelfBatch
    }

    /// Counts messages that were lost before they came here.
    pub fn count_dropped(&self, messages: u64) {
        self.stats.dropped.fetch_add(messages, Ordering::Relaxed);
    }

    /// Puts a message, and waits for room. `false` once nothing is gathered any more.
    pub async fn put(&self, peer: IpAddr, frame: Frame) -> bool {
        let arrived_at_ns = self.ingester.now_ns();
        let Ok(room) = self.room.clone().acquire_many_owned(bytes_of(&frame)).await else {
            return false;
        };
        self.note(&frame);
        let waiting = Waiting { frame, peer, arrived_at_ns, _room: room };
        self.sender.send(waiting).await.is_ok()
    }

    /// Puts a message if there is room; else it is dropped and counted.
    pub fn put_or_drop(&self, peer: IpAddr, frame: Frame) {
        let arrived_at_ns = self.ingester.now_ns();
        let room = self.room.clone().try_acquire_many_owned(bytes_of(&frame));
        self.note(&frame);
        let put = room.is_ok_and(|room| {
            let waiting = Waiting { frame, peer, arrived_at_ns, _room: room };
            self.sender.try_send(waiting).is_ok()
        });
        if !put {
            self.stats.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn note(&self, frame: &Frame) {
        if frame.is_cut() {
            self.stats.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn bytes_of(frame: &Frame) -> u32 {
    (frame.bytes.len() + MESSAGE_BYTES_BESIDE).min(QUEUE_BYTES_MAX) as u32
}

/// The messages of a body under construction, and their room.
struct Batch {
    body: Vec<u8>,
    messages: Vec<OwnedSemaphorePermit>,
}

impl Batch {
    fn push(&mut self, waiting: Waiting) {
        let Waiting { frame, peer, arrived_at_ns, _room } = waiting;
        put_frame(&mut self.body, arrived_at_ns, Some(peer), frame.whole_len, &frame.bytes);
        self.messages.push(_room);
    }

    fn takes_more(&self, message_bytes_max: usize, bytes_max: usize) -> bool {
        self.messages.len() < BATCH_MESSAGES_MAX
            && self.body.len() + message_bytes_max + MESSAGE_BYTES_BESIDE <= bytes_max
    }
}

impl Gatherer {
    /// Gathers and stores until the last inlet is gone and all it brought is stored.
    pub async fn run(mut self) {
        // Twice the longest message, so that it does not keep others from being gathered.
        let bytes_max = BATCH_BYTES_MAX.max(2 * self.kind.message_bytes_max);
        let bytes_max = bytes_max.min(self.ingester.limits().body_bytes_max);
        while let Some(first) = self.receiver.recv().await {
            let deadline = Instant::now() + BATCH_WAIT;
            let mut batch = self.open();
            batch.push(first);
            while batch.takes_more(self.kind.message_bytes_max, bytes_max) {
                match timeout_at(deadline, self.receiver.recv()).await {
                    Ok(Some(waiting)) => batch.push(waiting),
                    Ok(None) | Err(_) => break,
                }
            }
            self.store(batch).await;
        }
    }

    // The header makes every batch unlike any other: equal bodies would be taken for one.
    fn open(&mut self) -> Batch {
        self.batches += 1;
        let mut body = Vec::new();
        put_header(&mut body, self.ingester.now_ns(), self.batches);
        Batch { body, messages: Vec::new() }
    }

    async fn store(&self, batch: Batch) {
        let messages = batch.messages.len() as u64;
        let body = Bytes::from(batch.body);
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let Err(err) = self.attempt(body.clone()).await else {
                self.stats.stored.fetch_add(messages, Ordering::Relaxed);
                return;
            };
            self.ingester.stats().refused(Signal::Logs, err.kind());
            tracing::debug!(kind = err.kind().name(), %err, messages, "a batch of syslog refused");
            let passes = err.retry_after_s().is_some();
            if passes && !self.close.is_cancelled() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = self.close.cancelled() => {}
                }
                pause = (pause * 2).min(RETRY_PAUSE_MAX);
                continue;
            }
            tracing::warn!(kind = err.kind().name(), %err, messages, "syslog messages are lost");
            self.stats.dropped.fetch_add(messages, Ordering::Relaxed);
            return;
        }
    }

    // Not through `admit`: at shutdown requests are turned away, but what was gathered is stored.
    async fn attempt(&self, body: Bytes) -> Result<()> {
        let permit = self.ingester.room().take(body.len()).await?;
        let (signal, format, encoding) = (Signal::Logs, self.kind.format, Encoding::Identity);
        self.ingester.accept(Request { signal, format, encoding, body, permit }).await.map(|_| ())
    }
}
