//! From a request's body to its acknowledgement, the same for every protocol:
//!
//! ```text
//! permit in bytes → (body read) → inflate, capped → hash → known? answer as before
//!                                → pay from the tenant's share → decode to columns → WAL, group commit, head → answer
//! ```

mod inflate;
mod limits;
mod permit;
mod quota;
mod stats;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use throughline_model::Signal;
use throughline_model::batch::{Batch, Decoded};
use throughline_model::time::Clock;
use throughline_storage::{Claim, Encoding, Format, Reply, Store, WalRecord};
use tokio_util::task::TaskTracker;

pub use inflate::{InflateLimits, REPLAY_LIMITS, inflate};
pub use limits::IngestLimits;
pub use permit::{Permit, Room};
pub use quota::Quota;
pub use stats::{Acknowledged, DURATION_BOUNDS_MS, IngestStats, SignalCounts};

use crate::decode::{decode_inflated, is_telling};
use crate::otlp;
use crate::rules::{Rules, write_columns};
use crate::{Error, ErrorKind, Result};

/// The tenant of requests that name none.
pub const DEFAULT_TENANT: &str = "default";

/// Bodies of at least this many bytes are inflated and decoded off the async workers.
const BLOCKING_BYTES_MIN: usize = 64 << 10;
/// What a compressed body is expected to inflate to, at first.
const INFLATE_RATIO_EXPECTED: usize = 8;

/// A request whose body has been read.
#[derive(Debug)]
pub struct Request {
    /// What it carries.
    pub signal: Signal,
    /// The body's format.
    pub format: Format,
    /// The body's compression.
    pub encoding: Encoding,
    /// The body as received.
    pub body: Bytes,
    /// Room for the body; given back when the request is answered.
    pub permit: Permit,
}

/// A request that was made durable.
#[derive(Debug)]
pub struct Accepted {
    /// What the sender is to be told.
    pub reply: Reply,
    /// The body, inflated.
    pub inflated: Bytes,
    /// Room for it.
    pub permit: Permit,
}

/// What is logged of a request.
struct Logged {
    signal: Signal,
    format: Format,
    encoding: Encoding,
    body: Bytes,
}

/// Takes requests in. Cheap to clone.
#[derive(Clone)]
pub struct Ingester {
    shared: Arc<Shared>,
}

struct Shared {
    store: Store,
    limits: IngestLimits,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    room: Room,
    quota: Quota,
    stats: IngestStats,
    tenant: Arc<str>,
    serving: AtomicBool,
    health: otlp::grpc::Health,
    rules: Rules,
}

impl Ingester {
    /// An ingester that serves at once. Tasks run on `tracker`, so that a shutdown can await them.
    pub fn new(
        store: Store,
        limits: IngestLimits,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
    ) -> Self {
        Self::with_rules(store, limits, clock, tracker, Rules::default())
    }

    /// The same whose log records go through rules.
    pub fn with_rules(
        store: Store,
        limits: IngestLimits,
        clock: Arc<dyn Clock>,
        tracker: TaskTracker,
        rules: Rules,
    ) -> Self {
        let waiting_max = Duration::from_millis(limits.waiting_ms_max);
        let room = Room::new(
            limits.in_flight_bytes_max.max(limits.body_bytes_max),
            limits.waiting_requests_max,
            waiting_max,
        );
        let quota = Quota::new(limits.tenant_bytes_per_second, limits.tenant_burst_bytes);
        let shared = Shared {
            store,
            limits,
            clock,
            tracker,
            room,
            quota,
            stats: IngestStats::default(),
            tenant: DEFAULT_TENANT.into(),
            serving: AtomicBool::new(true),
            health: otlp::grpc::Health::serving(),
            rules,
        };
        Self { shared: Arc::new(shared) }
    }

    /// The settings.
    pub fn limits(&self) -> &IngestLimits {
        &self.shared.limits
    }

    /// The counters.
    pub fn stats(&self) -> &IngestStats {
        &self.shared.stats
    }

    /// Room for bodies: what is taken, who waits.
    pub fn room(&self) -> &Room {
        &self.shared.room
    }

    /// The rules of log records.
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// The tenants' shares.
    pub fn quota(&self) -> &Quota {
        &self.shared.quota
    }

