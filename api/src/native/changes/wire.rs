//! What goes over the wire of changes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use throughline_query::changes as query;
use throughline_storage::{PostedChange, PostedKind};
use utoipa::ToSchema;

use super::super::stats::Stats;
use super::super::time::parse_time_ns;
use crate::error::{ApiError, Result};
use crate::render::value::time;

const KINDS: [(&str, PostedKind); 4] = [
    ("deployment", PostedKind::Deployment),
    ("config", PostedKind::Config),
    ("feature-flag", PostedKind::FeatureFlag),
    ("other", PostedKind::Other),
];

/// Changes, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    /// There are more, or more versions than can be kept.
    pub truncated: bool,
    /// What the look cost.
    pub stats: Stats,
}

/// A change of a service.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// Its number; null where telemetry told it.
    pub id: Option<u64>,
    /// `telemetry` or `posted`.
    #[schema(example = "telemetry")]
    pub source: &'static str,
    /// `deployment`, `rollback`, `config`, `feature-flag` or `other`.
    #[schema(example = "deployment")]
    pub kind: &'static str,
    /// When it happened.
    #[serde(serialize_with = "time")]
    #[schema(value_type = String, example = "2026-11-20T12:00:00.000000000Z")]
    pub time: i64,
    /// The service that changed; empty for all.
    #[schema(example = "payment")]
    pub service_name: String,
    /// The version that runs since; empty where that is not the change.
    #[schema(example = "1.1.0")]
    pub service_version: String,
    /// The version that ran before; empty where that is not known.
    #[schema(example = "1.0.0")]
    pub previous_version: String,
    /// In words.
    pub title: String,
    /// Where to read more; empty for nowhere.
    pub link: String,
    /// Whatever else was said.
    #[schema(value_type = Object)]
    pub attributes: Json,
}

/// A change to keep.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChange {
    /// `deployment`, `config`, `feature-flag` or `other`.
    #[schema(example = "feature-flag")]
    pub kind: String,
    /// What changed, in words.
    #[schema(example = "express checkout is on for everybody")]
    pub title: String,
    /// When it happened: RFC 3339, Unix time, `-5m`; now where it is left out.
    #[serde(default)]
    #[schema(example = "2026-11-20T12:00:00Z")]
    pub time: Option<String>,
    /// The service that changed; left out for all.
    #[serde(default)]
    #[schema(example = "checkout")]
    pub service_name: String,
    /// The version that runs since.
    #[serde(default)]
    pub service_version: String,
    /// Where to read more: an http or https address.
    #[serde(default)]
    #[schema(example = "https://ci.example/builds/7")]
    pub link: String,
    /// Whatever else is worth saying.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub attributes: Map<String, Json>,
}

impl NewChange {
    /// What the body says.
    pub fn read(self, now_ns: i64) -> Result<PostedChange> {
        let known = KINDS.iter().find(|(name, _)| *name == self.kind);
        let kind = known.map(|(_, kind)| *kind).ok_or_else(|| {
            let names = KINDS.map(|(name, _)| name).join(", ");
            let detail = format!("kind '{}' is none of {names}", self.kind);
            ApiError::invalid("kind", &self.kind, detail)
        })?;
        let time = self.time.as_deref().map(|text| parse_time_ns("time", text, now_ns));
        Ok(PostedChange {
            id: 0,
            kind,
            time_ns: time.transpose()?.unwrap_or(now_ns),
            service: self.service_name,
            version: self.service_version,
            title: self.title,
            link: self.link,
            attributes: Json::Object(self.attributes).to_string(),
        })
    }
}

impl From<query::Changes> for Changes {
    fn from(changes: query::Changes) -> Self {
        Self {
            changes: changes.changes.into_iter().map(Change::from).collect(),
            truncated: changes.truncated,
            stats: changes.stats.into(),
        }
    }
}

impl From<query::Change> for Change {
    fn from(change: query::Change) -> Self {
        let kind = match change.kind {
            query::ChangeKind::Deployment => "deployment",
            query::ChangeKind::Rollback => "rollback",
            query::ChangeKind::Config => "config",
            query::ChangeKind::FeatureFlag => "feature-flag",
            query::ChangeKind::Other => "other",
        };
        Self {
            id: change.id,
            source: if change.id.is_some() { "posted" } else { "telemetry" },
            kind,
            time: change.time_ns,
            service_name: change.service,
            service_version: change.version,
            previous_version: change.previous_version,
            title: change.title,
            link: change.link,
            attributes: serde_json::from_str(&change.attributes).unwrap_or_default(),
        }
    }
}
