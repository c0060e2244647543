//! Splunk's collector over HTTP: events and raw lines are taken, health is answered.
//!
//! What a raw request says in its parameters goes before its lines, so that the log has it too.

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{any, get, post};
use http::StatusCode;
use http_body::Body as _;
use serde_json::{Map, Value};
use throughline_model::Signal;
use throughline_storage::{Encoding, Format, Reply};

use super::answer;
use crate::admit::Ingester;
use crate::otlp::http::{encoding, take_behind};
use crate::{Result, post as receive, preface};

/// The parameters of a raw request that say where its lines are from.
const PARAMETERS: [&str; 5] = ["time", "host", "source", "sourcetype", "index"];

/// The paths below `/services/collector`.
pub fn routes(ingester: Ingester) -> Router {
    let healthy = || async { answer::plain(StatusCode::OK, answer::HEALTHY) };
    let no_acks = || async { answer::plain(StatusCode::BAD_REQUEST, answer::ACK_DISABLED) };
    Router::new()
        .route("/services/collector", post(events))
        .route("/services/collector/event", post(events))
        .route("/services/collector/event/1.0", post(events))
        .route("/services/collector/raw", post(raw))
        .route("/services/collector/raw/1.0", post(raw))
        .route("/services/collector/health", get(healthy))
        .route("/services/collector/health/1.0", get(healthy))
        .route("/services/collector/ack", any(no_acks))
        .with_state(ingester)
}

async fn events(State(ingester): State<Ingester>, request: http::Request<Body>) -> Response {
    if request.body().is_end_stream() {
        return answer::plain(StatusCode::BAD_REQUEST, answer::NO_DATA_CODE);
    }
    let taken = receive::logs(&ingester, Format::SplunkEvents, request).await;
    respond(taken)
}

async fn raw(
    State(ingester): State<Ingester>,
    Query(parameters): Query<Vec<(String, String)>>,
    request: http::Request<Body>,
) -> Response {
    if request.body().is_end_stream() {
        return answer::plain(StatusCode::BAD_REQUEST, answer::NO_DATA_CODE);
    }
    let taken = take_lines(&ingester, parameters, request).await;
    respond(receive::counted(&ingester, Signal::Logs, taken))
}

async fn take_lines(
    ingester: &Ingester,
    parameters: Vec<(String, String)>,
    request: http::Request<Body>,
) -> Result<Reply> {
    let encoding = encoding(request.headers())?;
    let head = head(encoding, parameters)?;
    take_behind(ingester, Signal::Logs, Format::SplunkRaw, encoding, &head, request).await
}

fn respond(taken: Result<Reply>) -> Response {
    match taken {
        Ok(reply) => answer::of_reply(&reply),
        Err(err) => answer::of_error(&err),
    }
}

/// The line that goes before a body of this encoding, as a part of it. Gzip and zstd allow for bodies in
/// parts, the others do not.
fn head(encoding: Encoding, parameters: Vec<(String, String)>) -> Result<Vec<u8>> {
    let mut said = Map::new();
    for (name, text) in parameters {
        if PARAMETERS.contains(&name.as_str()) {
            said.entry(name).or_insert(Value::String(text));
        }
    }
    let line = format!("{}\n", Value::Object(said)).into_bytes();
    preface::line(&line, encoding)
}
