//! The store: what `ingest` appends to and `query` takes views from.
//!
//! ```text
//! claim → (decode) → append: memory → log, group commit → head, published → answer
//!                     head → segments → compaction                in the background
//! ```

use std::sync::Arc;
use std::time::Duration;

use throughline_model::Signal;
use throughline_model::batch::Decoded;
use throughline_model::exception::Fingerprint;
use throughline_model::time::Clock;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use ulid::Ulid;

use crate::catalog::deletions::LogDeletion;
use crate::catalog::notes::{ChangesAsked, ExceptionState, PostedChange};
use crate::core::Core;
use crate::dedup::{Claim, Ticket};
use crate::maintain::delete::DeleteRequest;
use crate::options::StoreOptions;
use crate::scan::ScanContext;
use crate::status::{BacklogStatus, LevelStatus, SignalStatus, StoreStatus};
use crate::tail::LogSubscription;
use crate::view::View;
use crate::wal::{DecodeFn, Pending, Reply, WalRecord};
use crate::{Error, ErrorKind, Result};

/// Bytes that a tenant's name may have.
const TENANT_BYTES_MAX: usize = 256;
/// How often a shutdown that takes long says what it waits for.
const PENDING_TOLD_EVERY: Duration = Duration::from_secs(5);

/// Acknowledged telemetry, durable and readable. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub core: Arc<Core>,
    /// To the committers, in the order of [`Signal::ALL`].
    pub queues: [mpsc::Sender<Pending>; Signal::ALL.len()],
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("data_dir", &self.inner.core.options.data_dir).finish()
    }
}

impl Store {
    /// Opens the folder: reads the catalog, replays the logs, starts the background tasks on
    /// `tracker`. They end when `stop` is cancelled; cancel it after [`Store::shutdown`].
    pub async fn open(
        options: StoreOptions,
        clock: Arc<dyn Clock>,
        decode: DecodeFn,
        tracker: TaskTracker,
        stop: CancellationToken,
    ) -> Result<Store> {
        crate::open::open(options, clock, decode, tracker, stop).await
    }

    /// The keyed hash by which a body is known again.
    pub fn body_hash(&self, signal: Signal, tenant: &str, inflated: &[u8]) -> u128 {
        self.inner.core.dedup.hash(signal, tenant, inflated)
    }

    /// Asks, before decoding, whether a body was acknowledged before. While another request with the
    /// same body is in flight this waits for its outcome.
    pub async fn claim(&self, signal: Signal, tenant: &str, body_hash: u128) -> Result<Claim> {
        let core = &self.inner.core;
        core.check_writable()?;
        let claim = core.dedup.claim(body_hash, core.clock.now_ns()).await;
        if matches!(claim, Claim::Known(_)) {
            tracing::debug!(%signal, tenant, "a repeated body is answered as before");
            core.counters.update(|counters| counters.duplicates += 1);
        }
        Ok(claim)
    }

    /// Logs, syncs and publishes a request. It is durable and visible when this returns `Ok`. Once
    /// the request is queued it counts, even if the caller goes away.
    pub async fn append(
        &self,
        ticket: Ticket,
        record: WalRecord,
        decoded: Decoded,
    ) -> Result<Reply> {
        let core = &self.inner.core;
        core.check_writable()?;
        check(&ticket, &record, &decoded)?;
        let Decoded { batch, rejected, message } = decoded;
        let reply = Reply { rejected, message };
        if batch.is_empty() {
            ticket.complete(record.received_at_ns, &reply);
            return Ok(reply);
        }
        let bytes = (batch.memory_bytes() + record.tenant.len()) as u64;
        let reservation = core.budget.reserve(bytes, core.options.append_patience).await?;
        let signal = record.signal;
        let (done, answer) = oneshot::channel();
        let pending = Pending { record, batch, reply, ticket, reservation, done };
        let queue = &self.inner.queues[signal as usize - 1];
        let ended = || core.failure().unwrap_or_else(Error::closed);
        queue.send(pending).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }

    /// The current snapshot.
    pub fn view(&self) -> Arc<View> {
        self.inner.core.publisher.view()
    }

