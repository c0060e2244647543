//! What clients may rely on, on the real server.

mod auth;
mod examples;
mod fields;
mod lifecycle;
mod log_tail;
mod otlp_http;
mod quota;
mod receivers;
mod tempo;
mod tls;
