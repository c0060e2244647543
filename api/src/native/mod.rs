//! The native API, one folder a resource: `routes` (handlers), `params` (what a request may say),
//! `wire` (what goes over the wire).

pub mod accept;
pub mod body;
pub mod catalog;
pub mod changes;
pub mod duration;
pub mod exceptions;
pub mod filter;
pub mod form;
pub mod logs;
pub mod metrics;
pub mod origin;
pub mod params;
pub mod services;
pub mod sql;
pub mod stats;
pub mod status;
pub mod time;
pub mod traceql;
pub mod traces;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{any, get};

use crate::edge::unknown_path;
use crate::openapi::document;
use crate::state::ApiState;

/// The routes of the native API.
pub fn routes() -> Router<ApiState> {
    Router::new()
        .merge(sql::routes::routes())
        .merge(traces::routes::routes())
        .merge(traces::page::routes::routes())
        .merge(logs::routes::routes())
        .merge(logs::query::routes::routes())
        .merge(logs::counts::routes::routes())
        .merge(logs::delete::routes::routes())
        .merge(logs::patterns::routes::routes())
        .merge(logs::tail::routes::routes())
        .merge(logs::context::routes::routes())
        .merge(logs::export::routes::routes())
        .merge(metrics::routes::routes())
        .merge(catalog::routes::routes())
        .merge(services::routes::routes())
        .merge(exceptions::routes::routes())
        .merge(changes::routes::routes())
        .merge(traceql::routes::routes())
        .merge(status::routes::routes())
        .route("/api/v1/openapi.json", get(document))
        .route("/api", any(unknown_path))
        .route("/api/{*rest}", any(unknown_path))
        .layer(DefaultBodyLimit::max(body::BODY_BYTES_MAX))
}
