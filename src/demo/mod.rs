//! `throughline demo`: the server with a simulated web shop that sends telemetry to it, first the
//! last hour, quickly, then live traffic.
//!
//! ```text
//! shop (data) → sim (one request → spans, log records) → backfill: otlp, metrics → OTLP/HTTP port
//!                                                      → live: OpenTelemetry SDK → OTLP/gRPC port
//! ```

mod attributes;
mod backfill;
mod faults;
mod live;
mod metrics;
mod otlp;
mod resource;
mod scope;
mod shop;
mod sim;
mod trace;

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, bail};
use tempfile::TempDir;
use throughline_model::time::{Clock, SystemClock};
use tokio_util::sync::CancellationToken;

use crate::cli::{DemoFlags, Place};
use crate::config::Settings;
use crate::server::{Server, heeding_signals};

/// What the live traffic adds to the seed, so that it does not repeat the past.
const LIVE_SEED_OFFSET: u64 = 0x5eed;

/// The settings of a demo, and its temporary folder if no other was given; dropping it removes it.
pub fn settings(place: &Place) -> anyhow::Result<(Settings, Option<TempDir>)> {
    let mut settings = place.settings(None)?;
    if settings.tls_certificate_file.is_some() || !settings.auth_tokens.is_empty() {
        bail!("the demo's own clients use neither TLS nor tokens: unset tls and auth.tokens");
    }
    let given = place.data_dir.is_some() || settings.data_dir != Settings::default().data_dir;
    if given {
        return Ok((settings, None));
    }
    let folder = tempfile::Builder::new()
        .prefix("throughline-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    settings.data_dir = folder.path().to_owned();
    Ok((settings, Some(folder)))
}

/// Runs server and shop until a signal.
pub async fn run(settings: Settings, flags: DemoFlags) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    heeding_signals(stop.clone(), async {
        let mut server = Server::bind(settings).await?;
        server.print_addresses();
        if server.open(&stop).await? {
            tokio::select! {
                past = past(&server, flags) => past?,
                () = stop.cancelled() => {}
            }
            if !flags.no_live && !stop.is_cancelled() {
                live(&server, flags, &stop).await?;
            }
            server.run(&stop).await?;
        }
        server.shut_down().await
    })
    .await
}

async fn past(server: &Server, flags: DemoFlags) -> anyhow::Result<()> {
    println!("sending the last hour of a shop of {} services …", shop::SERVICES.len());
    let began = Instant::now();
    let now_ns = SystemClock.now_ns();
    let sent = backfill::send(server.addresses().otlp_http, now_ns, flags.seed)
        .await
        .context("the past could not be sent")?;
    println!(
        "sent {} spans in {} traces, {} log records, {} metric points in {:.1} s",
        sent.spans,
        sent.traces,
        sent.logs,
        sent.points,
        began.elapsed().as_secs_f64()
    );
    println!("open http://{}", server.addresses().http);
    Ok(())
}

async fn live(server: &Server, flags: DemoFlags, stop: &CancellationToken) -> anyhow::Result<()> {
    println!(
        "live traffic runs; payment fails and the database slows down now and then. ^C ends it"
    );
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let faults = faults::Faults::from(clock.now_ns());
    let address = server.addresses().otlp_grpc;
    live::run(address, faults, flags.seed ^ LIVE_SEED_OFFSET, clock, stop.clone()).await
}
