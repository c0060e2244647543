//! SQL: `POST /api/v1/sql`.

pub(super) mod answer;
pub mod routes;
pub mod wire;
