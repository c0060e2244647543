//! The handlers of traces.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use http::HeaderMap;

use super::super::form::{OtlpAnswer, bytes, form, otlp_form, respond, write_as};
use super::super::logs::params::{LogsParams, log_search};
use super::super::logs::routes::page_response;
use super::super::logs::wire::LogPage;
use super::super::params::Params;
use super::params::{TraceParams, TraceSearchParams, hint, trace_id, trace_search};
use super::wire::TracePage;
use crate::error::{ApiError, Problem, Result};
use crate::otlp;
use crate::state::{ApiState, asker};

/// The routes of traces.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/traces", get(search))
        .route("/api/v1/traces/{trace_id}", get(trace))
        .route("/api/v1/traces/{trace_id}/logs", get(logs))
}

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
    let form = otlp_form(&headers, &params)?;
    let id = trace_id(&id)?;
    let hint = hint(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.trace(id, hint, &ctx).await?;
    let Some(found) = found else {
        let text = id.to_string();
        return Err(ApiError::not_found("trace_id", &text, format!("there is no trace '{text}'")));
    };
    let answer = OtlpAnswer {
        items: found.spans.len(),
        partial: found.stats.scan.partial,
        next_cursor: None,
    };
    let spans = found.spans;
    let write = move |form| {
        let groups = otlp::group_spans(&spans);
        write_as(
            form,
            || otlp::json::write_spans(&groups),
            || bytes(&otlp::proto::traces_data(&groups)),
        )
    };
    respond(&state.tracker, form, answer, write).await
}

/// The log records of a trace, oldest first unless `order` says otherwise.
///
/// The forms are those of log search.
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
        (status = 200, description = "A page of log records", content(
            (LogPage = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn logs(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let form = form(&headers, &params)?;
    let id = trace_id(&id)?;
    let search = log_search(&params, Some(id), state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let page = state.engine.search_logs(&search, &ctx).await?;
    page_response(&state, form, page).await
}
