//! What to compact, decided from the catalog alone.
//!
//! ```text
//! open hour     L0 L0 L0 … of 15 minutes  ──  many, or the 15 minutes are over  ─→  L1
//! closed hour   L0s and L1s               ──  quiet, or many                    ─→  L2
//!               L2s of like size          ──  quiet, or many                    ─→  larger L2
//! ```
//!
//! The closed hour takes its L0s straight to L2, so that most rows are rewritten once. A late trickle
//! makes small L2s of its own; those join a larger one when together they reach a third of it, so a
//! large segment is rewritten a logarithmic number of times. Metrics do the same with windows of two
//! hours, and days and the window of all times count as hours. Segments with deleted rows that take part in
//! none of this are rewritten alone.

use std::collections::{BTreeMap, HashSet};

use throughline_model::Signal;
use throughline_model::time::{MINUTE_NS, SECOND_NS, TimeRange};
use ulid::Ulid;

use crate::head::window::{CLOSED_AFTER_NS, long_window_ns, window_at};
use crate::segment::deleted::DeletedRows;
use crate::segment::{Deletions, SegmentMeta};

/// Segments that one merge reads at most. Merges hold about one row group however many there are.
pub(crate) const MERGE_INPUTS_MAX: usize = 64;
/// Bytes that one merge reads at most, and so about the size of the largest segment. The table of
/// its traces is held while it is merged, which is what bounds this: about 130 bytes a trace.
pub(crate) const MERGE_BYTES_MAX: u64 = 256 << 20;
/// L0s of an open window that are worth a merge.
const OPEN_L0_MAX: usize = 12;
/// L0s of a window that is over, in an hour that is not, that are worth a merge.
const ENDED_L0_MIN: usize = 4;
/// How long after its end a short window counts as over.
const ENDED_AFTER_NS: i64 = MINUTE_NS;
/// How long nothing must have arrived for a window before it is merged without need.
const QUIET_NS: i64 = 5 * SECOND_NS;
/// L2s of one window above which they are merged although rows still arrive.
const L2_MAX: usize = 12;
/// Small L2s join a larger one when together they reach this fraction of it.
const JOIN_FRACTION: u64 = 3;
/// A segment is written anew without rows that retention deleted when these reach this fraction of it.
const REWRITE_FRACTION: u64 = 4;

/// Segments to be merged into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    pub signal: Signal,
    pub tenant: String,
    pub window: TimeRange,
    /// Level of the merge.
    pub level: u8,
    pub inputs: Vec<Ulid>,
    /// Bytes of the inputs.
    pub bytes: u64,
}

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Could run now; the most urgent first.
    pub jobs: Vec<Job>,
    /// Windows that will have a job when they have been quiet for a while.
    pub waiting: u64,
}

type GroupKey = (Signal, String, i64, i64);

/// Plans over all segments but the `excluded`.
pub(crate) fn plan<'a>(
    segments: impl IntoIterator<Item = &'a SegmentMeta>,
    excluded: &HashSet<Ulid>,
    deleted: &Deletions,
    now_ns: i64,
) -> Plan {
    let mut rewrites = Vec::new();
    let mut groups: BTreeMap<GroupKey, Vec<&SegmentMeta>> = BTreeMap::new();
    for meta in segments.into_iter().filter(|meta| !excluded.contains(&meta.id)) {
        if deleted.of(meta.id).is_some_and(|rows| is_worth_rewriting(meta, rows)) {
            rewrites.push(meta);
        }
        let window = long_window(meta);
        let key = (meta.signal, meta.tenant.clone(), window.start_ns, window.end_ns);
        groups.entry(key).or_default().push(meta);
    }
    let mut plan = Plan::default();
    for ((_, _, start_ns, end_ns), members) in groups {
        plan_group(&mut plan, TimeRange { start_ns, end_ns }, members, now_ns);
    }
    // Many small inputs first: they are what slows queries down.
    plan.jobs.sort_by_key(|job| (std::cmp::Reverse(job.inputs.len()), job.bytes));
    let is_in_a_job = |id: Ulid| plan.jobs.iter().any(|job| job.inputs.contains(&id));
    rewrites.retain(|meta| !is_in_a_job(meta.id));
    plan.jobs.extend(rewrites.into_iter().map(rewrite));
    plan
}

