//! The handlers of Zipkin's v2 API.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get};
use axum::{Json, Router};
use http::Method;
use serde_json::json;
use throughline_model::Signal;
use throughline_model::predicate::{Op, Operand, Predicate, Target};
use throughline_model::schema::col;
use throughline_model::span::Span;
use throughline_model::time::TimeRange;
use throughline_query::complete::{AttributePlace, Names};
use throughline_query::services::ServiceCalls;

use super::error::{Result, ZipkinError};
use super::params::{self, required};
use super::translate::{self, CALLING_KINDS, PEER_SERVICE, REMOTE_HOSTS, is_name};
use super::wire::DependencyLink;
use crate::edge;
use crate::error::{self, ApiError, ErrorKind};
use crate::jaeger::answer;
use crate::jaeger::params::{back_from_end, trace_id};
use crate::jaeger::routes::Query;
use crate::state::{ApiState, asker};

/// How far back Lens looks at first.
const LENS_LOOKBACK_MS: u64 = 15 * 60 * 1000;

/// The routes under `/zipkin`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/zipkin/config.json", get(config))
        .route("/zipkin/api/v2/services", get(services))
        .route("/zipkin/api/v2/spans", get(spans))
        .route("/zipkin/api/v2/remoteServices", get(remote_services))
        .route("/zipkin/api/v2/traces", get(traces))
        .route("/zipkin/api/v2/trace/{trace_id}", get(trace))
        .route("/zipkin/api/v2/traceMany", get(trace_many))
        .route("/zipkin/api/v2/dependencies", get(dependencies))
        .route("/zipkin/api/v2/autocompleteKeys", get(autocomplete_keys))
        .route("/zipkin/api/v2/autocompleteValues", get(autocomplete_values))
        .route("/zipkin", any(edge::unknown_path))
        .route("/zipkin/", any(edge::unknown_path))
        .route("/zipkin/{*rest}", any(edge::unknown_path))
        .method_not_allowed_fallback(wrong_method)
}

// What Lens asks first.
async fn config() -> Json<serde_json::Value> {
    Json(json!({
        "environment": "",
        "queryLimit": params::LIMIT_DEFAULT,
        "defaultLookback": LENS_LOOKBACK_MS,
        "searchEnabled": true,
        "logsUrl": null,
        "supportUrl": null,
        "archivePostUrl": null,
        "archiveUrl": null,
        "dependency": {"enabled": true, "lowErrorRate": 0.5, "highErrorRate": 0.75}
    }))
}

async fn services(State(state): State<ApiState>) -> Result<Json<Vec<String>>> {
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.span_services(None, &ctx).await?.0))
}

async fn spans(State(state): State<ApiState>, params: Query) -> Result<Json<Vec<String>>> {
    let params = params?;
    let service = required(&params, "serviceName")?;
    let (ctx, _guard) = asker();
    let found = state.engine.span_operations(Some(service), Vec::new(), None, &ctx).await?;
    let mut names = found.operations.into_iter().map(|one| one.name).collect::<Vec<_>>();
    names.dedup();
    Ok(Json(names))
}

async fn remote_services(
    State(state): State<ApiState>,
    params: Query,
) -> Result<Json<Vec<String>>> {
    let params = params?;
    let service = Some(required(&params, "serviceName")?);
    let (ctx, _guard) = asker();
    let named = state.engine.span_values(service, &[PEER_SERVICE], Vec::new(), None, &ctx).await?;
    let kinds = CALLING_KINDS.map(|kind| Operand::Int(i64::from(kind))).to_vec();
    let unnamed = vec![
        Predicate { target: Target::Column(col::KIND.to_owned()), op: Op::In(kinds) },
        Predicate { target: Target::Attribute(PEER_SERVICE.to_owned()), op: Op::Missing },
    ];
    let hosts = state.engine.span_values(service, &REMOTE_HOSTS, unnamed, None, &ctx).await?;
    let mut names = named;
    names.extend(hosts.into_iter().filter(|host| is_name(host)));
    names.sort_unstable();
    names.dedup();
    Ok(Json(names))
}

async fn traces(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let search = params::search(&params?, state.clock.now_ns())?;
    let found = answer::search(&state, &search).await?;
    let (wanted, partial) = (found.wanted(), found.partial);
    Ok(streamed(state, wanted, &partial))
}

fn streamed(state: ApiState, wanted: Vec<answer::Wanted>, partial: &[String]) -> Response {
    let write = |spans: Vec<Span>, _| write_trace(&spans);
    answer::stream_traces(state, wanted, partial, "[", "]".to_owned(), write)
}

fn write_trace(spans: &[Span]) -> error::Result<Vec<u8>> {
    let spans: Vec<_> = spans.iter().map(translate::span_json).collect();
    serde_json::to_vec(&spans)
        .map_err(|err| ApiError::internal(format!("a trace cannot be written: {err}")))
}

async fn trace(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Response> {
    let wanted = (trace_id("traceId", &id)?, None);
    let (ctx, _guard) = asker();
    let write = |spans: Vec<Span>, partial| Ok((write_trace(&spans)?, partial));
    match answer::read(&state, wanted, &ctx, write).await? {
        Some((body, partial)) => Ok(answer::json(body, &partial)),
        None => Err(ApiError::not_found("traceId", &id, format!("{id} not found")).into()),
    }
}

async fn trace_many(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let ids = params::ids(&params?)?;
    Ok(streamed(state, ids.into_iter().map(|id| (id, None)).collect(), &[]))
}

async fn dependencies(State(state): State<ApiState>, params: Query) -> Result<Response> {
    let now_ns = state.clock.now_ns();
    let (start_ns, end_ns) = back_from_end(&params?, now_ns, params::LOOKBACK_NS)?;
    let (ctx, _guard) = asker();
    let time = TimeRange { start_ns, end_ns: end_ns.saturating_add(1) };
    let (calls, stats) = state.engine.service_calls(time, &ctx).await?;
    let link = |calls: ServiceCalls| DependencyLink {
        parent: calls.parent,
        child: calls.child,
        call_count: calls.calls,
        error_count: calls.errors,
    };
    let links: Vec<_> = calls.into_iter().map(link).collect();
    let body = serde_json::to_vec(&links)
        .map_err(|err| ApiError::internal(format!("links cannot be written: {err}")))?;
    Ok(answer::json(body, &stats.scan.partial))
}

async fn autocomplete_keys(State(state): State<ApiState>) -> Result<Json<Vec<String>>> {
    let (ctx, _guard) = asker();
    let place = AttributePlace::Item;
    let found = state.engine.attribute_names(Signal::Traces, place, "", None, &ctx).await?;
    Ok(Json(sorted(found)))
}

async fn autocomplete_values(
    State(state): State<ApiState>,
    params: Query,
) -> Result<Json<Vec<String>>> {
    let params = params?;
    let key = required(&params, "key")?;
    let (ctx, _guard) = asker();
    let place = AttributePlace::Item;
    let found = state.engine.attribute_values(Signal::Traces, place, key, "", None, &ctx).await?;
    Ok(Json(sorted(found)))
}

fn sorted(names: Names) -> Vec<String> {
    let mut names: Vec<_> = names.names.into_iter().map(|one| one.name).collect();
    names.sort_unstable();
    names
}

/// Answers for methods that a path does not take; the router adds `Allow`.
async fn wrong_method(method: Method, request: Request) -> ZipkinError {
    let detail = format!("'{}' does not take {method}", request.uri().path());
    ApiError::new(ErrorKind::MethodNotAllowed, detail).into()
}
