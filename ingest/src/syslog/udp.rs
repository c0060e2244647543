//! Syslog over UDP: one message a datagram (RFC 5426). What finds no room is dropped and counted.

use std::time::Duration;

use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::batch::Inlet;
use super::framing::Frame;

/// The longest datagram there is.
const DATAGRAM_BYTES_MAX: usize = 64 << 10;
/// Pause after a failed read.
const READ_RETRY: Duration = Duration::from_millis(10);

/// Reads datagrams until `stop`.
pub async fn serve(socket: UdpSocket, inlet: Inlet, stop: CancellationToken) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let bytes_max = inlet.message_bytes_max();
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = stop.cancelled() => return,
        };
        match received {
            Ok((len, peer)) => inlet.put_or_drop(peer.ip(), Frame::of(&buffer[..len], bytes_max)),
            Err(err) => {
                tracing::debug!(%err, "cannot read a datagram");
                tokio::time::sleep(READ_RETRY).await;
            }
        }
    }
}