/// Whether a segment is written anew for its deleted rows alone.
fn is_worth_rewriting(meta: &SegmentMeta, rows: &DeletedRows) -> bool {
    rows.is_requested || rows.count().saturating_mul(REWRITE_FRACTION) >= meta.rows
}

fn rewrite(meta: &SegmentMeta) -> Job {
    Job {
        signal: meta.signal,
        tenant: meta.tenant.clone(),
        window: TimeRange { start_ns: meta.window_start_ns, end_ns: meta.window_end_ns },
        level: meta.level.max(1),
        inputs: vec![meta.id],
        bytes: bytes(meta),
    }
}

/// The window that a segment ends up in.
fn long_window(meta: &SegmentMeta) -> TimeRange {
    let own = TimeRange { start_ns: meta.window_start_ns, end_ns: meta.window_end_ns };
    let long_ns = long_window_ns(meta.signal);
    let is_short = own.end_ns.saturating_sub(own.start_ns) < long_ns;
    if is_short { window_at(own.start_ns, long_ns) } else { own }
}

fn plan_group(plan: &mut Plan, window: TimeRange, members: Vec<&SegmentMeta>, now_ns: i64) {
    let arrived = members.iter().filter(|meta| meta.level == 0);
    let newest_ns = arrived.map(|meta| meta.created_at_ns).max().unwrap_or(i64::MIN);
    let is_quiet = newest_ns.saturating_add(QUIET_NS) <= now_ns;
    // The window of all times is never over and never open: it is merged as if it were over.
    let is_closed = window == TimeRange::ALL
        || window.end_ns.saturating_add(CLOSED_AFTER_NS) <= now_ns
        || window.start_ns > now_ns;
    let (merged, fresh): (Vec<_>, Vec<_>) = members.into_iter().partition(|meta| meta.level >= 2);
    if !is_closed {
        plan_open(plan, window, fresh, now_ns, is_quiet);
        return;
    }
    let (is_urgent, inputs) = if fresh.len() >= 2 {
        (fresh.len() > MERGE_INPUTS_MAX, fresh)
    } else if let Some(join) = joinable(merged) {
        (join.len() > L2_MAX, join)
    } else {
        return;
    };
    if is_quiet || is_urgent {
        plan.jobs.extend(job(inputs, window, 2));
    } else {
        plan.waiting += 1;
    }
}

fn plan_open(
    plan: &mut Plan,
    window: TimeRange,
    fresh: Vec<&SegmentMeta>,
    now_ns: i64,
    is_quiet: bool,
) {
    let mut by_window: BTreeMap<(i64, i64), Vec<&SegmentMeta>> = BTreeMap::new();
    for meta in fresh.into_iter().filter(|meta| meta.level == 0) {
        by_window.entry((meta.window_start_ns, meta.window_end_ns)).or_default().push(meta);
    }
    for ((start_ns, end_ns), inputs) in by_window {
        let is_over = end_ns != window.end_ns && end_ns.saturating_add(ENDED_AFTER_NS) <= now_ns;
        let is_worth =
            inputs.len() >= OPEN_L0_MAX || (is_over && is_quiet && inputs.len() >= ENDED_L0_MIN);
        if is_worth {
            plan.jobs.extend(job(inputs, TimeRange { start_ns, end_ns }, 1));
        }
    }
}

