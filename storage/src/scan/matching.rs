//! Which rows of log records meet conditions, by segment: what a deletion is to leave out.

use hashbrown::HashMap;
use throughline_model::Signal;
use ulid::Ulid;

use super::run::Job;
use super::{ScanContext, ScanRequest};
use crate::segment::Segment;
use crate::segment::deleted::DeletedRows;
use crate::segment::row_set::RowSet;
use crate::view::Tier;
use crate::{ErrorKind, Result};

/// The rows of segments that meet the conditions of a request and are not deleted. Segments without
/// such rows are left out. Unlike a scan it ends with an error where a segment cannot be read: rows
/// that nobody looked at must not count as deleted. Blocks.
pub(crate) fn matching_rows(
    tier: &Tier,
    request: ScanRequest,
    context: &ScanContext,
) -> Result<HashMap<Ulid, DeletedRows>> {
    let job = Job::new(Signal::Logs, tier, request, context)?;
    let mut found = HashMap::new();
    while let Some(segment) = job.next_segment()? {
        match rows_of(&job, &segment) {
            Ok(rows) => found.extend(rows.map(|rows| (segment.meta.id, rows))),
            Err(err) => {
                if err.kind() == ErrorKind::Corrupt {
                    segment.mark_corrupt(&err);
                }
                return Err(err);
            }
        }
    }
    Ok(found)
}

fn rows_of(job: &Job, segment: &Segment) -> Result<Option<DeletedRows>> {
    let Some((opened, groups)) = job.groups(segment)? else { return Ok(None) };
    let io = job.meter();
    let all = opened.summary().row_groups.iter();
    let mut sets: Vec<_> = all.map(|group| RowSet::none(group.rows as usize)).collect();
    for row_group in groups {
        let left = job.group_scan(segment, &opened, row_group, &io).find(None)?;
        if left.count() > 0 {
            sets[row_group] = left.set(sets[row_group].rows());
        }
    }
    Ok(Some(DeletedRows::new(sets, false)).filter(|rows| rows.count() > 0))
}
