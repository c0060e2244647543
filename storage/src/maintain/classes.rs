//! Retention of log records by class: who meets the conditions of a class lives as long as it says, the
//! others as long as log records do.
//!
//! A record belongs to the first class whose conditions it meets. Once all records of a segment are older
//! than a class keeps its own, those of the class are left out as if somebody had deleted them; that is done
//! once a segment and class, and the catalog remembers it. So records live at most as much longer as the window of
//! their segment is long.

use std::collections::HashSet;
use std::sync::Arc;

use throughline_model::time::TimeRange;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;
use xxhash_rust::xxh3::xxh3_64;

use super::delete::Found;
use crate::core::Core;
use crate::options::RetentionClass;
use crate::scan::{ScanContext, ScanOrder, ScanRequest, matching_rows};
use crate::segment::Segment;
use crate::segment::deleted::DeletedRows;
use crate::view::{Tier, View};
use crate::{ErrorKind, Result};

/// Segments that are looked at in one run; the next run goes on.
const SEGMENTS_MAX: usize = 64;

/// The age at which a segment holds nothing that anybody keeps; none if something is kept for ever.
pub(crate) fn longest_ns(classes: &[RetentionClass], rest_ns: Option<i64>) -> Option<i64> {
    classes
        .iter()
        .map(|class| class.keep_ns)
        .chain([rest_ns])
        .try_fold(0, |longest, keep_ns| keep_ns.map(|keep_ns| longest.max(keep_ns)))
}

// A class as retention looks at it: after all classes before it.
struct Ranked {
    keep_ns: i64,
    /// Differs where its conditions, those of a class before it, or how long it keeps differ.
    number: u64,
}

fn ranked(classes: &[RetentionClass], rest_ns: Option<i64>) -> Vec<Option<Ranked>> {
    let mut said = String::new();
    let rest = (String::new(), rest_ns);
    let all = classes.iter().map(|class| (format!("{:?}", class.predicates), class.keep_ns));
    all.chain([rest])
        .map(|(conditions, keep_ns)| {
            said.push_str(&conditions);
            said.push('\n');
            let keep_ns = keep_ns?;
            Some(Ranked { keep_ns, number: xxh3_64(format!("{said}{keep_ns}").as_bytes()) })
        })
        .collect()
}

impl Core {
    /// Leaves out the records whose class keeps them no longer; returns how many. Segments that cannot
    /// be read are passed over.
    pub(crate) async fn retain_classes(self: &Arc<Self>) -> Result<u64> {
        let classes = &self.options.log_classes;
        if classes.is_empty() {
            return Ok(0);
        }
        let ranked = ranked(classes, self.options.retention.logs_ns);
        let now_ns = self.clock.now_ns();
        let view = self.publisher.view();
        let passed = self.state.lock().passed.clone();
        let mut rows = 0;
        let due = |segment: &&Arc<Segment>| {
            ranked.iter().flatten().any(|class| is_due(segment, class, now_ns, &passed))
        };
        for segment in view.logs.segments.iter().filter(due).take(SEGMENTS_MAX) {
            let which: Vec<bool> = ranked
                .iter()
                .map(|class| class.as_ref().is_some_and(|c| is_due(segment, c, now_ns, &passed)))
                .collect();
            let (core, tier) = (self.clone(), only(&view, segment));
            let asked = which.clone();
            let found = self.blocking(move || core.of_classes(&tier, &asked)).await;
            let found = match found {
                Err(error) if error.kind() == ErrorKind::Corrupt => continue,
                found => found?,
            };
            let id = segment.meta.id;
            rows += found.as_ref().map_or(0, DeletedRows::count);
            let numbers = ranked.iter().zip(&which).filter(|(_, is_due)| **is_due);
            let done = numbers.filter_map(|(class, _)| Some((id, class.as_ref()?.number)));
            let found: Found = found.map(|found| (id, found)).into_iter().collect();
            // A segment that was merged away is looked at again as part of another.
            self.leave_out(found, None, done.collect()).await?;
        }
        if rows > 0 {
            tracing::info!(rows, "retention left out log records by class");
        }
        Ok(rows)
    }

    // The rows of a segment that are of the given classes, the rest being the last of these.
    fn of_classes(&self, tier: &Tier, which: &[bool]) -> Result<Option<DeletedRows>> {
        let context = ScanContext {
            cancel: CancellationToken::new(),
            deadline: None,
            bytes_max: u64::MAX,
            stats: Arc::default(),
            tracker: self.tracker.clone(),
        };
        let mut of_earlier: Option<DeletedRows> = None;
        let mut found: Option<DeletedRows> = None;
        let classes = self.options.log_classes.iter().map(|class| class.predicates.clone());
        for (predicates, is_wanted) in classes.chain([Vec::new()]).zip(which) {
            let request = ScanRequest {
                columns: Vec::new(),
                predicates,
                time: TimeRange::ALL,
                order: ScanOrder::Any,
                limit: None,
            };
            let Some(own) = matching_rows(tier, request, &context)?.into_values().next() else {
                continue;
            };
            let own = match &of_earlier {
                Some(earlier) => own.without(earlier),
                None => own,
            };
            if *is_wanted && own.count() > 0 {
                found = Some(found.map_or_else(|| own.clone(), |found| found.united(&own)));
            }
            of_earlier = Some(of_earlier.map_or_else(|| own.clone(), |all| all.united(&own)));
        }
        Ok(found)
    }
}

fn is_due(segment: &Segment, class: &Ranked, now_ns: i64, passed: &HashSet<(Ulid, u64)>) -> bool {
    segment.meta.max_time_ns < now_ns.saturating_sub(class.keep_ns)
        && !passed.contains(&(segment.meta.id, class.number))
}

fn only(view: &View, segment: &Arc<Segment>) -> Tier {
    Tier {
        segments: Arc::new(vec![segment.clone()]),
        deleted: view.logs.deleted.clone(),
        ..Tier::default()
    }
}
