//! Removing files that nobody refers to: those of replaced segments after their last reader, and
//! those of flushes and compactions that a crash cut off.

use std::collections::HashSet;

use ulid::Ulid;

use super::Afterwards;
use crate::Result;
use crate::core::Core;

impl Core {
    /// Removes or sets aside the files of released segments without readers. Blocking.
    pub(crate) fn collect_released(&self) {
        let ready: Vec<(Ulid, Afterwards)> = {
            let mut released = self.maintenance.released.lock();
            let ready = released
                .iter()
                .filter(|one| !one.segment.has_readers())
                .map(|one| (one.id, one.then))
                .collect();
            released.retain(|one| one.segment.has_readers());
            ready
        };
        for (id, then) in ready {
            let done = match then {
                Afterwards::Delete => files_of(id).iter().try_for_each(|n| self.segments.delete(n)),
                Afterwards::SetAside => {
                    files_of(id).iter().try_for_each(|name| self.segments.set_aside(name))
                }
            };
            // The sweep of the next start tries again.
            if let Err(error) = done {
                tracing::warn!(%id, %error, "could not remove the files of a replaced segment");
            }
        }
    }

    /// Removes the files of segments that are certainly not in the catalog.
    pub(crate) fn forget_files(&self, ids: &[Ulid]) {
        for name in ids.iter().flat_map(|id| files_of(*id)) {
            if let Err(error) = self.segments.delete(&name) {
                tracing::warn!(name, %error, "could not remove the file of a failed write");
            }
        }
        self.maintenance.in_progress.lock().retain(|id| !ids.contains(id));
    }

    /// Removes all files that neither the catalog nor a running job refers to; sets those of
    /// quarantined segments aside. Blocking.
    pub(crate) fn sweep(&self) -> Result<()> {
        // Listed before the catalog is read: a file that is listed and committed meanwhile is known.
        let listed = self.segments.list()?;
        // Asked in the order in which a segment passes them, so that none slips through between.
        let mut known: HashSet<Ulid> = self.maintenance.in_progress.lock().clone();
        let state = self.state.lock();
        known.extend(state.segments.iter().map(|meta| meta.id));
        let quarantined: HashSet<String> =
            state.quarantined.iter().map(|one| one.name.clone()).collect();
        drop(state);
        known.extend(self.publisher.ids());
        known.extend(self.maintenance.released.lock().iter().map(|one| one.id));
        for (name, bytes) in listed {
            let stem = name.split('.').next().unwrap_or_default();
            let Ok(id) = Ulid::from_string(stem) else { continue };
            if known.contains(&id) {
                continue;
            }
            if quarantined.contains(stem) {
                self.segments.set_aside(&name)?;
            } else {
                tracing::info!(name, bytes, "removed a file that nothing refers to");
                self.segments.delete(&name)?;
            }
        }
        Ok(())
    }
}

fn files_of(id: Ulid) -> [String; 2] {
    [format!("{id}.parquet"), format!("{id}.idx")]
}
