//! The handlers of exceptions.

use axum::extract::{Path, State};
use axum::routing::{get, patch};
use axum::{Json, Router};

use super::super::body::JsonBody;
use super::super::params::Params;
use super::params::{
    ExceptionsParams, RangeParams, exception_range, exception_search, fingerprint,
};
use super::wire::{ExceptionAnswer, ExceptionGroup, ExceptionPage, StateChange};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of exceptions.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/exceptions", get(list))
        .route("/api/v1/exceptions/{fingerprint}", get(one))
        .route("/api/v1/exceptions/{fingerprint}/state", patch(change_state))
}

/// Groups of exceptions that occurred in a range of time.
///
/// Events of spans and log records with `exception.*` attributes are one group if they agree in type,
/// in message (numbers, ids, quotations, paths and addresses aside) and in the innermost frames of the
/// application's own code. First and last occurrence, users and samples are those of everything that is
/// stored; counts are those of the range.
#[utoipa::path(
    get,
    path = "/api/v1/exceptions",
    operation_id = "list_exceptions",
    tag = "exceptions",
    params(ExceptionsParams, RangeParams),
    responses(
        (status = 200, description = "A page of groups", body = ExceptionPage),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list(State(state): State<ApiState>, params: Params) -> Result<Json<ExceptionPage>> {
    let search = exception_search(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    Ok(Json(state.engine.exception_groups(&search, &ctx).await?.into()))
}

/// One group of exceptions, with its stack trace, origins, samples and counts over time.
#[utoipa::path(
    get,
    path = "/api/v1/exceptions/{fingerprint}",
    operation_id = "get_exception",
    tag = "exceptions",
    params(
        ("fingerprint" = String, Path, description = "The group", example = "1-00c0ffee00c0ffee"),
        RangeParams,
    ),
    responses(
        (status = 200, description = "The group", body = ExceptionAnswer),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No occurrence of it is stored", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn one(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    params: Params,
) -> Result<Json<ExceptionAnswer>> {
    let fingerprint = fingerprint(&text)?;
    let (time, step_ns) = exception_range(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let (detail, stats) =
        state.engine.exception_group(fingerprint, Some(time), step_ns, &ctx).await?;
    Ok(Json(ExceptionAnswer { group: ExceptionGroup::whole(detail), stats: stats.into() }))
}

/// Decides how a group of exceptions stands: `resolved`, `ignored`, or `new` again.
///
/// A resolved group that occurs later is `regressed`; occurrences in `resolved_in_version` do not
/// count, for old replicas may go on. A group that is ignored until a time is new after it.
#[utoipa::path(
    patch,
    path = "/api/v1/exceptions/{fingerprint}/state",
    operation_id = "change_exception_state",
    tag = "exceptions",
    params(("fingerprint" = String, Path, description = "The group", example = "1-00c0ffee00c0ffee")),
    request_body = StateChange,
    responses(
        (status = 200, description = "The group as it stands now, with all its occurrences counted", body = ExceptionGroup),
        (status = 400, description = "The body is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No occurrence of it is stored", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Too many groups have a state", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change_state(
    State(state): State<ApiState>,
    Path(text): Path<String>,
    JsonBody(body): JsonBody<StateChange>,
) -> Result<Json<ExceptionGroup>> {
    let fingerprint = fingerprint(&text)?;
    let change = body.read(state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let detail = state.engine.change_exception(fingerprint, &change, &ctx).await?;
    Ok(Json(ExceptionGroup::whole(detail)))
}
