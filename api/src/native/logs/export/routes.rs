//! The handler of an export.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::super::super::params::Params;
use super::super::wire::LogRecord;
use super::answer::Answer;
use super::params::{ExportParams, log_export};
use crate::error::{Problem, Result};
use crate::state::{ApiState, asker};

/// The routes of exports.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs/export", get(export))
}

/// All log records that meet every condition, streamed in the order of a search, from one snapshot.
///
/// NDJSON has the records of a search, each on a line; CSV and Arrow a table in which attributes, and
/// bodies that are no text, are JSON. An error after the first records, or segments that could not be
/// read, are a last line `{"error": {…}}` or `{"partial": […]}` of NDJSON; an answer in CSV or Arrow
/// then breaks off without its end.
#[utoipa::path(
    get,
    path = "/api/v1/logs/export",
    operation_id = "export_logs",
    tag = "logs",
    params(ExportParams),
    responses(
        (status = 200, description = "The records", content(
            (LogRecord = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many queries", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn export(State(state): State<ApiState>, params: Params) -> Result<Response> {
    let limit_max = state.engine.log_export_max();
    let (search, form) = log_export(&params, limit_max, state.clock.now_ns())?;
    let (ctx, guard) = asker();
    let export = state.engine.export_logs(&search, &ctx).await?;
    let answer = Answer::new(export, form, state.tracker.clone(), guard).await?;
    let (media_type, file) = form.names();
    let disposition = format!("attachment; filename=\"{file}\"");
    let headers = [(CONTENT_TYPE, media_type.to_owned()), (CONTENT_DISPOSITION, disposition)];
    Ok((headers, answer.into_body()).into_response())
}
