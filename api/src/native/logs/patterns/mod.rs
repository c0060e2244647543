//! Patterns of log records: `GET /api/v1/logs/patterns` and what differs between two ranges.

pub mod params;
pub mod routes;
pub mod wire;
