//! A tail in a WebSocket.
//!
//! While the client has paused, messages are withheld up to [`WITHHELD_BYTES_MAX`]; records beyond
//! that are dropped and counted, and the count follows what was withheld.

use std::pin::pin;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use futures::StreamExt;
use throughline_query as query;
use throughline_query::logs::{LogTail, TailChunk};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::DropGuard;

use super::routes::{KEEP_ALIVE, stopping};
use super::wire::{TailCommand, TailMessage};
use crate::error::ApiError;
use crate::state::ApiState;

/// Bytes of messages that are withheld while the client has paused.
const WITHHELD_BYTES_MAX: usize = 4 << 20;
/// Bytes of a command of the client.
const COMMAND_BYTES_MAX: usize = 1024;
/// Bytes of messages that a socket may gather before they must go out.
const WRITE_BUFFER_BYTES_MAX: usize = 64 << 20;
/// How long the last message may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Answers a handshake with a tail, which runs under the state's tracker.
pub fn answer(
    state: &ApiState,
    upgrade: WebSocketUpgrade,
    open: TailMessage,
    tail: LogTail,
    guard: DropGuard,
) -> Response {
    let (tracker, ready) = (state.tracker.clone(), state.ready.clone());
    upgrade
        .max_message_size(COMMAND_BYTES_MAX)
        .max_frame_size(COMMAND_BYTES_MAX)
        .max_write_buffer_size(WRITE_BUFFER_BYTES_MAX)
        .on_upgrade(move |socket| {
            tracker.track_future(async move {
                let _cancels_on_drop = guard;
                let mut conversation = Conversation::new(socket, tail);
                let mut stopping = pin!(stopping(ready));
                let close = tokio::select! {
                    biased;
                    () = stopping.as_mut() => Some((close_code::AWAY, "the server shuts down")),
                    close = conversation.run(open) => close,
                };
                if let Some((code, reason)) = close {
                    conversation.close(code, reason).await;
                }
            })
        })
}

// Why the server ends a conversation; none if the client did.
type Close = Option<(u16, &'static str)>;

struct Conversation {
    socket: WebSocket,
    tail: LogTail,
    is_paused: bool,
    withheld: Withheld,
}

#[derive(Default)]
struct Withheld {
    messages: Vec<String>,
    bytes: usize,
    dropped: u64,
}

impl Conversation {
    fn new(socket: WebSocket, tail: LogTail) -> Self {
        Self { socket, tail, is_paused: false, withheld: Withheld::default() }
    }

    async fn run(&mut self, open: TailMessage) -> Close {
        let mut pings = interval(KEEP_ALIVE);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        if self.send(open.json()).await.is_err() {
            return None;
        }
        loop {
            let sent = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.hear(message).await,
                    Some(Err(_)) | None => return None,
                },
                chunk = self.tail.next() => match chunk {
                    Some(Ok(chunk)) => self.pass_on(chunk).await,
                    Some(Err(err)) => return self.fail(err).await,
                    None => return Some((close_code::AWAY, "the tail has ended")),
                },
                _ = pings.tick() => self.socket.send(Message::Ping(Bytes::new())).await,
            };
            if sent.is_err() {
                return None;
            }
        }
    }

    async fn hear(&mut self, message: Message) -> Result<(), axum::Error> {
        let command = match &message {
            Message::Text(text) => serde_json::from_str::<TailCommand>(text),
            Message::Binary(bytes) => serde_json::from_slice(bytes),
            // Pings are answered below; after a close the next read ends the conversation.
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => return Ok(()),
        };
        match command {
            Ok(TailCommand { pause }) => self.is_paused = pause,
            Err(err) => {
                let err = ApiError::invalid("pause", "", format!("a command of a tail: {err}"));
                return self.send(TailMessage::error(&err).json()).await;
            }
        }
        if self.is_paused {
            return Ok(());
        }
        let Withheld { messages, dropped, .. } = std::mem::take(&mut self.withheld);
        for message in messages {
            self.send(message).await?;
        }
        match dropped {
            0 => Ok(()),
            rows => self.send(TailMessage::Dropped { rows }.json()).await,
        }
    }

    async fn pass_on(&mut self, chunk: TailChunk) -> Result<(), axum::Error> {
        if !self.is_paused {
            return self.send(TailMessage::from(chunk).json()).await;
        }
        let rows = chunk.records.len() as u64 + chunk.dropped;
        let is_gap = chunk.dropped > 0;
        let message = match is_gap || self.withheld.dropped > 0 {
            // After the first gap everything is counted: what follows it would stand before it.
            true => String::new(),
            false => TailMessage::from(chunk).json(),
        };
        if message.is_empty() || self.withheld.bytes + message.len() > WITHHELD_BYTES_MAX {
            self.withheld.dropped += rows;
        } else {
            self.withheld.bytes += message.len();
            self.withheld.messages.push(message);
        }
        Ok(())
    }

    async fn fail(&mut self, err: query::Error) -> Close {
        let message = TailMessage::error(&ApiError::from(err)).json();
        // The close that follows says it too, to a client that still listens.
        let _ = self.send(message).await;
        Some((close_code::ERROR, "the tail has failed"))
    }

    async fn send(&mut self, text: String) -> Result<(), axum::Error> {
        self.socket.send(Message::Text(text.into())).await
    }

    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: reason.into() };
        // A client that does not read is not waited for.
        let _ = timeout(CLOSE_TIMEOUT, self.socket.send(Message::Close(Some(frame)))).await;
    }
}
