//! The handler of log search.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::super::params::Params;
use super::params::{LogsParams, log_search};
use super::wire::LogPage;
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of log records.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs", get(search))
}

/// Log records that meet every condition, newest first unless `order` says otherwise.
#[utoipa::path(
    get,
    path = "/api/v1/logs",
    operation_id = "search_logs",
    tag = "logs",
    params(LogsParams),
    responses(
        (status = 200, description = "A page of log records", body = LogPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn search(State(state): State<ApiState>, params: Params) -> Result<Json<LogPage>> {
    let search = log_search(&params, None, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let page = state.engine.search_logs(&search, &ctx).await?;
    Ok(Json(page.into()))
}
