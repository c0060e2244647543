//! Deletion of the log records that match.

use throughline_model::time::TimeRange;
use throughline_storage::{DeleteRequest, LogDeletion};

use super::LogSearch;
use super::search::predicates;
use crate::{Engine, Error, QueryContext, Result};

impl Engine {
    /// Deletes the log records that match, of all that was acknowledged before: no question that is asked
    /// after this has returned finds them. Of the search its conditions and its range of time count, and
    /// there is one of either. `told` is what the list of deletions says was asked for. With `is_dry` they are
    /// only counted.
    pub async fn delete_logs(
        &self,
        search: &LogSearch,
        told: String,
        is_dry: bool,
        ctx: &QueryContext,
    ) -> Result<LogDeletion> {
        let predicates = predicates(search)?;
        if predicates.is_empty() && search.time.is_none() {
            let message = "a deletion without any condition would leave nothing: say which records, or \
                           'start' and 'end' for all of a range of time";
            return Err(Error::invalid("query", message));
        }
        let request = DeleteRequest {
            predicates,
            time: search.time.unwrap_or(TimeRange::ALL),
            query: told,
            is_dry,
        };
        let admitted = self.admit(ctx).await?;
        let (store, scan) = (self.store(), &admitted.budget.scan);
        admitted.budget.run(async { Ok(store.delete_logs(&request, scan).await?) }).await
    }

    /// The deletions that were asked for, the newest first.
    pub async fn log_deletions(&self) -> Result<Vec<LogDeletion>> {
        Ok(self.store().log_deletions().await?)
    }
}
