//! Opening a store: lock, catalog, leftovers, replay, committers, background tasks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use throughline_model::Signal;
use throughline_model::batch::Decoded;
use throughline_model::time::Clock;
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::cache::Cache;
use crate::catalog::{Catalog, CatalogState, SqliteCatalog};
use crate::core::{Core, Ids, SharedCounters, State};
use crate::dedup::{Dedup, KEY_BYTES};
use crate::head::{Budget, Incoming, Receipt};
use crate::io::{SegmentStore, lock_folder, random_bytes};
use crate::maintain::{Maintenance, background};
use crate::options::StoreOptions;
use crate::publish::{AnySegment, Publisher};
use crate::status::Progress;
use crate::store::{Inner, Store};
use crate::wal::{
    Committer, Damage, DecodeFn, LogFileReader, QUEUE_REQUESTS, Replay, Reply, WalFiles, WalRecord,
    WalWriter,
};
use crate::{Error, Result};

/// Bytes of bodies that the replay decodes before it hands them to the head.
const REPLAY_CHUNK_BYTES: u64 = 4 * 1024 * 1024;
/// A replay of so many bytes tells its progress in the log of the process.
const TOLD_BYTES: u64 = 256 * 1024 * 1024;

/// See [`Store::open`].
pub(crate) async fn open(
    options: StoreOptions,
    clock: Arc<dyn Clock>,
    decode: DecodeFn,
    tracker: TaskTracker,
    stop: CancellationToken,
) -> Result<Store> {
    let folder = options.data_dir.clone();
    let disk = options.disk.clone();
    disk.create_folder(&folder).map_err(|err| Error::file("create folder", &folder, &err))?;
    let lock = lock_folder(&folder)?;
    let key: [u8; KEY_BYTES] = random_bytes()?;
    let catalog: Arc<dyn Catalog> =
        Arc::new(SqliteCatalog::open(&folder.join("catalog.db"), &key).await?);
    let loaded = catalog.load().await?;
    let core = Arc::new(build(options, clock, tracker, catalog, loaded, lock)?);
    disk.sync_folder(&folder).map_err(|err| Error::file("sync folder", &folder, &err))?;
    let sweeper = core.clone();
    core.blocking(move || {
        sweeper.look_at_disk();
        sweeper.sweep()
    })
    .await?;
    let mut queues = Vec::new();
    let mut next_seqs = Vec::new();
    tell_total(&core)?;
    for signal in Signal::ALL {
        next_seqs.push(replay(&core, signal, &decode).await?);
    }
    for (signal, next_seq) in Signal::ALL.into_iter().zip(next_seqs) {
        let writer = {
            let (files, epoch) = (core.wal(signal).clone(), core.ids.epoch());
            core.blocking(move || WalWriter::start(files, epoch, next_seq)).await?
        };
        let (sender, queue) = mpsc::channel(QUEUE_REQUESTS);
        queues.push(sender);
        let committer = Committer { core: core.clone(), signal, writer, queue };
        core.tracker.spawn(core.committers.track_future(committer.run()));
    }
    tell(&core, |progress| progress.done = true);
    if core.options.background {
        background::start(&core, &stop);
    }
    let queues: [_; Signal::ALL.len()] =
        queues.try_into().map_err(|_| Error::invalid("one queue a signal"))?;
    Ok(Store { inner: Arc::new(Inner { core, queues }) })
}