/// The small L2s that should join a larger one, smallest first.
fn joinable(mut merged: Vec<&SegmentMeta>) -> Option<Vec<&SegmentMeta>> {
    merged.sort_by_key(|meta| (bytes(meta), meta.id));
    let mut total = bytes(merged.first()?);
    let mut count = 1;
    for (i, meta) in merged.iter().enumerate().skip(1) {
        if total + bytes(meta) > MERGE_BYTES_MAX || i >= MERGE_INPUTS_MAX {
            break;
        }
        if total.saturating_mul(JOIN_FRACTION) >= bytes(meta) {
            count = i + 1;
        }
        total += bytes(meta);
    }
    merged.truncate(count);
    (count >= 2).then_some(merged)
}

fn bytes(meta: &SegmentMeta) -> u64 {
    meta.data_bytes + meta.index_bytes
}

/// A job over as many of the inputs as one merge takes, in the order of their windows; `None` if
/// that is only one.
fn job(mut inputs: Vec<&SegmentMeta>, window: TimeRange, level: u8) -> Option<Job> {
    inputs.sort_by_key(|meta| (meta.window_start_ns, meta.id));
    let mut total = 0;
    let mut ids = Vec::new();
    let first = *inputs.first()?;
    for meta in inputs {
        if ids.len() == MERGE_INPUTS_MAX || (total + bytes(meta) > MERGE_BYTES_MAX && ids.len() > 1)
        {
            break;
        }
        total += bytes(meta);
        ids.push(meta.id);
    }
    (ids.len() >= 2).then(|| Job {
        signal: first.signal,
        tenant: first.tenant.clone(),
        window,
        level,
        inputs: ids,
        bytes: total,
    })
}

#[cfg(test)]
mod tests {
    use throughline_model::time::HOUR_NS;

    use super::*;

    const NOW: i64 = 1_795_176_000_000_000_000; // 2026-11-20T12:00:00Z
    const QUARTER: i64 = 15 * MINUTE_NS;

    /// A segment of spans: its level, start and length of its window, megabytes, age in seconds.
    fn meta(id: u64, level: u8, start_ns: i64, len_ns: i64, mib: u64, age_s: i64) -> SegmentMeta {
        SegmentMeta {
            id: Ulid::from_parts(id, 0),
            signal: Signal::Traces,
            tenant: "default".into(),
            level,
            window_start_ns: start_ns,
            window_end_ns: start_ns.saturating_add(len_ns),
            min_time_ns: start_ns,
            max_time_ns: start_ns,
            rows: 1,
            data_bytes: mib << 20,
            index_bytes: 0,
            data_crc32c: 0,
            index_crc32c: 0,
            format_version: 1,
            created_at_ns: NOW - age_s * SECOND_NS,
        }
    }

    fn planned(segments: &[SegmentMeta]) -> (Vec<(u8, usize, i64)>, u64) {
        let plan = plan(segments, &HashSet::new(), &Deletions::default(), NOW);
        let shape = |job: &Job| (job.level, job.inputs.len(), job.window.start_ns);
        (plan.jobs.iter().map(shape).collect(), plan.waiting)
    }

    #[test]
    fn an_open_hour_is_merged_when_it_has_many_or_a_quarter_is_over() {
        // The hour starts now; its first quarter is open.
        let few: Vec<_> = (0..11).map(|i| meta(i, 0, NOW, QUARTER, 1, 100)).collect();
        assert_eq!(planned(&few), (vec![], 0));
        let many: Vec<_> = (0..12).map(|i| meta(i, 0, NOW, QUARTER, 1, 0)).collect();
        assert_eq!(planned(&many), (vec![(1, 12, NOW)], 0));
        // Later in the hour, the first quarter is over.
        let later = NOW + 40 * MINUTE_NS;
        let ended: Vec<_> = (0..4).map(|i| meta(i, 0, NOW, QUARTER, 1, 100)).collect();
        let plan = plan(&ended, &HashSet::new(), &Deletions::default(), later);
        assert_eq!(plan.jobs.len(), 1);
        assert_eq!((plan.jobs[0].level, plan.jobs[0].window.end_ns), (1, NOW + QUARTER));
    }

