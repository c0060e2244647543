//! What goes over the wire of SQL.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::stats::Stats;

/// A question in SQL.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SqlRequest {
    /// One reading statement. Tables: spans, span_events, span_links, traces, exceptions, logs, series,
    /// samples, metrics, histograms, exemplars, service_edges.
    #[schema(
        example = "SELECT service_name, count(*) AS spans FROM spans GROUP BY 1 ORDER BY 2 DESC"
    )]
    pub query: String,
    /// Deadline in milliseconds; at most the server's own.
    #[serde(default)]
    #[schema(example = 10_000, minimum = 1)]
    pub timeout_ms: Option<u64>,
    /// Stop after this many rows; `truncated` then says whether there were more.
    #[serde(default)]
    #[schema(example = 1_000, minimum = 1)]
    pub limit: Option<u64>,
}

/// A column of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SqlColumn {
    /// Its name.
    #[schema(example = "service_name")]
    pub name: String,
    /// Its type: `string`, `id` (hex digits), `int64`, `float64`, `bool`, `timestamp` (RFC 3339),
    /// `attributes` (an object), `list<…>`, …
    #[serde(rename = "type")]
    #[schema(example = "string")]
    pub kind: String,
}

/// An answer in JSON; answers are written piece by piece in this shape.
#[derive(Debug, Serialize, ToSchema)]
pub struct SqlAnswer {
    /// The columns, in order.
    pub columns: Vec<SqlColumn>,
    /// The rows: one cell a column. Integers past 2⁵³ and non-finite doubles are strings.
    #[schema(value_type = Vec<Vec<Object>>, example = json!([["cart", 42]]))]
    pub rows: Vec<Vec<serde_json::Value>>,
    /// Whether `limit` cut the answer.
    pub truncated: bool,
    /// What the query cost.
    pub stats: Stats,
}
