//! What there is to ask about: services, their operations, attribute names and values.

pub mod params;
pub mod routes;
pub mod wire;
