//! The service map, and rate, errors and durations of operations.

pub mod params;
pub mod routes;
pub mod wire;
