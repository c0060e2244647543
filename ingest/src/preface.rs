//! A line put before a body that may be compressed: what the path said goes to the log with the body.

use std::io::Write;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use throughline_storage::Encoding;

use crate::{Error, ErrorKind, Result};

/// The body after `line`, in the same compression: gzip and zstd join as they are (RFC 1952, RFC 8878).
pub fn after(line: &[u8], encoding: Encoding, body: &Bytes) -> Result<Bytes> {
    Ok([&self::line(line, encoding)?, &body[..]].concat().into())
}

/// A line in the compression of the body that it will stand before.
pub fn line(line: &[u8], encoding: Encoding) -> Result<Vec<u8>> {
    let failed = |err| Error::new(ErrorKind::Internal, format!("cannot compress a line: {err}"));
    match encoding {
        Encoding::Identity => Ok(line.to_vec()),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(line).and_then(|()| encoder.finish()).map_err(failed)
        }
        Encoding::Zstd => zstd::encode_all(line, 1).map_err(failed),
        Encoding::Deflate | Encoding::Snappy => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "content-encoding '{encoding:?}' is not supported here: gzip, zstd or identity"
            ),
        )),
    }
}
