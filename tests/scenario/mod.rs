//! Real telemetry through the whole path.

mod demo;
mod older_sdk;
mod rust_sdk;
mod sdk;
mod survives;
mod trainticket;
mod zipkin;
