//! The handlers under `/tempo`.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Json, Router};
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::error::Result;
use super::form::respond;
use super::{metrics, params, search, tags, trace};
use crate::edge::unknown_path;
use crate::native::params::Params;
use crate::state::{ApiState, asker};

/// The release of Tempo whose interfaces these are: clients choose by it what they ask for.
const SPOKEN_VERSION: &str = "2.9.0";

/// The routes under `/tempo`.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/tempo/api/traces/{trace_id}", get(trace_v1))
        .route("/tempo/api/v2/traces/{trace_id}", get(trace_v2))
        .route("/tempo/api/search", get(search))
        .route("/tempo/api/search/tags", get(tags_v1))
        .route("/tempo/api/v2/search/tags", get(tags_v2))
        .route("/tempo/api/search/tag/{tag}/values", get(tag_values_v1))
        .route("/tempo/api/v2/search/tag/{tag}/values", get(tag_values_v2))
        .route("/tempo/api/metrics/query_range", get(query_range))
        .route("/tempo/api/metrics/query", get(query_instant))
        .route("/tempo/api/echo", get(echo))
        .route("/tempo/api/status/buildinfo", get(build_info))
        .route("/tempo/ready", get(ready))
        .route("/tempo", any(unknown_path))
        .route("/tempo/{*rest}", any(unknown_path))
}

async fn trace_v1(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let asked = trace::Asked::whole(&id, &params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    trace::answer_v1(&asked, &headers, &state, &ctx).await
}

async fn trace_v2(
    State(state): State<ApiState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let asked = trace::Asked::part(&id, &params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    trace::answer_v2(&asked, &headers, &state, &ctx).await
}

async fn search(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::search(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (answer, partial) = search::search(&request, &state, &ctx).await?;
    respond(&headers, &answer, &partial)
}

async fn tags_v1(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::tags(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (answer, partial) = tags::names_v1(&request, &state, &ctx).await?;
    respond(&headers, &answer, &partial)
}

async fn tags_v2(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::tags(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (answer, partial) = tags::names_v2(&request, &state, &ctx).await?;
    respond(&headers, &answer, &partial)
}

async fn tag_values_v1(
    State(state): State<ApiState>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::tag_values(&params, tag, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (answer, partial) = tags::values_v1(&request, &state, &ctx).await?;
    respond(&headers, &answer, &partial)
}

async fn tag_values_v2(
    State(state): State<ApiState>,
    Path(tag): Path<String>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::tag_values(&params, tag, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (answer, partial) = tags::values_v2(&request, &state, &ctx).await?;
    respond(&headers, &answer, &partial)
}

async fn query_range(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::query_range(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = metrics::range(&request, &state, &ctx).await?;
    respond(&headers, &answer, &[])
}

async fn query_instant(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let request = params::query_instant(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = metrics::instant(&request, &state, &ctx).await?;
    respond(&headers, &answer, &[])
}

async fn echo() -> &'static str {
    "echo"
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BuildInfo {
    version: String,
    revision: String,
    branch: String,
    build_date: String,
    build_user: String,
    go_version: String,
}

async fn build_info(State(state): State<ApiState>) -> Json<BuildInfo> {
    let unknown = String::new;
    Json(BuildInfo {
        version: format!("{SPOKEN_VERSION}+throughline.{}", state.build.version),
        revision: state.build.commit.clone().unwrap_or_default(),
        branch: unknown(),
        build_date: unknown(),
        build_user: unknown(),
        go_version: unknown(),
    })
}

async fn ready(State(state): State<ApiState>) -> Response {
    let readiness = state.ready.borrow().clone();
    match readiness.ready {
        true => "ready\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, readiness.stage + "\n").into_response(),
    }
}
