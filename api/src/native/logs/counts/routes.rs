//! The handler of counts.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::super::super::params::Params;
use super::params;
use super::params::CountsParams;
use super::wire::Counts;
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of counts.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs/counts", get(counts))
}

/// How many log records meet every condition, by service, severity, template and step of time.
///
/// Where conditions are on words, service, severity and time, no record is read for it.
#[utoipa::path(
    get,
    path = "/api/v1/logs/counts",
    operation_id = "count_logs",
    tag = "logs",
    params(CountsParams),
    responses(
        (status = 200, description = "The counts, the largest first", body = Counts),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn counts(State(state): State<ApiState>, params: Params) -> Result<Json<Counts>> {
    let request = params::counts(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let found = state.engine.log_counts(&request, &ctx).await?;
    Ok(Json(Counts::new(found, request.step_ns)))
}
