//! The handlers of the log language.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use throughline_query::logs::language::{Answer, Bounds};
use throughline_query::logs::{formatted, lowered};

use super::super::super::accept::negotiate;
use super::super::super::body::JsonBody;
use super::super::super::params::Params;
use super::super::super::sql::answer::{RowForm, Rows};
use super::complete as completion;
use super::params;
use super::params::{CompleteParams, FormatParams, QueryParams};
use super::wire::{
    LogCompletion, LogQueryAnswer, LogQueryExplained, LogQueryFormatted, LogQueryRequest, columns,
    kind_name,
};
use crate::error::{ApiError, Problem, Result};
use crate::render::ipc::ARROW_STREAM;
use crate::state::{ApiState, asker};

const JSON: &str = "application/json";
const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv";

/// The routes of the log language.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/logs/query", get(query).post(post_query))
        .route("/api/v1/logs/query/complete", get(complete))
        .route("/api/v1/logs/query/format", get(format))
}

#[derive(Clone, Copy)]
enum Form {
    Json,
    Ndjson,
    Csv,
    Arrow,
}

const OFFERED: [(&str, Form); 4] =
    [(JSON, Form::Json), (NDJSON, Form::Ndjson), (CSV, Form::Csv), (ARROW_STREAM, Form::Arrow)];

fn form(headers: &HeaderMap, params: &Params) -> Result<Form> {
    match params.one("format")? {
        None => negotiate(headers, &OFFERED),
        Some("json") => Ok(Form::Json),
        Some("ndjson") => Ok(Form::Ndjson),
        Some("csv") => Ok(Form::Csv),
        Some("arrow") => Ok(Form::Arrow),
        Some(other) => {
            let detail = format!("format '{other}' is none of json, ndjson, csv, arrow");
            Err(ApiError::invalid("format", other, detail))
        }
    }
}

/// What a query of the log language answers: whole records, a table, or numbers over time.
///
/// By `format` or `Accept`: a JSON document, NDJSON (one object a row, streamed; an error after the first
/// row is a last line `{"error": {…}}`), CSV, or an Arrow IPC stream. With `explain=true` the SQL that
/// the query means, without running it.
#[utoipa::path(
    get,
    path = "/api/v1/logs/query",
    operation_id = "query_logs",
    tag = "logs",
    params(QueryParams),
    responses(
        (status = 200, description = "The rows", content(
            (LogQueryAnswer = "application/json"),
            (String = "application/x-ndjson"),
            (String = "text/csv"),
            (Vec<u8> = "application/vnd.apache.arrow.stream"),
        )),
        (status = 400, description = "The query or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 406, description = "No accepted form is offered", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit of memory, bytes or rows was reached", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many queries", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn query(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    answer(&state, &headers, &params).await
}

/// The same question with its parameters in a JSON object, for texts that are too long for an address.
#[utoipa::path(
    post,
    path = "/api/v1/logs/query",
    operation_id = "post_query_logs",
    tag = "logs",
    request_body = LogQueryRequest,
    responses(
        (status = 200, description = "The rows", body = LogQueryAnswer),
        (status = 400, description = "The query or a parameter is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A limit of memory, bytes or rows was reached", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn post_query(
    State(state): State<ApiState>,
    headers: HeaderMap,
    JsonBody(object): JsonBody<serde_json::Map<String, serde_json::Value>>,
) -> Result<Response> {
    answer(&state, &headers, &Params::of_object(object)?).await
}

async fn answer(state: &ApiState, headers: &HeaderMap, params: &Params) -> Result<Response> {
    let ask = params::ask(params, state.clock.now_ns())?;
    let form = form(headers, params)?;
    let lowered = lowered(&ask.query, &ask.bounds)?;
    if ask.explain {
        return Ok(Json(LogQueryExplained::from(lowered)).into_response());
    }
    let (ctx, guard) = asker();
    // One row more than asked for says whether there are more.
    let bounds = Bounds { limit: ask.bounds.limit + 1, ..ask.bounds };
    let answer = state.engine.log_query(&ask.query, &bounds, &ctx).await?;
    let limit = Some(ask.bounds.limit);
    let rows = Rows::new(answer.result, limit, state.tracker.clone(), guard).await?;
    Ok(match form {
        Form::Json => {
            let of_rows = match lowered.kind {
                Answer::Records => RowForm::Objects,
                Answer::Table | Answer::Series => RowForm::Lists,
            };
            let members = serde_json::json!({
                "kind": kind_name(lowered.kind),
                "sql": lowered.sql,
                "columns": columns(rows.schema(), &lowered.columns),
            });
            let members = members.to_string();
            let members = members.trim_start_matches('{').trim_end_matches('}');
            let body = rows.into_json_with(members, of_rows, state.limits).await?;
            ([(CONTENT_TYPE, JSON)], body).into_response()
        }
        Form::Ndjson => ([(CONTENT_TYPE, NDJSON)], rows.into_ndjson()).into_response(),
        Form::Csv => ([(CONTENT_TYPE, CSV)], rows.into_csv()).into_response(),
        Form::Arrow => ([(CONTENT_TYPE, ARROW_STREAM)], rows.into_arrow()?).into_response(),
    })
}

/// What fits at a place of a query that is being written: words of the language, names and values.
#[utoipa::path(
    get,
    path = "/api/v1/logs/query/complete",
    operation_id = "complete_log_query",
    tag = "logs",
    params(CompleteParams),
    responses(
        (status = 200, description = "The proposals; none where the query is wrong before the cursor", body = LogCompletion),
        (status = 400, description = "A parameter is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn complete(
    State(state): State<ApiState>,
    params: Params,
) -> Result<Json<LogCompletion>> {
    let look = params::complete(&params, state.clock.now_ns())?;
    let (ctx, _guard) = asker();
    Ok(Json(completion::complete(&look, &state, &ctx).await?))
}

/// A query as it is usually written.
#[utoipa::path(
    get,
    path = "/api/v1/logs/query/format",
    operation_id = "format_log_query",
    tag = "logs",
    params(FormatParams),
    responses(
        (status = 200, description = "The query", body = LogQueryFormatted),
        (status = 400, description = "The query is wrong", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn format(params: Params) -> Result<Json<LogQueryFormatted>> {
    let query = formatted(&params::format(&params)?)?;
    Ok(Json(LogQueryFormatted { query }))
}
