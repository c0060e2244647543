//! Deletion of log records: `POST /api/v1/logs/delete`, and what was deleted.

pub mod routes;
pub mod wire;
