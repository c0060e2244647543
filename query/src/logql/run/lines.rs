//! Queries for lines: the first ones of a range of time, whatever the stages leave of them.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::RecordBatch;
use throughline_model::predicate::Predicate;
use throughline_model::time::TimeRange;
use throughline_storage::scan::{ScanOrder, ScanRequest, scan_logs};

use super::super::labels::{Entry, Labels};
use super::super::pipeline::{Kept, Origin, Pipeline, Row};
use super::super::pushdown::Pushdown;
use super::entries::Reading;
use super::origins::Origins;
use super::place::Places;
use super::predicates::Pushed;
use super::slices::Slices;
use super::workers::feed;
use super::{Line, LinesAnswer, LinesRequest, tests};
use crate::engine::Admitted;
use crate::logs::LogOrder;
use crate::{Engine, Error, QueryContext, Result};

/// Lines of one answer at most.
pub const LINES_MAX: usize = 5000;

impl Engine {
    /// The first lines of a range of time that a query keeps.
    pub async fn logql_lines(
        &self,
        request: &LinesRequest,
        ctx: &QueryContext,
    ) -> Result<LinesAnswer> {
        if request.limit == 0 || request.limit > LINES_MAX {
            let message = format!("limit is {}, allowed are 1 to {LINES_MAX}", request.limit);
            return Err(Error::invalid("limit", message));
        }
        let admitted = self.admit(ctx).await?;
        let lines = admitted.budget.run(self.first_lines(request, &admitted)).await?;
        admitted.budget.stats.add_rows(lines.len());
        Ok(LinesAnswer { lines, stats: admitted.budget.stats.snapshot() })
    }

    async fn first_lines(&self, request: &LinesRequest, admitted: &Admitted) -> Result<Vec<Line>> {
        let (view, scan) = (&admitted.view, &admitted.budget.scan);
        let pipeline = Pipeline::new(&request.query, self.clock().now_ns())?;
        let time = match view.logs.start_bounds() {
            Some((first, last)) => TimeRange {
                start_ns: request.time.start_ns.max(first),
                end_ns: request.time.end_ns.min(last.saturating_add(1)),
            },
            None => return Ok(Vec::new()),
        };
        let places = Places::of_view(view, time, self.origins(), scan).await?;
        let pushed = Pushed::new(&Pushdown::new(&request.query), &places)?;
        if pushed.is_nothing {
            return Ok(Vec::new());
        }
        let reading = Reading::new(pipeline.structured(), tests(&request.query)?, true, &places);
        let ask = Arc::new(Ask {
            pipeline,
            reading,
            predicates: pushed.predicates,
            order: request.order,
            limit: request.limit,
            origins: self.origins().clone(),
        });
        let mut found = Vec::new();
        for slice in Slices::new(time, request.order) {
            let batches = scan_logs(view.clone(), ask.scan_request(slice), scan.clone());
            let worker = || First::new(ask.clone());
            let workers = (0..self.parallelism().max(1)).map(|_| worker()).collect();
            for first in feed(batches, workers, scan, First::take).await? {
                found.extend(first.lines);
            }
            if found.len() >= request.limit {
                break;
            }
        }
        cut(&mut found, request.order, request.limit);
        Ok(found)
    }
}

struct Ask {
    pipeline: Pipeline,
    reading: Reading,
    predicates: Vec<Predicate>,
    order: LogOrder,
    limit: usize,
    origins: Arc<Origins>,
}

impl Ask {
    fn scan_request(&self, time: TimeRange) -> ScanRequest {
        let predicates = self.predicates.clone();
        let columns = self.reading.columns();
        ScanRequest { columns, predicates, time, order: ScanOrder::Any, limit: None }
    }
}

// The first lines that a worker found.
struct First {
    ask: Arc<Ask>,
    row: Row,
    lines: Vec<Line>,
    /// The time of the last line that can still be among the first; none while there are few.
    last_ns: Option<i64>,
}

impl First {
    fn new(ask: Arc<Ask>) -> Self {
        Self { ask, row: Row::default(), lines: Vec::new(), last_ns: None }
    }

    fn take(&mut self, batch: RecordBatch) -> Result<()> {
        let ask = self.ask.clone();
        ask.reading.each(&batch, &ask.origins, |entry, _| {
            let is_late = |last| by_time(ask.order, entry.time_ns, last).is_gt();
            if self.last_ns.is_some_and(is_late) {
                return Ok(());
            }
            if let Some(line) = line(&ask.pipeline, entry, &mut self.row) {
                self.lines.push(line);
                if self.lines.len() >= ask.limit.saturating_mul(4).max(256) {
                    cut(&mut self.lines, ask.order, ask.limit);
                    self.last_ns = self.lines.last().map(|line| line.time_ns);
                }
            }
            Ok(())
        })
    }
}

/// The line that a pipeline makes of an entry; none if it drops it.
pub fn line(pipeline: &Pipeline, entry: &Entry<'_>, row: &mut Row) -> Option<Line> {
    let Kept { line, row } = pipeline.run(entry, row)?;
    let of = |origin| {
        let labels = row.labels(origin).filter(|(_, value)| !value.is_empty());
        let mut labels: Vec<_> =
            labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        labels.sort();
        labels
    };
    let stream = match row.has_whole_stream() {
        true => entry.stream.clone(),
        false => Labels::new(row.labels(Origin::Stream)),
    };
    Some(Line {
        time_ns: entry.time_ns,
        line: line.to_owned(),
        stream,
        structured: of(Origin::Structured),
        parsed: of(Origin::Parsed),
    })
}

fn by_time(order: LogOrder, a: i64, b: i64) -> Ordering {
    match order {
        LogOrder::NewestFirst => b.cmp(&a),
        LogOrder::OldestFirst => a.cmp(&b),
    }
}

// The first lines in order; lines of one time by what they say, so that an answer does not depend on
// where records lie.
fn cut(lines: &mut Vec<Line>, order: LogOrder, limit: usize) {
    let rest = |a: &Line, b: &Line| {
        let key = |line: &Line| (line.line.clone(), line.structured.clone(), line.parsed.clone());
        a.stream.cmp(&b.stream).then_with(|| key(a).cmp(&key(b)))
    };
    lines.sort_by(|a, b| by_time(order, a.time_ns, b.time_ns).then_with(|| rest(a, b)));
    lines.truncate(limit);
}