    /// The current snapshot, and every batch of log records that is published after it: no row is
    /// in both, none between them. At most [`crate::TAILS_MAX`] subscriptions exist at a time;
    /// further ones are refused as overload.
    pub fn tail_logs(&self) -> Result<(Arc<View>, LogSubscription)> {
        let core = &self.inner.core;
        if let Some(error) = core.failure() {
            return Err(error);
        }
        let (closing, failed) = (core.closing.clone(), core.failed.clone());
        if closing.is_cancelled() {
            return Err(Error::closed());
        }
        let (view, queue) = core.publisher.tail_logs()?;
        Ok((view, LogSubscription { queue, closing, failed }))
    }

    /// Writes all heads to segments.
    pub async fn flush(&self) -> Result<()> {
        let core = &self.inner.core;
        for signal in Signal::ALL {
            core.publisher.seal(signal);
        }
        core.flush_sealed().await
    }

    /// Compacts until there is no backlog.
    pub async fn compact(&self) -> Result<()> {
        while self.inner.core.compact_one().await? {}
        let core = self.inner.core.clone();
        let collect = move || {
            core.collect_released();
            Ok(())
        };
        self.inner.core.blocking(collect).await
    }

    /// Deletes the log records that meet conditions, of all that was acknowledged before: no view that is
    /// taken after this returns has them. Durable when it returns `Ok`. The files are rewritten later;
    /// [`LogDeletion::segments_left`] of [`Store::log_deletions`] says when that is done.
    pub async fn delete_logs(
        &self,
        request: &DeleteRequest,
        context: &ScanContext,
    ) -> Result<LogDeletion> {
        let core = &self.inner.core;
        core.check_writable()?;
        core.delete_logs(request, context).await
    }

    /// Deletions of log records, the newest first.
    pub async fn log_deletions(&self) -> Result<Vec<LogDeletion>> {
        self.inner.core.catalog.log_deletions().await
    }

    /// Drops what retention says now; returns how many segments left.
    pub async fn retain(&self) -> Result<usize> {
        self.inner.core.retain().await
    }

    /// Verifies a segment that somebody could not read. If its bytes are damaged it leaves the view,
    /// its files are kept aside, and `true` is returned; an undamaged one stays.
    pub async fn quarantine(&self, id: Ulid, why: &str) -> Result<bool> {
        self.inner.core.quarantine_if_bad(id, why).await
    }

    /// The states of all groups of exceptions that have one.
    pub async fn exception_states(&self) -> Result<Vec<ExceptionState>> {
        self.inner.core.catalog.exception_states().await
    }

    /// Keeps what was decided about a group of exceptions. Durable when this returns `Ok`.
    pub async fn put_exception_state(&self, state: &ExceptionState) -> Result<()> {
        let core = &self.inner.core;
        core.check_writable()?;
        core.catalog.put_exception_state(state).await
    }

    /// Forgets what was decided about a group of exceptions.
    pub async fn remove_exception_state(&self, fingerprint: Fingerprint) -> Result<()> {
        let core = &self.inner.core;
        core.check_writable()?;
        core.catalog.remove_exception_state(fingerprint).await
    }

    /// Keeps a change that was posted; returns its number. Durable when this returns `Ok`.
    pub async fn add_change(&self, change: &PostedChange) -> Result<u64> {
        let core = &self.inner.core;
        core.check_writable()?;
        core.catalog.add_change(change).await
    }

    /// Posted changes, the newest first.
    pub async fn changes(&self, asked: &ChangesAsked) -> Result<Vec<PostedChange>> {
        self.inner.core.catalog.changes(asked).await
    }

    /// Cancelled when the store has stopped taking writes for good; the process should then exit and
    /// recover by a restart.
    pub fn failed(&self) -> CancellationToken {
        self.inner.core.failed.clone()
    }

