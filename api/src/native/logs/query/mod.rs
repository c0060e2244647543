//! The log language: `GET|POST /api/v1/logs/query`, completion and formatting.

mod complete;
pub mod params;
pub mod routes;
pub mod wire;
