//! The handlers of the service map and of rate, errors and durations.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::super::params::Params;
use super::params::{RedParams, ServiceMapParams, edges_query, operations_query};
use super::wire::{Red, ServiceMap};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of services.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/service-map", get(service_map)).route("/api/v1/red", get(red))
}

/// The service map: which service calls which, how often, how often in vain, and how long it takes on
/// both sides.
///
/// An edge is a client or producer and the server or consumer that it reached, a span and its child in
/// another service, or a call to a database, a destination or a host without spans of its own. Counts
/// are exact for the range, late spans and pairs of different requests included.
#[utoipa::path(
    get,
    path = "/api/v1/service-map",
    operation_id = "get_service_map",
    tag = "services",
    params(ServiceMapParams),
    responses(
        (status = 200, description = "The edges", body = ServiceMap),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn service_map(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<ServiceMap>> {
    let query = edges_query(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let edges = state.engine.service_edges(&query, &ctx).await?;
    Ok(Json(ServiceMap::new(edges, query.time, query.step_ns)))
}

/// Rate, errors and durations of operations, with the slowest span of each.
#[utoipa::path(
    get,
    path = "/api/v1/red",
    operation_id = "get_red",
    tag = "services",
    params(RedParams),
    responses(
        (status = 200, description = "The operations, or services", body = Red),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn red(State(state): State<ApiState>, params: Params) -> Result<Json<Red>> {
    let query = operations_query(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let operations = state.engine.operations_red(&query, &ctx).await?;
    Ok(Json(Red::new(operations, query.time, query.step_ns)))
}
