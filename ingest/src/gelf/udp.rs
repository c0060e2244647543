//! GELF over UDP. What finds no room is dropped and counted, as is what cannot be put together.

use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::chunks::{Chunks, Taken};
use crate::syslog::batch::Inlet;
use crate::syslog::framing::Frame;

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// Pause after a failed read.
const READ_RETRY: Duration = Duration::from_millis(10);

/// Reads datagrams until `stop`.
pub async fn serve(socket: UdpSocket, inlet: Inlet, stop: CancellationToken) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut chunks = Chunks::default();
    let bytes_max = inlet.message_bytes_max();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stop.cancelled() => return,
        };
        match received {
            Ok((len, peer)) => {
                match chunks.take(peer.ip(), &buffer[..len], Instant::now()) {
                    Taken::Message(message) => {
                        inlet.put_or_drop(peer.ip(), Frame::of(&message, bytes_max));
                    }
                    Taken::Part => {}
                    Taken::Nothing => {
                        tracing::debug!(%peer, len, "a datagram is no message of GELF");
                        inlet.count_dropped(1);
                    }
                }
                inlet.count_dropped(chunks.take_lost());
            }
            Err(err) => {
                tracing::debug!(%err, "cannot read a datagram");
                tokio::time::sleep(READ_RETRY).await;
            }
        }
    }
}
