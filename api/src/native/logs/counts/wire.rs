//! What goes over the wire of counts.

use serde::Serialize;
use throughline_model::time::SECOND_NS;
use throughline_query::logs as query;
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use crate::render::value::time;

/// Counts of log records.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogCounts)]
pub struct Counts {
    /// Records that match, those of groups beyond `limit` among them.
    #[schema(example = 42)]
    pub total: u64,
    /// The groups, the largest first.
    pub groups: Vec<Count>,
    /// Whether there are more groups than `limit`.
    pub truncated: bool,
    /// The steps of `counts`; absent unless some were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Steps>,
    /// What the question cost.
    pub stats: Stats,
}

/// Steps of time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogCountSteps)]
pub struct Steps {
    /// Start of the first.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T11:00:00.000000000Z")]
    pub start: i64,
    /// Length of each.
    #[schema(example = 60.0)]
    pub step_seconds: f64,
}

/// The count of a group; what does not tell groups apart is absent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LogCount)]
pub struct Count {
    /// The service.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "cart")]
    pub service: Option<String>,
    /// The severity number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 17)]
    pub severity_number: Option<i32>,
    /// The template's id in hex digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "5f3a1c0be7d94c12")]
    pub template_id: Option<String>,
    /// What bodies look like without their variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user <*> logged in")]
    pub template: Option<String>,
    /// Records.
    #[schema(example = 42)]
    pub count: u64,
    /// Records by step, from `steps.start` on.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub counts: Vec<u64>,
}

impl Counts {
    /// The answer of the engine, with the step that was asked for.
    pub fn new(found: query::LogCounts, step_ns: Option<i64>) -> Self {
        let steps = step_ns.map(|step_ns| Steps {
            start: found.first_step_ns,
            step_seconds: step_ns as f64 / SECOND_NS as f64,
        });
        Self {
            total: found.total,
            groups: found.groups.into_iter().map(Count::from).collect(),
            truncated: found.truncated,
            steps,
            stats: found.stats.into(),
        }
    }
}

impl From<query::LogCount> for Count {
    fn from(group: query::LogCount) -> Self {
        let (template_id, template) = group.template.unzip();
        Self {
            service: group.service,
            severity_number: group.severity_number,
            template_id,
            template,
            count: group.count,
            counts: group.counts,
        }
    }
}
