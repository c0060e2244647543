//! The records around one record: `GET /api/v1/logs/context`.

pub mod params;
pub mod routes;
pub mod wire;
