//! The handlers of Jaeger's v1 API.

use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use http::Method;
use serde::Serialize;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::Span;
use throughline_model::time::{DAY_NS, TimeRange};
use throughline_query::services::ServiceCalls;
use throughline_query::traces::Operation;

use super::adjust::adjust;
use super::answer::{self, Wanted};
use super::error::{JaegerError, Result};
use super::params::{self, Find, Shape};
use super::wire::{DependencyLink, Envelope, EnvelopeError, OperationJson};
use super::{metrics, tags, transform, translate, v3};
use crate::error::{self, ApiError, ErrorKind};
use crate::native::params::Params;
use crate::state::{ApiState, asker};

/// What stands before and after the traces of an answer.
const OPEN: &str = "{\"data\":[";
const CLOSE: &str = "],\"total\":0,\"limit\":0,\"offset\":0,\"errors\":";

/// The routes under `/jaeger`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/jaeger/api/services", get(services))
        .route("/jaeger/api/services/{service}/operations", get(operation_names))
        .route("/jaeger/api/operations", get(operations))
        .route("/jaeger/api/traces", get(search))
        .route("/jaeger/api/traces/{trace_id}", get(trace))
        .route("/jaeger/api/archive/{trace_id}", post(archive))
        .route("/jaeger/api/transform", post(transform_otlp))
        .route("/jaeger/api/dependencies", get(dependencies))
        .layer(DefaultBodyLimit::max(transform::FILE_BYTES_MAX))
        .merge(metrics::routes())
        .merge(v3::routes::routes())
        .route("/jaeger", any(unknown_path))
        .route("/jaeger/", any(unknown_path))
        .route("/jaeger/{*rest}", any(unknown_path))
        .method_not_allowed_fallback(wrong_method)
}

/// The parameters, whose own errors take the envelope too.
pub type Query = error::Result<Params>;

async fn services(State(state): State<ApiState>) -> Result<Json<Envelope<Vec<String>>>> {
    let (ctx, _guard) = asker();
    let (names, _) = state.engine.span_services(None, &ctx).await?;
    Ok(listed(names))
}

fn listed<T>(items: Vec<T>) -> Json<Envelope<Vec<T>>> {
    Json(Envelope { total: items.len(), data: items, limit: 0, offset: 0, errors: None })
}

async fn operation_names(
    State(state): State<ApiState>,
    Path(service): Path<String>,
) -> Result<Json<Envelope<Vec<String>>>> {
    let (ctx, _guard) = asker();
    let found = state.engine.span_operations(Some(&service), Vec::new(), None, &ctx).await?;
    let mut names = found.operations.into_iter().map(|one| one.name).collect::<Vec<_>>();
    names.dedup();
    Ok(listed(names))
}

async fn operations(
    State(state): State<ApiState>,
    params: Query,
) -> Result<Json<Envelope<Vec<OperationJson>>>> {
    let params = params?;
    let service = params.one("service")?.ok_or_else(|| {
        ApiError::new(ErrorKind::Invalid, "parameter 'service' is required").with_field("service")
    })?;
    let kind = params.one("spanKind")?.map(|text| kind_is("spanKind", text)).transpose()?;
    let (ctx, _guard) = asker();
    let predicates = kind.into_iter().collect();
    let found = state.engine.span_operations(Some(service), predicates, None, &ctx).await?;
    let json = |one: Operation| OperationJson {
        span_kind: translate::kind_text(one.kind).to_owned(),
        name: one.name,
    };
    Ok(listed(found.operations.into_iter().map(json).collect()))
}

/// The condition that a kind's word is.
pub fn kind_is(name: &str, text: &str) -> error::Result<Predicate> {
    let number = tags::kind_number(text).ok_or_else(|| {
        let detail = format!(
            "{name} '{text}' is none of unspecified, internal, server, client, producer, consumer"
        );
        ApiError::invalid(name, text, detail)
    })?;
    let op = Op::Eq(Operand::Int(i64::from(number)));
    Ok(Predicate { target: Target::Column(col::KIND.to_owned()), op })
}

async fn search(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let params = params?;
    let shape = params::shape(&params)?;
    match params::find(&params, state.clock.now_ns())? {
        Find::Search(search) => {
            let found = answer::search(&state, &search).await?;
            let errors = found.partial.iter().map(|name| unread(name)).collect();
            Ok(streamed(state, found.wanted(), &found.partial, errors, shape))
        }
        Find::Ids(ids, hint) => {
            let mut wanted = Vec::new();
            let mut errors = Vec::new();
            for id in ids {
                if stored(&state, (id, hint)).await? {
                    wanted.push((id, hint));
                } else {
                    errors.push(EnvelopeError {
                        code: None,
                        msg: "trace not found".to_owned(),
                        trace_id: Some(translate::trace_id_text(id)),
                    });
                }
            }
            Ok(streamed(state, wanted, &[], errors, shape))
        }
    }
}

fn unread(segment: &str) -> EnvelopeError {
    let msg = format!("segment {segment} could not be read: traces may be missing");
    EnvelopeError { code: None, msg, trace_id: None }
}

async fn stored(state: &ApiState, wanted: Wanted) -> error::Result<bool> {
    let (ctx, _guard) = asker();
    Ok(answer::read(state, wanted, &ctx, |_, _| Ok(())).await?.is_some())
}

