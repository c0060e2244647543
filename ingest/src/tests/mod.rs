//! Tests across the crate: the decoder against prost, JSON against protobuf, both transports against
//! the specification's table of answers.

mod cases;
mod differential;
mod fixture;
mod grpc;
mod http;
mod influx;
mod json;
mod oracle;
mod receivers;
mod remote_write;
pub mod rows;
mod scrape;
mod seeds;
mod shippers;
mod strategies;

/// A folder of the shared material; `None` where it is absent.
fn shared(path: &str) -> Option<std::path::PathBuf> {
    let root = std::env::var_os("THROUGHLINE_SHARED").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")),
        std::path::PathBuf::from,
    );
    Some(root.join(path)).filter(|path| path.exists())
}
