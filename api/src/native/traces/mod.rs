//! Traces: `GET /api/v1/traces` searches, `/{id}` returns one as OTLP, `/{id}/logs` its log records.

pub mod params;
pub mod routes;
pub mod wire;
