//! Aggregations: a tree of buckets, and numbers in them.
//!
//! ```text
//! JSON → Level (buckets and numbers side by side; `read`)
//!      → one `stats` a kind of bucket, grouped by it and all around it (`ask`)
//!      → JSON, buckets in order and cut to size (`answer`)
//! ```

mod answer;
mod ask;
mod metric;
mod read;

use serde_json::Value;

use super::condition::Condition;
use super::dsl::Asked;
use super::error::Result;
use super::names::Name;
use crate::state::ApiState;
use metric::Metric;
pub use read::read;

/// What stands side by side: buckets, and numbers.
#[derive(Debug, Default)]
pub struct Level {
    nodes: Vec<Node>,
    metrics: Vec<Metric>,
}

impl Level {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.metrics.is_empty()
    }
}

/// Buckets of one kind, and what is in each.
#[derive(Debug)]
struct Node {
    name: String,
    kind: Kind,
    inner: Level,
}

#[derive(Debug)]
enum Kind {
    Terms(Terms),
    Times(Steps),
    Numbers {
        field: Name,
        size: f64,
        count_min: u64,
    },
    /// By name; `filter` has one without a name.
    Filters(Vec<(String, Condition)>),
    Filter(Condition),
}

/// The values of a field.
#[derive(Debug)]
struct Terms {
    field: Name,
    size: usize,
    count_min: u64,
    /// Name of a number, `_count` or `_key`; whether the greatest comes first.
    order: Vec<(String, bool)>,
    missing: Option<Value>,
}

/// Steps of time.
#[derive(Debug)]
struct Steps {
    step_ns: i64,
    count_min: u64,
    /// The steps that are there at least.
    at_least: Option<(i64, i64)>,
    /// Those that are there at most.
    at_most: Option<(i64, i64)>,
    /// Whether their texts are milliseconds.
    in_millis: bool,
}

/// Answers all aggregations of a search.
pub async fn answer(state: &ApiState, level: &Level, asked: &Asked) -> Result<Value> {
    let found = ask::ask(state, level, asked).await?;
    answer::write(level, &found, asked)
}
