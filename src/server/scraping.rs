//! What the server scrapes, and what the API says of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use throughline_api::prometheus::targets::{ActiveTarget, TargetPool, TargetPools};
use throughline_ingest::Ingester;
use throughline_ingest::scrape::status::{Pool, Scraped};
use throughline_ingest::scrape::{self, Ground, ScrapeConfig, Targets};
use throughline_query::promql::discover::Metadata;
use tokio_util::sync::CancellationToken;

use crate::tasks::Tasks;

/// What is scraped.
#[derive(Default)]
pub struct Scraping {
    /// The configuration, until scraping begins.
    config: Option<(PathBuf, ScrapeConfig)>,
    targets: Targets,
}

impl Scraping {
    /// Reads the configuration, if there is one.
    pub fn load(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let config =
            ScrapeConfig::load(path).map_err(|err| anyhow!("scrape.config_file: {err}"))?;
        if !config.passed_over.is_empty() {
            let sections = config.passed_over.join(", ");
            tracing::info!(sections, "sections of scrape.config_file that are not read");
        }
        Ok(Self { config: Some((path.to_owned(), config)), targets: Targets::default() })
    }

    /// The targets, if there is a configuration.
    pub fn targets(&self) -> Option<Targets> {
        self.config.is_some().then(|| self.targets.clone())
    }

    /// Begins to scrape.
    pub fn begin(&mut self, ingester: &Ingester, tasks: &Tasks, stop: &CancellationToken) {
        let Some((path, config)) = self.config.take() else { return };
        let ground = Ground {
            ingester: ingester.clone(),
            tracker: tasks.tracker().clone(),
            targets: self.targets.clone(),
            stop: stop.clone(),
        };
        tasks.spawn("scraping", scrape::run(path, config, ground));
    }

    /// Says what is scraped.
    pub fn pools(&self) -> TargetPools {
        let targets = self.targets.clone();
        Arc::new(move || targets.pools().into_iter().map(|(name, own)| pool(name, &own)).collect())
    }
}

fn pool(name: String, pool: &Pool) -> TargetPool {
    TargetPool {
        name,
        active: pool.active.iter().map(|scraped| active(scraped)).collect(),
        dropped: pool.dropped.clone(),
        dropped_total: pool.dropped_total,
    }
}

fn active(scraped: &Scraped) -> ActiveTarget {
    let (target, last) = (&scraped.target, scraped.last.lock().clone());
    let families = scraped.families.lock().clone();
    let said = families.iter().map(|family| {
        let metric_type = match family.metric_type {
            "" => "unknown".to_owned(),
            named => named.to_owned(),
        };
        let (help, unit) = (family.help.clone(), family.unit.clone());
        (family.name.clone(), Metadata { metric_type, help, unit })
    });
    ActiveTarget {
        labels: target.labels.clone(),
        discovered: target.discovered.clone(),
        url: target.url.clone(),
        health: last.health.name(),
        error: last.error,
        scraped_at_ns: last.time_ns,
        seconds: last.seconds,
        interval_ms: target.interval.as_millis() as u64,
        timeout_ms: target.timeout.as_millis() as u64,
        metadata: said.collect(),
    }
}
