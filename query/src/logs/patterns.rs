//! Patterns of bodies: how often, how severe, when; and what differs between two ranges of time.
//!
//! ```text
//! filter → `| patterns` → the most frequent templates
//!        → of these: `| stats by (template_id, level)`, `| stats by (template_id, <step>)`
//! filter → `| diff [before] [after]` → templates that are new or vanished
//! ```
//! All are queries of the log language, so that they agree with what a user asks by hand.

use std::cmp::Ordering;
use std::collections::HashMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use futures::TryStreamExt;
use throughline_model::time::TimeRange;

use super::ask::{lowered, of_lowered, placed};
use super::histogram::BUCKETS_MAX;
use super::language::ast::Filter;
use super::language::{Bounds, LEVEL_NAMES, parse};
use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

/// Patterns in one answer at most.
pub const PATTERNS_MAX: usize = 1000;

/// Which patterns are asked for.
#[derive(Clone, Debug)]
pub struct PatternsRequest {
    /// A filter of the log language, without pipes; empty for all records.
    pub filter: String,
    /// Records of this range.
    pub time: TimeRange,
    /// What `now` is in the filter.
    pub now_ns: i64,
    /// The step of [`Pattern::counts`].
    pub step_ns: i64,
    /// Patterns at most, 1 to [`PATTERNS_MAX`].
    pub limit: usize,
}

/// Patterns, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    /// The patterns.
    pub patterns: Vec<Pattern>,
    /// Whether there are more.
    pub truncated: bool,
    /// Start of the first step of [`Pattern::counts`], nanoseconds since the epoch.
    pub first_step_ns: i64,
    /// What the questions did, together.
    pub stats: QueryStatsSnapshot,
}

/// A pattern.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pattern {
    /// Its id: 16 hexadecimal digits, the same for equal templates.
    pub template_id: String,
    /// The template.
    pub template: String,
    /// Records of it.
    pub count: u64,
    /// Records by level: none, trace, debug, info, warn, error, fatal.
    pub levels: [u64; 7],
    /// Records by step of time, none left out.
    pub counts: Vec<u64>,
    /// Time of its first record, nanoseconds since the epoch.
    pub first_seen_ns: i64,
    /// Time of its last record.
    pub last_seen_ns: i64,
    /// Text of the body of its last record.
    pub example: Option<String>,
}

/// Which difference is asked for.
#[derive(Clone, Debug)]
pub struct PatternsDiffRequest {
    /// A filter of the log language, without pipes; empty for all records.
    pub filter: String,
    /// The range that is compared with.
    pub before: TimeRange,
    /// The range that is looked at.
    pub after: TimeRange,
    /// What `now` is in the filter.
    pub now_ns: i64,
    /// Patterns at most, 1 to [`PATTERNS_MAX`].
    pub limit: usize,
}

/// Patterns that one of two ranges has: new ones first, then vanished ones, the most frequent first.
#[derive(Clone, Debug, Default)]
pub struct PatternsDiff {
    /// The patterns.
    pub patterns: Vec<ChangedPattern>,
    /// Whether there are more.
    pub truncated: bool,
    /// What the question did.
    pub stats: QueryStatsSnapshot,
}

/// A pattern that one of two ranges has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedPattern {
    /// Its id: 16 hexadecimal digits.
    pub template_id: String,
    /// The template.
    pub template: String,
    /// Whether the later range has it, else the earlier.
    pub is_new: bool,
    /// Records of it.
    pub count: u64,
    /// Time of its first record, nanoseconds since the epoch.
    pub first_seen_ns: i64,
    /// Time of its last record.
    pub last_seen_ns: i64,
}

