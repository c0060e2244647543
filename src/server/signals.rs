//! SIGINT and SIGTERM: the first one asks for an orderly end, the second one ends at once.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a second signal, as shells say it for SIGINT.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// A token that the first signal cancels.
pub fn first_signal() -> anyhow::Result<CancellationToken> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let asked = CancellationToken::new();
    let token = asked.clone();
    // Outlives every other task on purpose: it waits for the second signal during the shutdown.
    tokio::spawn(async move {
        let name = next(&mut interrupt, &mut terminate).await;
        tracing::info!(signal = name, "shutting down; a second signal ends at once");
        token.cancel();
        let name = next(&mut interrupt, &mut terminate).await;
        tracing::warn!(signal = name, "ending at once; the log is replayed at the next start");
        std::process::exit(EXIT_CODE_INTERRUPTED);
    });
    Ok(asked)
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) -> &'static str {
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}
