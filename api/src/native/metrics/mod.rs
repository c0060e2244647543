//! Metrics: `GET /api/v1/metrics` lists them, `/{name}/series`, `/{name}/points` and
//! `/{name}/exemplars` say what is stored of one.

pub mod params;
pub mod points;
pub mod routes;
pub mod wire;
