//! Starting the server, speaking to it, building bodies for it.

pub mod client;
pub mod fields;
pub mod hard;
pub mod otlp;
pub mod random;
pub mod server;
pub mod shared;
pub mod tee;

pub use server::Server;
