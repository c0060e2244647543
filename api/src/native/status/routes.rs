//! The handlers of the server's status.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use throughline_model::Signal;
use throughline_model::time::SECOND_NS;
use throughline_storage::StoreStatus;

use super::super::params::Params;
use super::wire::{Build, Ready, ServerStatus, Stored};
use crate::error::Result;
use crate::state::ApiState;

const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The routes of the server's status.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .route("/api/v1/status", get(status))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
}

/// How the server is: build, uptime, segments, log, heads, backlog.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    operation_id = "get_status",
    tag = "server",
    responses((status = 200, description = "The status", body = ServerStatus))
)]
pub async fn status(State(state): State<ApiState>, params: Params) -> Result<Json<ServerStatus>> {
    params.allow(&[])?;
    let store = state.store.status();
    let readiness = state.ready.borrow().clone();
    let uptime_ns = state.clock.now_ns().saturating_sub(state.build.started_at_ns);
    Ok(Json(ServerStatus {
        ready: readiness.ready,
        stage: readiness.stage,
        build: Build { version: state.build.version, commit: state.build.commit },
        started_at: state.build.started_at_ns,
        uptime_seconds: uptime_ns as f64 / SECOND_NS as f64,
        settled: store.settled,
        stored: stored(&store),
        store,
    }))
}

fn stored(store: &StoreStatus) -> Stored {
    let rows = |wanted: Signal| {
        let signals = store.signals.iter().filter(|one| one.signal == wanted);
        signals
            .map(|one| one.head_rows + one.levels.iter().map(|level| level.rows).sum::<u64>())
            .sum()
    };
    Stored {
        spans: rows(Signal::Traces),
        log_records: rows(Signal::Logs),
        metric_rows: rows(Signal::Metrics),
    }
}

/// The server's own metrics in OpenMetrics text.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_own_metrics",
    tag = "server",
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
pub async fn metrics(State(state): State<ApiState>) -> Response {
    ([(CONTENT_TYPE, OPENMETRICS)], (state.metrics_page)()).into_response()
}

/// Whether the process runs.
#[utoipa::path(
    get,
    path = "/-/healthy",
    operation_id = "get_healthy",
    tag = "server",
    responses((status = 200, description = "It does", body = String))
)]
pub async fn healthy() -> &'static str {
    "healthy\n"
}

/// Whether the server takes requests.
#[utoipa::path(
    get,
    path = "/-/ready",
    operation_id = "get_ready",
    tag = "server",
    responses(
        (status = 200, description = "It does", body = Ready),
        (status = 503, description = "Not yet, or not any more", body = Ready),
    )
)]
pub async fn ready(State(state): State<ApiState>) -> Response {
    let readiness = state.ready.borrow().clone();
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(Ready { ready: readiness.ready, stage: readiness.stage })).into_response()
}
