//! Real telemetry through the whole path.

mod demo;
mod forgets;
mod log_senders;
mod older_logs;
mod older_sdk;
mod prometheus;
mod rules;
mod rust_sdk;
mod sdk;
mod service_map;
mod shippers;
mod survives;
mod tracing_clients;
mod trainticket;
mod trainticket_logs;
mod zipkin;
