//! The handlers of TraceQL.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use throughline_query as query;

use super::super::params::Params;
use super::complete as completion;
use super::params;
use super::params::{CompleteParams, MetricsParams, SearchParams};
use super::wire::{Completion, FoundPage, MetricsAnswer};
use crate::error::{ApiError, Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of TraceQL.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/traceql/search", get(search))
        .route("/api/v1/traceql/metrics", get(metrics))
        .route("/api/v1/traceql/complete", get(complete))
}

// The engine's word for the query is not ours.
fn named(err: query::Error) -> ApiError {
    let is_of_query = err.field() == Some("query");
    let err = ApiError::from(err);
    if is_of_query { err.with_field("q") } else { err }
}

/// Traces that a query of TraceQL finds, that of the newest matched span first.
#[utoipa::path(
    get,
    path = "/api/v1/traceql/search",
    operation_id = "search_traceql",
    tag = "traces",
    params(SearchParams),
    responses(
        (status = 200, description = "A page of traces", body = FoundPage),
        (status = 400, description = "The query or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn search(State(state): State<ApiState>, params: Params) -> Result<Json<FoundPage>> {
    let request = params::search(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = state.engine.traceql_search(&request, &ctx).await.map_err(named)?;
    Ok(Json(answer.into()))
}

/// Numbers over time that a query of TraceQL makes of spans.
#[utoipa::path(
    get,
    path = "/api/v1/traceql/metrics",
    operation_id = "query_traceql_metrics",
    tag = "traces",
    params(MetricsParams),
    responses(
        (status = 200, description = "The series", body = MetricsAnswer),
        (status = 400, description = "The query or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn metrics(State(state): State<ApiState>, params: Params) -> Result<Json<MetricsAnswer>> {
    let request = params::metrics(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let answer = state.engine.traceql_metrics(&request, &ctx).await.map_err(named)?;
    Ok(Json(answer.into()))
}

/// What fits at a place of a query that is being written: words of the language, names and values.
///
/// Values are those of spans that meet what the query says already.
#[utoipa::path(
    get,
    path = "/api/v1/traceql/complete",
    operation_id = "complete_traceql",
    tag = "traces",
    params(CompleteParams),
    responses(
        (status = 200, description = "The proposals; none where the query is wrong before the cursor", body = Completion),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn complete(State(state): State<ApiState>, params: Params) -> Result<Json<Completion>> {
    let look = params::complete(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    Ok(Json(completion::complete(&look, &state, &ctx).await?))
}
