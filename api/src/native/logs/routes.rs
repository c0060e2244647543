//! The handler of log search.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::HeaderMap;
use throughline_query::logs as query;

use super::super::form::{Form, OtlpAnswer, bytes, form, respond, write_as};
use super::super::params::Params;
use super::params::{LogsParams, log_search};
use super::wire::LogPage;
use crate::error::{Problem, Result};
use crate::otlp;
use crate::state::{ApiState, asker};

/// The routes of log records.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs", get(search))
}

/// Log records that meet every condition, newest first unless `order` says otherwise.
///
/// With `format=otlp`, or protobuf by `Accept`, as OTLP (`{"resourceLogs": […]}`, `LogsData`): what was
/// sent comes back, field by field. The header `throughline-next-cursor` then carries the cursor of
/// the next page, `throughline-partial` the segments that could not be read.
#[utoipa::path(
    get,
    path = "/api/v1/logs",
    operation_id = "search_logs",
    tag = "logs",
    params(LogsParams),
    responses(
        (status = 200, description = "A page of log records", content(
            (LogPage = "application/json"),
            (Vec<u8> = "application/x-protobuf"),
        )),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn search(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let form = form(&headers, &params)?;
    let search = log_search(&params, None, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    let page = state.engine.search_logs(&search, &ctx).await?;
    page_response(&state, form, page).await
}

/// A page of log records in the form asked for.
pub async fn page_response(state: &ApiState, form: Form, page: query::LogPage) -> Result<Response> {
    let Form::Otlp(form) = form else {
        return Ok(Json(LogPage::from(page)).into_response());
    };
    let query::LogPage { records, next, stats, .. } = page;
    let answer =
        OtlpAnswer { items: records.len(), partial: stats.scan.partial, next_cursor: next };
    let write = move |form| {
        let groups = otlp::group_logs(&records);
        write_as(
            form,
            || otlp::json::write_logs(&groups),
            || bytes(&otlp::proto::logs_data(&groups)),
        )
    };
    respond(&state.tracker, form, answer, write).await
}
