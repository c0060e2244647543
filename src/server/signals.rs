//! SIGINT and SIGTERM: the first one asks for an orderly end, the second one ends at once.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit code of a second signal, as shells say it for SIGINT.
const EXIT_CODE_INTERRUPTED: i32 = 130;

/// Does the work to its end; the first signal cancels the token, which the work should heed.
pub async fn heeding_signals(
    stop: CancellationToken,
    work: impl Future<Output = anyhow::Result<()>>,
) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut work = std::pin::pin!(work);
    loop {
        let name = tokio::select! {
            ended = work.as_mut() => return ended,
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        if stop.is_cancelled() {
            tracing::warn!(signal = name, "ending at once; the next start replays the log");
            std::process::exit(EXIT_CODE_INTERRUPTED);
        }
        tracing::info!(signal = name, "shutting down; a second signal ends at once");
        stop.cancel();
    }
}
