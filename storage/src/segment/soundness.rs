//! Whether the bytes of a segment are still what was written: reads that stumble, and checksums.
//!
//! A read only raises a suspicion; the scrub then verifies the files and sets a damaged segment aside.

use std::sync::atomic::{AtomicBool, Ordering};

use super::SegmentMeta;
use crate::io::SegmentStore;
use crate::{Error, Result};

/// Bytes that are read at once to verify a file.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// Raised by a read that failed on a segment's bytes, lowered by the scrub that looks into it.
#[derive(Debug, Default)]
pub(crate) struct Suspicion(AtomicBool);

impl Suspicion {
    pub(crate) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Lowers it; whether it was raised.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }

    pub(crate) fn raise(&self, meta: &SegmentMeta, err: &Error) {
        if !self.0.swap(true, Ordering::Relaxed) {
            tracing::error!(segment = %meta.id, error = %err, "a segment does not read back");
        }
    }
}

/// Reads both files of a segment and compares their checksums with the catalog's. Blocks.
pub(crate) fn verify_files(store: &SegmentStore, meta: &SegmentMeta) -> Result<()> {
    let files = [
        (meta.data_name(), meta.data_bytes, meta.data_crc32c),
        (meta.index_name(), meta.index_bytes, meta.index_crc32c),
    ];
    for (name, bytes, expected) in files {
        let file = store.open_file(&name)?;
        let mut crc32c = 0;
        let mut at = 0;
        while at < bytes {
            let end = bytes.min(at + CHUNK_BYTES);
            crc32c = crc32c::crc32c_append(crc32c, &file.read(at..end)?);
            at = end;
        }
        if crc32c != expected {
            return Err(Error::corrupt(format!(
                "{name} has crc32c {crc32c:08x}, the catalog says {expected:08x}"
            )));
        }
    }
    Ok(())
}
