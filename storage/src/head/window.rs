//! Compaction windows: which one a time falls into, and how a head is split into them.
//!
//! ```text
//! spans, logs   15 minutes while the hour is open, the hour when it is closed
//! metrics       2 hours
//! days that ended 7 days ago, or that begin more than 1 hour ahead: the day
//! ```
//!
//! The windows of one head never overlap: whether a time is old is decided by its day. A point and its exemplars
//! would otherwise come to lie in different segments.
//!
//! A head whose rows lie in more than [`SPLITS_MAX`] windows is split into the longer ones; what does
//! not fit even so shares one window of all times.

use std::collections::BTreeMap;

use throughline_model::Signal;
use throughline_model::time::{DAY_NS, HOUR_NS, MINUTE_NS, TimeRange};

/// Windows that one head is split into at most.
pub(crate) const SPLITS_MAX: usize = 8;
/// How long after its end an hour counts as closed.
pub(crate) const CLOSED_AFTER_NS: i64 = 5 * MINUTE_NS;
const OLD_NS: i64 = 7 * DAY_NS;
const AHEAD_NS: i64 = HOUR_NS;

/// The shortest window of a signal.
pub(crate) fn short_window_ns(signal: Signal) -> i64 {
    match signal {
        Signal::Traces | Signal::Logs => 15 * MINUTE_NS,
        Signal::Metrics => 2 * HOUR_NS,
    }
}

/// The window that segments of a signal end up in.
pub(crate) fn long_window_ns(signal: Signal) -> i64 {
    match signal {
        Signal::Traces | Signal::Logs => HOUR_NS,
        Signal::Metrics => 2 * HOUR_NS,
    }
}

/// The window of a length that a time falls into.
pub(crate) fn window_at(t_ns: i64, len_ns: i64) -> TimeRange {
    let start_ns = t_ns.div_euclid(len_ns).saturating_mul(len_ns);
    TimeRange { start_ns, end_ns: start_ns.saturating_add(len_ns) }
}

/// Lengths to try for a time, shortest first.
fn lengths(signal: Signal, t_ns: i64, now_ns: i64) -> [i64; 3] {
    let day = window_at(t_ns, DAY_NS);
    let is_usual = day.end_ns > now_ns.saturating_sub(OLD_NS)
        && day.start_ns <= now_ns.saturating_add(AHEAD_NS);
    if !is_usual {
        return [DAY_NS; 3];
    }
    let long = long_window_ns(signal);
    let is_closed = window_at(t_ns, long).end_ns.saturating_add(CLOSED_AFTER_NS) <= now_ns;
    [if is_closed { long } else { short_window_ns(signal) }, long, DAY_NS]
}

/// Chooses the window of every time of a head.
#[derive(Debug)]
pub(crate) struct Windows {
    signal: Signal,
    now_ns: i64,
    step: usize,
    /// The windows that are used; a time outside them goes to [`TimeRange::ALL`].
    used: Vec<TimeRange>,
}

impl Windows {
    /// Looks at all times of a head.
    pub fn choose(signal: Signal, now_ns: i64, times: impl Iterator<Item = i64> + Clone) -> Self {
        let mut counts = BTreeMap::new();
        for step in 0..3 {
            counts = count(signal, now_ns, step, times.clone());
            if counts.len() <= SPLITS_MAX {
                return Self::of(signal, now_ns, step, counts.into_keys());
            }
        }
        let mut by_rows: Vec<_> = counts.into_iter().map(|(window, rows)| (rows, window)).collect();
        by_rows.sort_unstable_by(|a, b| b.cmp(a));
        by_rows.truncate(SPLITS_MAX - 1);
        Self::of(signal, now_ns, 2, by_rows.into_iter().map(|(_, window)| window))
    }

    fn of(
        signal: Signal,
        now_ns: i64,
        step: usize,
        windows: impl Iterator<Item = (i64, i64)>,
    ) -> Self {
        let used = windows.map(|(start_ns, end_ns)| TimeRange { start_ns, end_ns }).collect();
        Self { signal, now_ns, step, used }
    }

