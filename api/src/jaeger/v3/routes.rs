//! The handlers of Jaeger's v3 API.

use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use throughline_model::span::Span;

use super::super::adjust::adjust;
use super::super::routes::{Query, kind_is};
use super::super::wire::OperationJson;
use super::super::{answer, params as v1, translate};
use super::error::Result;
use super::params::{self, first};
use super::wire::{Operations, Services, Summaries};
use crate::error::{self, ApiError};
use crate::otlp;
use crate::state::{ApiState, asker};

/// What stands before and after the resources of an answer.
const OPEN: &str = "{\"result\":{\"resourceSpans\":[";
const CLOSE: &str = "]}}";
/// What stands around the same resources where they are written.
const DOCUMENT: (&str, &str) = ("{\"resourceSpans\":[", "]}");

/// The routes under `/jaeger/api/v3`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/jaeger/api/v3/services", get(services))
        .route("/jaeger/api/v3/operations", get(operations))
        .route("/jaeger/api/v3/traces", get(search))
        .route("/jaeger/api/v3/trace-summaries", get(summaries))
        .route("/jaeger/api/v3/traces/{trace_id}", get(trace))
}

async fn services(State(state): State<ApiState>) -> Result<Json<Services>> {
    let (ctx, _guard) = asker();
    let (services, _) = state.engine.span_services(None, &ctx).await?;
    Ok(Json(Services { services }))
}

async fn operations(State(state): State<ApiState>, params: Query) -> Result<Json<Operations>> {
    let params = params?;
    let kind = first(&params, &["spanKind", "span_kind"])?;
    let kind = kind.map(|(name, text)| kind_is(name, text)).transpose()?;
    let (ctx, _guard) = asker();
    let predicates = kind.into_iter().collect();
    let service = params.one("service")?;
    let found = state.engine.span_operations(service, predicates, None, &ctx).await?;
    // v3 has no word for "no kind": it says internal.
    let json = |one: throughline_query::traces::Operation| OperationJson {
        span_kind: translate::kind_text(one.kind.max(1)).to_owned(),
        name: one.name,
    };
    let mut operations: Vec<_> = found.operations.into_iter().map(json).collect();
    operations.dedup_by(|a, b| a.name == b.name && a.span_kind == b.span_kind);
    Ok(Json(Operations { operations }))
}

async fn search(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let (search, raw) = params::search(&params?)?;
    let found = answer::search(&state, &search).await?;
    if found.traces.is_empty() {
        return Err(ApiError::not_found("query", "", "No traces found").into());
    }
    let write = move |spans, _| write_trace(spans, raw);
    let (wanted, partial) = (found.wanted(), found.partial);
    Ok(answer::stream_traces(state, wanted, &partial, OPEN, CLOSE.to_owned(), write))
}

async fn summaries(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let (search, _) = params::search(&params?)?;
    let found = answer::search(&state, &search).await?;
    let summaries = Summaries { summaries: found.traces.into_iter().map(Into::into).collect() };
    let body = serde_json::to_vec(&summaries)
        .map_err(|err| ApiError::internal(format!("summaries cannot be written: {err}")))?;
    Ok(answer::json(body, &found.partial))
}

async fn trace(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    params: Query,
) -> Result<Response> {
    let params = params?;
    let raw = match first(&params, &["rawTraces", "raw_traces"])? {
        Some((name, _)) => v1::flag(&params, name)?,
        None => false,
    };
    let wanted = (v1::trace_id("trace_id", &id)?, params::hint(&params)?);
    let (ctx, _guard) = asker();
    let write = move |spans, partial| Ok((write_trace(spans, raw)?, partial));
    let Some((resources, partial)) = answer::read(&state, wanted, &ctx, write).await? else {
        return Err(ApiError::not_found("trace_id", &id, "No traces found").into());
    };
    let body = [OPEN.as_bytes(), &resources, CLOSE.as_bytes()].concat();
    Ok(answer::json(body, &partial))
}

// The resources of a trace, without the document around them.
fn write_trace(mut spans: Vec<Span>, raw: bool) -> error::Result<Vec<u8>> {
    if !raw {
        adjust(&mut spans);
    }
    let written = otlp::json::write_spans(&otlp::group_spans(&spans));
    let written =
        written.map_err(|err| ApiError::internal(format!("a trace cannot be written: {err}")))?;
    let inner = written
        .strip_prefix(DOCUMENT.0.as_bytes())
        .and_then(|rest| rest.strip_suffix(DOCUMENT.1.as_bytes()));
    match inner {
        Some(inner) => Ok(inner.to_vec()),
        None => Err(ApiError::internal("OTLP/JSON of spans is not the expected document")),
    }
}
