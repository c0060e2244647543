//! Log records: `GET /api/v1/logs`.

pub mod params;
pub mod patterns;
pub mod query;
pub mod routes;
pub mod wire;
