//! The handlers of patterns.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::super::super::params::Params;
use super::params;
use super::params::{PatternsDiffParams, PatternsParams};
use super::wire::{Patterns, PatternsDiff};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of patterns.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/logs/patterns", get(list))
        .route("/api/v1/logs/patterns/diff", get(diff))
}

/// What bodies of log records look like without their variables, the most frequent first.
///
/// Totals, levels and steps are counted one after the other: of a range that still receives records
/// they may differ by what came between.
#[utoipa::path(
    get,
    path = "/api/v1/logs/patterns",
    operation_id = "list_log_patterns",
    tag = "logs",
    params(PatternsParams),
    responses(
        (status = 200, description = "The patterns", body = Patterns),
        (status = 400, description = "The filter or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(state): State<ApiState>, params: Params) -> Result<Json<Patterns>> {
    let request = params::patterns(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.log_patterns(&request, &ctx).await?;
    Ok(Json(Patterns::new(found, request.step_ns)))
}

/// Patterns that one of two ranges has and the other has not: new ones first, then vanished ones.
#[utoipa::path(
    get,
    path = "/api/v1/logs/patterns/diff",
    operation_id = "diff_log_patterns",
    tag = "logs",
    params(PatternsDiffParams),
    responses(
        (status = 200, description = "The patterns", body = PatternsDiff),
        (status = 400, description = "The filter or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn diff(State(state): State<ApiState>, params: Params) -> Result<Json<PatternsDiff>> {
    let request = params::diff(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.log_patterns_diff(&request, &ctx).await?.into()))
}
