//! Deployments and other changes: `/api/v1/changes`.

pub mod params;
pub mod routes;
pub mod wire;
