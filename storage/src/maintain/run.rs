//! Running compactions and drops.

use std::sync::Arc;

use ulid::Ulid;

use super::plan::{Job, plan};
use super::{Afterwards, Plan, retain};
use crate::catalog::Change;
use crate::core::Core;
use crate::publish::AnySegment;
use crate::segment::{self, Deletions, SegmentMeta};
use crate::{Error, ErrorKind, Result, metric};

/// Merges above this many bytes are told in the log of the process.
const TOLD_BYTES: u64 = 256 * 1024 * 1024;

impl Core {
    /// What there is to compact.
    pub(crate) fn plan(&self) -> Plan {
        let unmergeable = self.maintenance.unmergeable();
        // Those of the view, because a merge takes its inputs from there.
        let view = self.publisher.view();
        let rows = view.spans.segments.iter().chain(view.logs.segments.iter());
        let points = view.metrics.segments.iter().map(|segment| &segment.meta);
        let metas = rows.map(|segment| &segment.meta).chain(points);
        plan(metas, &unmergeable, &view.logs.deleted, self.clock.now_ns())
    }

    /// Runs the most urgent compaction; `false` if there was none.
    pub(crate) async fn compact_one(self: &Arc<Self>) -> Result<bool> {
        let _one_at_a_time = self.compacting.acquire().await.map_err(|_| Error::closed())?;
        if let Some(error) = self.failure() {
            return Err(error);
        }
        let Some(job) = self.plan().jobs.into_iter().next() else { return Ok(false) };
        let name = format!(
            "{} of {}: {} segments to level {}",
            job.signal,
            job.tenant,
            job.inputs.len(),
            job.level
        );
        *self.maintenance.running.lock() = Some(name.clone());
        if job.bytes >= TOLD_BYTES {
            tracing::info!(job = name, bytes = job.bytes, "compaction starts");
        }
        let outcome = self.run_job(&job).await;
        *self.maintenance.running.lock() = None;
        if job.bytes >= TOLD_BYTES {
            tracing::info!(job = name, is_done = outcome.is_ok(), "compaction ended");
        }
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.set_bad_inputs_aside(&job, &error).await?;
                Ok(true)
            }
            Err(error) => {
                self.fail_on_io(&error);
                Err(error)
            }
        }
    }

    async fn run_job(self: &Arc<Self>, job: &Job) -> Result<()> {
        let inputs: Vec<AnySegment> =
            job.inputs.iter().map(|id| self.publisher.segment(*id)).collect::<Result<_>>()?;
        let deleted = self.publisher.view().logs.deleted.clone();
        let before = deleted.clone();
        let core = self.clone();
        let merging = job.clone();
        let meta = self.blocking(move || core.merge(&merging, &inputs, &deleted)).await?;
        let bytes = meta.data_bytes + meta.index_bytes;
        let change =
            Change { add: vec![meta.clone()], remove: job.inputs.clone(), ..Change::default() };
        let alone = self.replacing.lock().await;
        let now = self.publisher.view().logs.deleted.clone();
        if job.inputs.iter().any(|id| now.of(*id) != before.of(*id)) {
            // Rows were deleted that the merge still has: it is done again.
            self.forget_files(&[meta.id]);
            return Ok(());
        }
        self.commit(&change).await?;
        let merged = AnySegment::open(meta, &self.segments, &self.cache);
        self.release(&job.inputs, vec![merged], Afterwards::Delete);
        drop(alone);
        self.counters.update(|counters| {
            counters.compactions += 1;
            counters.segment_bytes_written += bytes;
        });
        Ok(())
    }

    fn merge(&self, job: &Job, inputs: &[AnySegment], deleted: &Deletions) -> Result<SegmentMeta> {
        let meta = self.write_segment(&job.tenant, job.level, job.window, |options, sinks| {
            let mut rows = Vec::new();
            let mut points = Vec::new();
            for input in inputs {
                match input {
                    AnySegment::Rows(segment) => rows.push(segment.clone()),
                    AnySegment::Points(segment) => points.push(segment.clone()),
                }
            }
            match points.is_empty() {
                true => segment::merge_without(&rows, deleted, options, sinks),
                false => metric::merge_metrics(&points, options, sinks),
            }
        })?;
        self.segments.sync_folder()?;
        Ok(meta)
    }

    /// Swaps segments in the view and hands the files of those that left to their last reader.
    pub(super) fn release(&self, ids: &[Ulid], add: Vec<AnySegment>, then: Afterwards) {
        // Noted before they leave the view: the sweep must find them in one place or the other.
        for segment in ids.iter().filter_map(|id| self.publisher.segment(*id).ok()) {
            self.maintenance.release(segment.meta().id, segment.downgrade(), then);
        }
        self.publisher.replaced(ids, add);
    }

    /// After a merge that could not read its inputs: those whose checksums fail are quarantined; if
    /// none does, the inputs are left as they are and out of later plans.
    async fn set_bad_inputs_aside(self: &Arc<Self>, job: &Job, error: &Error) -> Result<()> {
        let mut found = false;
        for id in &job.inputs {
            found |= self.quarantine_if_bad(*id, &error.to_string()).await?;
        }
        if !found {
            tracing::error!(%error, inputs = ?job.inputs, "segments do not merge and stay as they are");
            self.maintenance.unmergeable.lock().extend(job.inputs.iter().copied());
        }
        Ok(())
    }

    /// Drops what is too old or too much; returns how many segments left.
    pub(crate) async fn retain(self: &Arc<Self>) -> Result<usize> {
        self.retain_classes().await?;
        let _one_at_a_time = self.compacting.acquire().await.map_err(|_| Error::closed())?;
        let now_ns = self.clock.now_ns();
        let mut ids = {
            let state = self.state.lock();
            let mut ids = retain::expired(&state.segments, &self.options, now_ns);
            if let Some(bytes_max) = self.options.segments_bytes_max {
                ids.extend(retain::over_the_mark(&state.segments, bytes_max));
            }
            ids
        };
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(0);
        }
        let alone = self.replacing.lock().await;
        self.commit(&Change { remove: ids.clone(), ..Change::default() }).await?;
        self.release(&ids, Vec::new(), Afterwards::Delete);
        drop(alone);
        self.counters.update(|counters| counters.segments_expired += ids.len() as u64);
        tracing::info!(segments = ids.len(), "retention dropped segments");
        Ok(ids.len())
    }
}
