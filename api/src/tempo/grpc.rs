//! `tempopb.StreamingQuerier`, which Grafana calls on the port of the HTTP API.
//!
//! A search streams what it finds page by page, newest first: each message has the traces that were not
//! in one before, and what the search did so far. The other calls answer with one message, series split
//! over several where they are large: clients put them together.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{any, post};
use futures::StreamExt;
use futures::stream;
use http::Request;
use prost::Message;
use throughline_query::QueryContext;
use tokio_util::sync::DropGuard;

use super::error::Result;
use super::frame::{self, Part, Parts, Status};
use super::messages::{
    QueryInstantRequest, QueryRangeRequest, QueryRangeResponse, SearchRequest,
    SearchTagValuesRequest, SearchTagsRequest, TimeSeries,
};
use super::search::Search;
use super::{metrics, tags};
use crate::state::{ApiState, asker};

/// Traces in the first message of a search; each further one may have twice as many.
const FIRST_TRACES: usize = 10;
/// Bytes of series in one message, about. Clients refuse messages of more than 4 MiB.
const MESSAGE_BYTES: usize = 1 << 20;

/// The routes of the service.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/tempopb.StreamingQuerier/Search", post(search))
        .route("/tempopb.StreamingQuerier/SearchTags", post(search_tags))
        .route("/tempopb.StreamingQuerier/SearchTagsV2", post(search_tags_v2))
        .route("/tempopb.StreamingQuerier/SearchTagValues", post(search_tag_values))
        .route("/tempopb.StreamingQuerier/SearchTagValuesV2", post(search_tag_values_v2))
        .route("/tempopb.StreamingQuerier/MetricsQueryRange", post(query_range))
        .route("/tempopb.StreamingQuerier/MetricsQueryInstant", post(query_instant))
        .route("/tempopb.StreamingQuerier/{method}", any(unknown))
}

/// One call: who answers, for whom, and how long.
struct Call {
    state: ApiState,
    ctx: QueryContext,
    // Cancels the query when the client leaves.
    _guard: DropGuard,
}

// Reads the request and hands it on; the answer's errors leave as trailers.
async fn call<M: Message + Default>(
    state: ApiState,
    request: Request<Body>,
    answer: impl FnOnce(Call, M) -> Parts,
) -> Response {
    if !frame::is_grpc(request.headers()) {
        return frame::not_grpc();
    }
    let wait = match frame::timeout(request.headers()) {
        Ok(wait) => wait,
        Err(status) => return frame::refuse(&status),
    };
    let (mut ctx, guard) = asker();
    ctx.timeout_ms = wait.map(|wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
    match frame::read(request).await {
        Ok(message) => frame::respond(answer(Call { state, ctx, _guard: guard }, message)),
        Err(status) => frame::refuse(&status),
    }
}

// One message.
fn once<M: Message>(
    answer: impl Future<Output = Result<(M, Vec<String>)>> + Send + 'static,
) -> Parts {
    let part = async {
        let (message, partial) = answer.await?;
        Ok(Part { message: message.encode_to_vec(), partial })
    };
    stream::once(part).boxed()
}

async fn search(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: SearchRequest| {
        let search = match Search::new(&message) {
            Ok(search) => search,
            Err(err) => return stream::iter([Err(err.into())]).boxed(),
        };
        let under_way = (call, search, FIRST_TRACES);
        let pages = stream::try_unfold(under_way, |(call, mut search, page)| async move {
            let found = search.next(page, &call.state, &call.ctx).await?;
            let Some(found) = found else { return Ok::<_, Status>(None) };
            let part = Part { message: found.encode_to_vec(), partial: search.partial().to_vec() };
            Ok(Some((part, (call, search, page.saturating_mul(2)))))
        });
        pages.boxed()
    })
    .await
}

async fn search_tags(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: SearchTagsRequest| {
        once(async move {
            let call = call; // all of it: its guard too
            tags::names_v1(&message, &call.state, &call.ctx).await
        })
    })
    .await
}

async fn search_tags_v2(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: SearchTagsRequest| {
        once(async move {
            let call = call; // all of it: its guard too
            tags::names_v2(&message, &call.state, &call.ctx).await
        })
    })
    .await
}

async fn search_tag_values(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: SearchTagValuesRequest| {
        once(async move {
            let call = call; // all of it: its guard too
            tags::values_v1(&message, &call.state, &call.ctx).await
        })
    })
    .await
}

async fn search_tag_values_v2(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: SearchTagValuesRequest| {
        once(async move {
            let call = call; // all of it: its guard too
            tags::values_v2(&message, &call.state, &call.ctx).await
        })
    })
    .await
}

async fn query_range(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: QueryRangeRequest| {
        let answer = async move {
            let call = call; // all of it: its guard too
            let answer = metrics::range(&message, &call.state, &call.ctx).await?;
            let part = |part: QueryRangeResponse| {
                Ok(Part { message: part.encode_to_vec(), partial: Vec::new() })
            };
            Ok::<_, Status>(stream::iter(split(answer).into_iter().map(part)))
        };
        stream::once(answer)
            .flat_map(|parts| match parts {
                Ok(parts) => parts.boxed(),
                Err(status) => stream::iter([Err(status)]).boxed(),
            })
            .boxed()
    })
    .await
}

async fn query_instant(State(state): State<ApiState>, request: Request<Body>) -> Response {
    call(state, request, |call, message: QueryInstantRequest| {
        once(async move {
            let call = call; // all of it: its guard too
            let answer = metrics::instant(&message, &call.state, &call.ctx).await?;
            Ok((answer, Vec::new()))
        })
    })
    .await
}

async fn unknown(request: Request<Body>) -> Response {
    let path = request.uri().path();
    frame::refuse(&Status::unimplemented(format!("there is no method '{path}'")))
}

// The series in messages of about so many bytes; each message says the same besides.
fn split(answer: QueryRangeResponse) -> Vec<QueryRangeResponse> {
    let frame = QueryRangeResponse { series: Vec::new(), ..answer.clone() };
    let mut parts: Vec<QueryRangeResponse> = Vec::new();
    let mut current: Vec<TimeSeries> = Vec::new();
    let mut bytes = 0;
    for series in answer.series {
        let more = series.encoded_len();
        if bytes + more > MESSAGE_BYTES && !current.is_empty() {
            parts
                .push(QueryRangeResponse { series: std::mem::take(&mut current), ..frame.clone() });
            bytes = 0;
        }
        bytes += more;
        current.push(series);
    }
    parts.push(QueryRangeResponse { series: current, ..frame });
    parts
}
