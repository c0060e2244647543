//! A tail of lines in a WebSocket, as Loki's clients read it.

use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures::StreamExt;
use http::HeaderMap;
use serde_json::json;
use throughline_model::time::HOUR_NS;
use throughline_query::logql::run::{LineTail, LinesChunk};
use throughline_query::logs::{LogOrder, TAIL_PAST_MAX};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::DropGuard;

use super::error::{LokiError, Result};
use super::params;
use super::routes::is_categorized;
use super::wire;
use crate::error::ApiError;
use crate::native::logs::tail::{KEEP_ALIVE, check_origin, stopping};
use crate::native::params::Params;
use crate::native::time::parse_time_ns;
use crate::state::{ApiState, asker};

/// Seconds that a client may ask records to be held back, so that late ones can be put in order; none
/// are held back here.
const DELAY_SECONDS_MAX: u64 = 5;
/// Records of the past, if a request names no limit.
const LIMIT_DEFAULT: usize = 100;
/// Bytes that a client may send at once; what it sends is not read.
const RECEIVED_BYTES_MAX: usize = 1024;
/// Bytes of messages that a socket may gather before they must go out.
const WRITE_BUFFER_BYTES_MAX: usize = 64 << 20;
/// How long the last message may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// `GET /loki/api/v1/tail`.
pub async fn tail(
    State(state): State<ApiState>,
    headers: HeaderMap,
    params: Params,
    upgrade: std::result::Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response> {
    check_origin(&headers)?;
    let upgrade = upgrade.map_err(|rejection| {
        let detail = format!("a tail is asked for by a WebSocket: {rejection}");
        LokiError::invalid("upgrade", "", detail)
    })?;
    let now_ns = state.clock.now_ns();
    let query = params::log_query(&params, "tail")?;
    let limit = params::limit(&params, "limit", LIMIT_DEFAULT, usize::MAX)?.min(TAIL_PAST_MAX);
    if let Some(text) = params::first(&params, "delay_for")
        && !text.parse::<u64>().is_ok_and(|seconds| seconds <= DELAY_SECONDS_MAX)
    {
        let detail = format!("delay_for '{text}': 0 to {DELAY_SECONDS_MAX} seconds are allowed");
        return Err(LokiError::invalid("delay_for", text, detail));
    }
    let start_ns = match params::first(&params, "start") {
        Some(text) => parse_time_ns("start", text, now_ns)?,
        None => now_ns.saturating_sub(HOUR_NS),
    };
    let (ctx, guard) = asker();
    let tail = state.engine.tail_lines(&query, start_ns, limit, &ctx).await?;
    Ok(answer(&state, upgrade, tail, is_categorized(&headers), guard))
}

fn answer(
    state: &ApiState,
    upgrade: WebSocketUpgrade,
    mut tail: LineTail,
    is_categorized: bool,
    guard: DropGuard,
) -> Response {
    let (tracker, ready) = (state.tracker.clone(), state.ready.clone());
    upgrade
        .max_message_size(RECEIVED_BYTES_MAX)
        .max_frame_size(RECEIVED_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |mut socket| {
            tracker.track_future(async move {
                let _cancels_on_drop = guard;
                let mut stopping = pin!(stopping(ready));
                let close = tokio::select! {
                    biased;
                    () = stopping.as_mut() => Some((close_code::AWAY, "the server shuts down")),
                    close = run(&mut socket, &mut tail, is_categorized) => close,
                };
                if let Some((code, reason)) = close {
                    let frame = CloseFrame { code, reason: reason.into() };
                    let message = Message::Close(Some(frame));
                    // A client that does not read is not waited for.
                    let _ = timeout(CLOSE_TIMEOUT, socket.send(message)).await;
                }
            })
        })
}

// Why the server ends a conversation; none if the client did.
async fn run(
    socket: &mut WebSocket,
    tail: &mut LineTail,
    is_categorized: bool,
) -> Option<(u16, &'static str)> {
    let mut pings = interval(KEEP_ALIVE);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings.reset();
    loop {
        let sent = tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return None,
            },
            chunk = tail.next() => match chunk {
                Some(Ok(chunk)) => {
                    let text = message(&chunk, is_categorized);
                    socket.send(Message::Text(text.into())).await
                }
                Some(Err(err)) => {
                    ApiError::from(err).log();
                    return Some((close_code::ERROR, "the tail has failed"));
                }
                None => return Some((close_code::AWAY, "the tail has ended")),
            },
            _ = pings.tick() => socket.send(Message::Ping(Bytes::new())).await,
        };
        if sent.is_err() {
            return None;
        }
    }
}

// Which records were dropped is not known, only how many: one entry each, without labels.
fn message(chunk: &LinesChunk, is_categorized: bool) -> String {
    let streams = wire::streams(&chunk.lines, LogOrder::OldestFirst, is_categorized);
    let dropped = 0..chunk.dropped.min(DROPPED_LISTED_MAX);
    let dropped: Vec<_> = dropped.map(|_| json!({"labels": {}, "timestamp": "0"})).collect();
    let mut message = json!({"streams": streams});
    if !dropped.is_empty() {
        message["dropped_entries"] = json!(dropped);
    }
    if is_categorized {
        message["encodingFlags"] = json!([wire::CATEGORIZE]);
    }
    message.to_string()
}

/// Dropped records that one message lists.
const DROPPED_LISTED_MAX: u64 = 1000;