impl Engine {
    /// The patterns of the records that meet a filter.
    pub async fn log_patterns(
        &self,
        request: &PatternsRequest,
        ctx: &QueryContext,
    ) -> Result<Patterns> {
        check_limit(request.limit)?;
        let PatternsRequest { time, step_ns, .. } = *request;
        let steps = Steps::new(time, step_ns)?;
        let filter = bar(&request.filter)?;
        let ask = Ask { engine: self, ctx, bounds: bounds(time, request.now_ns) };
        let text = format!("{filter} | patterns {}", request.limit + 1);
        let (batches, mut stats) = ask.run(&text, None).await?;
        let mut patterns = Vec::new();
        for batch in &batches {
            let (ids, templates) = (texts(batch, "template_id")?, texts(batch, "template")?);
            let counts = counts(batch, "hits")?;
            let (first, last) = (times(batch, "first_seen")?, times(batch, "last_seen")?);
            patterns.extend((0..batch.num_rows()).map(|row| Pattern {
                template_id: ids(row),
                template: templates(row),
                count: counts(row),
                counts: vec![0; steps.count],
                first_seen_ns: first(row),
                last_seen_ns: last(row),
                ..Pattern::default()
            }));
        }
        let truncated = patterns.len() > request.limit;
        patterns.truncate(request.limit);
        if !patterns.is_empty() {
            let mut found = Found::new(patterns);
            let ids = found.ids();
            let levels = "stats by (template_id, level) count() as hits, last(body) as example, \
                          max(time) as last_seen";
            let text = format!("{filter} | {levels}");
            let (batches, more) = ask.run(&text, Some(&ids)).await?;
            stats.add(more);
            batches.iter().try_for_each(|batch| found.add_levels(batch))?;
            let text = format!("{filter} | stats by (template_id, {step_ns}ns) count() as hits");
            let (batches, more) = ask.run(&text, Some(&ids)).await?;
            stats.add(more);
            batches.iter().try_for_each(|batch| found.add_steps(batch, &steps))?;
            patterns = found.patterns;
        }
        Ok(Patterns { patterns, truncated, first_step_ns: steps.first_ns, stats })
    }

    /// The patterns that one of two ranges has and the other has not, of the records that meet a filter.
    pub async fn log_patterns_diff(
        &self,
        request: &PatternsDiffRequest,
        ctx: &QueryContext,
    ) -> Result<PatternsDiff> {
        check_limit(request.limit)?;
        let filter = bar(&request.filter)?;
        let window = |range: TimeRange| {
            let time = throughline_model::time::format_rfc3339;
            format!("[{}, {}]", time(range.start_ns), time(range.end_ns))
        };
        let (before, after) = (window(request.before), window(request.after));
        let text = format!("{filter} | diff {before} {after} | limit {}", request.limit + 1);
        let ask = Ask { engine: self, ctx, bounds: bounds(request.after, request.now_ns) };
        let (batches, stats) = ask.run(&text, None).await?;
        let mut patterns = Vec::new();
        for batch in &batches {
            let (ids, templates) = (texts(batch, "template_id")?, texts(batch, "template")?);
            let (before, after) = (counts(batch, "hits_before")?, counts(batch, "hits")?);
            let (first, last) = (times(batch, "first_seen")?, times(batch, "last_seen")?);
            patterns.extend((0..batch.num_rows()).map(|row| ChangedPattern {
                template_id: ids(row),
                template: templates(row),
                is_new: before(row) == 0,
                count: before(row).max(after(row)),
                first_seen_ns: first(row),
                last_seen_ns: last(row),
            }));
        }
        let truncated = patterns.len() > request.limit;
        patterns.truncate(request.limit);
        Ok(PatternsDiff { patterns, truncated, stats })
    }
}

fn check_limit(limit: usize) -> Result<()> {
    if (1..=PATTERNS_MAX).contains(&limit) {
        return Ok(());
    }
    Err(Error::invalid("limit", format!("limit is {limit}, allowed are 1 to {PATTERNS_MAX}")))
}

fn bounds(time: TimeRange, now_ns: i64) -> Bounds {
    let TimeRange { start_ns, end_ns } = time;
    Bounds { start_ns, end_ns, now_ns, limit: PATTERNS_MAX as u64 + 1, newest_first: true }
}

// The filter of a text that has no pipes, in parentheses of its own where it needs some.
fn bar(text: &str) -> Result<String> {
    let query = parse(text).map_err(|err| placed(&err, text))?;
    if let Some(pipe) = query.pipes.first() {
        let at = text.get(..pipe.place.start).unwrap_or(text).chars().count();
        let message = "the filter of patterns has no pipes";
        return Err(Error::invalid("query", message).with_position(at));
    }
    Ok(match query.filter {
        Filter::All => "*".to_owned(),
        filter => filter.to_string(),
    })
}

// What the questions have in common.
struct Ask<'a> {
    engine: &'a Engine,
    ctx: &'a QueryContext,
    bounds: Bounds,
}

impl Ask<'_> {
    // The rows of a query, of only these templates where some are named.
    async fn run(
        &self,
        text: &str,
        ids: Option<&str>,
    ) -> Result<(Vec<RecordBatch>, QueryStatsSnapshot)> {
        let mut sql = lowered(text, &self.bounds)?.sql;
        if let Some(ids) = ids {
            sql = format!("SELECT * FROM (\n{sql}\n) AS patterns WHERE template_id IN ({ids})");
        }
        let result = self.engine.sql(&sql, self.ctx).await.map_err(of_lowered)?;
        let batches = result.stream.try_collect().await?;
        Ok((batches, result.stats.snapshot()))
    }
}

