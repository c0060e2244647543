//! Exceptions by group: `GET /api/v1/exceptions`.

pub mod params;
pub mod routes;
pub mod wire;
