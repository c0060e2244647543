//! The log: every request body is written and synced here before it is acknowledged.
//!
//! One log per signal, so that a flush of one signal trims its own files. [`frame`] is what the bytes
//! mean, [`files`] where they are, [`writer`] how they get there, [`committer`] when, and [`replay`]
//! how they come back.
mod committer;
mod files;
mod frame;
#[cfg(test)]
mod hostile_tests;
mod record;
mod replay;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use committer::{Committer, Pending, QUEUE_REQUESTS};
pub(crate) use files::WalFiles;
pub use record::{DecodeFn, Encoding, Format, Reply, WalRecord};
pub(crate) use replay::{Damage, LogFileReader, Replay};
pub(crate) use writer::WalWriter;
