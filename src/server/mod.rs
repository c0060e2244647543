//! The server's life: bind, open the store while the ports already answer, serve, drain, flush.

mod auth;
mod listener;
mod readiness;
mod refusal;
mod signals;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::tasks::Tasks;
use auth::Tokens;
use listener::{Front, FrontCounters, Port};
use readiness::{LateRoutes, Stage};
use refusal::Protocol;
pub use signals::heeding_signals;

/// How often a shutdown says what it waits for.
const PENDING_PERIOD: Duration = Duration::from_secs(5);

/// Where the ports are.
#[derive(Clone, Copy, Debug)]
pub struct Addresses {
    /// UI and API.
    pub http: SocketAddr,
    /// OTLP over gRPC.
    pub otlp_grpc: SocketAddr,
    /// OTLP over HTTP.
    pub otlp_http: SocketAddr,
}

/// A server whose ports are open.
pub struct Server {
    settings: Settings,
    addresses: Addresses,
    front: Front,
    tasks: Tasks,
    stage: Stage,
    http: LateRoutes,
    otlp_grpc: LateRoutes,
    otlp_http: LateRoutes,
}

/// `throughline serve`: runs until a signal.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    heeding_signals(stop.clone(), async {
        let mut server = Server::bind(settings).await?;
        server.print_addresses();
        if server.open(&stop).await? {
            server.run(&stop).await;
        }
        server.shut_down().await
    })
    .await
}

impl Server {
    /// Binds the three ports and answers there that the server is not ready.
    pub async fn bind(settings: Settings) -> anyhow::Result<Server> {
        let stage = Stage::starting();
        let tasks = Tasks::default();
        let front = front(&settings, &tasks)?;
        let http = LateRoutes::new(Protocol::Api, stage.clone());
        let otlp_grpc = LateRoutes::new(Protocol::Grpc, stage.clone());
        let otlp_http = LateRoutes::new(Protocol::OtlpHttp, stage.clone());
        let ports = [
            Port::bind("UI and API", settings.http_address, http.clone()).await?,
            Port::bind("OTLP/gRPC", settings.otlp_grpc_address, otlp_grpc.clone()).await?,
            Port::bind("OTLP/HTTP", settings.otlp_http_address, otlp_http.clone()).await?,
        ];
        let addresses = Addresses {
            http: ports[0].address(),
            otlp_grpc: ports[1].address(),
            otlp_http: ports[2].address(),
        };
        for port in ports {
            tasks.spawn("listener", port.serve(front.clone()));
        }
        Ok(Server { settings, addresses, front, tasks, stage, http, otlp_grpc, otlp_http })
    }

    /// One line on standard output for people and programs: where the ports are.
    pub fn print_addresses(&self) {
        let Addresses { http, otlp_grpc, otlp_http } = self.addresses;
        println!("listening http={http} otlp_grpc={otlp_grpc} otlp_http={otlp_http}");
    }

    /// Where the ports are.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Opens the store and then the routes; false if it was asked to stop before it was done.
    pub async fn open(&mut self, asked_to_stop: &CancellationToken) -> anyhow::Result<bool> {
        let _ = asked_to_stop;
        Ok(true)
    }

    /// Serves until asked to stop.
    pub async fn run(&self, asked_to_stop: &CancellationToken) {
        asked_to_stop.cancelled().await;
    }

    /// Refuses new work, finishes what is in flight.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        self.stage.set("shutting down".to_owned());
        self.front.stop.cancel();
        let tasks = &self.tasks;
        tasks.tracker().close();
        let drained = tokio::time::timeout(
            self.settings.server_drain_timeout,
            naming_pending("requests in flight", tasks, tasks.tracker().wait()),
        );
        if drained.await.is_err() {
            tracing::warn!(pending = tasks.pending(), "closing connections that did not end");
            self.front.close.cancel();
        }
        Ok(())
    }
}

fn front(settings: &Settings, tasks: &Tasks) -> anyhow::Result<Front> {
    let tls = match (&settings.tls_certificate_file, &settings.tls_key_file) {
        (Some(certificate), Some(key)) => Some(tls::acceptor(certificate, key)?),
        _ => None,
    };
    Ok(Front {
        tokens: Tokens::new(&settings.auth_tokens),
        tls,
        connections: Arc::new(Semaphore::new(settings.server_connections_max)),
        header_timeout: settings.server_header_timeout,
        tasks: tasks.clone(),
        stop: CancellationToken::new(),
        close: CancellationToken::new(),
        counters: Arc::new(FrontCounters::default()),
    })
}

// Waits, and says every few seconds for what.
async fn naming_pending<T>(what: &str, tasks: &Tasks, wait: impl Future<Output = T>) -> T {
    let mut wait = std::pin::pin!(wait);
    loop {
        match tokio::time::timeout(PENDING_PERIOD, wait.as_mut()).await {
            Ok(value) => return value,
            Err(_) => tracing::info!(pending = tasks.pending(), "waiting for {what}"),
        }
    }
}
