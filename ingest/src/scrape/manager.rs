//! The jobs: read from the configuration, and again when it changes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::config::ScrapeConfig;
use super::pool::{self, Ground};

/// How often the configuration is looked at.
const RELOAD_PERIOD: Duration = Duration::from_secs(5);

/// A job that runs: what it was made of, and what ends it.
struct Running {
    fingerprint: u64,
    close: CancellationToken,
}

/// Scrapes by a configuration until the server stops. When its file has changed and reads, jobs that are new, changed
/// or gone are started and stopped; the others go on as they are.
pub async fn run(path: PathBuf, config: ScrapeConfig, ground: Ground) {
    let mut running: BTreeMap<String, Running> = BTreeMap::new();
    apply(&config, &ground, &mut running);
    let mut last_error = None;
    loop {
        tokio::select! {
            () = tokio::time::sleep(RELOAD_PERIOD) => {}
            () = ground.stop.cancelled() => return,
        }
        let path = path.clone();
        let loaded = ground.tracker.spawn_blocking(move || ScrapeConfig::load(&path)).await;
        ground.targets.note_config(matches!(loaded, Ok(Err(_))));
        match loaded {
            Ok(Ok(config)) => {
                last_error = None;
                apply(&config, &ground, &mut running);
            }
            Ok(Err(err)) if last_error.as_ref() != Some(&err) => {
                tracing::error!(
                    err,
                    "the scrape configuration does not read: the one before holds"
                );
                last_error = Some(err);
            }
            _ => {}
        }
    }
}

fn apply(config: &ScrapeConfig, ground: &Ground, running: &mut BTreeMap<String, Running>) {
    running.retain(|name, job| {
        let same = config.jobs.iter().find(|other| other.name == *name);
        let stays = same.is_some_and(|other| other.fingerprint == job.fingerprint);
        if !stays {
            tracing::info!(job = name, "the job is changed or gone");
            job.close.cancel();
        }
        stays
    });
    for job in &config.jobs {
        if running.contains_key(&job.name) {
            continue;
        }
        let close = CancellationToken::new();
        ground.tracker.spawn(pool::run(Arc::clone(job), ground.clone(), close.clone()));
        running.insert(job.name.clone(), Running { fingerprint: job.fingerprint, close });
    }
}
