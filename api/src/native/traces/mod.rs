//! Traces: `GET /api/v1/traces` searches, `/{id}` returns one as OTLP, `/{id}/logs` its log records; what
//! its page asks for is in [`page`].

pub mod page;
pub mod params;
pub mod routes;
pub mod wire;
