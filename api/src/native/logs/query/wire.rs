//! What goes over the wire of the log language.

use arrow::datatypes::{DataType, Schema};
use serde::{Deserialize, Serialize};
use throughline_query::logs::language::{Answer, Column, ColumnKind, Lowered};
use utoipa::ToSchema;

use super::super::super::stats::Stats;
use super::super::super::traceql::wire::Span;
use crate::render::column_type;

/// A question in the log language.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[allow(dead_code)] // documentation for OpenAPI: the parameters are read as those of an address
pub struct LogQueryRequest {
    /// The query, a filter and pipes; all records unless given.
    #[schema(example = "level:>=error | top 5 by (service)")]
    query: Option<String>,
    /// Start of the range; an hour before its end unless given.
    #[schema(example = "-1h")]
    start: Option<String>,
    /// End of the range; now unless given.
    #[schema(example = "now")]
    end: Option<String>,
    /// Rows at most.
    #[schema(example = 100, minimum = 1, maximum = 100_000)]
    limit: Option<u64>,
    /// `newest` or `oldest` records first, where the query does not sort.
    #[schema(example = "newest")]
    order: Option<String>,
    /// `json`, `ndjson`, `csv` or `arrow`; by `Accept` unless given.
    #[schema(example = "json")]
    format: Option<String>,
    /// With `true`, the SQL that the query means instead of its answer.
    explain: Option<bool>,
}

/// An answer in JSON; answers are written piece by piece in this shape.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogQueryAnswer {
    /// `records` (whole records), `table`, or `series` (a table with a column `time` of steps).
    #[schema(example = "table")]
    pub kind: &'static str,
    /// The SQL that the query means.
    pub sql: String,
    /// The columns, in order.
    pub columns: Vec<LogColumn>,
    /// Of `records`: an object each, by column. The body is text, a structured one as JSON; attributes
    /// are objects.
    #[schema(value_type = Option<Vec<Object>>)]
    pub records: Option<Vec<serde_json::Value>>,
    /// Of tables and series: one cell a column. Integers past 2⁵³ and non-finite doubles are strings.
    #[schema(value_type = Option<Vec<Vec<Object>>>, example = json!([["cart", 42]]))]
    pub rows: Option<Vec<Vec<serde_json::Value>>>,
    /// Whether there are more rows than `limit`.
    pub truncated: bool,
    /// What the query cost.
    pub stats: Stats,
}

/// A column of an answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogColumn {
    /// Its name.
    #[schema(example = "service")]
    pub name: String,
    /// Its type, as SQL answers name it.
    #[serde(rename = "type")]
    #[schema(example = "string")]
    pub data_type: String,
    /// `text`, `number`, `time`, `id`, `list` or `attributes`.
    #[schema(example = "text")]
    pub kind: &'static str,
}

/// What a query means.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogQueryExplained {
    /// `records`, `table` or `series`.
    #[schema(example = "records")]
    pub kind: &'static str,
    /// The SQL that the query means.
    #[schema(example = "SELECT *\nFROM logs")]
    pub sql: String,
}

/// A query as it is usually written.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogQueryFormatted {
    /// The query.
    #[schema(example = "level:error | limit 5")]
    pub query: String,
}

/// What fits at a cursor.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LogCompletion {
    /// What the chosen text takes the place of.
    pub replace: Span,
    /// The proposals.
    pub proposals: Vec<LogProposal>,
    /// Whether there may be more names or values.
    pub truncated: bool,
}

/// A text that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LogProposal {
    /// What is shown.
    #[schema(example = "service")]
    pub text: String,
    /// What is written when it is chosen.
    #[schema(example = "service:")]
    pub insert: String,
    /// `field`, `value`, `keyword`, `pipe`, `function` or `symbol`.
    #[schema(example = "field")]
    pub kind: &'static str,
    /// What it does, in a few words; empty where its name says so.
    #[schema(example = "service")]
    pub detail: &'static str,
    /// How often it occurs, of what was looked at.
    pub count: Option<u64>,
}

impl From<Lowered> for LogQueryExplained {
    fn from(lowered: Lowered) -> Self {
        Self { kind: kind_name(lowered.kind), sql: lowered.sql }
    }
}

/// The name of what rows are.
pub fn kind_name(kind: Answer) -> &'static str {
    match kind {
        Answer::Records => "records",
        Answer::Table => "table",
        Answer::Series => "series",
    }
}

/// The columns of an answer; pipes made some of them.
pub fn columns(schema: &Schema, made: &[Column]) -> Vec<LogColumn> {
    let column = |field: &arrow::datatypes::FieldRef| {
        let data_type = column_type::name(field);
        let kind = match made.iter().find(|column| column.name == *field.name()) {
            Some(column) => made_kind(column.kind),
            None => match (data_type.as_str(), field.data_type()) {
                ("id", _) => "id",
                ("attributes", _) => "attributes",
                (_, DataType::Timestamp(..)) => "time",
                (_, DataType::List(_) | DataType::LargeList(_)) => "list",
                (_, data_type) if data_type.is_numeric() => "number",
                _ => "text",
            },
        };
        LogColumn { name: field.name().clone(), data_type, kind }
    };
    schema.fields().iter().map(column).collect()
}

fn made_kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Text => "text",
        ColumnKind::Number => "number",
        ColumnKind::Time => "time",
        ColumnKind::Id => "id",
        ColumnKind::List => "list",
    }
}
