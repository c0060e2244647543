//! Deployments and other changes, as markers for charts and traces.
//!
//! What telemetry tells is worked out when it is asked, from when each version of each service was seen
//! ([`detect`]): over all that is stored, so that neither a restart nor a late row misses a change or
//! tells it twice. What was posted comes from the catalog.

mod detect;
mod post;

use std::collections::BTreeMap;

use throughline_model::time::TimeRange;
use throughline_storage::segment::{Run, Versions};
use throughline_storage::{ChangesAsked, PostedChange, PostedKind, scan};

use crate::{Engine, Error, QueryContext, QueryStatsSnapshot, Result};

pub use detect::RETURN_GAP_NS;
pub use post::{ATTRIBUTES_BYTES_MAX, TEXT_BYTES_MAX};

/// The most changes in one answer.
pub const CHANGES_PAGE_MAX: usize = 1000;

/// Of what kind a change is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// A version that was not seen before runs.
    Deployment,
    /// A version that was seen before runs again.
    Rollback,
    /// Other settings hold.
    Config,
    /// A flag was switched.
    FeatureFlag,
    /// Anything else.
    Other,
}

impl From<PostedKind> for ChangeKind {
    fn from(kind: PostedKind) -> Self {
        match kind {
            PostedKind::Deployment => Self::Deployment,
            PostedKind::Config => Self::Config,
            PostedKind::FeatureFlag => Self::FeatureFlag,
            PostedKind::Other => Self::Other,
        }
    }
}

/// A change of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number, if it was posted; else spans or log records told it.
    pub id: Option<u64>,
    /// Of what kind.
    pub kind: ChangeKind,
    /// When it happened: for a version, when its first span or record was seen.
    pub time_ns: i64,
    /// The service; empty for all.
    pub service: String,
    /// The version that runs since; empty where that is not the change.
    pub version: String,
    /// The version that ran before; empty where that is not known.
    pub previous_version: String,
    /// In words.
    pub title: String,
    /// Where to read more.
    pub link: String,
    /// Whatever else was said, as the text of a JSON object.
    pub attributes: String,
}

/// Which changes are meant.
#[derive(Clone, Debug)]
pub struct ChangeSearch {
    /// When they happened.
    pub time: Option<TimeRange>,
    /// Of this service, and those of all services.
    pub service: Option<String>,
    /// Changes in the answer, 1 to [`CHANGES_PAGE_MAX`].
    pub limit: usize,
}

/// Changes, the newest first.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    /// Whether there are more, or more versions than an index keeps.
    pub truncated: bool,
    /// What the look did; `partial` names segments whose versions it lacks.
    pub stats: QueryStatsSnapshot,
}

impl Engine {
    /// The changes in a range of time: those that telemetry tells, and those that were posted.
    pub async fn changes(&self, search: &ChangeSearch, ctx: &QueryContext) -> Result<Changes> {
        if !(1..=CHANGES_PAGE_MAX).contains(&search.limit) {
            let limit = search.limit;
            let message = format!("1 to {CHANGES_PAGE_MAX} changes can be asked for, not {limit}");
            return Err(Error::invalid("limit", message));
        }
        let time = search.time.unwrap_or(TimeRange::ALL);
        let admitted = self.admit(ctx).await?;
        let fold =
            scan::fold_versions(&admitted.view, &admitted.budget.scan, Versions::default(), add);
        let versions = admitted.budget.run(async { Ok(fold.await?) }).await?;
        let mut changes = Vec::new();
        for (service, runs) in by_service(&versions) {
            if search.service.as_ref().is_none_or(|wanted| wanted == service) {
                changes.extend(detect::changes(service, runs));
            }
        }
        changes.retain(|change| time.contains(change.time_ns));
        let service = search.service.clone();
        let asked = ChangesAsked { time, service, limit: search.limit + 1 };
        let posted = self.store().changes(&asked).await?;
        changes.extend(posted.into_iter().map(Change::from));
        changes.sort_by(|a, b| {
            let key = |c: &Change| (c.time_ns, c.id, c.service.clone(), c.version.clone());
            key(b).cmp(&key(a))
        });
        let truncated = changes.len() > search.limit || versions.left_out > 0;
        changes.truncate(search.limit);
        admitted.budget.stats.add_rows(changes.len());
        Ok(Changes { changes, truncated, stats: admitted.budget.stats.snapshot() })
    }
}

fn add(sum: &mut Versions, part: &Versions) {
    sum.add_all(part);
}

fn by_service(versions: &Versions) -> BTreeMap<&str, Vec<(&str, Run)>> {
    let mut services: BTreeMap<&str, Vec<(&str, Run)>> = BTreeMap::new();
    for ((service, version), runs) in &versions.runs {
        let of_service = services.entry(service).or_default();
        of_service.extend(runs.iter().map(|run| (version.as_str(), *run)));
    }
    services
}

impl From<PostedChange> for Change {
    fn from(change: PostedChange) -> Self {
        Self {
            id: Some(change.id),
            kind: change.kind.into(),
            time_ns: change.time_ns,
            service: change.service,
            version: change.version,
            previous_version: String::new(),
            title: change.title,
            link: change.link,
            attributes: change.attributes,
        }
    }
}
