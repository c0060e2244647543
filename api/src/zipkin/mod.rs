//! Zipkin's v2 query API under `/zipkin/api/v2`: what Lens, Grafana's Zipkin source and scripts ask.
//!
//! Place in the flow: [`routes`] turn parameters ([`params`]) into trace searches; spans become Zipkin's
//! JSON in [`translate`], as the table in `docs/translation.md` says.

pub mod error;
pub mod params;
pub mod routes;
pub mod translate;
pub mod wire;
