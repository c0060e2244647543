//! The settings of admission.

use serde::{Deserialize, Serialize};

/// Limits and settings of the receivers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IngestLimits {
    /// Bytes of request bodies, inflated, that may be in flight at once.
    pub in_flight_bytes_max: usize,
    /// Requests that may wait for room; more are refused at once.
    pub waiting_requests_max: usize,
    /// How long a request may wait for room before it is refused.
    pub waiting_ms_max: u64,
    /// The largest body, inflated. At most `in_flight_bytes_max`.
    pub body_bytes_max: usize,
    /// How many times its size a body may inflate to (once it is past 1 MiB).
    pub inflate_ratio_max: usize,
    /// How long a client may pause while it sends a body.
    pub body_pause_ms_max: u64,
    /// How long a client may take to send a body.
    pub body_ms_max: u64,
    /// Inflated bytes a second that a tenant may send over time; zero for no limit.
    pub tenant_bytes_per_second: u64,
    /// Inflated bytes that a tenant which was silent may send at once.
    pub tenant_burst_bytes: u64,
    /// Origins whose browsers may export (`*` for any). Credentials are never allowed.
    pub cors_origins: Vec<String>,
}

impl Default for IngestLimits {
    fn default() -> Self {
        Self {
            in_flight_bytes_max: 64 << 20,
            waiting_requests_max: 512,
            waiting_ms_max: 5_000,
            body_bytes_max: 64 << 20,
            inflate_ratio_max: 1_000,
            body_pause_ms_max: 10_000,
            body_ms_max: 60_000,
            tenant_bytes_per_second: 0,
            tenant_burst_bytes: 64 << 20,
            cors_origins: vec!["*".to_owned()],
        }
    }
}
