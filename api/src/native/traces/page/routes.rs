//! The handlers of a trace's page.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, VARY};
use serde::Serialize;
use throughline_model::{SpanId, TraceId};

use super::super::super::accept::negotiate;
use super::super::super::body::JsonBody;
use super::super::super::form::{Form, OtlpAnswer, bytes, form, respond, write_as};
use super::super::super::params::Params;
use super::super::params::trace_id;
use super::binary::{self, SKELETON};
use super::compare_wire::{CompareRequest, Comparison, TraceComparison};
use super::facts_wire::TraceFacts;
use super::params::{
    CompareParams, FactsParams, LookParams, SpanParams, SpansParams, comparison,
    facts as named_facts, look, span_id, span_ids,
};
use super::wire::{SpanDetail, SpanPage, TraceSkeleton};
use crate::error::{ApiError, Problem, Result};
use crate::otlp;
use crate::state::{ApiState, asker};

const JSON: &str = "application/json";

#[derive(Clone, Copy)]
enum SkeletonForm {
    Json,
    Binary,
}

/// The routes of a trace's page.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/traces/compare", post(compare_spans))
        .route("/api/v1/traces/{trace_id}/skeleton", get(skeleton))
        .route("/api/v1/traces/{trace_id}/facts", get(facts))
        .route("/api/v1/traces/{trace_id}/spans", get(spans))
        .route("/api/v1/traces/{trace_id}/spans/{span_id}", get(span))
        .route("/api/v1/traces/{trace_id}/compare", get(compare_traces))
}

fn no_trace(id: TraceId) -> ApiError {
    let text = id.to_string();
    ApiError::not_found("trace_id", &text, format!("there is no trace '{text}'"))
}

// Large answers are written off the async workers.
async fn written(
    state: &ApiState,
    media_type: &'static str,
    write: impl FnOnce() -> serde_json::Result<Vec<u8>> + Send + 'static,
) -> Result<Response> {
    let failed = |err: String| ApiError::internal(format!("an answer cannot be written: {err}"));
    let task = state.tracker.spawn_blocking(write);
    let body = task.await.map_err(|err| failed(err.to_string()))?;
    let body = body.map_err(|err| failed(err.to_string()))?;
    Ok(([(CONTENT_TYPE, media_type), (VARY, "accept")], body).into_response())
}

async fn json<T: Serialize + Send + 'static>(state: &ApiState, answer: T) -> Result<Response> {
    written(state, JSON, move || serde_json::to_vec(&answer)).await
}

