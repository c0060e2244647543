//! Counts of log records: `GET /api/v1/logs/counts`.

pub mod params;
pub mod routes;
pub mod wire;