    /// Refuses new requests, finishes those in flight, writes all heads to segments.
    pub async fn shutdown(&self) -> Result<()> {
        let core = &self.inner.core;
        core.closing.cancel();
        core.committers.close();
        while tokio::time::timeout(PENDING_TOLD_EVERY, core.committers.wait()).await.is_err() {
            for (signal, queue) in Signal::ALL.into_iter().zip(&self.inner.queues) {
                let queued = queue.max_capacity() - queue.capacity();
                tracing::info!(%signal, queued, "shutdown waits for requests in the log's queue");
            }
        }
        if let Some(error) = core.failure() {
            return Err(error);
        }
        let live = Signal::ALL.map(|signal| core.publisher.live(signal).rows);
        tracing::info!(traces = live[0], logs = live[1], metrics = live[2], "flushing heads");
        let flushed = self.flush().await;
        if let Err(error) = &flushed {
            tracing::warn!(%error, "heads stay in the log and are replayed at the next start");
        }
        core.catalog.close().await;
        flushed
    }

    /// What the store says about itself.
    pub fn status(&self) -> StoreStatus {
        let core = &self.inner.core;
        let plan = core.plan();
        let running = core.maintenance.running();
        let signals: Vec<SignalStatus> =
            Signal::ALL.into_iter().map(|signal| signal_status(core, signal)).collect();
        let heads_are_empty = signals.iter().all(|s| s.head_rows == 0 && s.heads_sealed == 0);
        let is_settled =
            heads_are_empty && plan.jobs.is_empty() && plan.waiting == 0 && running.is_none();
        let state = core.state.lock();
        let bytes = state.segments.iter().map(|meta| meta.data_bytes + meta.index_bytes).sum();
        StoreStatus {
            signals,
            backlog: BacklogStatus {
                ready: plan.jobs.len() as u64,
                waiting: plan.waiting,
                running,
            },
            settled: is_settled,
            quarantined: state.quarantined.clone(),
            replay: core.replay.lock().clone(),
            heads_bytes: core.budget.used(),
            heads_bytes_max: core.options.heads_bytes_max,
            segments_bytes: bytes,
            disk_available_bytes: core
                .disk_available_bytes
                .load(std::sync::atomic::Ordering::Relaxed),
            dedup_entries: core.dedup.len() as u64,
            segments_released: core.maintenance.released() as u64,
            failed: state.failure.as_ref().map(Error::to_string),
            counters: core.counters.get(),
        }
    }
}

fn check(ticket: &Ticket, record: &WalRecord, decoded: &Decoded) -> Result<()> {
    if record.signal != decoded.batch.signal() {
        return Err(Error::invalid(format!(
            "a request of {} was decoded to {}",
            record.signal,
            decoded.batch.signal()
        )));
    }
    if record.tenant.len() > TENANT_BYTES_MAX {
        return Err(Error::invalid(format!(
            "tenant has {} bytes, at most {TENANT_BYTES_MAX} are allowed",
            record.tenant.len()
        )));
    }
    if u32::try_from(record.body.len()).is_err() {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("body has {} bytes, at most {} are logged", record.body.len(), u32::MAX),
        ));
    }
    if record.body_hash != ticket.body_hash() {
        return Err(Error::invalid("the ticket was claimed for another body"));
    }
    Ok(())
}

fn signal_status(core: &Core, signal: Signal) -> SignalStatus {
    let live = core.publisher.live(signal);
    let view = core.publisher.view();
    let head_rows = match signal {
        Signal::Traces => view.spans.heads.rows(),
        Signal::Logs => view.logs.heads.rows(),
        Signal::Metrics => view.metrics.heads.rows(),
    };
    let (wal_files, wal_bytes) = core.wal(signal).usage();
    let state = core.state.lock();
    let mut levels: Vec<LevelStatus> = Vec::new();
    for meta in state.segments.iter().filter(|meta| meta.signal == signal) {
        let at = match levels.iter().position(|of| of.level == meta.level) {
            Some(at) => at,
            None => {
                levels.push(LevelStatus { level: meta.level, ..LevelStatus::default() });
                levels.len() - 1
            }
        };
        let level = &mut levels[at];
        level.segments += 1;
        level.rows += meta.rows;
        level.data_bytes += meta.data_bytes;
        level.index_bytes += meta.index_bytes;
    }
    levels.sort_by_key(|level| level.level);
    SignalStatus {
        signal,
        levels,
        head_rows,
        head_bytes: live.bytes,
        heads_sealed: live.sealed,
        wal_files,
        wal_bytes,
        wal_last_seq: core.publisher.last_seq(signal),
        wal_checkpoint_seq: state.checkpoints.get(signal),
    }
}
