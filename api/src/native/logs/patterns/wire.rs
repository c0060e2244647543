//! What goes over the wire of patterns.

use serde::Serialize;
use throughline_model::time::SECOND_NS;
use throughline_query::logs as query;
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use crate::render::value::time;

/// Patterns of bodies.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPatterns)]
pub struct Patterns {
    /// The patterns, the most frequent first.
    pub patterns: Vec<Pattern>,
    /// Start of the first step of `counts`.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:00:00.000000000Z")]
    pub start: i64,
    /// Length of a step.
    #[schema(example = 60.0)]
    pub step_seconds: f64,
    /// Whether there are more patterns than `limit`.
    pub truncated: bool,
    /// What the question cost.
    pub stats: Stats,
}

/// A pattern.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPattern)]
pub struct Pattern {
    /// Its id in hex digits, the same for equal patterns: `template_id:…` finds its records.
    #[schema(example = "5f3a1c0be7d94c12")]
    pub template_id: String,
    /// What its bodies look like without their variables.
    #[schema(example = "user <*> logged in")]
    pub pattern: String,
    /// Its records.
    #[schema(example = 42)]
    pub count: u64,
    /// Its records by level.
    pub levels: LevelCounts,
    /// Its records by step of time, from `start` on.
    pub counts: Vec<u64>,
    /// Time of its first record in the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:00:00.000000000Z")]
    pub first_seen: i64,
    /// Time of its last record in the range.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:59:59.000000000Z")]
    pub last_seen: i64,
    /// The body of its last record, as text.
    #[schema(example = "user ann logged in")]
    pub example: Option<String>,
}

/// Records by level.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogLevelCounts)]
pub struct LevelCounts {
    /// Without a level.
    pub none: u64,
    /// Of level trace.
    pub trace: u64,
    /// Of level debug.
    pub debug: u64,
    /// Of level info.
    pub info: u64,
    /// Of level warn.
    pub warn: u64,
    /// Of level error.
    pub error: u64,
    /// Of level fatal.
    pub fatal: u64,
}

/// What differs between two ranges.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogPatternsDiff)]
pub struct PatternsDiff {
    /// The patterns: new ones first, then vanished ones, each the most frequent first.
    pub patterns: Vec<ChangedPattern>,
    /// Whether there are more patterns than `limit`.
    pub truncated: bool,
    /// What the question cost.
    pub stats: Stats,
}

/// A pattern that one of two ranges has.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogChangedPattern)]
pub struct ChangedPattern {
    /// Its id in hex digits.
    #[schema(example = "5f3a1c0be7d94c12")]
    pub template_id: String,
    /// What its bodies look like without their variables.
    #[schema(example = "connection <*> refused")]
    pub pattern: String,
    /// `new` or `vanished`.
    #[schema(example = "new")]
    pub change: &'static str,
    /// Its records in the range that has it.
    #[schema(example = 42)]
    pub count: u64,
    /// Time of its first record.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:00:00.000000000Z")]
    pub first_seen: i64,
    /// Time of its last record.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:59:59.000000000Z")]
    pub last_seen: i64,
}

impl Patterns {
    /// The answer of the engine, with the step that was asked for.
    pub fn new(found: query::Patterns, step_ns: i64) -> Self {
        Self {
            patterns: found.patterns.into_iter().map(Pattern::from).collect(),
            start: found.first_step_ns,
            step_seconds: step_ns as f64 / SECOND_NS as f64,
            truncated: found.truncated,
            stats: found.stats.into(),
        }
    }
}

impl From<query::Pattern> for Pattern {
    fn from(pattern: query::Pattern) -> Self {
        let [none, trace, debug, info, warn, error, fatal] = pattern.levels;
        Self {
            template_id: pattern.template_id,
            pattern: pattern.template,
            count: pattern.count,
            levels: LevelCounts { none, trace, debug, info, warn, error, fatal },
            counts: pattern.counts,
            first_seen: pattern.first_seen_ns,
            last_seen: pattern.last_seen_ns,
            example: pattern.example,
        }
    }
}

impl From<query::PatternsDiff> for PatternsDiff {
    fn from(diff: query::PatternsDiff) -> Self {
        let changed = |pattern: query::ChangedPattern| ChangedPattern {
            template_id: pattern.template_id,
            pattern: pattern.template,
            change: if pattern.is_new { "new" } else { "vanished" },
            count: pattern.count,
            first_seen: pattern.first_seen_ns,
            last_seen: pattern.last_seen_ns,
        };
        Self {
            patterns: diff.patterns.into_iter().map(changed).collect(),
            truncated: diff.truncated,
            stats: diff.stats.into(),
        }
    }
}
