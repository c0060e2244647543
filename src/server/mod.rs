//! The server's life: bind, open the store while the ports already answer, serve, drain, flush.

mod auth;
mod listener;
mod openmetrics;
mod options;
mod readiness;
mod receivers;
mod refusal;
mod scraping;
mod self_metrics;
mod signals;
mod sockets;
mod tls;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use throughline_api::{ApiCounters, ApiState, BuildInfo, Readiness};
use throughline_ingest::Ingester;
use throughline_ingest::rules::Rules;
use throughline_model::time::{Clock, SystemClock};
use throughline_query::Engine;
use throughline_storage::{Progress, Store};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Settings, log_rules};
use crate::tasks::Tasks;
use auth::Tokens;
use listener::{Front, FrontCounters, Port};
use readiness::{LateRoutes, Stage};
use receivers::Receivers;
use refusal::Protocol;
use scraping::Scraping;
use self_metrics::SelfMetrics;
pub use signals::heeding_signals;

/// How often a shutdown says what it waits for.
const PENDING_PERIOD: Duration = Duration::from_secs(5);
/// How often the store is asked whether it still stands by its word.
const HEALTH_PERIOD: Duration = Duration::from_secs(1);

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
    /// Rules of log records, until they are handed over.
    rules: Rules,
    addresses: Addresses,
    front: Front,
    tasks: Tasks,
    stage: Stage,
    http: LateRoutes,
    otlp_grpc: LateRoutes,
    otlp_http: LateRoutes,
    receivers: Receivers,
    /// What is scraped, until it begins.
    scraping: Scraping,
    // Tasks of the crates; they end after the store is shut down.
    background: TaskTracker,
    background_stop: CancellationToken,
    readiness: watch::Sender<Readiness>,
    build: BuildInfo,
    open: Option<Open>,
}

// What there is once the store is open.
struct Open {
    store: Store,
    ingester: Ingester,
}

/// `throughline serve`: runs until a signal.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    heeding_signals(stop.clone(), async {
        let mut server = Server::bind(settings).await?;
        server.print_addresses();
        if server.open(&stop).await? {
            server.run(&stop).await?;
        }
        server.shut_down().await
    })
    .await
}

impl Server {
    /// Binds the three ports, and those that the configuration adds, and answers there that the server is not ready.
    pub async fn bind(settings: Settings) -> anyhow::Result<Server> {
        let stage = Stage::starting();
        let tasks = Tasks::default();
        let front = front(&settings, &tasks)?;
        let scraping = Scraping::load(settings.scrape_config_file.as_deref())?;
        let rules = log_rules(&settings.logs_rules).map_err(|err| anyhow!("logs.rules: {err}"))?;
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
        let receivers = Receivers::bind(&settings, &stage, &front, &tasks).await?;
        Ok(Server {
            settings,
            rules,
            addresses,
            front,
            tasks,
            stage,
            http,
            otlp_grpc,
            otlp_http,
            receivers,
            scraping,
            background: TaskTracker::new(),
            background_stop: CancellationToken::new(),
            readiness: watch::Sender::new(Readiness { ready: false, stage: "starting".to_owned() }),
            build: BuildInfo {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: option_env!("THROUGHLINE_COMMIT").map(str::to_owned),
                started_at_ns: SystemClock.now_ns(),
            },
            open: None,
        })
    }

    /// One line on standard output for people and programs: where the ports are.
    pub fn print_addresses(&self) {
        let Addresses { http, otlp_grpc, otlp_http } = self.addresses;
        let others = self.receivers.addresses();
        println!("listening http={http} otlp_grpc={otlp_grpc} otlp_http={otlp_http}{others}");
    }

    /// Where the ports are.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Opens the store, then the routes; false if it was asked to stop before it was done.
    pub async fn open(&mut self, stop: &CancellationToken) -> anyhow::Result<bool> {
        let began = Instant::now();
        let (progress_sender, progress) = watch::channel(Progress::default());
        let options = options::store(&self.settings, progress_sender)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let opening = Store::open(
            options,
            clock.clone(),
            Arc::new(throughline_ingest::decode),
            self.background.clone(),
            self.background_stop.clone(),
        );
        let store = tokio::select! {
            store = telling_progress(&self.stage, progress, opening) => {
                let folder = self.settings.data_dir.display();
                store.with_context(|| format!("cannot open the data in {folder}"))?
            }
            () = stop.cancelled() => return Ok(false),
        };
        self.open_routes(store, clock);
        tracing::info!(elapsed_ms = began.elapsed().as_millis() as u64, "ready");
        Ok(true)
    }

