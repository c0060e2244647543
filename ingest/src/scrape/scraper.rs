//! One target, scraped again and again: when, how it went, and what is stored of it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use throughline_model::Signal;
use throughline_storage::{Encoding, Format};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::client::{Answer, Asker, headers};
use super::config::Job;
use super::exposition::{self, Form, Options};
use super::page::{Page, Refused, Report, Stored};
use super::status::{Health, LastScrape, Scraped, Targets};
use crate::admit::{Ingester, Request};
use crate::records::Read;

/// How far from its due time a scrape may be to be given that time: equal distances take next to no room.
const TOLERANCE_NS: i64 = 10_000_000;
/// Pauses between attempts to store a scrape.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
const NS_PER_MS: i64 = 1_000_000;

/// What a scraper works with.
pub struct Scraper {
    pub job: Arc<Job>,
    pub scraped: Arc<Scraped>,
    pub asker: Asker,
    pub ingester: Ingester,
    pub targets: Targets,
    /// Ends the scraping of the target: what it had is marked as ended.
    pub close: CancellationToken,
    /// Ends the server: nothing is marked.
    pub stop: CancellationToken,
}

impl Scraper {
    /// Scrapes until one of both ends.
    pub async fn run(self) {
        let target = &self.scraped.target;
        let interval_ns = target.interval.as_nanos() as i64;
        let mut page = Page::default();
        let mut due_ns = target.first_due_ns(self.ingester.now_ns());
        loop {
            let wait_ns = (due_ns - self.ingester.now_ns()).max(0);
            tokio::select! {
                () = tokio::time::sleep(Duration::from_nanos(wait_ns as u64)) => {}
                () = self.stop.cancelled() => return,
                () = self.close.cancelled() => break,
            }
            let now_ns = self.ingester.now_ns();
            let is_punctual = (now_ns - due_ns).abs() <= TOLERANCE_NS;
            let time_ms = if is_punctual { due_ns } else { now_ns }.div_euclid(NS_PER_MS);
            tokio::select! {
                scraped = self.scrape(page, time_ms) => match scraped {
                    Some(scraped) => page = scraped,
                    None => return,
                },
                () = self.stop.cancelled() => return,
            }
            // Scrapes that were missed are not made up for.
            let missed = (self.ingester.now_ns() - due_ns).max(0) / interval_ns;
            due_ns += interval_ns * (missed + 1);
        }
        let time_ms = self.ingester.now_ns().div_euclid(NS_PER_MS);
        for body in page.close(&self.job, &target.labels, time_ms) {
            self.store(body, target.interval).await;
        }
    }

    /// One scrape. The page comes back with what it had; nothing if the work panicked.
    async fn scrape(&self, page: Page, time_ms: i64) -> Option<Page> {
        let started = Instant::now();
        let target = &self.scraped.target;
        let (forms, compresses) = (&self.job.forms, self.job.compresses);
        let headers = headers(forms, target.timeout, compresses);
        let bytes_max = self.job.limits.body_bytes;
        let answer = self.asker.get(&target.url, headers, target.timeout, bytes_max).await;
        let body_bytes = answer.as_ref().map_or(0, |answer| answer.body.len());
        let (job, scraped) = (self.job.clone(), self.scraped.clone());
        let seconds = started.elapsed().as_secs_f64();
        let report = Report { seconds, body_bytes };
        let work = move || taken(page, &job, &scraped, time_ms, answer, report);
        let Ok((page, stored, error)) = self.ingester.off_workers(body_bytes, work).await else {
            return None;
        };
        if let Some(error) = &error {
            tracing::debug!(target = target.url, error, "a scrape failed");
        }
        if stored.repeated > 0 {
            let repeated = stored.repeated;
            tracing::warn!(target = target.url, repeated, "samples stand twice, the first holds");
        }
        let health = if error.is_none() { Health::Up } else { Health::Down };
        let time_ns = time_ms.saturating_mul(NS_PER_MS);
        *self.scraped.last.lock() = LastScrape { health, error, time_ns, seconds };
        for body in stored.bodies {
            self.store(body, target.interval).await;
        }
        Some(page)
    }

    /// Stores a request; while there is no room it is tried again, as long as `patience`.
    async fn store(&self, body: Vec<u8>, patience: Duration) {
        let deadline = Instant::now() + patience;
        let body = Bytes::from(body);
        loop {
            let Err(err) = self.attempt(body.clone()).await else { return };
            self.ingester.stats().refused(Signal::Metrics, err.kind());
            let passes = err.retry_after_s().is_some() && Instant::now() < deadline;
            if !passes || self.stop.is_cancelled() {
                let url = &self.scraped.target.url;
                tracing::warn!(target = url, kind = err.kind().name(), %err, "a scrape is lost");
                self.targets.note_lost();
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY_PAUSE) => {}
                () = self.stop.cancelled() => {}
            }
        }
    }

    async fn attempt(&self, body: Bytes) -> crate::Result<()> {
        let permit = self.ingester.room().take(body.len()).await?;
        let (format, encoding) = (Format::PrometheusWriteV2, Encoding::Identity);
        let request = Request { signal: Signal::Metrics, format, encoding, body, permit };
        let reply = self.ingester.accept(request).await?;
        if reply.rejected > 0 {
            let url = &self.scraped.target.url;
            let (rejected, why) = (reply.rejected, &reply.message);
            tracing::warn!(target = url, rejected, why, "samples of a scrape were refused");
        }
        Ok(())
    }
}

/// What comes of an answer, and what was wrong with it.
fn taken(
    mut page: Page,
    job: &Job,
    scraped: &Scraped,
    time_ms: i64,
    answer: Read<Answer>,
    report: Report,
) -> (Page, Stored, Option<String>) {
    let labels = &scraped.target.labels;
    let options = Options { wants_native: job.wants_native, keeps_classic: job.keeps_classic };
    let read = answer.and_then(|answer| {
        let form = Form::of(&answer.content_type, job.fallback)?;
        exposition::read(&answer.body, form, options)
    });
    let updated = read.map_err(Refused::from).and_then(|exposition| {
        scraped.describe(&exposition.families);
        page.update(job, labels, time_ms, &exposition)
    });
    let (stored, error) = match updated {
        Ok(stored) => (stored, None),
        Err(refused) => (page.fail(time_ms, &refused), Some(refused.message)),
    };
    let stored = page.report(job, labels, time_ms, (error.is_none(), report), stored);
    (page, stored, error)
}
