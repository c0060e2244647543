//! What surrounds every handler: panics become problems, requests are counted, unknown paths and
//! methods get an answer in the API's own format.
//!
//! There are no CORS headers: browsers let only pages of the same origin read the answers.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use http::Method;

use crate::error::{ApiError, ErrorKind};
use crate::state::ApiState;

/// Counts the request and catches its panic.
pub async fn surround(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    guarded(&state, &route, next.run(request)).await
}

/// Counts an answer under the name of its route; a panic is an answer, too.
pub async fn guarded(
    state: &ApiState,
    route: &str,
    answer: impl Future<Output = Response>,
) -> Response {
    let started = Instant::now();
    let _in_flight = state.counters.enter();
    let answered = AssertUnwindSafe(answer).catch_unwind().await;
    let response = answered.unwrap_or_else(|panic| {
        state.counters.add_panic();
        ApiError::internal(format!("a handler of {route} panicked: {}", panic_text(&*panic)))
            .into_response()
    });
    state.counters.add(route, response.status(), started.elapsed());
    response
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message")
}

/// Answers for paths under `/api` that do not exist.
pub async fn unknown_path(request: Request) -> ApiError {
    let path = request.uri().path();
    let detail = format!("there is nothing at '{path}'; /api/v1/openapi.json lists what there is");
    ApiError::not_found("path", path, detail)
}

/// Answers for methods that a path does not take; the router adds `Allow`.
pub async fn wrong_method(method: Method, request: Request) -> ApiError {
    let detail = format!("'{}' does not take {method}", request.uri().path());
    ApiError::new(ErrorKind::MethodNotAllowed, detail)
        .with_field("method")
        .with_value(method.as_str())
}
