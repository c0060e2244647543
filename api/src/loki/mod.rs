//! Loki's API, for its clients: Grafana's data source, Logs Drilldown, logcli, and whoever else asks in
//! LogQL.
//!
//! ```text
//! HTTP under /loki/api/v1/…   routes ── form ── params ─→ query::logql ─→ wire
//!                             tail (WebSocket) ───────────────^
//! ```
//! - `form`: parameters of the address and of a form in the body
//! - `params`: times, steps, selectors
//! - `wire`: streams, series and statistics as Loki writes them
//! - `error`: errors as plain text
//!
//! Unlike the native API, unknown parameters are passed over, as clients send their own. The tenant
//! header `X-Scope-OrgID` is taken and chooses nothing: there is one tenant to ask. What streams, labels and
//! structured metadata are here: docs/loki.md.

mod error;
mod form;
mod params;
mod routes;
mod stats;
mod tail;
mod wire;

pub use routes::routes;
