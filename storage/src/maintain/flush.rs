//! Sealed head → L0 segments, synced → catalog transaction → view → trimmed log.

use std::ops::RangeBounds;
use std::sync::Arc;

use throughline_model::Signal;
use throughline_model::time::TimeRange;
use ulid::Ulid;

use super::refused;
use crate::catalog::{Change, Flushed};
use crate::core::Core;
use crate::head::{HeadBatch, HeadSlice, Receipt, split_points, split_rows};
use crate::metric;
use crate::publish::{AnySegment, LiveHead, SealedHead};
use crate::segment::{self, SegmentMeta, Sinks, WriteOptions};
use crate::{Error, ErrorKind, Result};

/// A live head is sealed early above this part of its size when memory is tight.
const TIGHT_FRACTION: u64 = 8;

impl Core {
    /// Seals the live heads that are large, old or idle enough.
    pub(crate) fn seal_due(&self) {
        let now_ns = self.clock.now_ns();
        for signal in Signal::ALL {
            if self.is_due(signal, &self.publisher.live(signal), now_ns) {
                self.publisher.seal(signal);
            }
        }
    }

    fn is_due(&self, signal: Signal, live: &LiveHead, now_ns: i64) -> bool {
        let options = &self.options;
        let size_max = match self.budget.is_tight() {
            true => options.head_bytes / TIGHT_FRACTION,
            false => options.head_bytes,
        };
        let is_old = now_ns.saturating_sub(live.opened_at_ns) >= options.head_age_of(signal);
        let is_idle = now_ns.saturating_sub(live.last_at_ns) >= options.head_idle_ns;
        live.is_dirty && (live.bytes >= size_max || is_old || is_idle)
    }

    /// Flushes everything that is sealed.
    pub(crate) async fn flush_sealed(self: &Arc<Self>) -> Result<()> {
        let _one_at_a_time = self.flushing.acquire().await.map_err(|_| Error::closed())?;
        let mut outcome = Ok(());
        for signal in Signal::ALL {
            while let Some(head) = self.publisher.oldest_sealed(signal) {
                // What one signal cannot write does not hold up the others.
                if let Err(error) = self.flush_head(signal, head).await {
                    outcome = Err(error);
                    break;
                }
            }
        }
        outcome
    }

    async fn flush_head(self: &Arc<Self>, signal: Signal, head: SealedHead) -> Result<()> {
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let now_ns = self.clock.now_ns();
        let (from_seq, to_seq, receipts) = match &head {
            SealedHead::Rows(sealed) => (sealed.from_seq, sealed.to_seq, receipts(&sealed.slice)),
            SealedHead::Points(sealed) => (sealed.from_seq, sealed.to_seq, receipts(&sealed.slice)),
        };
        let (core, whole) = (self.clone(), head.clone());
        let written = self.blocking(move || core.write_head(signal, &whole, .., now_ns)).await;
        let written = match written {
            Err(error) if refused::is_refusal(&error) => {
                self.write_without_refused(signal, head, (from_seq, to_seq), now_ns, error).await
            }
            written => written,
        };
        let metas = written.inspect_err(|error| self.fail_on_io(error))?;
        let change = Change {
            add: metas.clone(),
            flushed: Some(Flushed {
                signal,
                from_seq,
                to_seq,
                receipts,
                forget_before_ns: now_ns.saturating_sub(self.options.dedup_age_ns),
            }),
            ..Change::default()
        };
        self.commit(&change).await.inspect_err(|error| {
            // Only this store moves its checkpoints: one that does not fit is beyond repair here.
            if error.kind() == ErrorKind::Invalid {
                self.fail(error.clone());
            }
        })?;
        let open = |meta: SegmentMeta| AnySegment::open(meta, &self.segments, &self.cache);
        let bytes: u64 = metas.iter().map(|meta| meta.data_bytes + meta.index_bytes).sum();
        self.publisher.flushed(signal, to_seq, metas.into_iter().map(open).collect());
        self.counters.update(|counters| {
            counters.flushes += 1;
            counters.segment_bytes_written += bytes;
        });
        self.wake_compact.notify_one();
        let wal = self.wal(signal).clone();
        let trimmed = self.blocking(move || wal.trim(to_seq)).await;
        if let Err(error) = trimmed {
            tracing::warn!(%signal, %error, "could not trim the log; it is replayed in vain");
        }
        Ok(())
    }

    /// Writes the segments of some batches of a head and makes them durable. On an error their files
    /// are removed.
    pub(super) fn write_head(
        &self,
        signal: Signal,
        head: &SealedHead,
        batches: impl RangeBounds<usize>,
        now_ns: i64,
    ) -> Result<Vec<SegmentMeta>> {
        let mut metas = Vec::new();
        let written = self.write_parts(signal, head, batches, now_ns, &mut metas);
        if let Err(error) = written {
            let ids: Vec<Ulid> = metas.iter().map(|meta| meta.id).collect();
            self.forget_files(&ids);
            return Err(error);
        }
        Ok(metas)
    }

