//! The handler of SQL.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::HeaderMap;
use http::header::CONTENT_TYPE;

use super::super::accept::negotiate;
use super::super::body::JsonBody;
use super::answer::Rows;
use super::wire::{SqlAnswer, SqlRequest};
use crate::error::{ApiError, Problem, Result};
use crate::render::ipc::ARROW_STREAM;
use crate::state::{ApiState, asker};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";

/// The routes of SQL.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/sql", post(sql))
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Ndjson,
    Arrow,
}

/// Runs one reading SQL statement over one snapshot.
///
/// By `Accept`: a JSON document, NDJSON (one object a row, streamed; an error after the first row is
/// a last line `{"error": {…}}`), or an Arrow IPC stream.
#[utoipa::path(
    post,
    path = "/api/v1/sql",
    operation_id = "sql",
    tag = "sql",
    request_body = SqlRequest,
    responses(
        (status = 200, description = "The rows", content(
            (SqlAnswer = "application/json"),
            (String = "application/x-ndjson"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit of memory, bytes or rows was reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many queries", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn sql(
    State(state): State<ApiState>,
    headers: HeaderMap,
    JsonBody(request): JsonBody<SqlRequest>,
) -> Result<Response> {
    let offered = [(JSON, Form::Json), (NDJSON, Form::Ndjson), (ARROW_STREAM, Form::Arrow)];
    let form = negotiate(&headers, &offered)?;
    check(&request)?;
    let (mut ctx, guard) = asker();
    ctx.timeout_ms = request.timeout_ms;
    let result = state.engine.sql(&request.query, &ctx).await?;
    let rows = Rows::new(result, request.limit, state.tracker.clone(), guard).await?;
    Ok(match form {
        Form::Json => ([(CONTENT_TYPE, JSON)], rows.into_json(state.limits).await?).into_response(),
        Form::Ndjson => ([(CONTENT_TYPE, NDJSON)], rows.into_ndjson()).into_response(),
        Form::Arrow => ([(CONTENT_TYPE, ARROW_STREAM)], rows.into_arrow()?).into_response(),
    })
}

fn check(request: &SqlRequest) -> Result<()> {
    if request.query.trim().is_empty() {
        return Err(ApiError::invalid("query", &request.query, "the query is empty"));
    }
    for (field, value) in [("timeout_ms", request.timeout_ms), ("limit", request.limit)] {
        if value == Some(0) {
            let detail = format!("{field} is 0, the least is 1");
            return Err(ApiError::invalid(field, "0", detail).with_limit(1));
        }
    }
    Ok(())
}
