//! Log records: `GET /api/v1/logs`, and [`tail`].

pub mod params;
pub mod patterns;
pub mod query;
pub mod routes;
pub mod tail;
pub mod wire;
