//! What goes over the wire of a tail: the same messages as events and in a WebSocket.

use serde::{Deserialize, Serialize};
use throughline_query::logs::TailChunk;
use utoipa::ToSchema;

use super::super::wire::{LogRecord, log_records};
use crate::error::{ApiError, Problem};

/// A message to the client. `event` says which, and is the name of the Server-Sent Event too.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum TailMessage {
    /// The first message: from here on nothing is missed that `dropped` does not count.
    Open {
        /// How many records of the past were asked for.
        tail_from: u64,
    },
    /// Records that match, in the order in which the server published them.
    Records {
        /// The records.
        logs: Vec<LogRecord>,
    },
    /// Records are missing here because the client was too slow or paused for too long.
    Dropped {
        /// How many; those that were dropped before the conditions were asked of them may not match.
        rows: u64,
    },
    /// The tail ends because of an error, or a command was not understood.
    Error {
        /// What is wrong.
        problem: Problem,
    },
}

impl TailMessage {
    /// The name of the event.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open { .. } => "open",
            Self::Records { .. } => "records",
            Self::Dropped { .. } => "dropped",
            Self::Error { .. } => "error",
        }
    }

    /// As JSON, without line breaks.
    pub fn json(&self) -> String {
        let unwritable = |err| {
            ApiError::internal(format!("a message of a tail cannot be written: {err}")).log();
            String::from("{\"event\":\"error\"}")
        };
        serde_json::to_string(self).unwrap_or_else(unwritable)
    }

    /// An error on its way out of a stream; its inside goes to the server's log.
    pub fn error(err: &ApiError) -> Self {
        err.log();
        Self::Error { problem: err.problem().clone() }
    }
}

impl From<TailChunk> for TailMessage {
    fn from(TailChunk { records, dropped }: TailChunk) -> Self {
        match dropped {
            0 => Self::Records { logs: log_records(records, 0) },
            rows => Self::Dropped { rows },
        }
    }
}

/// A message from the client of a WebSocket.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TailCommand {
    /// Whether records are withheld from now on; they follow when it is `false` again.
    pub pause: bool,
}