// The steps of a range.
struct Steps {
    first_ns: i64,
    step_ns: i64,
    count: usize,
}

impl Steps {
    fn new(time: TimeRange, step_ns: i64) -> Result<Self> {
        if step_ns <= 0 || time.is_empty() {
            return Err(Error::invalid("step", "the step or the range of time is empty"));
        }
        let first_ns = time.start_ns.div_euclid(step_ns).saturating_mul(step_ns);
        let last = time.end_ns.saturating_sub(1).saturating_sub(first_ns) / step_ns;
        let count = usize::try_from(last).unwrap_or(usize::MAX).saturating_add(1);
        if count > BUCKETS_MAX {
            let message = format!("a step of {step_ns} ns makes more than {BUCKETS_MAX} steps");
            return Err(Error::invalid("step", message));
        }
        Ok(Self { first_ns, step_ns, count })
    }

    fn number(&self, time_ns: i64) -> Option<usize> {
        usize::try_from(time_ns.checked_sub(self.first_ns)? / self.step_ns).ok()
    }
}

// Patterns to which more is added.
struct Found {
    patterns: Vec<Pattern>,
    places: HashMap<String, usize>,
    // When the example of each was seen.
    example_ns: Vec<i64>,
}

impl Found {
    fn new(patterns: Vec<Pattern>) -> Self {
        let place = |(place, pattern): (usize, &Pattern)| (pattern.template_id.clone(), place);
        let places = patterns.iter().enumerate().map(place).collect();
        Self { example_ns: vec![i64::MIN; patterns.len()], patterns, places }
    }

    // As a list of SQL.
    fn ids(&self) -> String {
        let quoted = |id: &String| format!("'{}'", id.replace('\'', "''"));
        self.places.keys().map(quoted).collect::<Vec<_>>().join(", ")
    }

    fn add_levels(&mut self, batch: &RecordBatch) -> Result<()> {
        let (ids, counts) = (texts(batch, "template_id")?, counts(batch, "hits")?);
        let (levels, seen) = (texts(batch, "level")?, times(batch, "last_seen")?);
        let examples = column(batch, "example")?.as_string::<i32>();
        for row in 0..batch.num_rows() {
            let Some(place) = self.places.get(&ids(row)) else { continue };
            let pattern = &mut self.patterns[*place];
            let level = LEVEL_NAMES.iter().position(|name| *name == levels(row));
            pattern.levels[level.map_or(0, |level| level + 1)] += counts(row);
            if examples.is_null(row) {
                continue;
            }
            // Of levels that were seen last at the same time, the first text counts.
            let (example, known_ns) = (examples.value(row), self.example_ns[*place]);
            let is_better = match &pattern.example {
                Some(known) => match seen(row).cmp(&known_ns) {
                    Ordering::Equal => example < known.as_str(),
                    order => order.is_gt(),
                },
                None => true,
            };
            if is_better {
                pattern.example = Some(example.to_owned());
                self.example_ns[*place] = seen(row);
            }
        }
        Ok(())
    }

    fn add_steps(&mut self, batch: &RecordBatch, steps: &Steps) -> Result<()> {
        let (ids, counts) = (texts(batch, "template_id")?, counts(batch, "hits")?);
        let starts = times(batch, "time")?;
        for row in 0..batch.num_rows() {
            let Some(place) = self.places.get(&ids(row)) else { continue };
            let number = steps.number(starts(row));
            if let Some(count) = number.and_then(|at| self.patterns[*place].counts.get_mut(at)) {
                *count += counts(row);
            }
        }
        Ok(())
    }
}

fn column<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b dyn Array> {
    let column = batch.column_by_name(name).map(AsRef::as_ref);
    column.ok_or_else(|| Error::internal(format!("an answer has no column {name}")))
}

fn texts<'b>(batch: &'b RecordBatch, name: &str) -> Result<impl Fn(usize) -> String + use<'b>> {
    let texts = column(batch, name)?.as_string::<i32>();
    Ok(move |row| if texts.is_valid(row) { texts.value(row).to_owned() } else { String::new() })
}

fn counts<'b>(batch: &'b RecordBatch, name: &str) -> Result<impl Fn(usize) -> u64 + use<'b>> {
    let counts = column(batch, name)?.as_primitive::<Int64Type>();
    Ok(move |row| u64::try_from(counts.value(row)).unwrap_or_default())
}

fn times<'b>(batch: &'b RecordBatch, name: &str) -> Result<impl Fn(usize) -> i64 + use<'b>> {
    let times = column(batch, name)?.as_primitive::<TimestampNanosecondType>();
    Ok(move |row| times.value(row))
}
