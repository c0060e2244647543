//! The ports that are no HTTP: syslog, GELF and Fluent's forward protocol. Bound at the start, read once the
//! store is open, stopped with the others.
//!
//! ```text
//! syslog, GELF: each port: sockets -> queue -> gatherer (one task)     see throughline_ingest::syslog
//! Fluent: each connection stores what it reads                         see throughline_ingest::fluent
//! ```
//! Until then the system keeps what it has room for: connections that nobody accepts, and datagrams.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use throughline_ingest::Ingester;
use throughline_ingest::fluent::tcp::{FluentStats, Forward};
use throughline_ingest::gelf;
use throughline_ingest::syslog::batch::{Inlet, Kind, SyslogStats, queue};
use throughline_ingest::syslog::{tcp, udp};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::listener::{ACCEPT_RETRY, Front};
use crate::config::Settings;
use crate::tasks::Tasks;

/// Open connections on all these ports; more wait unaccepted.
const CONNECTIONS_MAX: usize = 1024;

/// What was stored and lost, by protocol.
#[derive(Clone, Default)]
pub struct SocketStats {
    /// Messages of syslog.
    pub syslog: Arc<SyslogStats>,
    /// Messages of GELF over UDP and TCP.
    pub gelf: Arc<SyslogStats>,
    /// Messages of Fluent's forward protocol.
    pub fluent: Arc<FluentStats>,
}

/// The ports that the configuration adds.
pub struct Sockets {
    sockets: Vec<(Protocol, Bound)>,
    addresses: String,
    stats: SocketStats,
    front: Front,
    tasks: Tasks,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Syslog,
    Gelf,
    Fluent,
}

enum Bound {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

impl Sockets {
    /// Binds the ports.
    pub async fn bind(
        settings: &Settings,
        front: &Front,
        tasks: &Tasks,
    ) -> anyhow::Result<Sockets> {
        let mut this = Sockets {
            sockets: Vec::new(),
            addresses: String::new(),
            stats: SocketStats::default(),
            front: front.clone(),
            tasks: tasks.clone(),
        };
        for (name, protocol, address) in [
            ("syslog_udp", Protocol::Syslog, settings.syslog_udp_address),
            ("gelf_udp", Protocol::Gelf, settings.gelf_udp_address),
        ] {
            let Some(address) = address else { continue };
            let socket = UdpSocket::bind(address).await;
            let socket = socket.with_context(|| failed(address, name))?;
            this.note(name, socket.local_addr())?;
            this.sockets.push((protocol, Bound::Udp(socket)));
        }
        let tls = || front.tls.clone();
        for (name, protocol, address, tls) in [
            ("syslog_tcp", Protocol::Syslog, settings.syslog_tcp_address, None),
            ("syslog_tls", Protocol::Syslog, settings.syslog_tls_address, tls()),
            ("gelf_tcp", Protocol::Gelf, settings.gelf_tcp_address, None),
            ("gelf_tls", Protocol::Gelf, settings.gelf_tls_address, tls()),
            ("fluent_tcp", Protocol::Fluent, settings.fluent_tcp_address, None),
            ("fluent_tls", Protocol::Fluent, settings.fluent_tls_address, tls()),
        ] {
            let Some(address) = address else { continue };
            let listener = TcpListener::bind(address).await;
            let listener = listener.with_context(|| failed(address, name))?;
            this.note(name, listener.local_addr())?;
            this.sockets.push((protocol, Bound::Tcp(listener, tls)));
        }
        Ok(this)
    }

    /// Where the ports are, as in ` syslog_udp=127.0.0.1:5514`.
    pub fn addresses(&self) -> &str {
        &self.addresses
    }

    /// What was stored and lost.
    pub fn stats(&self) -> &SocketStats {
        &self.stats
    }

    /// Reads the ports from now on.
    pub fn open(&mut self, ingester: &Ingester) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        for (protocol, bound) in std::mem::take(&mut self.sockets) {
            let taker = self.taker(protocol, ingester);
            match (bound, taker) {
                (Bound::Udp(socket), Taker::Messages(inlet)) => {
                    let stop = self.front.stop.clone();
                    match protocol {
                        Protocol::Gelf => {
                            self.tasks.spawn("listener", gelf::udp::serve(socket, inlet, stop));
                        }
                        _ => self.tasks.spawn("listener", udp::serve(socket, inlet, stop)),
                    }
                }
                (Bound::Tcp(listener, tls), taker) => {
                    let streams = Streams {
                        tls,
                        taker,
                        connections: connections.clone(),
                        stop: self.front.stop.clone(),
                        handshake_timeout: self.front.header_timeout,
                        tasks: self.tasks.clone(),
                    };
                    self.tasks.spawn("listener", streams.accept_all(listener));
                }
                // Fluent's forward protocol has no datagrams.
                (Bound::Udp(_), Taker::Forward(_)) => {}
            }
        }
    }

    fn taker(&self, protocol: Protocol, ingester: &Ingester) -> Taker {
        let close = self.front.close.clone();
        let (stats, kind) = match protocol {
            Protocol::Syslog => (&self.stats.syslog, Kind::SYSLOG),
            Protocol::Gelf => (&self.stats.gelf, Kind::GELF),
            Protocol::Fluent => {
                return Taker::Forward(Forward {
                    ingester: ingester.clone(),
                    stats: self.stats.fluent.clone(),
                    stop: self.front.stop.clone(),
                    close,
                });
            }
        };
        let (inlet, gatherer) = queue(ingester.clone(), stats.clone(), close, kind);
        self.tasks.spawn("batches of messages", gatherer.run());
        Taker::Messages(inlet)
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

/// Who takes what a connection says.
#[derive(Clone)]
enum Taker {
    Messages(Inlet),
    Forward(Forward),
}

impl Taker {
    async fn serve(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        peer: SocketAddr,
        stop: CancellationToken,
    ) {
        match self {
            Self::Messages(inlet) => tcp::serve(stream, peer.ip(), inlet, stop).await,
            Self::Forward(forward) => forward.serve(stream, peer.ip()).await,
        }
    }
}

/// What the connections of one port share.
#[derive(Clone)]
struct Streams {
    tls: Option<TlsAcceptor>,
    taker: Taker,
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
                    self.tasks.spawn("connection of messages", async move {
                        streams.connection(stream, peer).await;
                        drop(permit);
                    });
                }
                Some((_, Err(error))) => {
                    tracing::warn!(%error, "cannot accept a connection of messages");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, peer: SocketAddr) {
        let Streams { tls, taker, stop, .. } = self;
        let Some(acceptor) = tls else {
            return taker.serve(stream, peer, stop).await;
        };
        let handshake = tokio::time::timeout(self.handshake_timeout, acceptor.accept(stream));
        tokio::select! {
            shaken = handshake => match shaken {
                Ok(Ok(stream)) => taker.serve(stream, peer, stop).await,
                failed => tracing::debug!(%peer, timeout = failed.is_err(), "TLS handshake failed"),
            },
            () = stop.cancelled() => {}
        }
    }
}