/// Every span of a trace without its attributes, events and links: enough to draw it.
///
/// Columns rather than rows. JSON by default; `application/vnd.throughline.skeleton` by `Accept`: the
/// same columns in bytes that a browser reads as typed arrays (layout in docs/trace-page.md).
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/skeleton",
    operation_id = "get_trace_skeleton",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        LookParams,
    ),
    responses(
        (status = 200, description = "The skeleton", content(
            (TraceSkeleton = "application/json"),
            (Vec<u8> = "application/vnd.throughline.skeleton"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such trace", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The trace has too many spans", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn skeleton(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let offered = [(JSON, SkeletonForm::Json), (SKELETON, SkeletonForm::Binary)];
    let form = negotiate(&headers, &offered)?;
    let id = trace_id(&id)?;
    let hint = look(&params, &[], state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.trace_skeleton(id, hint, &ctx).await?.ok_or_else(|| no_trace(id))?;
    match form {
        SkeletonForm::Json => json(&state, TraceSkeleton::from(found)).await,
        SkeletonForm::Binary => {
            let write = move || binary::write(&found.skeleton, &found.stats.scan.partial);
            written(&state, SKELETON, write).await
        }
    }
}

/// What the server works out of a trace: skew of clocks, critical path, self time, orphans, late spans,
/// statistics of its operations, the peers of its spans, and who links to it.
///
/// Spans are named by their places in the skeleton.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/facts",
    operation_id = "get_trace_facts",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        FactsParams,
        LookParams,
    ),
    responses(
        (status = 200, description = "The facts", body = TraceFacts),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such trace", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The trace has too many spans", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn facts(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response> {
    let id = trace_id(&id)?;
    let hint = look(&params, &["include"], state.clock.now_ns())?;
    let wanted = named_facts(&params)?;
    let (ctx, _guard) = asker();
    let found = state.engine.trace_facts(id, hint, &wanted, &ctx).await?;
    json(&state, TraceFacts::from(found.ok_or_else(|| no_trace(id))?)).await
}

/// Some spans of a trace, with everything that was sent of them.
///
/// The API's own JSON by default; `format=otlp` or protobuf in `Accept` give OTLP as for a whole trace.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/spans",
    operation_id = "get_trace_spans",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        SpansParams,
        LookParams,
    ),
    responses(
        (status = 200, description = "The spans", content(
            (SpanPage = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn spans(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let form = form(&headers, &params)?;
    let id = trace_id(&id)?;
    look(&params, &["span_id", "format"], state.clock.now_ns())?;
    let wanted = span_ids(&params)?;
    details(&state, form, id, wanted, &params).await
}

/// One span of a trace, with everything that was sent of it.
///
/// The forms are those of several spans.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/spans/{span_id}",
    operation_id = "get_trace_span",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("span_id" = String, Path, description = "The span's id, up to 16 hex digits", example = "00f067aa0ba902b7"),
        SpanParams,
        LookParams,
    ),
    responses(
        (status = 200, description = "The span", content(
            (SpanPage = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such span", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn span(
    State(state): State<ApiState>,
    Path((id, span)): Path<(String, String)>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let form = form(&headers, &params)?;
    let (id, wanted) = (trace_id(&id)?, span_id(&span)?);
    look(&params, &["format"], state.clock.now_ns())?;
    details(&state, form, id, vec![wanted], &params).await
}

async fn details(
    state: &ApiState,
    form: Form,
    id: TraceId,
    wanted: Vec<SpanId>,
    params: &Params,
) -> Result<Response> {
    let hint = params.range(state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.trace_details(id, &wanted, hint, &ctx).await?;
    let partial = found.stats.scan.partial.clone();
    // Nothing found is an answer only if everything could be read.
    if let ([single], true, true) = (&wanted[..], found.spans.is_empty(), partial.is_empty()) {
        let text = single.to_string();
        let detail = format!("there is no span '{text}' in trace '{id}'");
        return Err(ApiError::not_found("span_id", &text, detail));
    }
    let form = match form {
        Form::Json => {
            let is_there = |id: &SpanId| found.spans.iter().any(|span| span.span_id == *id);
            let missing = wanted.into_iter().filter(|id| !is_there(id)).collect();
            let spans = found.spans.into_iter().map(SpanDetail::from).collect();
            return json(state, SpanPage { spans, missing, stats: found.stats.into() }).await;
        }
        Form::Otlp(form) => form,
    };
    let answer = OtlpAnswer { items: found.spans.len(), partial, next_cursor: None };
    let write = move |form| {
        let groups = otlp::group_spans(&found.spans);
        write_as(
            form,
            || otlp::json::write_spans(&groups),
            || bytes(&otlp::proto::traces_data(&groups)),
        )
    };
    respond(&state.tracker, form, answer, write).await
}

/// Two traces side by side: which paths of service and name were added, removed or changed, and how
/// long they took.
#[utoipa::path(
    get,
    path = "/api/v1/traces/{trace_id}/compare",
    operation_id = "compare_traces",
    tag = "traces",
    params(
        ("trace_id" = String, Path, description = "The first trace's id, up to 32 hex digits", example = "4bf92f3577b34da6a3ce929d0e0e4736"),
        CompareParams,
    ),
    responses(
        (status = 200, description = "The comparison", body = TraceComparison),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "One of the traces is not there", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A trace has too many spans", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn compare_traces(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    params: Params,
) -> Result<Response> {
    params.allow(&["with"])?;
    let with = params.one("with")?.unwrap_or_default();
    let other = trace_id(with).map_err(|err| err.with_field("with"))?;
    let id = trace_id(&id)?;
    let (ctx, _guard) = asker();
    let found = state.engine.compare_traces(id, other, &ctx).await?;
    json(&state, TraceComparison::new([id, other].map(|id| id.to_string()), found)).await
}

/// What two sets of spans differ in: every value of every field and attribute is counted in both, and
/// ranked by how far its shares lie apart beyond chance.
#[utoipa::path(
    post,
    path = "/api/v1/traces/compare",
    operation_id = "compare_spans",
    tag = "traces",
    request_body = CompareRequest,
    responses(
        (status = 200, description = "The differences", body = Comparison),
        (status = 400, description = "The request is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn compare_spans(
    State(state): State<ApiState>,
    JsonBody(request): JsonBody<CompareRequest>,
) -> Result<Json<Comparison>> {
    let (a, b, limit) = comparison(&request, state.clock.now_ns())?;
    let (mut ctx, _guard) = asker();
    ctx.timeout_ms = request.timeout_ms;
    Ok(Json(state.engine.compare_spans(&a, &b, limit, &ctx).await?.into()))
}
