//! Log records: `GET /api/v1/logs`; [`tail`], [`context`] and [`export`].

pub mod context;
pub mod counts;
pub mod delete;
pub mod export;
pub mod params;
pub mod patterns;
pub mod query;
pub mod routes;
pub mod tail;
pub mod wire;
