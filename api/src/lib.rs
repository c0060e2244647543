//! The native API: questions over HTTP on the port of the UI, under `/api/v1`.
//!
//! Place in the flow: the root hands over an [`ApiState`] and serves the router of [`routes`];
//! handlers turn parameters into the questions of `query` and its answers into wire types.
//!
//! - [`native`]: one folder a resource: `routes` (handlers), `wire` (what goes over the wire)
//! - [`error`]: the one place that says how an error becomes HTTP
//! - [`otlp`], [`render`]: spans as OTLP, Arrow columns as JSON and IPC

pub mod error;
pub mod native;
pub mod otlp;
pub mod render;