fn build(
    options: StoreOptions,
    clock: Arc<dyn Clock>,
    tracker: TaskTracker,
    catalog: Arc<dyn Catalog>,
    loaded: CatalogState,
    lock: std::fs::File,
) -> Result<Core> {
    let folder = options.data_dir.clone();
    let disk = options.disk.clone();
    let segments =
        SegmentStore::open(disk.clone(), folder.join("segments"), folder.join("quarantine"))?;
    let cache = Cache::new(options.cache_bytes as usize);
    let key = loaded.key.as_slice().try_into().map_err(|_| {
        Error::corrupt(format!("catalog: key of {} bytes, not {KEY_BYTES}", loaded.key.len()))
    })?;
    let dedup = Dedup::new(key, options.dedup_age_ns, options.dedup_entries_max);
    for Receipt { body_hash, received_at_ns, reply } in loaded.receipts.iter().flatten() {
        dedup.insert(*body_hash, *received_at_ns, reply);
    }
    let publisher = Publisher::default();
    let open = |meta: &_| AnySegment::open(Clone::clone(meta), &segments, &cache);
    publisher.replaced(&[], loaded.segments.iter().map(open).collect());
    let deleted = loaded.deleted.into_iter().map(|(id, rows)| (id, Arc::new(rows)));
    publisher.deleted(deleted.collect(), &[]);
    let wal = open_logs(&options, &folder)?;
    for signal in Signal::ALL {
        publisher.start_at(signal, loaded.checkpoints.get(signal));
    }
    let seed = u64::from_le_bytes(random_bytes()?);
    let state = State {
        segments: loaded.segments,
        checkpoints: loaded.checkpoints,
        quarantined: loaded.quarantined,
        passed: loaded.passed.into_iter().collect(),
        failure: None,
    };
    Ok(Core {
        budget: Budget::new(options.heads_bytes_max),
        options,
        clock,
        tracker,
        segments,
        cache,
        catalog,
        dedup,
        publisher,
        wal,
        state: Mutex::new(state),
        counters: SharedCounters::default(),
        ids: Ids::new(seed),
        maintenance: Maintenance::default(),
        closing: CancellationToken::new(),
        committers: TaskTracker::new(),
        failed: CancellationToken::new(),
        wake_flush: Notify::new(),
        wake_compact: Notify::new(),
        flushing: Semaphore::new(1),
        compacting: Semaphore::new(1),
        replacing: tokio::sync::Mutex::default(),
        disk_is_low: false.into(),
        disk_available_bytes: 0.into(),
        preparing_spare: false.into(),
        replay: Mutex::default(),
        _lock: lock,
    })
}

fn open_logs(options: &StoreOptions, folder: &Path) -> Result<[Arc<WalFiles>; Signal::ALL.len()]> {
    let open = |signal: Signal| {
        let path = folder.join("wal").join(signal.name());
        WalFiles::open(options.disk.clone(), path, signal, options.wal_file_bytes).map(Arc::new)
    };
    let logs = Signal::ALL.map(open);
    let [traces, logs, metrics] = logs;
    let path = folder.join("wal");
    options.disk.sync_folder(&path).map_err(|err| Error::file("sync folder", &path, &err))?;
    Ok([traces?, logs?, metrics?])
}

fn tell(core: &Core, update: impl FnOnce(&mut Progress)) {
    let mut progress = core.replay.lock();
    update(&mut progress);
    if let Some(watched) = &core.options.progress {
        watched.send_replace(progress.clone());
    }
}

fn tell_total(core: &Core) -> Result<()> {
    let mut total = 0;
    for signal in Signal::ALL {
        total += core.wal(signal).to_replay()?.iter().map(|(_, bytes)| bytes).sum::<u64>();
    }
    tell(core, |progress| progress.wal_bytes_total = total);
    Ok(())
}