fn streamed(
    state: ApiState,
    wanted: Vec<Wanted>,
    partial: &[String],
    errors: Vec<EnvelopeError>,
    shape: Shape,
) -> Response {
    let errors = (!errors.is_empty()).then_some(errors);
    let errors = serde_json::to_string(&errors).unwrap_or_else(|_| "null".to_owned());
    let close = format!("{CLOSE}{errors}}}");
    let write = move |spans, partial| write_trace(spans, partial, shape);
    answer::stream_traces(state, wanted, partial, OPEN, close, write)
}

fn write_trace(mut spans: Vec<Span>, partial: Vec<String>, shape: Shape) -> error::Result<Vec<u8>> {
    if !shape.raw {
        adjust(&mut spans);
    }
    let warning = |name: &String| format!("segment {name} could not be read: spans may be missing");
    let trace = translate::trace_json(&spans, partial.iter().map(warning).collect());
    to_json(&trace, shape.pretty)
}

fn to_json(value: &impl Serialize, pretty: bool) -> error::Result<Vec<u8>> {
    let written = if pretty { serde_json::to_vec_pretty(value) } else { serde_json::to_vec(value) };
    written.map_err(|err| ApiError::internal(format!("a trace cannot be written: {err}")))
}

async fn trace(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    params: Query,
) -> Result<Response> {
    let params = params?;
    let shape = params::shape(&params)?;
    let wanted = (params::trace_id("traceID", &id)?, params::hint(&params)?);
    let (ctx, _guard) = asker();
    let write = move |spans, partial: Vec<String>| {
        Ok((write_trace(spans, partial.clone(), shape)?, partial))
    };
    let Some((trace, partial)) = answer::read(&state, wanted, &ctx, write).await? else {
        return Err(not_found(&id));
    };
    let body = [OPEN.as_bytes(), &trace, CLOSE.as_bytes(), b"null}"].concat();
    Ok(answer::json(body, &partial))
}

fn not_found(id: &str) -> JaegerError {
    ApiError::not_found("traceID", id, "trace not found").into()
}

// Traces live as long as retention says; nothing here would make one live longer, and saying that it
// does would lose it.
async fn archive(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response> {
    let wanted = (params::trace_id("traceID", &id)?, None);
    if !stored(&state, wanted).await? {
        return Err(not_found(&id));
    }
    let detail = format!(
        "trace '{id}' is stored, but there is no archive storage: it is kept as long as the setting \
         of retention says"
    );
    Err(ApiError::new(ErrorKind::Unsupported, detail).into())
}

async fn transform_otlp(
    State(state): State<ApiState>,
    body: std::result::Result<Bytes, BytesRejection>,
) -> Result<Response> {
    let body = body.map_err(|rejection| {
        let detail = format!(
            "the body cannot be read: {}; at most {} bytes are taken",
            rejection.body_text(),
            transform::FILE_BYTES_MAX
        );
        ApiError::new(ErrorKind::TooLarge, detail)
            .with_field("body")
            .with_limit(transform::FILE_BYTES_MAX)
    })?;
    let task = state.tracker.spawn_blocking(move || -> error::Result<Vec<u8>> {
        let traces = transform::read(&body)?;
        let data = traces.iter().map(|spans| translate::trace_json(spans, Vec::new())).collect();
        to_json(&Envelope::<Vec<_>> { data, total: 0, limit: 0, offset: 0, errors: None }, false)
    });
    let body = task.await.map_err(|err| ApiError::internal(format!("a file: {err}")))??;
    Ok(answer::json(body, &[]))
}

async fn dependencies(
    State(state): State<ApiState>,
    params: Query,
) -> Result<Json<Envelope<Vec<DependencyLink>>>> {
    let params = params?;
    let service = params.one("service")?;
    let (start_ns, end_ns) = params::back_from_end(&params, state.clock.now_ns(), DAY_NS)?;
    let (ctx, _guard) = asker();
    let time = TimeRange { start_ns, end_ns: end_ns.saturating_add(1) };
    let (calls, stats) = state.engine.service_calls(time, &ctx).await?;
    let is_asked = |calls: &ServiceCalls| {
        service.is_none_or(|name| calls.parent == name || calls.child == name)
    };
    let link = |calls: ServiceCalls| DependencyLink {
        parent: calls.parent,
        child: calls.child,
        call_count: calls.calls,
    };
    let data = calls.into_iter().filter(is_asked).map(link).collect();
    let errors = stats.scan.partial.iter().map(|name| unread(name)).collect::<Vec<_>>();
    let errors = (!errors.is_empty()).then_some(errors);
    Ok(Json(Envelope { data, errors, ..Envelope::default() }))
}

/// Answers for paths under `/jaeger` that do not exist.
async fn unknown_path(request: Request) -> Response {
    let path = request.uri().path();
    let detail = format!("there is nothing at '{path}'; Jaeger's APIs are at /jaeger/api");
    envelope_of(path, ApiError::not_found("path", path, detail))
}

/// Answers for methods that a path does not take; the router adds `Allow`.
async fn wrong_method(method: Method, request: Request) -> Response {
    let path = request.uri().path();
    let error =
        ApiError::new(ErrorKind::MethodNotAllowed, format!("'{path}' does not take {method}"));
    envelope_of(path, error)
}

fn envelope_of(path: &str, error: ApiError) -> Response {
    if path.starts_with("/jaeger/api/v3/") {
        v3::error::V3Error(error).into_response()
    } else {
        JaegerError(error).into_response()
    }
}
