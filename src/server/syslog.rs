//! The ports of syslog: bound at the start, read once the store is open, stopped with the others.
//!
//! ```text
//! each port: sockets -> queue -> gatherer (one task)          see throughline_ingest::syslog
//! ```
//! Until then the system keeps what it has room for: connections that nobody accepts, and datagrams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use throughline_ingest::Ingester;
use throughline_ingest::syslog::batch::{Inlet, SyslogStats, queue};
use throughline_ingest::syslog::{tcp, udp};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::listener::{ACCEPT_RETRY, Front};
use crate::config::Settings;
use crate::tasks::Tasks;

/// Open connections on all ports of syslog; more wait unaccepted.
const CONNECTIONS_MAX: usize = 1024;

/// The ports that the configuration adds.
pub struct Syslog {
    sockets: Vec<Bound>,
    addresses: String,
    stats: Arc<SyslogStats>,
    front: Front,
    tasks: Tasks,
}

enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

impl Syslog {
    /// Binds the ports.
    pub async fn bind(settings: &Settings, front: &Front, tasks: &Tasks) -> anyhow::Result<Syslog> {
        let mut this = Syslog {
            sockets: Vec::new(),
            addresses: String::new(),
            stats: Arc::default(),
            front: front.clone(),
            tasks: tasks.clone(),
        };
        if let Some(address) = settings.syslog_udp_address {
            let socket = UdpSocket::bind(address).await;
            let socket = socket.with_context(|| failed(address, "syslog over UDP"))?;
            this.note("syslog_udp", socket.local_addr())?;
            this.sockets.push(Bound::Udp(socket));
        }
        let streams = [
            ("syslog_tcp", settings.syslog_tcp_address, None),
            ("syslog_tls", settings.syslog_tls_address, front.tls.clone()),
        ];
        for (name, address, tls) in streams {
            let Some(address) = address else { continue };
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| failed(address, name))?;
            this.note(name, listener.local_addr())?;
            this.sockets.push(Bound::Tcp(listener, tls));
        }
        Ok(this)
    }

    /// Where the ports are, as in ` syslog_udp=127.0.0.1:5514`.
    pub fn addresses(&self) -> &str {
        &self.addresses
    }

    /// What was stored and lost.
    pub fn stats(&self) -> &Arc<SyslogStats> {
        &self.stats
    }

    /// Reads the ports from now on.
    pub fn open(&mut self, ingester: &Ingester) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        for bound in self.sockets.drain(..) {
            let close = self.front.close.clone();
            let (inlet, gatherer) = queue(ingester.clone(), self.stats.clone(), close);
            self.tasks.spawn("syslog batches", gatherer.run());
            match bound {
                Bound::Udp(socket) => {
                    let stop = self.front.stop.clone();
                    self.tasks.spawn("listener", udp::serve(socket, inlet, stop));
                }
                Bound::Tcp(listener, tls) => {
                    let streams = Streams {
                        tls,
                        inlet,
                        connections: connections.clone(),
                        stop: self.front.stop.clone(),
                        handshake_timeout: self.front.header_timeout,
                        tasks: self.tasks.clone(),
                    };
                    self.tasks.spawn("listener", streams.accept_all(listener));
                }
            }
        }
    }

    fn note(&mut self, name: &str, address: std::io::Result<SocketAddr>) -> anyhow::Result<()> {
        let address = address.context("a bound socket has an address")?;
        self.addresses += &format!(" {name}={address}");
        Ok(())
    }
}

fn failed(address: SocketAddr, name: &str) -> String {
    format!("cannot listen on {address} for {name}")
}

/// What the connections of one port share.
#[derive(Clone)]
struct Streams {
    tls: Option<TlsAcceptor>,
    inlet: Inlet,
    connections: Arc<Semaphore>,
    stop: CancellationToken,
    handshake_timeout: Duration,
    tasks: Tasks,
}

impl Streams {
    async fn accept_all(self, listener: TcpListener) {
        loop {
            let next = async {
                let permit = self.connections.clone().acquire_owned().await.ok()?;
                Some((permit, listener.accept().await))
            };
            let next = tokio::select! {
                next = next => next,
                () = self.stop.cancelled() => return,
            };
            match next {
                None => return,
                Some((permit, Ok((stream, peer)))) => {
                    let streams = self.clone();
                    self.tasks.spawn("syslog connection", async move {
                        streams.connection(stream, peer).await;
                        drop(permit);
                    });
                }
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "cannot accept a syslog connection");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        let Streams { tls, inlet, stop, .. } = self;
        let Some(acceptor) = tls else {
            return tcp::serve(stream, peer.ip(), inlet, stop).await;
        };
        let handshake = tokio::time::timeout(self.handshake_timeout, acceptor.accept(stream));
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => tcp::serve(stream, peer.ip(), inlet, stop).await,
                failed => tracing::debug!(%peer, timeout = failed.is_err(), "TLS handshake failed"),
            },
            () = stop.cancelled() => {}
        }
    }
}
