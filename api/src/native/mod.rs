//! The native API, one folder a resource.

pub mod duration;
pub mod filter;
pub mod params;
pub mod time;
