//! The handlers of changes.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;

use super::super::body::JsonBody;
use super::super::params::Params;
use super::params::{ChangesParams, change_search};
use super::wire::{Change, Changes, NewChange};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of changes.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/changes", get(list).post(post))
}

/// Changes in a range of time, the newest first: deployments and rollbacks, as `service.version` in
/// spans and log records tells them, and what was posted.
///
/// A deployment is the first span or log record of a version where another was seen before; a
/// rollback is one of a version that was gone for ten minutes or more while another ran. They are
/// worked out of everything that is stored, so they go when the versions before them go.
#[utoipa::path(
    get,
    path = "/api/v1/changes",
    operation_id = "list_changes",
    tag = "changes",
    params(ChangesParams),
    responses(
        (status = 200, description = "The changes", body = Changes),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(state): State<ApiState>, params: Params) -> Result<Json<Changes>> {
    let search = change_search(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.changes(&search, &ctx).await?.into()))
}

/// Posts a change that no telemetry tells, for charts and traces to show.
#[utoipa::path(
    post,
    path = "/api/v1/changes",
    operation_id = "post_change",
    tag = "changes",
    request_body = NewChange,
    responses(
        (status = 201, description = "The change as it is kept", body = Change),
        (status = 400, description = "The body is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn post(
    State(state): State<ApiState>,
    JsonBody(body): JsonBody<NewChange>,
) -> Result<(StatusCode, Json<Change>)> {
    let change = state.engine.post_change(body.read(state.clock.now_ns())?).await?;
    Ok((StatusCode::CREATED, Json(change.into())))
}
