//! Log records as they come: `GET /api/v1/logs/tail`, as Server-Sent Events or as a WebSocket.

pub mod params;
pub mod routes;
mod socket;
pub mod wire;

pub use routes::{KEEP_ALIVE, check_origin, stopping};
