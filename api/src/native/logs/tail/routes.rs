//! The handler of a tail.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures::{StreamExt, stream};
use http::HeaderMap;
use http::header::{HOST, ORIGIN, UPGRADE};
use throughline_query::logs::LogTail;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;

use super::super::super::params::Params;
use super::params::{TailParams, log_tail};
use super::socket;
use super::wire::{TailCommand, TailMessage};
use crate::error::{ApiError, ErrorKind, Problem, Result};
use crate::state::{ApiState, Readiness, asker};

/// How often a quiet tail shows that it lives.
pub const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The routes of tails.
pub fn routes() -> Router<ApiState> {
    Router::new().route("/api/v1/logs/tail", get(tail))
}

/// Log records as they are acknowledged, without polling, in the order of their publication.
///
/// Server-Sent Events `open`, `records`, `dropped` and `error`, with comments that keep the connection
/// alive. With the handshake of a WebSocket the same messages come as texts, and the client may send
/// `{"pause": true}` and `{"pause": false}`; a page of another origin is refused. A client that reads
/// too slowly loses records and is told how many; it never slows ingest. A tail has no deadline; it
/// ends when the server shuts down.
#[utoipa::path(
    get,
    path = "/api/v1/logs/tail",
    operation_id = "tail_logs",
    tag = "logs",
    params(TailParams),
    responses(
        (status = 101, description = "A WebSocket: messages as texts, commands of the client as `TailCommand`", body = TailCommand, content_type = "application/json"),
        (status = 200, description = "Events whose data are messages", body = TailMessage, content_type = "text/event-stream"),
        (status = 400, description = "A parameter or the handshake is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many tails", body = Problem, content_type = "application/problem+json"),
        (status = 504, description = "The deadline passed while records of the past were read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn tail(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    let upgrade = match wants_socket(&headers) {
        true => Some(handshake(&headers, upgrade)?),
        false => None,
    };
    let (search, past) = log_tail(&params, state.clock.now_ns())?;
    let (ctx, guard) = asker();
    let tail = state.engine.tail_logs(&search, past, &ctx).await?;
    let open = TailMessage::Open { tail_from: past as u64 };
    Ok(match upgrade {
        Some(upgrade) => socket::answer(&state, upgrade, open, tail, guard),
        None => events(&state, open, tail, guard),
    })
}

fn wants_socket(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).map(|value| value.as_bytes());
    upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket"))
}

// Browsers let any page open a WebSocket to any host, and send no preflight: whoever is of another
// origin is turned away here, as the missing CORS headers do elsewhere.
fn handshake(
    headers: &HeaderMap,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<WebSocketUpgrade> {
    check_origin(headers)?;
    upgrade.map_err(|rejection| {
        let detail = format!("handshake of a WebSocket: {rejection}");
        ApiError::new(ErrorKind::Invalid, detail).with_field("upgrade")
    })
}

/// Refuses the WebSocket of a page of another origin.
pub fn check_origin(headers: &HeaderMap) -> Result<()> {
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let of_origin = origin.split_once("://").map(|(_, host)| host);
        if host.is_none() || of_origin != host {
            let detail = format!("a page of origin '{origin}' may not open a WebSocket here");
            return Err(ApiError::invalid("origin", origin, detail));
        }
    }
    Ok(())
}

fn events(state: &ApiState, open: TailMessage, tail: LogTail, guard: DropGuard) -> Response {
    let messages = tail.map(move |chunk| {
        let _cancels_on_drop = &guard;
        chunk.map_or_else(|err| TailMessage::error(&ApiError::from(err)), TailMessage::from)
    });
    let events = stream::iter([open])
        .chain(messages)
        .map(|message| Event::default().event(message.name()).data(message.json()))
        .map(Ok::<_, Infallible>)
        .take_until(stopping(state.ready.clone()));
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Waits until the server stops taking requests.
pub async fn stopping(mut ready: watch::Receiver<Readiness>) {
    // A server that is gone has stopped too.
    let _ = ready.wait_for(|readiness| !readiness.ready).await;
}
