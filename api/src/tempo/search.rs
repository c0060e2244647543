//! A search, page by page, newest first: at once over HTTP, as it goes over gRPC.

use throughline_query::traceql::{self, SPANS_PER_SPANSET_MAX};
use throughline_query::traces::TRACES_PAGE_MAX;
use throughline_query::{QueryContext, QueryStatsSnapshot};

use super::error::{Result, TempoError};
use super::messages::{SearchRequest, SearchResponse, TraceSearchMetadata};
use super::{logfmt, params, wire};
use crate::error::{ApiError, ErrorKind};
use crate::state::ApiState;

/// Spans that each spanset lists unless a request says otherwise.
pub const SPANS_DEFAULT: u32 = 3;
/// Traces in an answer unless a request says otherwise.
const TRACES_DEFAULT: usize = 20;
/// Traces in an answer at most.
const TRACES_MAX: usize = 10_000;
/// Pages that one search looks at.
const PAGES_MAX: u32 = 1000;

/// A search under way.
#[derive(Debug)]
pub struct Search {
    request: traceql::SearchRequest,
    // Where the query itself says nothing of the trace's duration.
    durations_ms: Option<(u32, u32)>,
    left: usize,
    pages: u32,
    found: usize,
    has_more: bool,
    stats: QueryStatsSnapshot,
}

impl Search {
    /// The search of a request.
    pub fn new(request: &SearchRequest) -> Result<Self> {
        let (min, max) = (request.min_duration_ms, request.max_duration_ms);
        if max > 0 && min > max {
            let detail = "invalid maxDuration: must be greater than minDuration";
            return Err(TempoError::invalid("maxDuration", &format!("{max}ms"), detail));
        }
        let limit = if request.limit == 0 { TRACES_DEFAULT } else { request.limit as usize };
        if limit > TRACES_MAX {
            let err = ApiError::invalid(
                "limit",
                &limit.to_string(),
                format!("limit {limit} is above the most, {TRACES_MAX}"),
            );
            return Err(err.with_limit(TRACES_MAX).into());
        }
        let spans = request.spans_per_span_set as usize;
        let is_query = !request.query.trim().is_empty();
        let query = match is_query {
            true => request.query.clone(),
            false => logfmt::query(&request.tags, min, max),
        };
        Ok(Self {
            request: traceql::SearchRequest {
                query,
                time: params::range_of_seconds(request.start, request.end)?,
                limit: 0,
                spans_per_spanset: if spans == 0 {
                    SPANS_PER_SPANSET_MAX
                } else {
                    spans.min(SPANS_PER_SPANSET_MAX)
                },
                cursor: None,
            },
            durations_ms: (is_query && (min > 0 || max > 0))
                .then_some((min, if max == 0 { u32::MAX } else { max })),
            left: limit,
            pages: 0,
            found: 0,
            has_more: true,
            stats: QueryStatsSnapshot::default(),
        })
    }

    /// The next traces, at most `page` of them, with what the search did so far; none at its end.
    pub async fn next(
        &mut self,
        page: usize,
        state: &ApiState,
        ctx: &QueryContext,
    ) -> Result<Option<SearchResponse>> {
        if !self.has_more {
            return Ok(None);
        }
        self.request.limit = page.clamp(1, TRACES_PAGE_MAX).min(self.left);
        let answer = state.engine.traceql_search(&self.request, ctx).await;
        let answer = answer.map_err(|err| TempoError::of_query(err, &self.request.query))?;
        self.pages += 1;
        let stats = &answer.stats.scan;
        self.stats.scan.bytes_read += stats.bytes_read;
        self.stats.scan.segments_total = stats.segments_total;
        self.stats.scan.partial.extend(stats.partial.iter().cloned());
        self.stats.scan.partial.sort();
        self.stats.scan.partial.dedup();
        let traces: Vec<TraceSearchMetadata> =
            answer.traces.into_iter().map(wire::trace).filter(|trace| self.lasts(trace)).collect();
        self.found += traces.len();
        self.left = self.left.saturating_sub(traces.len());
        self.has_more = self.left > 0 && answer.next.is_some();
        self.request.cursor = answer.next;
        if self.has_more && self.pages >= PAGES_MAX {
            let detail =
                format!("the search looked at {PAGES_MAX} pages of traces: ask for less time");
            return Err(ApiError::new(ErrorKind::Limit, detail).with_limit(PAGES_MAX).into());
        }
        let mut metrics = wire::search_metrics(&self.stats, self.found);
        metrics.completed_jobs = self.pages;
        metrics.total_jobs = self.pages + u32::from(self.has_more);
        Ok(Some(SearchResponse { traces, metrics: Some(metrics) }))
    }

    /// Segments whose spans the answers lack.
    pub fn partial(&self) -> &[String] {
        &self.stats.scan.partial
    }

    fn lasts(&self, trace: &TraceSearchMetadata) -> bool {
        self.durations_ms.is_none_or(|(min, max)| (min..=max).contains(&trace.duration_ms))
    }
}

/// The whole answer, and the segments whose spans it lacks.
pub async fn search(
    request: &SearchRequest,
    state: &ApiState,
    ctx: &QueryContext,
) -> Result<(SearchResponse, Vec<String>)> {
    let mut search = Search::new(request)?;
    let mut whole = SearchResponse::default();
    while let Some(page) = search.next(TRACES_PAGE_MAX, state, ctx).await? {
        whole.traces.extend(page.traces);
        whole.metrics = page.metrics;
    }
    Ok((whole, search.partial().to_vec()))
}
