//! The handlers of deletions.

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};

use super::super::super::body::JsonBody;
use super::super::super::params::Params;
use super::wire::{DeleteLogs, Deletion, Deletions};
use crate::error::{ApiError, Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of deletions.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/logs/delete", get(list).post(delete))
        .route("/api/v1/logs/delete/{id}", get(one))
}

/// Deletes log records: all that were acknowledged before, and meet every condition.
///
/// When the answer comes no question finds them any more. Files are rewritten without them afterwards, which
/// `segments_left` tells. Log files of the intake that still hold what senders sent are trimmed as it goes
/// on.
#[utoipa::path(
    post,
    path = "/api/v1/logs/delete",
    operation_id = "delete_logs",
    tag = "logs",
    request_body = DeleteLogs,
    responses(
        (status = 200, description = "What was deleted, or counted", body = Deletion),
        (status = 400, description = "A condition is wrong, or there is none", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many queries, or segments change all the time", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed; nothing is deleted, or all of it", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<DeleteLogs>,
) -> Result<Json<Deletion>> {
    let search = body.search(state.clock.now_ns())?;
    let told = serde_json::to_string(&body).unwrap_or_default();
    let (ctx, _guard) = asker();
    let deletion = state.engine.delete_logs(&search, told, body.dry_run, &ctx).await?;
    Ok(Json(Deletion::new(deletion, body.dry_run)))
}

/// Deletions that were asked for, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/logs/delete",
    operation_id = "list_log_deletions",
    tag = "logs",
    responses((status = 200, description = "The deletions", body = Deletions))
)]
pub async fn list(State(state): State<ApiState>, params: Params) -> Result<Json<Deletions>> {
    params.allow(&[])?;
    let deletions = state.engine.log_deletions().await?;
    let deletions = deletions.into_iter().map(|deletion| Deletion::new(deletion, false));
    Ok(Json(Deletions { deletions: deletions.collect() }))
}

/// One deletion.
#[utoipa::path(
    get,
    path = "/api/v1/logs/delete/{id}",
    operation_id = "get_log_deletion",
    tag = "logs",
    params(("id" = String, Path, description = "The deletion's id")),
    responses(
        (status = 200, description = "The deletion", body = Deletion),
        (status = 404, description = "There is none of this id", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(State(state): State<ApiState>, Path(id): Path<String>) -> Result<Json<Deletion>> {
    let deletions = state.engine.log_deletions().await?;
    let found = deletions.into_iter().find(|deletion| deletion.id.to_string() == id);
    let missing = || ApiError::not_found("id", &id, format!("there is no deletion '{id}'"));
    Ok(Json(Deletion::new(found.ok_or_else(missing)?, false)))
}