/// Replays the log of a signal; returns the number of the next request.
async fn replay(core: &Arc<Core>, signal: Signal, decode: &DecodeFn) -> Result<u64> {
    let checkpoint_seq = core.state.lock().checkpoints.get(signal);
    let mut expected_seq = checkpoint_seq + 1;
    let mut requests = 0;
    for (path, bytes) in core.wal(signal).to_replay()? {
        let files = core.wal(signal).clone();
        let open = move || LogFileReader::open(files, &path, signal, expected_seq);
        let mut reader = core.blocking(open).await?;
        loop {
            let (of, with) = (core.clone(), decode.clone());
            let (rest, chunk) =
                core.blocking(move || Ok(read_chunk(&of, reader, &with, checkpoint_seq))).await?;
            reader = rest;
            for damage in chunk.damage {
                core.keep_damage(damage).await?;
            }
            requests += chunk.incoming.len() as u64;
            let last_seq = chunk.last_seq.unwrap_or_else(|| core.publisher.last_seq(signal));
            core.publisher.append(signal, last_seq, chunk.incoming, core.clock.now_ns());
            if core.publisher.live(signal).bytes >= core.options.head_bytes
                || core.budget.is_tight()
            {
                core.publisher.seal(signal);
                core.flush_sealed().await?;
            }
            tell(core, |progress| progress.requests += chunk.requests);
            if chunk.is_last {
                break;
            }
        }
        expected_seq = reader.close();
        tell(core, |progress| progress.wal_bytes_done += bytes);
        let progress = core.replay.lock().clone();
        if progress.wal_bytes_total >= TOLD_BYTES {
            let Progress { wal_bytes_done, wal_bytes_total, requests, .. } = progress;
            tracing::info!(%signal, wal_bytes_done, wal_bytes_total, requests, "replaying the logs");
        }
    }
    let wal = core.wal(signal).clone();
    let checkpoint_seq = core.state.lock().checkpoints.get(signal);
    core.blocking(move || wal.trim(checkpoint_seq)).await?;
    if requests > 0 {
        tracing::info!(%signal, requests, "replayed the log");
    }
    Ok(expected_seq.max(checkpoint_seq + 1))
}

/// A part of a log file, decoded.
struct Chunk {
    incoming: Vec<Incoming>,
    damage: Vec<Damage>,
    last_seq: Option<u64>,
    requests: u64,
    is_last: bool,
}

/// A body that makes the decoder panic must not keep the store from opening, at this start and every
/// later one: it is kept aside like one that does not decode.
fn decode_safely(decode: &DecodeFn, record: &WalRecord) -> throughline_model::Result<Decoded> {
    catch_unwind(AssertUnwindSafe(|| decode(record))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("panic");
        Err(throughline_model::Error::invalid(format!("the decoder panicked: {text}")))
    })
}

fn read_chunk(
    core: &Core,
    mut reader: LogFileReader,
    decode: &DecodeFn,
    checkpoint_seq: u64,
) -> (LogFileReader, Chunk) {
    let mut chunk = Chunk {
        incoming: Vec::new(),
        damage: Vec::new(),
        last_seq: None,
        requests: 0,
        is_last: false,
    };
    let mut bytes = 0;
    while bytes < REPLAY_CHUNK_BYTES {
        let (seq, record) = match reader.next() {
            Some(Replay::Frame { seq, record }) => (seq, record),
            Some(Replay::Damage(damage)) => {
                chunk.damage.push(damage);
                continue;
            }
            None => {
                chunk.is_last = true;
                break;
            }
        };
        if seq <= checkpoint_seq {
            continue;
        }
        chunk.last_seq = Some(seq);
        chunk.requests += 1;
        if core.dedup.repeats(record.body_hash, record.received_at_ns) {
            continue;
        }
        match decode_safely(decode, &record) {
            Ok(decoded) => {
                let memory_bytes = decoded.batch.memory_bytes() as u64;
                bytes += memory_bytes;
                let reply = Reply { rejected: decoded.rejected, message: decoded.message };
                core.dedup.insert(record.body_hash, record.received_at_ns, &reply);
                chunk.incoming.push(Incoming {
                    tenant: record.tenant,
                    batch: decoded.batch,
                    reservation: core.budget.take(memory_bytes),
                    receipt: Receipt {
                        body_hash: record.body_hash,
                        received_at_ns: record.received_at_ns,
                        reply,
                    },
                });
            }
            Err(error) => chunk.damage.push(Damage {
                name: format!("wal-{}-request-{seq}", record.signal),
                why: format!("a logged request does not decode: {error}"),
                bytes: record.body,
            }),
        }
    }
    (reader, chunk)
}
