//! SQL: `POST /api/v1/sql`.

mod answer;
pub mod routes;
pub mod wire;
