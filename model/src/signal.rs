//! The three kinds of telemetry. Each has a WAL, a head and segments of its own.

use serde::{Deserialize, Serialize};

/// A kind of telemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Signal {
    /// Spans.
    Traces = 1,
    /// Log records.
    Logs = 2,
    /// Series and their points.
    Metrics = 3,
}

impl Signal {
    /// All signals, in the order of their numbers.
    pub const ALL: [Signal; 3] = [Signal::Traces, Signal::Logs, Signal::Metrics];

    /// The name used in paths, settings and messages.
    pub fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Logs => "logs",
            Signal::Metrics => "metrics",
        }
    }

    /// The signal of a stored number, if it is one.
    pub fn from_u8(number: u8) -> Option<Signal> {
        Self::ALL.into_iter().find(|signal| *signal as u8 == number)
    }
}

impl std::fmt::Display for Signal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