    pub(crate) fn health(&self) -> &otlp::grpc::Health {
        &self.shared.health
    }

    /// Turns new requests away from now on (`false`), or takes them again. `grpc.health.v1` says the
    /// same. Requests in flight are finished.
    pub async fn set_serving(&self, serving: bool) {
        self.shared.serving.store(serving, Ordering::Release);
        self.shared.health.set(serving).await;
    }

    /// The time of the clock that dates what arrives.
    pub(crate) fn now_ns(&self) -> i64 {
        self.shared.clock.now_ns()
    }

    /// Takes room for a body before it is read: `body_len` as announced, if it was.
    pub async fn admit(&self, body_len: Option<usize>, encoding: Encoding) -> Result<Permit> {
        if !self.shared.serving.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Unavailable, "the server is shutting down"));
        }
        let limit = self.shared.limits.body_bytes_max;
        if body_len.is_some_and(|len| len > limit) {
            return Err(self.too_large(body_len.unwrap_or_default()));
        }
        let expected = match encoding {
            Encoding::Identity => body_len.unwrap_or(0),
            _ => body_len.unwrap_or(0).saturating_mul(INFLATE_RATIO_EXPECTED),
        };
        self.shared.room.take(expected.min(limit)).await
    }

    /// The refusal of a body of `len` bytes or more.
    pub(crate) fn too_large(&self, len: usize) -> Error {
        let limit = self.shared.limits.body_bytes_max;
        Error::too_large(format!("the body has {len} bytes or more, the limit is {limit}"))
    }

    /// Makes a request durable and visible, and returns what its sender is to be told.
    ///
    /// The work goes on if the caller goes away: what was begun is finished, and its repetition gets
    /// its answer.
    pub async fn accept(&self, request: Request) -> Result<Reply> {
        self.accept_kept(request).await.map(|accepted| accepted.reply)
    }

    /// The same for receivers whose answer says something of every item: gives back the body.
    pub async fn accept_kept(&self, request: Request) -> Result<Accepted> {
        let this = self.clone();
        let (signal, began) = (request.signal, Instant::now());
        let task = self.shared.tracker.spawn(async move { this.process(request).await });
        let result = match task.await {
            Ok(result) => result,
            Err(err) => {
                tracing::error!(%signal, %err, "a request could not be processed");
                Err(Error::new(ErrorKind::Internal, "the request could not be processed"))
            }
        };
        match result {
            Ok((accepted, acknowledged)) => {
                self.shared.stats.acknowledged(signal, &acknowledged);
                self.shared.stats.took(signal, began.elapsed());
                Ok(accepted)
            }
            Err(err) => Err(err),
        }
    }

    async fn process(&self, request: Request) -> Result<(Accepted, Acknowledged)> {
        let Request { signal, format, encoding, body, permit } = request;
        let mut acknowledged =
            Acknowledged { body_bytes: body.len() as u64, ..Acknowledged::default() };
        if body.is_empty() {
            // An empty request is a request.
            let accepted = Accepted { reply: Reply::default(), inflated: body, permit };
            return Ok((accepted, acknowledged));
        }
        let (inflated, permit) = self.inflate(encoding, body.clone(), permit).await?;
        acknowledged.inflated_bytes = inflated.len() as u64;
        let mut accepted = Accepted { reply: Reply::default(), inflated, permit };
        if !accepted.inflated.is_empty() {
            let request = Logged { signal, format, encoding, body };
            let inflated = accepted.inflated.clone();
            accepted.reply = self.store(request, inflated, &mut acknowledged).await?;
        }
        Ok((accepted, acknowledged))
    }

    /// Stores a request that is not known yet.
    async fn store(
        &self,
        request: Logged,
        inflated: Bytes,
        acknowledged: &mut Acknowledged,
    ) -> Result<Reply> {
        let Logged { signal, format, encoding, body } = request;
        let shared = &self.shared;
        let (received_at_ns, inflated_bytes) = (shared.clock.now_ns(), inflated.len());
        let mut body_hash = shared.store.body_hash(signal, &shared.tenant, &inflated);
        if !is_telling(format, &inflated) {
            body_hash ^= u128::from(received_at_ns as u64);
        }
        let ticket = match shared.store.claim(signal, &shared.tenant, body_hash).await? {
            Claim::Known(reply) => {
                acknowledged.repeated = true;
                return Ok(reply);
            }
            Claim::New(ticket) => ticket,
        };
        shared.quota.pay(&shared.tenant, inflated_bytes, received_at_ns)?;
        let decoded = self
            .off_workers(inflated.len(), move || {
                decode_inflated(signal, format, &inflated, received_at_ns)
            })
            .await??;
        acknowledged.items_accepted = decoded.batch.len() as u64;
        acknowledged.items_rejected = decoded.rejected;
        if decoded.batch.is_empty() {
            if decoded.rejected > 0 && !format.tells_refused_items() {
                return Err(Error::malformed(decoded.message));
            }
            // Nothing to keep: the answer follows from the body alone, again and again.
            return Ok(Reply { rejected: decoded.rejected, message: decoded.message });
        }
        let request = Logged { signal, format, encoding, body };
        let (request, decoded) = self.through_rules(request, decoded).await?;
        // If rules have dropped all of it, the store keeps it nowhere, not even in the log.
        let Logged { signal, format, encoding, body } = request;
        let tenant = shared.tenant.clone();
        let record =
            WalRecord { signal, tenant, format, encoding, received_at_ns, body_hash, body };
        match shared.store.append(ticket, record, decoded).await {
            Ok(reply) => Ok(reply),
            Err(err) => {
                // It will come again, and pay again.
                shared.quota.refund(&shared.tenant, inflated_bytes, shared.clock.now_ns());
                Err(err.into())
            }
        }
    }

    // Log records as the rules leave them. What is logged then is what they are now, not what came.
    async fn through_rules(&self, request: Logged, decoded: Decoded) -> Result<(Logged, Decoded)> {
        if self.shared.rules.is_empty() || !matches!(decoded.batch, Batch::Logs(_)) {
            return Ok((request, decoded));
        }
        let this = self.clone();
        let run = move || {
            let Batch::Logs(batch) = &decoded.batch else { return Ok((request, decoded)) };
            let changed = match this.shared.rules.apply(batch)? {
                Some(changed) => changed,
                None if this.shared.rules.redacts() => batch.clone(),
                None => return Ok((request, decoded)),
            };
            let logged = match changed.num_rows() {
                0 => Bytes::new(),
                _ => write_columns(&changed)?.into(),
            };
            let request = Logged {
                signal: request.signal,
                format: Format::LogColumns,
                encoding: Encoding::Zstd,
                body: logged,
            };
            Ok((request, Decoded { batch: Batch::Logs(changed), ..decoded }))
        };
        let done = self.off_workers(BLOCKING_BYTES_MIN, run).await?;
        done.map_err(|err: throughline_model::Error| {
            Error::new(ErrorKind::Internal, format!("a rule failed: {err}"))
        })
    }

    /// Inflates a body. The permit travels to where that happens, and back.
    async fn inflate(
        &self,
        encoding: Encoding,
        body: Bytes,
        mut permit: Permit,
    ) -> Result<(Bytes, Permit)> {
        let limits = InflateLimits {
            bytes_max: self.shared.limits.body_bytes_max,
            ratio_max: self.shared.limits.inflate_ratio_max,
        };
        let work_bytes = match encoding {
            Encoding::Identity => 0,
            _ => body.len().saturating_mul(INFLATE_RATIO_EXPECTED),
        };
        self.off_workers(work_bytes, move || {
            let grow = |bytes: usize| permit.grow_to(bytes.min(limits.bytes_max));
            let inflated = inflate(encoding, &body, limits, grow)?;
            Ok((inflated, permit))
        })
        .await?
    }

    /// Runs `work` where it does not hold up others: in place if it is small.
    pub(crate) async fn off_workers<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        if bytes < BLOCKING_BYTES_MIN {
            return Ok(work());
        }
        self.shared.tracker.spawn_blocking(work).await.map_err(|err| {
            tracing::error!(%err, "a request could not be decoded");
            Error::new(ErrorKind::Internal, "the request could not be decoded")
        })
    }
}