    /// The window of a time.
    pub fn of_time(&self, t_ns: i64) -> TimeRange {
        let window = window_at(t_ns, lengths(self.signal, t_ns, self.now_ns)[self.step]);
        if self.used.contains(&window) { window } else { TimeRange::ALL }
    }
}

fn count(
    signal: Signal,
    now_ns: i64,
    step: usize,
    times: impl Iterator<Item = i64>,
) -> BTreeMap<(i64, i64), u64> {
    let mut counts = BTreeMap::new();
    let mut last = None;
    for t_ns in times {
        // Neighbours are mostly of one window.
        let window = match last {
            Some(window) if TimeRange::contains(&window, t_ns) => window,
            _ => window_at(t_ns, lengths(signal, t_ns, now_ns)[step]),
        };
        last = Some(window);
        *counts.entry((window.start_ns, window.end_ns)).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_176_000_000_000_000; // 2026-11-20T12:00:00Z

    #[test]
    fn times_get_the_window_of_their_age() {
        for (signal, t_ns, len_ns) in [
            (Signal::Traces, NOW, 15 * MINUTE_NS),
            (Signal::Traces, NOW - MINUTE_NS, 15 * MINUTE_NS),
            (Signal::Logs, NOW - 2 * HOUR_NS, HOUR_NS),
            (Signal::Traces, NOW - 8 * DAY_NS, DAY_NS),
            // The day of what is a week old is not old as a whole.
            (Signal::Traces, NOW - 7 * DAY_NS - HOUR_NS, HOUR_NS),
            (Signal::Traces, NOW + 2 * DAY_NS, DAY_NS),
            (Signal::Metrics, NOW, 2 * HOUR_NS),
        ] {
            let windows = Windows::choose(signal, NOW, std::iter::once(t_ns));
            let window = windows.of_time(t_ns);
            assert!(window.contains(t_ns), "{t_ns}");
            assert_eq!(window.end_ns - window.start_ns, len_ns, "{signal} {t_ns}");
        }
        for t_ns in [i64::MIN, i64::MAX, 0] {
            let window = Windows::choose(Signal::Logs, NOW, std::iter::once(t_ns)).of_time(t_ns);
            assert!(window.start_ns <= t_ns && t_ns <= window.end_ns, "{t_ns}");
        }
    }

    #[test]
    fn windows_of_a_head_do_not_overlap() {
        for signal in Signal::ALL {
            for around in [NOW - OLD_NS, NOW, NOW + AHEAD_NS, NOW + DAY_NS] {
                let times: Vec<i64> = (-6..=6).map(|step| around + step * 20 * MINUTE_NS).collect();
                let windows = Windows::choose(signal, NOW, times.iter().copied());
                for (t_ns, other_ns) in times.iter().zip(&times[1..]) {
                    let (one, other) = (windows.of_time(*t_ns), windows.of_time(*other_ns));
                    let is_apart = one.end_ns <= other.start_ns;
                    assert!(one == other || is_apart, "{signal} {around}: {one:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn many_windows_become_few() {
        let hours: Vec<i64> = (0..48).map(|hour| NOW - hour * HOUR_NS).collect();
        let windows = Windows::choose(Signal::Traces, NOW, hours.iter().copied());
        let mut used: Vec<_> = hours.iter().map(|t| windows.of_time(*t).start_ns).collect();
        used.dedup();
        assert_eq!(used.len(), 3, "days");

        let years: Vec<i64> = (0..40).map(|year| NOW - year * 365 * DAY_NS).collect();
        let windows = Windows::choose(Signal::Traces, NOW, years.iter().copied());
        let overflow = years.iter().filter(|t| windows.of_time(**t) == TimeRange::ALL).count();
        assert_eq!(overflow, 40 - (SPLITS_MAX - 1));
    }
}
