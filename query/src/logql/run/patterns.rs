//! Patterns of the lines of streams over time: templates, as Loki's clients ask for them.

use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use hashbrown::HashMap;
use throughline_model::schema::col;
use throughline_model::span::dict_str;
use throughline_model::template::WILDCARD;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{
    Intervals, ScanColumn, ScanOrder, ScanRequest, TallyBy, TallyRequest, scan_logs, tally_logs,
};

use super::super::ast::LogExpr;
use super::super::pipeline::Wanted;
use super::super::pushdown::Pushdown;
use super::entries::Reading;
use super::names::LEVEL;
use super::origins::{Origins, column};
use super::place::Places;
use super::predicates::Pushed;
use super::tests;
use super::workers::feed;
use crate::engine::Admitted;
use crate::logs::language::Level;
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// What stands for a variable in Loki's patterns.
const VARIABLE: &str = "<_>";
/// Steps of one answer at most.
const STEPS_MAX: i64 = 11_000;

/// Which patterns are asked for.
#[derive(Clone, Debug)]
pub struct PatternsRequest {
    /// The records: a selector and line filters; other stages say nothing here.
    pub selector: LogExpr,
    /// Their times.
    pub time: TimeRange,
    /// The length of a step; steps begin at multiples of it since the epoch.
    pub step_ns: i64,
    /// Patterns at most.
    pub limit: usize,
}

/// Patterns, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct PatternsAnswer {
    /// The patterns.
    pub patterns: Vec<StreamPattern>,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// A pattern at one level of severity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamPattern {
    /// The text, with `<_>` for what varies: the pattern of a line filter.
    pub pattern: String,
    /// The level, where records say one.
    pub level: Option<&'static str>,
    /// Start of a step, and records in it; steps without any are left out.
    pub samples: Vec<(i64, u64)>,
}

type Counts = HashMap<(Arc<str>, Option<Level>), HashMap<i64, u64>>;

impl Engine {
    /// The patterns of the lines that a selector and line filters keep.
    pub async fn log_stream_patterns(
        &self,
        request: &PatternsRequest,
        ctx: &QueryContext,
    ) -> Result<PatternsAnswer> {
        let PatternsRequest { time, step_ns, .. } = *request;
        if step_ns <= 0 || time.end_ns.saturating_sub(time.start_ns) / step_ns.max(1) > STEPS_MAX {
            let message = format!(
                "a step of {step_ns} ns: it is above 0 and makes at most {STEPS_MAX} steps"
            );
            return Err(Error::invalid("step", message));
        }
        let admitted = self.admit(ctx).await?;
        let counts = admitted.budget.run(self.pattern_counts(request, &admitted)).await?;
        let pattern = |((text, level), samples): ((Arc<str>, Option<Level>), HashMap<_, _>)| {
            let mut samples: Vec<(i64, u64)> = samples.into_iter().collect();
            samples.sort_unstable();
            let pattern = text.replace(WILDCARD, VARIABLE);
            StreamPattern { pattern, level: level.map(Level::name), samples }
        };
        let mut patterns: Vec<_> = counts.into_iter().map(pattern).collect();
        let sum = |one: &StreamPattern| one.samples.iter().map(|(_, n)| n).sum::<u64>();
        patterns.sort_by_cached_key(|one| {
            (std::cmp::Reverse(sum(one)), one.pattern.clone(), one.level)
        });
        patterns.truncate(request.limit);
        admitted.budget.stats.add_rows(patterns.len());
        Ok(PatternsAnswer { patterns, stats: admitted.budget.stats.snapshot() })
    }

    async fn pattern_counts(
        &self,
        request: &PatternsRequest,
        admitted: &Admitted,
    ) -> Result<Counts> {
        let (view, scan) = (&admitted.view, &admitted.budget.scan);
        let PatternsRequest { time, step_ns, .. } = *request;
        let places = Places::of_view(view, time, self.origins(), scan).await?;
        let pushed = Pushed::new(&Pushdown::new(&request.selector), &places)?;
        if pushed.is_nothing {
            return Ok(Counts::default());
        }
        if pushed.is_wider {
            return self.scanned_patterns(request, pushed, &places, admitted).await;
        }
        let tally = TallyRequest {
            predicates: pushed.predicates,
            time,
            intervals: Intervals::Steps { origin_ns: 0, step_ns },
            by: TallyBy { service: false, severity: true, template: true },
            sums_bytes: false,
        };
        let tally = tally_logs(view, tally, scan).await?;
        let mut counts = Counts::default();
        for row in &tally.rows {
            let Some(template) = tally.templates.get(row.template as usize) else { continue };
            let key = (template.text.clone(), Level::of_number(row.severity));
            let start_ns = row.interval.saturating_mul(step_ns);
            *counts.entry(key).or_default().entry(start_ns).or_default() += row.count;
        }
        Ok(counts)
    }

    // Of records whose labels must be looked at one by one.
    async fn scanned_patterns(
        &self,
        request: &PatternsRequest,
        pushed: Pushed,
        places: &Places,
        admitted: &Admitted,
    ) -> Result<Counts> {
        let scan = &admitted.budget.scan;
        let selector = &request.selector;
        let has_line = !Pushdown::new(selector).line_filters.is_empty();
        let wanted = Wanted::only([LEVEL]);
        let reading = Arc::new(Reading::new(&wanted, tests(selector)?, has_line, places));
        let lines = super::front(selector)?;
        let mut columns = reading.columns();
        columns.push(ScanColumn::Fixed(col::TEMPLATE.to_owned()));
        let scan_request = ScanRequest {
            columns,
            predicates: pushed.predicates,
            time: request.time,
            order: ScanOrder::Any,
            limit: None,
        };
        let batches = scan_logs(admitted.view.clone(), scan_request, scan.clone());
        let workers = (0..self.parallelism().max(1)).map(|_| Counts::default()).collect();
        let (origins, step_ns) = (self.origins().clone(), request.step_ns);
        let lines = Arc::new(lines);
        let take = move |counts: &mut Counts, batch: RecordBatch| {
            add_batch(counts, &batch, &reading, &lines, &origins, step_ns)
        };
        let mut all = Counts::default();
        for counts in feed(batches, workers, scan, take).await? {
            for (key, samples) in counts {
                let own = all.entry(key).or_default();
                samples.into_iter().for_each(|(at, count)| *own.entry(at).or_default() += count);
            }
        }
        Ok(all)
    }
}

fn add_batch(
    counts: &mut Counts,
    batch: &RecordBatch,
    reading: &Reading,
    lines: &[super::super::pipeline::LineMatcher],
    origins: &Origins,
    step_ns: i64,
) -> Result<()> {
    let templates = column(batch, col::TEMPLATE)?;
    reading.each(batch, origins, |entry, row| {
        if templates.is_null(row) || !lines.iter().all(|filter| filter.keeps(entry.line)) {
            return Ok(());
        }
        let level = entry.structured.iter().find(|(name, _)| *name == LEVEL);
        let level = level.and_then(|(_, level)| Level::of_word(level));
        let start_ns = entry.time_ns.div_euclid(step_ns).saturating_mul(step_ns);
        let key = (Arc::from(dict_str(templates, row)), level);
        *counts.entry(key).or_default().entry(start_ns).or_default() += 1;
        Ok(())
    })
}