    // The only place where receivers, queries and pages meet.
    fn open_routes(&mut self, store: Store, clock: Arc<dyn Clock>) {
        let settings = &self.settings;
        let limits = options::ingest(settings);
        let rules = std::mem::take(&mut self.rules);
        let ingester = Ingester::with_rules(
            store.clone(),
            limits,
            clock.clone(),
            self.background.clone(),
            rules,
        );
        let engine = Engine::new(
            store.clone(),
            options::engine(settings),
            clock.clone(),
            self.background.clone(),
        );
        let counters = Arc::new(ApiCounters::default());
        let own = SelfMetrics {
            ingester: ingester.clone(),
            store: store.clone(),
            front: self.front.counters.clone(),
            tasks: self.tasks.clone(),
            api: counters.clone(),
            sockets: self.receivers.socket_stats().clone(),
            scraped: self.scraping.targets(),
        };
        let ready = Readiness { ready: true, stage: "serving".to_owned() };
        self.readiness.send_replace(ready);
        let state = ApiState {
            engine,
            store: store.clone(),
            clock,
            tracker: self.background.clone(),
            ready: self.readiness.subscribe(),
            build: self.build.clone(),
            limits: options::api(settings),
            counters,
            metrics_page: Arc::new(move || own.render()),
            target_pools: self.scraping.pools(),
        };
        let receivers = throughline_ingest::http_routes(ingester.clone());
        let api = throughline_api::routes(state.clone())
            .nest("/otlp", receivers.clone())
            .merge(self.receivers.beside_the_api(&ingester, &state))
            .merge(throughline_ui::routes());
        self.otlp_http.set(receivers);
        self.otlp_grpc.set(self.receivers.grpc(&ingester));
        self.receivers.open(&ingester, &state);
        self.scraping.begin(&ingester, &self.tasks, &self.front.stop);
        // Last, because it says that the server is ready.
        self.http.set(api);
        self.open = Some(Open { store, ingester });
    }

    /// Serves until asked to stop, or until the store can no longer promise anything.
    pub async fn run(&self, stop: &CancellationToken) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(HEALTH_PERIOD);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let failed = self.open.as_ref().and_then(|open| open.store.status().failed);
            if let Some(why) = failed {
                anyhow::bail!("the store has failed: {why}; start again to recover");
            }
        }
    }

    /// Refuses new work, finishes what is in flight, flushes, names what it waits for.
    pub async fn shut_down(self) -> anyhow::Result<()> {
        let stage = "shutting down".to_owned();
        self.stage.set(stage.clone());
        self.readiness.send_replace(Readiness { ready: false, stage });
        if let Some(open) = &self.open {
            open.ingester.set_serving(false).await;
        }
        self.front.stop.cancel();
        let tasks = &self.tasks;
        tasks.tracker().close();
        let ended = naming_pending("requests", tasks.tracker().wait(), || tasks.pending());
        if tokio::time::timeout(self.settings.server_drain_timeout, ended).await.is_err() {
            tracing::warn!(pending = tasks.pending(), "closing connections that did not end");
            self.front.close.cancel();
            tasks.tracker().wait().await;
        }
        if let Some(open) = &self.open {
            let flushed = naming_pending("the flush", open.store.shutdown(), || {
                let heads = open.store.status().heads_bytes;
                format!("{heads} bytes in heads")
            });
            flushed.await.context("not everything was flushed; the log has it")?;
        }
        self.background_stop.cancel();
        self.background.close();
        let jobs = || format!("background job × {}", self.background.len());
        naming_pending("background jobs", self.background.wait(), jobs).await;
        tracing::info!("stopped");
        Ok(())
    }
}

// Opens, and says on the way how far the replay has come, on the ports and in the log.
async fn telling_progress<T>(
    stage: &Stage,
    mut progress: watch::Receiver<Progress>,
    opening: impl Future<Output = T>,
) -> T {
    let mut opening = std::pin::pin!(opening);
    let mut told = Instant::now();
    loop {
        tokio::select! {
            opened = opening.as_mut() => return opened,
            Ok(()) = progress.changed() => {
                let Progress { wal_bytes_done: done, wal_bytes_total: total, requests, .. } =
                    progress.borrow_and_update().clone();
                stage.set(format!("replaying the log: {done} of {total} bytes"));
                if told.elapsed() >= PENDING_PERIOD {
                    told = Instant::now();
                    tracing::info!(done, total, requests, "replaying the log");
                }
            }
        }
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
async fn naming_pending<T>(
    what: &str,
    wait: impl Future<Output = T>,
    pending: impl Fn() -> String,
) -> T {
    let mut wait = std::pin::pin!(wait);
    loop {
        match tokio::time::timeout(PENDING_PERIOD, wait.as_mut()).await {
            Ok(value) => return value,
            Err(_) => tracing::info!(pending = pending(), "waiting for {what}"),
        }
    }
}
