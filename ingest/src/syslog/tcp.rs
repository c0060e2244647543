//! Syslog over a stream: TCP, or TLS over it (RFC 6587, RFC 5425); and GELF, whose messages end with NUL.

use std::net::IpAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::batch::Inlet;
use super::framing::Framer;

/// Bytes read at once.
const READ_BYTES: usize = 16 << 10;
/// How long a connection may say nothing: senders come back, dead peers do not.
const SILENCE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Reads one connection until it ends, or until `stop`. While the queue is full nothing is read, which holds
/// up the sender.
pub async fn serve(
    mut stream: impl AsyncRead + Unpin,
    peer: IpAddr,
    inlet: Inlet,
    stop: CancellationToken,
) {
    let bytes_max = inlet.message_bytes_max();
    let mut framer = match inlet.ends_with_nul() {
        true => Framer::of_nul(bytes_max),
        false => Framer::new(bytes_max),
    };
    loop {
        framer.buffer.reserve(READ_BYTES);
        let read = tokio::select! {
            read = timeout(SILENCE_MAX, stream.read_buf(&mut framer.buffer)) => read,
            () = stop.cancelled() => return,
        };
        let ended = match read {
            Ok(Ok(bytes)) => bytes == 0,
            Ok(Err(err)) => {
                tracing::debug!(%peer, %err, "a syslog connection broke off");
                true
            }
            Err(_) => true,
        };
        while let Some(frame) = framer.next_frame() {
            if !inlet.put(peer, frame).await {
                return;
            }
        }
        if ended {
            if let Some(frame) = framer.last_frame() {
                inlet.put(peer, frame).await;
            }
            return;
        }
    }
}
