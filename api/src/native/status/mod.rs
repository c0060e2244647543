//! The server about itself: `/api/v1/status`, `/metrics`, `/-/healthy`, `/-/ready`.

pub mod routes;
pub mod wire;
