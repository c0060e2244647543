//! Every file and sync call of the crate.
//!
//! - [`Disk`] and [`DiskFile`]: the calls themselves, a seam through which tests tear, lose and
//!   refuse writes; [`LocalDisk`] is the machine's
//! - [`SegmentStore`]: segment files, written and synced by us through [`SegmentSink`], read by
//!   position from blocking code or through `object_store`
//!
//! Nothing here decides *when* to sync; the WAL and the flush do.
mod disk;
mod segment_store;
#[cfg(test)]
pub(crate) mod testing;

pub use disk::{Disk, DiskFile, LocalDisk, lock_folder, random_bytes};
pub use segment_store::{SegmentFile, SegmentSink, SegmentStore};
