//! The three ports: accept, TLS, HTTP/1.1 and HTTP/2 on one socket, the gate, graceful end.
//!
//! ```text
//! accept (permit) → TLS handshake (timeout) → hyper, HTTP/1.1 or 2 → token? → routes (panic caught)
//! ```

use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Body;
use axum::http::{Request, Response};
use futures::FutureExt as _;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::auth::Tokens;
use super::readiness::LateRoutes;
use super::refusal::{Asked, Reason};
use crate::tasks::Tasks;

/// Requests on one HTTP/2 connection at a time.
const STREAMS_MAX: u32 = 256;
/// Receive windows of HTTP/2: large bodies should not wait for round trips.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// How often a silent HTTP/2 peer is asked whether it is still there.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(30);
/// Pause after a failed accept, for want of file descriptors as a rule.
pub const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// What all ports share.
#[derive(Clone)]
pub struct Front {
    /// Who may enter.
    pub tokens: Tokens,
    /// TLS, if configured.
    pub tls: Option<TlsAcceptor>,
    /// One permit a connection.
    pub connections: Arc<Semaphore>,
    /// For the head of a request and the TLS handshake.
    pub header_timeout: Duration,
    /// Where connections are spawned.
    pub tasks: Tasks,
    /// Stops accepting and lets requests in flight end.
    pub stop: CancellationToken,
    /// Closes what is still open.
    pub close: CancellationToken,
    /// What happened so far.
    pub counters: Arc<FrontCounters>,
}

/// Counts for `/metrics`.
#[derive(Debug, Default)]
pub struct FrontCounters {
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Handshakes that failed or took too long.
    pub handshakes_failed: AtomicU64,
    /// Requests without a valid token.
    pub unauthenticated: AtomicU64,
}

/// A bound port.
pub struct Port {
    name: &'static str,
    listener: TcpListener,
    address: SocketAddr,
    routes: LateRoutes,
}

impl Port {
    /// Binds the address; port 0 takes a free one.
    pub async fn bind(
        name: &'static str,
        address: SocketAddr,
        routes: LateRoutes,
    ) -> anyhow::Result<Port> {
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("cannot listen on {address} for {name}"))?;
        let address = listener.local_addr().context("a bound socket has an address")?;
        Ok(Port { name, listener, address, routes })
    }

    /// Where the port is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts until told to stop.
    pub async fn serve(self, front: Front) {
        while let Some((stream, permit)) = self.accept(&front).await {
            front.counters.accepted.fetch_add(1, Ordering::Relaxed);
            let _ = stream.set_nodelay(true);
            let routes = self.routes.clone();
            let connection_front = front.clone();
            front.tasks.spawn("connection", async move {
                connection(stream, routes, connection_front).await;
                drop(permit);
            });
        }
        tracing::debug!(port = self.name, "stopped listening");
    }

    // The next connection and its permit; none when it is time to stop.
    async fn accept(&self, front: &Front) -> Option<(TcpStream, OwnedSemaphorePermit)> {
        let next = async {
            let permit = front.connections.clone().acquire_owned().await.ok()?;
            loop {
                match self.listener.accept().await {
                    Ok((stream, _)) => return Some((stream, permit)),
                    Err(error) => {
                        tracing::warn!(port = self.name, %error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_RETRY).await;
                    }
                }
            }
        };
        tokio::select! {
            next = next => next,
            () = front.stop.cancelled() => None,
        }
    }
}

async fn connection(stream: TcpStream, routes: LateRoutes, front: Front) {
    let first_byte = tokio::time::timeout(front.header_timeout, stream.readable());
    tokio::select! {
        ready = first_byte => if !matches!(ready, Ok(Ok(()))) { return },
        () = front.stop.cancelled() => return,
    }
    let Some(acceptor) = front.tls.clone() else {
        return serve_http(stream, routes, front).await;
    };
    match tokio::time::timeout(front.header_timeout, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => serve_http(stream, routes, front).await,
        failed => {
            front.counters.handshakes_failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(timeout = failed.is_err(), "TLS handshake failed");
        }
    }
}

async fn serve_http<S>(stream: S, routes: LateRoutes, front: Front)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(front.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .keep_alive_interval(KEEP_ALIVE_INTERVAL);
    let (stop, close) = (front.stop.clone(), front.close.clone());
    let service = service_fn(move |request| answer(request, routes.clone(), front.clone()));
    let mut connection =
        pin!(builder.serve_connection_with_upgrades(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection => ended,
                () = close.cancelled() => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended early");
    }
}

async fn answer(
    request: Request<Incoming>,
    routes: LateRoutes,
    front: Front,
) -> Result<Response<Body>, Infallible> {
    let request = request.map(Body::new);
    let asked = Asked::of(routes.port(), &request);
    if !front.tokens.admit(&request) {
        front.counters.unauthenticated.fetch_add(1, Ordering::Relaxed);
        return Ok(asked.refuse(&Reason::Unauthenticated));
    }
    let answered = AssertUnwindSafe(routes.call(request)).catch_unwind().await;
    Ok(answered.unwrap_or_else(|payload| {
        front.tasks.note_panic("request", payload.as_ref());
        asked.refuse(&Reason::Internal)
    }))
}
