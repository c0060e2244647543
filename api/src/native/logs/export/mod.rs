//! All records that match, as a stream: `GET /api/v1/logs/export`.

mod answer;
mod csv;
pub mod params;
pub mod routes;
mod table;
