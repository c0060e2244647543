//! Deletion of log records: at once for whoever reads, later in the files.
//!
//! ```text
//! flush heads → rows of segments that match → catalog: rows by segment → one swap of the view
//!                       ^ again, if one of these segments was merged away meanwhile
//! ```
//! A deletion covers what was acknowledged when it was asked for. Merges leave the rows out
//! (`segment::merge`); [`super::plan`] has segments rewritten that nothing else would merge.

use std::sync::Arc;

use hashbrown::HashMap;
use throughline_model::Signal;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use ulid::Ulid;

use super::Afterwards;
use crate::catalog::Change;
use crate::catalog::deletions::LogDeletion;
use crate::core::Core;
use crate::scan::{ScanContext, ScanOrder, ScanRequest, matching_rows};
use crate::segment::deleted::DeletedRows;
use crate::view::Tier;
use crate::{Error, Result};

/// How often segments may be merged away while a deletion looks at them.
const ATTEMPTS_MAX: usize = 16;

/// Which log records are to be deleted.
#[derive(Clone, Debug)]
pub struct DeleteRequest {
    /// What they meet, all of it.
    pub predicates: Vec<Predicate>,
    /// In which range their times lie.
    pub time: TimeRange,
    /// The same in the words of whoever asks, for the list of deletions.
    pub query: String,
    /// Whether they are only counted.
    pub is_dry: bool,
}

/// Rows to be left out, by segment.
pub(super) type Found = HashMap<Ulid, DeletedRows>;

impl Core {
    /// See [`crate::Store::delete_logs`].
    pub(crate) async fn delete_logs(
        self: &Arc<Self>,
        request: &DeleteRequest,
        context: &ScanContext,
    ) -> Result<LogDeletion> {
        let asked_at_ns = self.clock.now_ns();
        self.publisher.seal(Signal::Logs);
        self.flush_sealed().await?;
        for _ in 0..ATTEMPTS_MAX {
            let tier = Tier { heads: Default::default(), ..self.publisher.view().logs.clone() };
            let asked = ScanRequest {
                columns: Vec::new(),
                predicates: request.predicates.clone(),
                time: request.time,
                order: ScanOrder::Any,
                limit: None,
            };
            let with = context.clone();
            let found = self.blocking(move || matching_rows(&tier, asked, &with)).await?;
            let deletion = LogDeletion {
                id: self.ids.next(asked_at_ns),
                asked_at_ns,
                query: request.query.clone(),
                start_ns: request.time.start_ns,
                end_ns: request.time.end_ns,
                rows: found.values().map(DeletedRows::count).sum(),
                segments_left: 0,
            };
            if request.is_dry {
                return Ok(deletion);
            }
            if let Some(done) = self.leave_out(found, Some(deletion), Vec::new()).await? {
                return Ok(done);
            }
        }
        Err(Error::overloaded(format!(
            "segments were merged {ATTEMPTS_MAX} times while the deletion looked at them"
        )))
    }

    /// Makes rows invisible; nothing happens, and there is none, if one of their segments has gone.
    pub(super) async fn leave_out(
        self: &Arc<Self>,
        found: Found,
        deletion: Option<LogDeletion>,
        passed: Vec<(Ulid, u64)>,
    ) -> Result<Option<LogDeletion>> {
        // A task of its own: whoever asked may go away, and catalog and view must change together.
        let core = self.clone();
        let task = async move { core.leave_out_now(found, deletion, passed).await };
        let done = self.tracker.spawn(task).await;
        done.unwrap_or_else(|err| Err(Error::corrupt(format!("a deletion ended early: {err}"))))
    }

    async fn leave_out_now(
        self: &Arc<Self>,
        found: Found,
        deletion: Option<LogDeletion>,
        passed: Vec<(Ulid, u64)>,
    ) -> Result<Option<LogDeletion>> {
        let _alone = self.replacing.lock().await;
        let view = self.publisher.view();
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for (id, rows) in found {
            let Some(segment) = view.logs.segments.iter().find(|s| s.meta.id == id) else {
                return Ok(None);
            };
            let rows = rows.requested(deletion.is_some());
            let rows = match view.logs.deleted.of(id) {
                Some(before) => rows.united(before),
                None => rows,
            };
            match rows.count() >= segment.meta.rows {
                true => gone.push(id),
                false => kept.push((id, Arc::new(rows))),
            }
        }
        let mut deletion = deletion.unwrap_or_default();
        deletion.segments_left = kept.len() as u64;
        let record = (deletion.id != Ulid::nil()).then(|| deletion.clone());
        let passed = passed.into_iter().filter(|(id, _)| !gone.contains(id)).collect();
        let change = Change {
            remove: gone.clone(),
            deleted: kept.clone(),
            deletion: record,
            passed,
            ..Change::default()
        };
        self.commit(&change).await?;
        for segment in gone.iter().filter_map(|id| self.publisher.segment(*id).ok()) {
            self.maintenance.release(segment.meta().id, segment.downgrade(), Afterwards::Delete);
        }
        self.publisher.deleted(kept, &gone);
        self.wake_compact.notify_one();
        Ok(Some(deletion))
    }
}
