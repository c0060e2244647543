//! Answers of whole traces, written one trace at a time, so that a search of a thousand large ones
//! needs the memory of one.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use throughline_model::TraceId;
use throughline_model::span::Span;
use throughline_model::time::TimeRange;
use throughline_query::QueryContext;
use throughline_query::traces::{TRACES_PAGE_MAX, TraceSearch, TraceSummary};

use crate::error::{ApiError, Result};
use crate::native::form::PARTIAL;
use crate::state::{ApiState, asker};

/// A trace to answer, and where it lies if that is known.
pub type Wanted = (TraceId, Option<TimeRange>);

/// The traces that a search finds, up to its limit, which may be above that of a page.
pub async fn search(state: &ApiState, search: &TraceSearch) -> Result<Found> {
    let (ctx, _guard) = asker();
    let mut found = Found::default();
    let mut page = search.clone();
    while found.traces.len() < search.limit {
        page.limit = (search.limit - found.traces.len()).min(TRACES_PAGE_MAX);
        let answer = state.engine.search_traces(&page, &ctx).await?;
        found.traces.extend(answer.traces);
        found.add_partial(answer.stats.scan.partial);
        page.cursor = answer.next;
        if page.cursor.is_none() {
            break;
        }
    }
    if found.traces.is_empty() && !found.partial.is_empty() {
        // Nothing found is an answer only if everything could be read.
        let names = found.partial.join(", ");
        return Err(ApiError::internal(format!("no trace found, but unread segments: {names}")));
    }
    Ok(found)
}

/// What a search found.
#[derive(Debug, Default)]
pub struct Found {
    /// The traces, newest first.
    pub traces: Vec<TraceSummary>,
    /// Segments that could not be read.
    pub partial: Vec<String>,
}

impl Found {
    fn add_partial(&mut self, names: Vec<String>) {
        for name in names {
            if !self.partial.contains(&name) {
                self.partial.push(name);
            }
        }
    }

    /// The traces to read.
    pub fn wanted(&self) -> Vec<Wanted> {
        let hint = |trace: &TraceSummary| TimeRange {
            start_ns: trace.start_time_ns,
            end_ns: trace.start_time_ns.saturating_add(trace.duration_ns).saturating_add(1),
        };
        self.traces.iter().map(|trace| (trace.trace_id, Some(hint(trace)))).collect()
    }
}

/// Reads a trace and makes bytes of it off the async workers; none where nothing is stored.
pub async fn read<T: Send + 'static>(
    state: &ApiState,
    (id, hint): Wanted,
    ctx: &QueryContext,
    write: impl FnOnce(Vec<Span>, Vec<String>) -> Result<T> + Send + 'static,
) -> Result<Option<T>> {
    let Some(found) = state.engine.trace(id, hint, ctx).await? else { return Ok(None) };
    if found.spans.is_empty() {
        let names = found.stats.scan.partial.join(", ");
        return Err(ApiError::internal(format!("trace {id} not found, unread segments: {names}")));
    }
    let partial = found.stats.scan.partial;
    let task = state.tracker.spawn_blocking(move || write(found.spans, partial));
    let written = task.await.map_err(|err| ApiError::internal(format!("a trace: {err}")))?;
    written.map(Some)
}

/// A JSON document of traces: `open`, what `write` makes of each with commas between, `close`.
///
/// An error after the first byte breaks the answer off: it cannot be taken for a whole one.
pub fn stream_traces(
    state: ApiState,
    wanted: Vec<Wanted>,
    partial: &[String],
    open: &'static str,
    close: String,
    write: impl Fn(Vec<Span>, Vec<String>) -> Result<Vec<u8>> + Clone + Send + Sync + 'static,
) -> Response {
    let (ctx, guard) = asker();
    let walk = Walk {
        state,
        ctx,
        _guard: guard,
        wanted: wanted.into_iter(),
        close: Some(close),
        any: false,
    };
    let opening = stream::once(async move { Ok(Bytes::from_static(open.as_bytes())) });
    let rest = stream::try_unfold(walk, move |mut walk| {
        let write = write.clone();
        async move {
            let chunk = walk.next(write).await.inspect_err(ApiError::log)?;
            Ok::<_, ApiError>(chunk.map(|chunk| (chunk, walk)))
        }
    });
    let body = Body::from_stream(futures::StreamExt::chain(opening, rest));
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    name_partial(&mut response, partial);
    response
}

/// A JSON answer, which names what could not be read.
pub fn json(body: Vec<u8>, partial: &[String]) -> Response {
    let mut response = ([(CONTENT_TYPE, "application/json")], body).into_response();
    name_partial(&mut response, partial);
    response
}

fn name_partial(response: &mut Response, partial: &[String]) {
    if !partial.is_empty()
        && let Ok(names) = HeaderValue::from_str(&partial.join(","))
    {
        response.headers_mut().insert(PARTIAL, names);
    }
}

struct Walk {
    state: ApiState,
    ctx: QueryContext,
    _guard: tokio_util::sync::DropGuard,
    wanted: std::vec::IntoIter<Wanted>,
    close: Option<String>,
    any: bool,
}

impl Walk {
    async fn next(
        &mut self,
        write: impl Fn(Vec<Span>, Vec<String>) -> Result<Vec<u8>> + Clone + Send + 'static,
    ) -> Result<Option<Bytes>> {
        for wanted in self.wanted.by_ref() {
            // One that retention removed meanwhile is not there any more.
            let written = read(&self.state, wanted, &self.ctx, write.clone()).await?;
            let Some(mut chunk) = written.filter(|chunk| !chunk.is_empty()) else { continue };
            if std::mem::replace(&mut self.any, true) {
                chunk.insert(0, b',');
            }
            return Ok(Some(chunk.into()));
        }
        Ok(self.close.take().map(Bytes::from))
    }
}
