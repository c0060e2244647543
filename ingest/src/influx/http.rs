//! `POST /write` and `/api/v2/write`: lines, with the unit of their times in `precision`.
//!
//! The answer is 204. If lines were refused it is 400 with an error that says which and why, and the others are
//! kept; Telegraf does not repeat what was written in part.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, extract::RawQuery};
use http::header::{HeaderName, HeaderValue};
use http::{Request, StatusCode};
use serde_json::json;
use throughline_model::Signal;
use throughline_storage::{Format, Reply};

use super::decode::Precision;
use crate::admit::Ingester;
use crate::otlp::http::{encoding, http_status, take_behind};
use crate::{Error, ErrorKind, Result, post as receive, preface};

/// Which of Influx' releases clients are told that they speak to: the last whose writes these are.
const SPOKEN_VERSION: &str = "1.8.10";

/// The paths below each prefix. `/query` answers what clients ask before they write: that a database is there.
pub fn routes(ingester: Ingester, prefixes: &[&str]) -> Router {
    let mut routes = Router::new();
    for prefix in prefixes {
        routes = routes
            .route(&format!("{prefix}/write"), post(write))
            .route(&format!("{prefix}/api/v2/write"), post(write))
            .route(&format!("{prefix}/ping"), get(ping).head(ping))
            .route(&format!("{prefix}/query"), post(query));
    }
    routes.with_state(ingester)
}

async fn write(
    State(ingester): State<Ingester>,
    Query(parameters): Query<Vec<(String, String)>>,
    request: Request<Body>,
) -> Response {
    let taken = take(&ingester, &parameters, request).await;
    match receive::counted(&ingester, Signal::Metrics, taken) {
        Ok(reply) if reply.rejected == 0 => StatusCode::NO_CONTENT.into_response(),
        Ok(reply) => {
            let told = format!("partial write: {} dropped={}", reply.message, reply.rejected);
            failure(StatusCode::BAD_REQUEST, "invalid", &told)
        }
        Err(err) => {
            let code = if err.retry_after_s().is_some() { "unavailable" } else { "invalid" };
            let mut response = failure(http_status(err.kind()), code, &err.to_string());
            let after = receive::refusal(&err).headers().get("retry-after").cloned();
            if let Some(after) = after {
                response.headers_mut().insert("retry-after", after);
            }
            response
        }
    }
}

async fn take(
    ingester: &Ingester,
    parameters: &[(String, String)],
    request: Request<Body>,
) -> Result<Reply> {
    let encoding = encoding(request.headers())?;
    let named = parameters.iter().find(|(name, text)| name == "precision" && !text.is_empty());
    let precision = match named {
        None => Precision::NANOSECONDS,
        Some((_, text)) => Precision::named(text).ok_or_else(|| {
            let message = format!("precision is '{text}', expected ns, us, ms, s, m or h");
            Error::new(ErrorKind::Malformed, message)
        })?,
    };
    let head = preface::line(precision.line().as_bytes(), encoding)?;
    take_behind(ingester, Signal::Metrics, Format::InfluxLines, encoding, &head, request).await
}

/// What both versions of the API say of an error.
fn failure(status: StatusCode, code: &str, message: &str) -> Response {
    (status, Json(json!({ "code": code, "message": message, "error": message }))).into_response()
}

async fn ping() -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let version = HeaderName::from_static("x-influxdb-version");
    response.headers_mut().insert(version, HeaderValue::from_static(SPOKEN_VERSION));
    response
}

async fn query(RawQuery(parameters): RawQuery, body: String) -> Response {
    let asked = format!("{}&{body}", parameters.unwrap_or_default()).to_ascii_lowercase();
    let asked = asked.replace('+', " ").replace("%20", " ");
    if asked.contains("q=create database") {
        return Json(json!({ "results": [{ "statement_id": 0 }] })).into_response();
    }
    let told =
        "InfluxQL is not spoken here: ask in PromQL at /prometheus, or in SQL at /api/v1/sql";
    failure(StatusCode::BAD_REQUEST, "invalid", told)
}
