//! Log records: `GET /api/v1/logs`; [`tail`] and [`context`].

pub mod context;
pub mod params;
pub mod routes;
pub mod tail;
pub mod wire;
