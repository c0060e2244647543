//! The handler of a context.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};

use super::super::super::params::Params;
use super::params::{ContextParams, log_context};
use super::wire::LogContext;
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of contexts.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs/context", get(context))
}

/// The log records of its stream before and after one record, by time; those of one time in the order
/// in which a search with `order=oldest` shows them.
#[utoipa::path(
    get,
    path = "/api/v1/logs/context",
    operation_id = "log_context",
    tag = "logs",
    params(ContextParams),
    responses(
        (status = 200, description = "The record and its neighbours", body = LogContext),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such record", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn context(State(state): State<ApiState>, params: Params) -> Result<Json<LogContext>> {
    let search = log_context(&params)?;
    let (ctx, _guard) = asker();
    let found = state.engine.log_context(&search, &ctx).await?;
    Ok(Json(LogContext::new(found, search.id)))
}
