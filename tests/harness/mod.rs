//! Starting the server, speaking to it, building bodies for it.

pub mod client;
pub mod otlp;
pub mod server;
pub mod shared;

pub use server::Server;
