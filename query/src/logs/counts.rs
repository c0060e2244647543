//! How many log records meet a search, by service, severity, template and step of time.
//!
//! Answered by `storage::scan::tally`, which reads no rows where the search's conditions are decided
//! without them: histograms, facets and rates come from here.

use throughline_model::time::TimeRange;
use throughline_storage::scan::{Intervals, Tally, TallyBy, TallyRequest, TallyRow, tally_logs};

use super::LogSearch;
use super::histogram::BUCKETS_MAX;
use super::search::predicates;
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// Groups in one answer at most.
pub const COUNT_GROUPS_MAX: usize = 10_000;
/// Groups times steps in one answer at most.
const CELLS_MAX: usize = 1_000_000;

/// Which counts are asked for.
#[derive(Clone, Debug, Default)]
pub struct LogCountsRequest {
    /// What records meet; its order, limit and cursor say nothing here.
    pub search: LogSearch,
    /// The length of a step; steps begin at multiples of it since the epoch. Needs a range of time.
    pub step_ns: Option<i64>,
    /// Whether services are told apart.
    pub by_service: bool,
    /// Whether severity numbers are told apart.
    pub by_severity: bool,
    /// Whether templates are told apart.
    pub by_template: bool,
    /// Groups at most, 1 to [`COUNT_GROUPS_MAX`].
    pub limit: usize,
}

/// Counts, the largest first.
#[derive(Clone, Debug, Default)]
pub struct LogCounts {
    /// Records that match, those of groups that are left out among them.
    pub total: u64,
    /// The groups. Without any record there is none.
    pub groups: Vec<LogCount>,
    /// Whether there are more groups.
    pub truncated: bool,
    /// Start of the first step of [`LogCount::counts`], nanoseconds since the epoch.
    pub first_step_ns: i64,
    /// What the question did; `partial` names segments whose records are not counted.
    pub stats: QueryStatsSnapshot,
}

/// The count of a group. What does not tell groups apart is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogCount {
    /// The service.
    pub service: Option<String>,
    /// The severity number.
    pub severity_number: Option<i32>,
    /// Id (16 hexadecimal digits) and text of the template.
    pub template: Option<(String, String)>,
    /// Records.
    pub count: u64,
    /// Records by step, none left out; empty if no step was asked for.
    pub counts: Vec<u64>,
}

impl Engine {
    /// Counts the log records that match a search.
    pub async fn log_counts(
        &self,
        request: &LogCountsRequest,
        ctx: &QueryContext,
    ) -> Result<LogCounts> {
        let limit = request.limit;
        if limit == 0 || limit > COUNT_GROUPS_MAX {
            let message = format!("limit is {limit}, allowed are 1 to {COUNT_GROUPS_MAX}");
            return Err(Error::invalid("limit", message));
        }
        let steps = request.step_ns.map(|step_ns| Steps::of(request.search.time, step_ns));
        let steps = steps.transpose()?;
        let intervals = steps.map_or(Intervals::One, |steps| Intervals::Steps {
            origin_ns: steps.first_ns,
            step_ns: steps.step_ns,
        });
        let tally = TallyRequest {
            predicates: predicates(&request.search)?,
            time: request.search.time.unwrap_or(TimeRange::ALL),
            intervals,
            by: TallyBy {
                service: request.by_service,
                severity: request.by_severity,
                template: request.by_template,
            },
            sums_bytes: false,
        };
        let admitted = self.admit(ctx).await?;
        let budget = &admitted.budget;
        let tally = budget
            .run(async { Ok(tally_logs(&admitted.view, tally, &budget.scan).await?) })
            .await?;
        let mut counts = of_tally(tally, request, steps)?;
        budget.stats.add_rows(counts.groups.len());
        counts.stats = budget.stats.snapshot();
        Ok(counts)
    }
}

// The steps of a range.
#[derive(Clone, Copy)]
struct Steps {
    first_ns: i64,
    step_ns: i64,
    count: usize,
}

impl Steps {
    fn of(time: Option<TimeRange>, step_ns: i64) -> Result<Self> {
        if step_ns <= 0 {
            return Err(Error::invalid("step", format!("a step of {step_ns} ns: it is above 0")));
        }
        let bounded = time.filter(|t| t.start_ns != i64::MIN && t.end_ns != i64::MAX);
        let time = bounded.filter(|time| !time.is_empty()).ok_or_else(|| {
            Error::invalid("start", "counts by step need a start, and an end behind it")
        })?;
        let first_ns = time.start_ns.saturating_sub(time.start_ns.rem_euclid(step_ns));
        let last = i128::from(time.end_ns) - 1 - i128::from(first_ns);
        let count = usize::try_from(last / i128::from(step_ns) + 1).unwrap_or(usize::MAX);
        if count > BUCKETS_MAX {
            let message =
                format!("a step of {step_ns} ns makes {count} steps, the most are {BUCKETS_MAX}");
            return Err(Error::invalid("step", message));
        }
        Ok(Self { first_ns, step_ns, count })
    }
}

// Counts of one group together, the largest groups first.
fn of_tally(
    mut tally: Tally,
    request: &LogCountsRequest,
    steps: Option<Steps>,
) -> Result<LogCounts> {
    let key = |row: &TallyRow| (row.service, row.severity, row.template);
    let total = tally.rows.iter().map(|row| row.count).sum();
    tally.rows.sort_unstable_by_key(|row| (key(row), row.interval));
    let mut groups = tally.rows.chunk_by(|a, b| key(a) == key(b)).collect::<Vec<_>>();
    let sum = |rows: &[TallyRow]| rows.iter().map(|row| row.count).sum::<u64>();
    let named = |rows: &[TallyRow]| rows.first().map(|row| named(&tally, row, request));
    groups.sort_by_cached_key(|rows| (std::cmp::Reverse(sum(rows)), named(rows)));
    let truncated = groups.len() > request.limit;
    groups.truncate(request.limit);
    let steps_count = steps.map_or(0, |steps| steps.count);
    let cells = groups.len().saturating_mul(steps_count);
    if cells > CELLS_MAX {
        let message = format!(
            "{} groups of {steps_count} steps: the most are {CELLS_MAX} counts",
            groups.len()
        );
        return Err(Error::invalid("limit", message));
    }
    let group = |rows: &[TallyRow]| {
        let mut counts = vec![0; steps_count];
        for row in rows {
            if let Some(count) =
                usize::try_from(row.interval).ok().and_then(|at| counts.get_mut(at))
            {
                *count += row.count;
            }
        }
        let (service, severity_number, template) = named(rows)?;
        Some(LogCount { service, severity_number, template, count: sum(rows), counts })
    };
    Ok(LogCounts {
        total,
        groups: groups.into_iter().filter_map(group).collect(),
        truncated,
        first_step_ns: steps.map_or(0, |steps| steps.first_ns),
        stats: QueryStatsSnapshot::default(),
    })
}

type Named = (Option<String>, Option<i32>, Option<(String, String)>);

// What tells the group of a row from others, in words.
fn named(tally: &Tally, row: &TallyRow, request: &LogCountsRequest) -> Named {
    let service = tally.services.get(row.service as usize).filter(|_| request.by_service);
    let template = tally.templates.get(row.template as usize).filter(|_| request.by_template);
    (
        service.map(|name| name.to_string()),
        request.by_severity.then_some(row.severity),
        template.map(|template| (format!("{:016x}", template.hash), template.text.to_string())),
    )
}
