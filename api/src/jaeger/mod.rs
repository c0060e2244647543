//! Jaeger's query APIs under `/jaeger/api`: what the Jaeger UI, Grafana's Jaeger source and scripts ask.
//!
//! Place in the flow: [`routes`] (v1) and [`v3`] turn parameters ([`params`]) into trace searches with
//! Jaeger's meaning of tags ([`tags`]); spans become Jaeger's JSON in [`translate`], as the table in
//! `docs/translation.md` says, after what Jaeger's own query service does to a trace ([`adjust`]);
//! answers of many traces go out one trace at a time ([`answer`]). [`metrics`] are counted from spans.

pub mod adjust;
pub mod answer;
pub mod error;
pub mod metrics;
pub mod params;
pub mod routes;
pub mod tags;
pub mod transform;
pub mod translate;
pub mod v3;
pub mod wire;
