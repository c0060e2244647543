//! All log records that match, in the order of a search, a page at a time over one view.

use std::sync::Arc;

use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;

use super::search::{Walk, parse_cursor, predicates};
use super::{LogOrder, LogPage, LogSearch};
use crate::engine::Admitted;
use crate::{Engine, Error, QueryContext, QueryStats, Result};

/// Records that are held at once.
const PAGE_RECORDS: usize = 2000;

/// An export under way. It holds its place among the running queries; drop it to end it.
#[derive(Debug)]
pub struct LogExport {
    admitted: Admitted,
    predicates: Vec<Predicate>,
    time: TimeRange,
    order: LogOrder,
    /// Where the next page begins; none when there is nothing more.
    cursor: Option<(i64, usize)>,
    is_first: bool,
    left: usize,
}

impl Engine {
    /// The most records of one export.
    pub fn log_export_max(&self) -> usize {
        self.rows_max()
    }

    /// The log records that match, at most [`LogSearch::limit`], which may be up to
    /// [`Engine::log_export_max`]. Its cursor does not count. The deadline of a query is that of the
    /// whole export.
    pub async fn export_logs(&self, search: &LogSearch, ctx: &QueryContext) -> Result<LogExport> {
        let max = self.log_export_max();
        if search.limit == 0 || search.limit > max {
            let message = format!("limit is {}, allowed are 1 to {max}", search.limit);
            return Err(Error::invalid("limit", message));
        }
        let predicates = predicates(search)?;
        Ok(LogExport {
            admitted: self.admit(ctx).await?,
            predicates,
            time: search.time.unwrap_or(TimeRange::ALL),
            order: search.order,
            cursor: None,
            is_first: true,
            left: search.limit,
        })
    }
}

impl LogExport {
    /// The next records, without cursor and statistics; none when all have come.
    pub async fn next(&mut self) -> Result<Option<LogPage>> {
        if self.left == 0 || (self.cursor.is_none() && !self.is_first) {
            return Ok(None);
        }
        let budget = &self.admitted.budget;
        let walk = Walk {
            view: &self.admitted.view,
            scan: &budget.scan,
            predicates: self.predicates.clone(),
            time: self.order.rest_of(self.time, self.cursor),
            order: self.order,
        };
        let shown = self.cursor.map_or(0, |(_, shown)| shown);
        let mut page = budget.run(walk.page(shown, self.left.min(PAGE_RECORDS))).await?;
        self.is_first = false;
        self.cursor = page.next.take().as_deref().map(parse_cursor).transpose()?;
        self.left -= page.records.len();
        budget.stats.add_rows(page.records.len());
        Ok((!page.records.is_empty()).then_some(page))
    }

    /// What the export did so far; `partial` names segments whose rows it lacks.
    pub fn stats(&self) -> &Arc<QueryStats> {
        &self.admitted.budget.stats
    }
}
