//! Lines as their records are published.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::{Stream, ready};
use throughline_model::time::TimeRange;

use super::super::ast::LogExpr;
use super::super::labels::Entry;
use super::super::pipeline::{Pipeline, Row, Wanted};
use super::super::pushdown::Pushdown;
use super::entries::{Pairs, Reading, add_ids, add_level, add_number};
use super::names::{self, labels_of};
use super::origins::Origins;
use super::place::Places;
use super::predicates::Pushed;
use super::{Line, lines, tests};
use crate::logs::{LogRecord, LogSearch, LogTail};
use crate::{Engine, QueryContext, Result};

/// A piece of a tail: lines, or a gap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LinesChunk {
    /// Lines that the query keeps, in the order of publication.
    pub lines: Vec<Line>,
    /// Records that were dropped before these because the reader was slow, and not looked at.
    pub dropped: u64,
}

/// A tail of lines. Dropping it ends it.
pub struct LineTail {
    tail: LogTail,
    pipeline: Pipeline,
    reading: Reading,
    origins: Arc<Origins>,
    row: Row,
}

impl std::fmt::Debug for LineTail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LineTail").field("tail", &self.tail).finish_non_exhaustive()
    }
}

impl Engine {
    /// The lines that a query keeps, as their records are published, after those that the `past` newest
    /// records from `start_ns` on leave. Bounds are those of [`Engine::tail_logs`].
    pub async fn tail_lines(
        &self,
        query: &LogExpr,
        start_ns: i64,
        past: usize,
        ctx: &QueryContext,
    ) -> Result<LineTail> {
        let pipeline = Pipeline::new(query, self.clock().now_ns())?;
        // Which attributes will come is not known: labels are looked at in each record.
        let places = Places::unknown();
        let pushed = Pushed::new(&Pushdown::new(query), &places)?;
        let search = LogSearch {
            filters: pushed.predicates,
            time: Some(TimeRange { start_ns, end_ns: i64::MAX }),
            ..LogSearch::default()
        };
        Ok(LineTail {
            tail: self.tail_logs(&search, past, ctx).await?,
            reading: Reading::new(&Wanted::All, tests(query)?, true, &places),
            pipeline,
            origins: self.origins().clone(),
            row: Row::default(),
        })
    }
}

impl LineTail {
    fn line(&mut self, record: &LogRecord) -> Result<Option<Line>> {
        let origin = self.origins.resource(&record.resource.encode())?;
        let scope = self.origins.scope(&record.scope.encode())?;
        let mut pairs = Pairs::default();
        if let Some(id) = record.trace_id {
            add_ids(&mut pairs, names::TRACE_ID, &id.0);
        }
        if let Some(id) = record.span_id {
            add_ids(&mut pairs, names::SPAN_ID, &id.0);
        }
        add_number(&mut pairs, names::SEVERITY_NUMBER, i64::from(record.severity_number));
        pairs.add(names::SEVERITY_TEXT, &record.severity_text);
        add_number(&mut pairs, names::FLAGS, i64::from(record.flags));
        pairs.add(names::EVENT_NAME, &record.event_name);
        add_level(&mut pairs, record.severity_number, &record.severity_text);
        for (key, value) in &record.attributes {
            labels_of(key, &value.to_bytes(), &mut |name, text| pairs.add(name, text))?;
        }
        for (name, text) in origin.structured.iter().chain(&scope.structured) {
            pairs.add(name, text);
        }
        let body = record.body.as_ref().map(throughline_model::Value::to_bytes);
        let body = match &body {
            Some(bytes) => throughline_model::value::ValueRef::read(bytes)?.text()?,
            None => None,
        };
        let structured = pairs.borrowed();
        let entry = Entry {
            time_ns: record.time_ns,
            line: body.as_deref().unwrap_or_default(),
            stream: &origin.stream,
            structured: &structured,
        };
        if !self.reading.selects(&entry) {
            return Ok(None);
        }
        Ok(lines::line(&self.pipeline, &entry, &mut self.row))
    }
}

impl Stream for LineTail {
    type Item = Result<LinesChunk>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let chunk = match ready!(Pin::new(&mut self.tail).poll_next(cx)) {
                Some(Ok(chunk)) => chunk,
                Some(Err(err)) => return Poll::Ready(Some(Err(err))),
                None => return Poll::Ready(None),
            };
            let mut out = LinesChunk { lines: Vec::new(), dropped: chunk.dropped };
            for record in &chunk.records {
                match self.line(record) {
                    Ok(line) => out.lines.extend(line),
                    Err(err) => return Poll::Ready(Some(Err(err))),
                }
            }
            if !out.lines.is_empty() || out.dropped > 0 {
                return Poll::Ready(Some(Ok(out)));
            }
        }
    }
}
