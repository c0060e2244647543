//! The handlers of traces.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::header::{CONTENT_TYPE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};
use throughline_query::traces::TraceResult;
use tokio_util::task::TaskTracker;

use super::super::accept::negotiate;
use super::super::logs::params::{LogsParams, log_search};
use super::super::logs::wire::LogPage;
use super::super::params::Params;
use super::params::{TraceParams, TraceSearchParams, hint, trace_id, trace_search};
use super::wire::TracePage;
use crate::error::{ApiError, Problem, Result};
use crate::otlp;
use crate::state::{ApiState, asker};

/// Names segments whose spans the answer lacks.
const PARTIAL: HeaderName = HeaderName::from_static("throughline-partial");
/// Traces of up to this many spans are written where they are; larger ones off the async workers.
const INLINE_SPANS_MAX: usize = 200;

/// The routes of traces.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/traces", get(search))
        .route("/api/v1/traces/{trace_id}", get(trace))
        .route("/api/v1/traces/{trace_id}/logs", get(logs))
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Protobuf(&'static str),
}

const FORMS: [(&str, Form); 3] = [
    ("application/json", Form::Json),
    ("application/x-protobuf", Form::Protobuf("application/x-protobuf")),
    ("application/protobuf", Form::Protobuf("application/protobuf")),
];

/// Traces that have a span that meets every condition, newest first.
#[utoipa::path(
    get,
    path = "/api/v1/traces",
    operation_id = "search_traces",
    tag = "traces",
    params(TraceSearchParams),
    responses(
        (status = 200, description = "A page of traces", body = TracePage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn search(State(state): State<ApiState>, params: Params) -> Result<Json<TracePage>> {
    let search = trace_search(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let page = state.engine.search_traces(&search, &ctx).await?;
    Ok(Json(page.into()))
}

/// Every span of a trace, as OTLP: what was sent comes back, field by field.
///
/// JSON of the OTLP mapping by default, protobuf (`TracesData`) by `Accept`. The header
/// `throughline-partial` names segments that could not be read, if there are any.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}",
    operation_id = "get_trace",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        TraceParams,
    ),
    responses(
        (status = 200, description = "The trace: `{\"resourceSpans\": […]}`", content(
            (Object = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "The id is no trace id", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such trace", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn trace(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let form = negotiate(&headers, &FORMS)?;
    let id = trace_id(&id)?;
    let hint = hint(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.trace(id, hint, &ctx).await?;
    let Some(found) = found else {
        let text = id.to_string();
        return Err(ApiError::not_found("trace_id", &text, format!("there is no trace '{text}'")));
    };
    respond(&state.tracker, found, form).await
}

async fn respond(tracker: &TaskTracker, found: TraceResult, form: Form) -> Result<Response> {
    let TraceResult { spans, stats } = found;
    let write = move || {
        let groups = otlp::group(&spans);
        match form {
            Form::Json => otlp::json::write(&groups).map_err(|err| {
                ApiError::internal(format!("a trace cannot be written as JSON: {err}"))
            }),
            Form::Protobuf(_) => Ok(otlp::proto::write(&groups)),
        }
    };
    let body = if stats.rows as usize <= INLINE_SPANS_MAX {
        write()?
    } else {
        let written = tracker.spawn_blocking(write).await;
        written.map_err(|err| ApiError::internal(format!("writing a trace: {err}")))??
    };
    let media_type = match form {
        Form::Json => "application/json",
        Form::Protobuf(name) => name,
    };
    let mut response = ([(CONTENT_TYPE, media_type), (VARY, "accept")], body).into_response();
    let partial = stats.scan.partial.join(",");
    if let Ok(names) = HeaderValue::from_str(&partial)
        && !partial.is_empty()
    {
        response.headers_mut().insert(PARTIAL, names);
    }
    Ok(response)
}

/// The log records of a trace, oldest first unless `order` says otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/logs",
    operation_id = "get_trace_logs",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        LogsParams,
    ),
    responses(
        (status = 200, description = "A page of log records", body = LogPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn logs(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<LogPage>> {
    let id = trace_id(&id)?;
    let search = log_search(&params, Some(id), state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let page = state.engine.search_logs(&search, &ctx).await?;
    Ok(Json(page.into()))
}
