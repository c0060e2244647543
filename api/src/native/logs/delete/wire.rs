//! What goes over the wire of deletions.

use serde::{Deserialize, Serialize};
use throughline_model::time::format_rfc3339;
use throughline_query::logs::LogSearch;
use throughline_storage::LogDeletion;
use utoipa::ToSchema;

use super::super::super::params::Params;
use super::super::params::{search_of, severity};
use crate::error::{ApiError, Result};

/// Which records are to be deleted: all conditions hold for a record, and there is one at least, or a range of time.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DeleteLogs {
    /// Words of the body, as in log search.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "\"card number\"")]
    pub query: String,
    /// Conditions on attributes and fields, as in log search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["user.id=7"]))]
    pub filter: Vec<String>,
    /// The service is one of these.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub service: Vec<String>,
    /// The least severity: a word or a number from 1 to 24.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// The highest severity.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "debug")]
    pub severity_max: String,
    /// The trace that the records belong to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub trace_id: String,
    /// The span that the records belong to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub span_id: String,
    /// At or after this time, as in log search.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub start: String,
    /// Before this time.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub end: String,
    /// Whether the records are only counted.
    #[serde(skip_serializing)]
    pub dry_run: bool,
}

/// Severities up to a word are those of its four numbers.
const NUMBERS_BEHIND_WORD: i32 = 3;

impl DeleteLogs {
    /// The search that finds the records.
    pub fn search(&self, now_ns: i64) -> Result<LogSearch> {
        let mut pairs = Vec::new();
        for (name, value) in [
            ("query", &self.query),
            ("severity", &self.severity),
            ("trace_id", &self.trace_id),
            ("span_id", &self.span_id),
            ("start", &self.start),
            ("end", &self.end),
        ] {
            pairs.push((name.to_owned(), value.clone()));
        }
        let of = |name: &'static str| move |value: &String| (name.to_owned(), value.clone());
        pairs.extend(self.filter.iter().map(of("filter")));
        pairs.extend(self.service.iter().map(of("service")));
        let search = search_of(&Params::of_pairs(pairs), now_ns)?;
        let severity_max = match self.severity_max.as_str() {
            "" => None,
            text => {
                let number = severity(text).map_err(|_| {
                    let detail = format!("severity_max '{text}' is no severity");
                    ApiError::invalid("severity_max", text, detail)
                })?;
                let is_word = text.parse::<i32>().is_err();
                Some(if is_word { number + NUMBERS_BEHIND_WORD } else { number })
            }
        };
        Ok(LogSearch { severity_max, ..search })
    }
}

/// A deletion.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Deletion {
    /// Names it; none for a dry run.
    #[schema(example = "01KAHGZ0000000000000000000")]
    pub id: Option<String>,
    /// `counted` (a dry run), `deleted` (no question finds the records any more, files still hold them), or
    /// `rewritten` (no file holds them).
    #[schema(example = "deleted")]
    pub status: &'static str,
    /// When it was asked for.
    pub asked_at: String,
    /// What was asked for.
    pub request: serde_json::Value,
    /// Records that it deleted.
    pub records: u64,
    /// Segments whose files still hold some of them.
    pub segments_left: u64,
}

impl Deletion {
    /// What is told of a deletion.
    pub fn new(deletion: LogDeletion, is_dry: bool) -> Self {
        let LogDeletion { id, asked_at_ns, query, rows, segments_left, .. } = deletion;
        Self {
            id: (!is_dry).then(|| id.to_string()),
            status: match (is_dry, segments_left) {
                (true, _) => "counted",
                (false, 0) => "rewritten",
                (false, _) => "deleted",
            },
            asked_at: format_rfc3339(asked_at_ns),
            request: serde_json::from_str(&query).unwrap_or(serde_json::Value::String(query)),
            records: rows,
            segments_left,
        }
    }
}

/// Deletions, the newest first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Deletions {
    /// The deletions.
    pub deletions: Vec<Deletion>,
}
