//! What clients of Prometheus ask about the server: versions, configuration, cardinality; and, empty
//! here, rules and alerts.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde_json::{Value, json};
use throughline_model::time::format_rfc3339;
use throughline_query::promql::discover::SeriesQuery;

use super::error::{PromError, Result};
use super::form::Form;
use super::params;
use super::wire::Success;
use crate::state::{ApiState, asker};

/// The release of Prometheus whose interfaces these are: clients choose by it what they ask for.
const SPOKEN_VERSION: &str = "3.5.0";
/// Things of a kind in the answer about cardinality, if a question names no limit.
const LIMIT_DEFAULT: usize = 10;
const LIMIT_MAX: usize = 10_000;

/// The routes of the server's state.
pub fn routes() -> Router<ApiState> {
    const BASE: &str = "/prometheus/api/v1";
    let path = |rest: &str| format!("{BASE}{rest}");
    Router::new()
        .route(&path("/status/buildinfo"), get(build_info))
        .route(&path("/status/runtimeinfo"), get(runtime_info))
        .route(&path("/status/config"), get(config))
        .route(&path("/status/flags"), get(flags))
        .route(&path("/status/tsdb"), get(tsdb))
        .route(&path("/alertmanagers"), get(alertmanagers))
        .route(&path("/notifications"), get(nothing))
        .route(&path("/rules"), get(rules))
        .route(&path("/alerts"), get(alerts))
        .route("/prometheus/-/healthy", get(healthy))
        .route("/prometheus/-/ready", get(ready))
}

pub(super) fn success(data: &Value) -> Json<Value> {
    Json(serde_json::to_value(Success::of(data)).unwrap_or_default())
}

async fn healthy() -> &'static str {
    "Throughline is healthy.\n"
}

async fn ready(State(state): State<ApiState>) -> Response {
    let readiness = state.ready.borrow().clone();
    match readiness.ready {
        true => "Throughline is ready.\n".into_response(),
        false => (StatusCode::SERVICE_UNAVAILABLE, readiness.stage + "\n").into_response(),
    }
}

async fn build_info(State(state): State<ApiState>) -> Json<Value> {
    success(&json!({
        "version": SPOKEN_VERSION,
        "revision": state.build.commit.clone().unwrap_or_default(),
        "branch": "",
        "buildUser": format!("throughline {}", state.build.version),
        "buildDate": "",
        "goVersion": "",
    }))
}

async fn runtime_info(State(state): State<ApiState>) -> Json<Value> {
    let started = format_rfc3339(state.build.started_at_ns);
    success(&json!({
        "startTime": started,
        "serverTime": format_rfc3339(state.clock.now_ns()),
        "reloadConfigSuccess": true,
        "lastConfigTime": started,
        "corruptionCount": 0,
        "storageRetention": "",
    }))
}

async fn config() -> Json<Value> {
    success(&json!({ "yaml": "" }))
}

async fn flags() -> Json<Value> {
    success(&json!({}))
}

async fn tsdb(State(state): State<ApiState>, Form(params): Form) -> Result<Json<Value>> {
    let limit = match params::first(&params, "limit").map(str::parse::<usize>) {
        None => LIMIT_DEFAULT,
        Some(Ok(limit)) if (1..=LIMIT_MAX).contains(&limit) => limit,
        Some(Ok(limit)) if limit > LIMIT_MAX => {
            return Err(PromError::bad_data(format!("limit must not exceed {LIMIT_MAX}")));
        }
        Some(_) => return Err(PromError::bad_data("limit must be a positive number")),
    };
    let query = SeriesQuery { limit: None, ..params::series(&params)? };
    let (ctx, _guard) = asker();
    let found = state.engine.promql_cardinality(&query, limit, &ctx).await?;
    let list = |counts: Vec<(String, usize)>| {
        let counts = counts.into_iter().map(|(name, value)| json!({"name": name, "value": value}));
        counts.collect::<Vec<_>>()
    };
    Ok(success(&json!({
        "headStats": {
            "numSeries": found.series,
            "numLabelPairs": found.pairs,
            "chunkCount": 0,
            "minTime": 0,
            "maxTime": state.clock.now_ns() / 1_000_000,
        },
        "seriesCountByMetricName": list(found.by_metric),
        "labelValueCountByLabelName": list(found.by_label),
        "memoryInBytesByLabelName": list(found.bytes_by_label),
        "seriesCountByLabelValuePair": list(found.by_pair),
    })))
}

async fn alertmanagers() -> Json<Value> {
    success(&json!({ "activeAlertmanagers": [], "droppedAlertmanagers": [] }))
}

async fn nothing() -> Json<Value> {
    success(&json!([]))
}

async fn rules() -> Json<Value> {
    success(&json!({ "groups": [] }))
}

async fn alerts() -> Json<Value> {
    success(&json!({ "alerts": [] }))
}
