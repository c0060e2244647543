//! TraceQL: search, numbers over time, and what fits at a cursor.

pub mod complete;
pub mod params;
pub mod routes;
pub mod wire;
