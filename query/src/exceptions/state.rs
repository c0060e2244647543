//! What is decided about a group.

use throughline_model::exception::Fingerprint;
use throughline_storage::{Decision, ExceptionState};

use super::ExceptionDetail;
use crate::{Engine, Error, QueryContext, Result};

/// Bytes of a note, a name or a version.
pub const TEXT_BYTES_MAX: usize = 4096;

/// A change of a group's state.
#[derive(Clone, Debug, Default)]
pub struct ExceptionChange {
    /// What is decided; none to forget what was, so that the group is new again.
    pub decision: Option<Decision>,
    /// By whom.
    pub by: String,
    /// For [`Decision::Resolved`]: the version that still has it, whose later occurrences are no news.
    pub resolved_in_version: Option<String>,
    /// For [`Decision::Ignored`]: until when.
    pub ignored_until_ns: Option<i64>,
    /// Why.
    pub note: String,
}

impl Engine {
    /// Changes the state of a group of which an occurrence is stored, and says how it stands then.
    pub async fn change_exception(
        &self,
        fingerprint: Fingerprint,
        change: &ExceptionChange,
        ctx: &QueryContext,
    ) -> Result<ExceptionDetail> {
        let now_ns = self.clock().now_ns();
        check(change, now_ns)?;
        // What nothing is known of cannot be decided.
        self.exception_group(fingerprint, None, None, ctx).await?;
        match change.decision {
            None => self.store().remove_exception_state(fingerprint).await?,
            Some(decision) => {
                let state = ExceptionState {
                    fingerprint,
                    decision,
                    changed_at_ns: now_ns,
                    changed_by: change.by.clone(),
                    resolved_in_version: change.resolved_in_version.clone(),
                    ignored_until_ns: change.ignored_until_ns,
                    note: change.note.clone(),
                };
                self.store().put_exception_state(&state).await?;
            }
        }
        let (detail, _) = self.exception_group(fingerprint, None, None, ctx).await?;
        Ok(detail)
    }
}

fn check(change: &ExceptionChange, now_ns: i64) -> Result<()> {
    let version = change.resolved_in_version.as_deref().unwrap_or_default();
    let texts = [
        ("by", change.by.as_str()),
        ("note", change.note.as_str()),
        ("resolved_in_version", version),
    ];
    for (field, text) in texts {
        if text.len() > TEXT_BYTES_MAX {
            let message =
                format!("{field} has {} bytes, the limit is {TEXT_BYTES_MAX}", text.len());
            return Err(Error::invalid(field, message));
        }
    }
    if change.resolved_in_version.is_some() && change.decision != Some(Decision::Resolved) {
        let message = "a version goes with the state resolved alone";
        return Err(Error::invalid("resolved_in_version", message));
    }
    match change.ignored_until_ns {
        Some(_) if change.decision != Some(Decision::Ignored) => {
            Err(Error::invalid("ignored_until", "a time goes with the state ignored alone"))
        }
        Some(until) if until <= now_ns => {
            Err(Error::invalid("ignored_until", "the time until which it is ignored has passed"))
        }
        _ => Ok(()),
    }
}
