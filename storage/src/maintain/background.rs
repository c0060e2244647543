//! The background tasks of a store: name, what wakes it, what it does.

use std::sync::Arc;
use std::time::Duration;

use throughline_model::time::MINUTE_NS;
use tokio_util::sync::CancellationToken;

use crate::Result;
use crate::core::Core;

/// After a failed job the next waits so long.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(5);
/// The scrub looks for work so often.
const SCRUB_PERIOD: Duration = Duration::from_secs(10);
/// Retention and sweep run so often.
const HOUSEKEEPING_PERIOD_NS: i64 = MINUTE_NS;

/// Starts all tasks. They end when `stop` is cancelled.
pub(crate) fn start(core: &Arc<Core>, stop: &CancellationToken) {
    let table = [
        spawn(core, stop, "flush", |core, stop| async move { flush(&core, &stop).await }),
        spawn(core, stop, "compact", |core, stop| async move { compact(&core, &stop).await }),
        spawn(core, stop, "scrub", |core, stop| async move { scrub(&core, &stop).await }),
        spawn(core, stop, "housekeeping", |core, stop| async move {
            housekeeping(&core, &stop).await;
        }),
    ];
    tracing::debug!(tasks = ?table, "background tasks of the store run");
}

fn spawn<F>(
    core: &Arc<Core>,
    stop: &CancellationToken,
    name: &'static str,
    task: impl FnOnce(Arc<Core>, CancellationToken) -> F,
) -> &'static str
where
    F: Future<Output = ()> + Send + 'static,
{
    core.tracker.spawn(task(core.clone(), stop.clone()));
    name
}

/// Waits, but not past the end.
async fn pause(stop: &CancellationToken, time: Duration) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

async fn told(stop: &CancellationToken, name: &str, outcome: Result<()>) {
    if let Err(error) = outcome {
        tracing::warn!(job = name, %error, "background job failed and is tried again");
        pause(stop, PAUSE_AFTER_ERROR).await;
    }
}

fn is_over(core: &Core, stop: &CancellationToken) -> bool {
    stop.is_cancelled() || core.failed.is_cancelled()
}

async fn flush(core: &Arc<Core>, stop: &CancellationToken) {
    while !is_over(core, stop) {
        tokio::select! {
            () = stop.cancelled() => return,
            () = core.wake_flush.notified() => {}
            () = tokio::time::sleep(core.options.tick) => {}
        }
        core.seal_due();
        told(stop, "flush", core.flush_sealed().await).await;
    }
}

async fn compact(core: &Arc<Core>, stop: &CancellationToken) {
    while !is_over(core, stop) {
        match core.compact_one().await {
            Ok(true) => {}
            Ok(false) => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = core.wake_compact.notified() => {}
                    () = tokio::time::sleep(core.options.tick) => {}
                }
            }
            Err(error) => told(stop, "compact", Err(error)).await,
        }
    }
}

async fn scrub(core: &Arc<Core>, stop: &CancellationToken) {
    while !is_over(core, stop) {
        match core.scrub_one().await {
            Ok(Some(bytes)) => {
                let rate = core.options.scrub_bytes_per_second.max(1);
                pause(stop, Duration::from_millis(bytes.saturating_mul(1000) / rate)).await;
            }
            Ok(None) => pause(stop, SCRUB_PERIOD).await,
            Err(error) => told(stop, "scrub", Err(error)).await,
        }
    }
}

async fn housekeeping(core: &Arc<Core>, stop: &CancellationToken) {
    let mut last_ns = core.clock.now_ns();
    while !is_over(core, stop) {
        pause(stop, core.options.tick).await;
        let now_ns = core.clock.now_ns();
        let is_time = now_ns.saturating_sub(last_ns) >= HOUSEKEEPING_PERIOD_NS;
        let sweeper = core.clone();
        let swept = core
            .blocking(move || {
                sweeper.look_at_disk();
                sweeper.collect_released();
                if is_time { sweeper.sweep() } else { Ok(()) }
            })
            .await;
        told(stop, "sweep", swept).await;
        if is_time {
            last_ns = now_ns;
            told(stop, "retain", core.retain().await.map(|_| ())).await;
        }
    }
}