    fn write_parts(
        &self,
        signal: Signal,
        head: &SealedHead,
        batches: impl RangeBounds<usize>,
        now_ns: i64,
        metas: &mut Vec<SegmentMeta>,
    ) -> Result<()> {
        match head {
            SealedHead::Rows(sealed) => {
                let some = some_of(&sealed.slice, batches);
                for part in split_rows(signal, &some, now_ns)? {
                    metas.push(self.write_segment(
                        &part.tenant,
                        0,
                        part.window,
                        |options, sinks| match signal {
                            Signal::Logs => segment::write_logs(&part.batches, options, sinks),
                            _ => segment::write_spans(&part.batches, options, sinks),
                        },
                    )?);
                }
            }
            SealedHead::Points(sealed) => {
                let some = some_of(&sealed.slice, batches);
                for part in split_points(&some, now_ns)? {
                    metas.push(self.write_segment(
                        &part.tenant,
                        0,
                        part.window,
                        |options, sinks| {
                            let batches: Vec<_> = part.batches.iter().collect();
                            metric::write_metrics(&batches, options, sinks)
                        },
                    )?);
                }
            }
        }
        if !metas.is_empty() {
            self.segments.sync_folder()?;
        }
        Ok(())
    }

    /// Writes and syncs one segment; the folder is synced by the caller. On an error its files are
    /// removed.
    pub(crate) fn write_segment(
        &self,
        tenant: &str,
        level: u8,
        window: TimeRange,
        write: impl FnOnce(&WriteOptions, &mut Sinks) -> Result<SegmentMeta>,
    ) -> Result<SegmentMeta> {
        let created_at_ns = self.clock.now_ns();
        let id = self.ids.next(created_at_ns);
        self.maintenance.in_progress.lock().insert(id);
        let options = WriteOptions { id, tenant: tenant.to_owned(), level, window, created_at_ns };
        let written = self.write_bundle(&options, write);
        if written.is_err() {
            self.forget_files(&[id]);
        }
        written
    }

    fn write_bundle(
        &self,
        options: &WriteOptions,
        write: impl FnOnce(&WriteOptions, &mut Sinks) -> Result<SegmentMeta>,
    ) -> Result<SegmentMeta> {
        let mut sinks = Sinks {
            data: self.segments.create(&format!("{}.parquet", options.id))?,
            index: self.segments.create(&format!("{}.idx", options.id))?,
        };
        // A panic is an error here already, so that its files are removed like those of others.
        let write = std::panic::AssertUnwindSafe(|| write(options, &mut sinks));
        let meta = std::panic::catch_unwind(write)
            .unwrap_or_else(|_| Err(Error::corrupt("the encoder panicked; see the server's log")))
            .map_err(|error| sinks.data.error().or_else(|| sinks.index.error()).unwrap_or(error))?;
        sinks.data.sync()?;
        sinks.index.sync()?;
        Ok(meta)
    }

    /// Commits a change and keeps the shared state in step. On an error the files of the segments
    /// that were to be added are removed, if it is certain that they were not.
    pub(crate) async fn commit(&self, change: &Change) -> Result<()> {
        let added: Vec<Ulid> = change.add.iter().map(|meta| meta.id).collect();
        if let Err(error) = self.catalog.commit(change).await {
            self.fail_on_io(&error);
            if error.kind() != ErrorKind::Io {
                self.forget_files(&added);
            }
            return Err(error);
        }
        let mut state = self.state.lock();
        state.segments.retain(|meta| !change.remove.contains(&meta.id));
        state.segments.extend(change.add.iter().cloned());
        state.passed.retain(|(id, _)| !change.remove.contains(id));
        state.passed.extend(change.passed.iter().copied());
        if let Some(flushed) = &change.flushed {
            state.checkpoints.set(flushed.signal, flushed.to_seq);
        }
        if let Some(quarantined) = &change.quarantine {
            state.quarantined.retain(|other| other.name != quarantined.name);
            state.quarantined.push(quarantined.clone());
        }
        drop(state);
        self.maintenance.in_progress.lock().retain(|id| !added.contains(id));
        Ok(())
    }

    /// A failing disk stops the store; a full one does not.
    pub(crate) fn fail_on_io(&self, error: &Error) {
        if error.kind() == ErrorKind::Io {
            self.fail(error.clone());
        }
    }
}

fn some_of<B>(slice: &HeadSlice<B>, batches: impl RangeBounds<usize>) -> Vec<&HeadBatch<B>> {
    slice.iter().enumerate().filter(|(i, _)| batches.contains(i)).map(|(_, batch)| batch).collect()
}

pub(super) fn receipts<B>(slice: &HeadSlice<B>) -> Vec<Receipt> {
    slice.iter().map(|batch| batch.receipt.clone()).collect()
}