    #[test]
    fn a_closed_hour_goes_to_level_two_when_it_is_quiet() {
        let hour = NOW - 2 * HOUR_NS;
        let fresh = |age_s| {
            vec![
                meta(1, 0, hour, QUARTER, 1, 100),
                meta(2, 1, hour + QUARTER, QUARTER, 9, 100),
                meta(3, 0, hour, HOUR_NS, 1, age_s),
            ]
        };
        assert_eq!(planned(&fresh(0)), (vec![], 1));
        assert_eq!(planned(&fresh(5)), (vec![(2, 3, hour)], 0));
        let flood: Vec<_> = (0..80).map(|i| meta(i, 0, hour, HOUR_NS, 1, 0)).collect();
        assert_eq!(planned(&flood), (vec![(2, MERGE_INPUTS_MAX, hour)], 0));
    }

    #[test]
    fn windows_tenants_and_signals_are_apart() {
        let hour = NOW - 2 * HOUR_NS;
        let mut segments: Vec<_> = (0..6).map(|i| meta(i, 0, hour, HOUR_NS, 1, 100)).collect();
        segments[1].tenant = "other".into();
        segments[2].signal = Signal::Logs;
        segments[3].window_start_ns += HOUR_NS;
        segments[3].window_end_ns += HOUR_NS;
        segments[4] = meta(4, 0, i64::MIN, i64::MAX, 1, 100);
        segments[4].window_end_ns = i64::MAX;
        assert_eq!(planned(&segments), (vec![(2, 2, hour)], 0), "only 0 and 5 belong together");
        let excluded = HashSet::from([segments[0].id]);
        assert_eq!(plan(&segments, &excluded, &Deletions::default(), NOW).jobs, []);
    }

    #[test]
    fn a_late_trickle_does_not_rewrite_a_large_segment() {
        let hour = NOW - 2 * HOUR_NS;
        let large = meta(1, 2, hour, HOUR_NS, 220, 1000);
        let small = |id, mib| meta(id, 2, hour, HOUR_NS, mib, 100);
        assert_eq!(planned(&[large.clone(), small(2, 1)]), (vec![], 0));
        // Small ones join each other, and the large one only when they are a third of it.
        assert_eq!(planned(&[large.clone(), small(2, 1), small(3, 2)]).0, [(2, 2, hour)]);
        let mid = meta(1, 2, hour, HOUR_NS, 90, 1000);
        assert_eq!(planned(&[mid.clone(), small(2, 20), small(3, 9)]).0, [(2, 2, hour)]);
        assert_eq!(planned(&[mid, small(2, 20), small(3, 10)]).0, [(2, 3, hour)]);
        // Nothing grows past the limit.
        assert_eq!(planned(&[large, small(2, 100)]), (vec![], 0));
    }

    /// Rows that come late, one small segment every ten seconds, are rewritten a few times each.
    #[test]
    fn rewriting_stays_logarithmic() {
        let hour = NOW - 2 * HOUR_NS;
        let mut segments: Vec<SegmentMeta> = Vec::new();
        let (mut written, mut arrived) = (0, 0);
        for id in 0..600 {
            segments.push(meta(id, 0, hour, HOUR_NS, 1, 100));
            arrived += 1;
            let mut next_id = 10_000 + id * 100;
            while let Some(job) =
                plan(&segments, &HashSet::new(), &Deletions::default(), NOW).jobs.first()
            {
                segments.retain(|meta| !job.inputs.contains(&meta.id));
                next_id += 1;
                segments.push(meta(next_id, job.level, hour, HOUR_NS, job.bytes >> 20, 100));
                written += job.bytes >> 20;
            }
            assert!(segments.len() < 12, "{} segments", segments.len());
        }
        assert!(written < 15 * arrived, "{written} written for {arrived}");
    }
}
