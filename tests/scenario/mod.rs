//! Real telemetry through the whole path.

mod rust_sdk;
mod sdk;
mod survives;
mod trainticket;
