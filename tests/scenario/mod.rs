//! Real telemetry through the whole path.

mod sdk;
mod survives;
mod trainticket;
