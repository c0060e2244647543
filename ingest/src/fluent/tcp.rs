//! One connection of the forward protocol.
//!
//! A message that wants to be told of is told of when it is in the log. While the store refuses, nothing is read
//! and the message is tried again, which holds up the sender.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::decode::chunk;
use super::msgpack::{Skipper, put_str};
use crate::Result;
use crate::admit::{Ingester, Request};

/// Bytes read at once.
const READ_BYTES: usize = 64 << 10;
/// How long a connection may say nothing: senders come back, dead peers do not.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How long an answer may take to leave.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Pauses between attempts to store a message.
const RETRY_PAUSE_MIN: Duration = Duration::from_millis(100);
const RETRY_PAUSE_MAX: Duration = Duration::from_secs(5);

/// What is counted, for the root's `/metrics`.
#[derive(Debug, Default)]
pub struct FluentStats {
    /// Messages stored, of any number of entries.
    pub stored: AtomicU64,
    /// Messages refused for good.
    pub dropped: AtomicU64,
}

/// What connections share. Cheap to clone.
#[derive(Clone)]
pub struct Forward {
    /// The way to the store.
    pub ingester: Ingester,
    /// What is counted.
    pub stats: Arc<FluentStats>,
    /// When it is cancelled, no more messages are read.
    pub stop: CancellationToken,
    /// When it is cancelled, what the store refuses is no longer tried again.
    pub close: CancellationToken,
}

impl Forward {
    /// Reads one connection until it ends, or until it says what cannot be read.
    pub async fn serve(self, mut stream: impl AsyncRead + AsyncWrite + Unpin, peer: IpAddr) {
        if let Err(err) = self.converse(&mut stream).await {
            tracing::debug!(%peer, %err, "a connection of fluent's forward protocol ended");
        }
    }

    async fn converse(&self, stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
        let bytes_max = self.ingester.limits().body_bytes_max;
        let mut buffer = BytesMut::new();
        let mut skipper = Skipper::default();
        loop {
            let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
            while let Some(len) =
                skipper.len_in(&buffer).map_err(|fault| invalid(fault.to_string()))?
            {
                skipper = Skipper::default();
                let message = buffer.split_to(len).freeze();
                if !self.store(message.clone()).await {
                    return Ok(());
                }
                if let Some(chunk) = chunk(&message) {
                    timeout(ANSWER_TIMEOUT, stream.write_all(&ack(&chunk))).await??;
                }
            }
            if buffer.len() > bytes_max {
                let what = format!("a message of more than {bytes_max} bytes");
                return Err(invalid(what));
            }
            buffer.reserve(READ_BYTES);
            let read = tokio::select! {
                read = timeout(SILENCE_MAX, stream.read_buf(&mut buffer)) => read,
                () = self.stop.cancelled() => return Ok(()),
            };
            if read?? == 0 {
                return Ok(());
            }
        }
    }

    // Whether the connection goes on. A message that can never be kept is counted, and told of as if it
    // were: its sender would repeat it for ever.
    async fn store(&self, message: Bytes) -> bool {
        let mut pause = RETRY_PAUSE_MIN;
        loop {
            let Err(err) = self.attempt(message.clone()).await else {
                self.stats.stored.fetch_add(1, Ordering::Relaxed);
                return true;
            };
            self.ingester.stats().refused(Signal::Logs, err.kind());
            if err.retry_after_s().is_none() {
                tracing::warn!(kind = err.kind().name(), %err, "a forward message is lost");
                self.stats.dropped.fetch_add(1, Ordering::Relaxed);
                return true;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.close.cancelled() => return false,
            }
            pause = (pause * 2).min(RETRY_PAUSE_MAX);
        }
    }

    async fn attempt(&self, body: Bytes) -> Result<()> {
        let permit = self.ingester.room().take(body.len()).await?;
        let (signal, format, encoding) = (Signal::Logs, Format::FluentForward, Encoding::Identity);
        self.ingester.accept(Request { signal, format, encoding, body, permit }).await.map(|_| ())
    }
}

// `{"ack": chunk}`
fn ack(chunk: &str) -> Vec<u8> {
    let mut out = vec![0x81];
    put_str(&mut out, "ack");
    put_str(&mut out, chunk);
    out
}
