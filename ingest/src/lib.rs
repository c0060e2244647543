//! Receivers: what arrives on the wire is admitted, decoded into columns, and handed to `storage`,
//! which makes it durable before the sender is told so.
//!
//! Place in the flow: listeners, TLS and tokens belong to the root; from a request's head on, all is
//! done here. Ingest knows `model` and `storage` and nothing of queries.

pub mod otlp;
