//! Everything of a few groups.

use std::collections::{BTreeMap, HashMap, HashSet};

use throughline_model::exception::{Fingerprint, parse_frames};
use throughline_model::time::{MINUTE_NS, TimeRange};
use throughline_storage::ExceptionState;
use throughline_storage::segment::{ExceptionCounts, ExceptionGroup, ExceptionOrigin, Exceptions};

use super::{
    ExceptionDetail, ExceptionStatus, ExceptionSteps, OriginCount, STEPS_MAX, UserCount,
    is_regression,
};
use crate::{Error, Result};

/// The most origins of a group that are told apart in steps.
const VERSIONS_MAX: usize = 50;
/// What the versions past [`VERSIONS_MAX`] are counted as.
const OTHER_VERSIONS: &str = "other";

/// Steps of time in which occurrences are counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps {
    start_ns: i64,
    step_ns: i64,
    count: usize,
}

impl Steps {
    pub fn new(time: TimeRange, step_ns: i64) -> Result<Self> {
        if time.start_ns == i64::MIN || time.end_ns == i64::MAX || time.is_empty() {
            let message = "counts over time need a start and an end after it";
            return Err(Error::invalid("start", message));
        }
        if step_ns <= 0 || step_ns % MINUTE_NS != 0 {
            let message =
                format!("a step of {step_ns} ns: occurrences are counted by whole minutes");
            return Err(Error::invalid("step", message));
        }
        let start_ns = time.start_ns.div_euclid(MINUTE_NS).saturating_mul(MINUTE_NS);
        let length_ns = time.end_ns.saturating_sub(start_ns) as u64;
        let count = length_ns.div_ceil(step_ns as u64) as usize;
        if count > STEPS_MAX {
            let message =
                format!("a step of {step_ns} ns makes {count} steps, at most {STEPS_MAX}");
            return Err(Error::invalid("step", message));
        }
        Ok(Self { start_ns, step_ns, count })
    }

    fn place(&self, minute: i64) -> usize {
        let at_ns = minute.saturating_mul(MINUTE_NS).saturating_sub(self.start_ns);
        ((at_ns / self.step_ns).max(0) as usize).min(self.count.saturating_sub(1))
    }
}

/// Minutes and their counts that a range touches.
pub(super) fn minutes_in<'c>(
    time: &'c TimeRange,
    counts: &'c ExceptionCounts,
) -> impl Iterator<Item = (i64, u64)> {
    let touches = move |minute: i64| {
        let start_ns = minute.saturating_mul(MINUTE_NS);
        time.overlaps(start_ns, start_ns.saturating_add(MINUTE_NS - 1))
    };
    let minutes = counts.minutes.iter().map(|(minute, count)| (*minute, *count));
    minutes.filter(move |(minute, _)| touches(*minute))
}

/// Occurrences in the minutes that a range touches.
pub(super) fn count_in(time: &TimeRange, counts: &ExceptionCounts) -> u64 {
    minutes_in(time, counts).map(|(_, count)| count).sum()
}

/// Sums up the groups that are wanted.
pub(super) struct Gather {
    wanted: HashMap<Fingerprint, Found>,
    time: TimeRange,
    services: HashSet<String>,
    steps: Option<Steps>,
}

#[derive(Default)]
struct Found {
    shown: ExceptionGroup,
    origins: BTreeMap<ExceptionOrigin, Counted>,
    steps: BTreeMap<String, Vec<u64>>,
}

struct Counted {
    first_ns: i64,
    last_ns: i64,
    count: u64,
}

impl Gather {
    pub fn new(
        wanted: impl Iterator<Item = Fingerprint>,
        time: TimeRange,
        services: HashSet<String>,
        steps: Option<Steps>,
    ) -> Self {
        let wanted = wanted.map(|fingerprint| (fingerprint, Found::default())).collect();
        Self { wanted, time, services, steps }
    }

    pub fn add(&mut self, part: &Exceptions) {
        for (fingerprint, found) in &mut self.wanted {
            let Some(group) = part.groups.get(fingerprint) else { continue };
            found.shown.show(group);
            for (origin, counts) in &group.origins {
                if !self.services.is_empty() && !self.services.contains(&origin.service) {
                    continue;
                }
                let counted = found.origins.entry(origin.clone()).or_insert(Counted {
                    first_ns: counts.first_ns,
                    last_ns: counts.last_ns,
                    count: 0,
                });
                counted.first_ns = counted.first_ns.min(counts.first_ns);
                counted.last_ns = counted.last_ns.max(counts.last_ns);
                counted.count += count_in(&self.time, counts);
                if let Some(steps) = &self.steps {
                    add_steps(&mut found.steps, steps, &self.time, origin, counts);
                }
            }
        }
    }

    /// Whether any occurrence makes a resolved group one that has come back.
    pub fn came_back(&self, state: &ExceptionState) -> bool {
        let found = self.wanted.get(&state.fingerprint);
        let mut origins = found.into_iter().flat_map(|found| &found.origins);
        origins.any(|(origin, counted)| is_regression(state, origin, counted.last_ns))
    }

    /// The groups of which there is anything.
    pub fn finish(self) -> HashMap<Fingerprint, ExceptionDetail> {
        let steps = self.steps;
        let found = self.wanted.into_iter().filter(|(_, found)| !found.origins.is_empty());
        found.map(|(fingerprint, found)| (fingerprint, found.finish(fingerprint, steps))).collect()
    }
}

fn add_steps(
    by_version: &mut BTreeMap<String, Vec<u64>>,
    steps: &Steps,
    time: &TimeRange,
    origin: &ExceptionOrigin,
    counts: &ExceptionCounts,
) {
    let is_other = by_version.len() >= VERSIONS_MAX && !by_version.contains_key(&origin.version);
    let version = if is_other { OTHER_VERSIONS } else { &origin.version };
    let mut minutes = minutes_in(time, counts).peekable();
    if minutes.peek().is_none() {
        return;
    }
    let series = by_version.entry(version.to_owned()).or_insert_with(|| vec![0; steps.count]);
    for (minute, count) in minutes {
        if let Some(step) = series.get_mut(steps.place(minute)) {
            *step += count;
        }
    }
}

impl Found {
    fn finish(self, fingerprint: Fingerprint, steps: Option<Steps>) -> ExceptionDetail {
        let Found { shown, origins, steps: by_version } = self;
        let firsts = origins.values().map(|counted| counted.first_ns);
        let lasts = origins.values().map(|counted| counted.last_ns);
        ExceptionDetail {
            fingerprint,
            frames: parse_frames(&shown.text.stacktrace),
            text: shown.text,
            status: ExceptionStatus::New,
            state: None,
            first_seen_ns: firsts.min().unwrap_or_default(),
            last_seen_ns: lasts.max().unwrap_or_default(),
            count: origins.values().map(|counted| counted.count).sum(),
            origins: origins.into_iter().map(origin_count).collect(),
            steps: steps.map(|steps| ExceptionSteps {
                start_ns: steps.start_ns,
                step_ns: steps.step_ns,
                counts: by_version,
            }),
            samples: shown.samples,
            users: UserCount {
                count: shown.users.count(),
                is_exact: shown.users.is_exact(),
                names: shown.users.names().map(str::to_owned).collect(),
            },
        }
    }
}

fn origin_count((origin, counted): (ExceptionOrigin, Counted)) -> OriginCount {
    OriginCount {
        service: origin.service,
        version: origin.version,
        source: origin.source,
        first_seen_ns: counted.first_ns,
        last_seen_ns: counted.last_ns,
        count: counted.count,
    }
}
