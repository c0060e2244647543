//! The targets of one job: what is discovered is resolved, and scrapers are started and stopped accordingly.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::client::Asker;
use super::config::{Job, TargetGroup};
use super::discovery;
use super::scraper::Scraper;
use super::status::{Pool, Scraped, Targets};
use super::target::{Resolved, Target, resolve};
use crate::admit::Ingester;
use crate::records::Read;

/// Findings that wait to be taken in.
const FINDINGS_MAX: usize = 16;

/// What a job's task works with.
#[derive(Clone)]
pub struct Ground {
    /// Where samples go.
    pub ingester: Ingester,
    /// Where tasks live.
    pub tracker: TaskTracker,
    /// Where it is told what is scraped.
    pub targets: Targets,
    /// Ends the server.
    pub stop: CancellationToken,
}

/// A scraper that runs.
struct Running {
    scraped: Arc<Scraped>,
    close: CancellationToken,
}

/// Scrapes the targets of a job until `close`.
pub async fn run(job: Arc<Job>, ground: Ground, close: CancellationToken) {
    let asker = match Asker::new(&job.client) {
        Ok(asker) => asker,
        Err(err) => {
            tracing::error!(job = job.name, err, "the job cannot be scraped");
            return;
        }
    };
    let (sender, mut receiver) = mpsc::channel(FINDINGS_MAX);
    for (number, source) in job.discovery.iter().enumerate() {
        let (job, tracker) = (job.name.clone(), ground.tracker.clone());
        let asking = discovery::Asking { job, number, tracker, stop: ground.stop.clone() };
        let (source, sender, close) = (source.clone(), sender.clone(), close.clone());
        ground.tracker.spawn(asking.run(source, sender, close));
    }
    drop(sender);
    let mut found: BTreeMap<usize, Vec<TargetGroup>> = BTreeMap::new();
    let mut running: BTreeMap<u64, Running> = BTreeMap::new();
    let mut is_open = true;
    loop {
        let (number, groups) = tokio::select! {
            next = receiver.recv(), if is_open => match next {
                Some(next) => next,
                // Sources that cannot change are done; the scrapers go on.
                None => {
                    is_open = false;
                    continue;
                }
            },
            () = close.cancelled() => break,
            () = ground.stop.cancelled() => return,
        };
        found.insert(number, groups);
        sync(&job, &ground, &asker, &found, &mut running);
    }
    running.values().for_each(|scraper| scraper.close.cancel());
    ground.targets.remove(&job.name);
}

fn sync(
    job: &Arc<Job>,
    ground: &Ground,
    asker: &Asker,
    found: &BTreeMap<usize, Vec<TargetGroup>>,
    running: &mut BTreeMap<u64, Running>,
) {
    let mut pool = Pool::default();
    let wanted = match targets(job, found, &mut pool) {
        Ok(wanted) => wanted,
        Err(err) => {
            tracing::error!(job = job.name, err, "no target is scraped");
            BTreeMap::new()
        }
    };
    running.retain(|key, scraper| {
        let stays = wanted.contains_key(key);
        if !stays {
            scraper.close.cancel();
        }
        stays
    });
    for (key, target) in wanted {
        running.entry(key).or_insert_with(|| {
            let scraped = Arc::new(Scraped::new(target));
            let close = CancellationToken::new();
            let scraper = Scraper {
                job: job.clone(),
                scraped: scraped.clone(),
                asker: asker.clone(),
                ingester: ground.ingester.clone(),
                targets: ground.targets.clone(),
                close: close.clone(),
                stop: ground.stop.clone(),
            };
            ground.tracker.spawn(scraper.run());
            Running { scraped, close }
        });
    }
    pool.active = running.values().map(|scraper| scraper.scraped.clone()).collect();
    pool.active.sort_by(|a, b| a.target.labels.cmp(&b.target.labels));
    ground.targets.set(&job.name, pool);
}

/// The targets to scrape, by key; those that are dropped are noted.
fn targets(
    job: &Job,
    found: &BTreeMap<usize, Vec<TargetGroup>>,
    pool: &mut Pool,
) -> Read<BTreeMap<u64, Target>> {
    let mut wanted = BTreeMap::new();
    for labels in found.values().flatten().flat_map(|group| &group.targets) {
        match resolve(job, labels) {
            Ok(Resolved::Target(target)) => {
                wanted.insert(target.key(), *target);
            }
            Ok(Resolved::Dropped(labels)) => {
                pool.dropped_total += 1;
                let kept = job.limits.dropped_kept;
                if kept == 0 || pool.dropped.len() < kept {
                    pool.dropped.push(labels);
                }
            }
            Err(err) => tracing::error!(job = job.name, err, "a target is left out"),
        }
    }
    let limit = job.limits.targets;
    if limit > 0 && wanted.len() > limit {
        return Err(format!("{} targets, target_limit is {limit}", wanted.len()));
    }
    Ok(wanted)
}
