//! Checking that stored bytes are still what was written, and setting aside those that are not.
//!
//! Disks forget: a sector may fail long after its write, and nobody notices before the bytes are
//! read. The scrub reads every segment once a day, slowly, and compares checksums; one that a query
//! could not read comes first.

use std::sync::Arc;

use throughline_model::time::{DAY_NS, HOUR_NS};
use ulid::Ulid;

use super::Afterwards;
use crate::catalog::Change;
use crate::core::Core;
use crate::status::Quarantined;
use crate::{Error, ErrorKind, Result};

/// How often a segment is read.
const PERIOD_NS: i64 = DAY_NS;
/// A segment that was just written is not read.
const AGE_MIN_NS: i64 = HOUR_NS;

impl Core {
    /// Checks the segment that was not checked for longest, if it is time; returns its bytes.
    pub(crate) async fn scrub_one(self: &Arc<Self>) -> Result<Option<u64>> {
        let now_ns = self.clock.now_ns();
        let Some((id, bytes)) = self.scrub_due(now_ns) else { return Ok(None) };
        self.maintenance.scrubbed_at_ns.lock().insert(id, now_ns);
        if !self.quarantine_if_bad(id, "found by the scrub").await? {
            self.counters.update(|counters| counters.scrubbed += 1);
        }
        Ok(Some(bytes))
    }

    fn scrub_due(&self, now_ns: i64) -> Option<(Ulid, u64)> {
        let view = self.publisher.view();
        let mut rows = view.spans.segments.iter().chain(view.logs.segments.iter());
        let mut points = view.metrics.segments.iter();
        let suspect = rows.find(|segment| segment.take_suspicion()).map(|segment| &segment.meta);
        let suspect = suspect.or_else(|| {
            points.find(|segment| segment.take_suspicion()).map(|segment| &segment.meta)
        });
        if let Some(meta) = suspect {
            return Some((meta.id, meta.data_bytes + meta.index_bytes));
        }
        let state = self.state.lock();
        let mut scrubbed = self.maintenance.scrubbed_at_ns.lock();
        scrubbed.retain(|id, _| state.segments.iter().any(|meta| meta.id == *id));
        let last = |id: &Ulid| scrubbed.get(id).copied().unwrap_or(i64::MIN);
        let candidates = state.segments.iter().filter(|meta| {
            last(&meta.id).saturating_add(PERIOD_NS) <= now_ns
                && meta.created_at_ns.saturating_add(AGE_MIN_NS) <= now_ns
        });
        let oldest = candidates.min_by_key(|meta| (last(&meta.id), meta.id))?;
        Some((oldest.id, oldest.data_bytes + oldest.index_bytes))
    }

    /// Verifies a segment that somebody could not read. If its bytes are damaged it leaves the
    /// catalog and the view, its files are kept aside, and `true` is returned.
    pub(crate) async fn quarantine_if_bad(self: &Arc<Self>, id: Ulid, why: &str) -> Result<bool> {
        // It may have been replaced meanwhile; then there is nothing to do.
        let Ok(segment) = self.publisher.segment(id) else { return Ok(false) };
        let verified = self.blocking(move || segment.verify()).await;
        let Err(error) = verified else {
            return Ok(false);
        };
        if error.kind() != ErrorKind::Corrupt {
            return Err(error);
        }
        self.quarantine(id, format!("{error} ({why})")).await?;
        Ok(true)
    }

    async fn quarantine(self: &Arc<Self>, id: Ulid, why: String) -> Result<()> {
        tracing::error!(%id, why, "segment quarantined");
        let at_ns = self.clock.now_ns();
        let quarantine = Some(Quarantined { name: id.to_string(), why, at_ns });
        let change = Change { remove: vec![id], quarantine, ..Change::default() };
        match self.commit(&change).await {
            Ok(()) => {
                self.release(&[id], Vec::new(), Afterwards::SetAside);
                Ok(())
            }
            // A compaction was faster.
            Err(error) if error.kind() == ErrorKind::Invalid => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes bytes of the log that did not read back to a side file and reports them.
    pub(crate) async fn keep_damage(self: &Arc<Self>, damage: crate::wal::Damage) -> Result<()> {
        tracing::error!(name = damage.name, why = damage.why, "damage in the log set aside");
        let path = self.options.data_dir.join("quarantine").join(&damage.name);
        let disk = self.options.disk.clone();
        let bytes = damage.bytes;
        self.blocking(move || {
            let keep = || {
                let file = disk.create(&path)?;
                file.write_all_at(&bytes, 0)?;
                file.sync()?;
                path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
            };
            keep().map_err(|err| Error::file("write", &path, &err))
        })
        .await?;
        let at_ns = self.clock.now_ns();
        let quarantine = Some(Quarantined { name: damage.name, why: damage.why, at_ns });
        self.commit(&Change { quarantine, ..Change::default() }).await
    }
}
