//! One section of an index, read without the rest of the file: what a question about all segments
//! reads of each.
//!
//! ```text
//! sealed := crc32c u32 LE of what follows | form u8 | varint length | zstd of so many bytes
//! ```
//! The file's own checksum is that of the whole file, so a section that is read alone brings its own.

use bytes::Bytes;
use throughline_model::codec::{Reader, put_varint};

use super::{FORMAT_VERSION, MAGIC, PREFIX_BYTES};
use crate::io::SegmentStore;
use crate::segment::SegmentMeta;
use crate::{Error, Result};

/// Bytes of an index that its header and table of sections fit into.
const HEADER_BYTES_MAX: u64 = 1024;
/// Bytes that a sealed section may have once it is inflated.
const SECTION_BYTES_MAX: u64 = 256 << 20;

/// A section of a segment's index; none if the index was written without it. Blocks.
pub(crate) fn read_section(
    store: &SegmentStore,
    meta: &SegmentMeta,
    kind: u32,
) -> Result<Option<Bytes>> {
    let name = meta.index_name();
    let header = store.read(&name, 0..meta.index_bytes.min(HEADER_BYTES_MAX))?;
    let mut reader = Reader::new(&header);
    if reader.array::<4>()? != MAGIC || u16::from_le_bytes(reader.array()?) != FORMAT_VERSION {
        return Err(Error::corrupt(format!("{name} does not start as an index does")));
    }
    reader.take(PREFIX_BYTES as usize - 6)?;
    for _ in 0..u32::from_le_bytes(reader.array()?) {
        let found = u32::from_le_bytes(reader.array()?);
        let start = u64::from_le_bytes(reader.array()?);
        let end = start.saturating_add(u64::from_le_bytes(reader.array()?));
        if found != kind {
            continue;
        }
        if end > meta.index_bytes {
            return Err(Error::corrupt(format!("section {kind} of {name} is cut off")));
        }
        let is_here = end <= header.len() as u64;
        return Ok(Some(match is_here {
            true => header.slice(start as usize..end as usize),
            false => store.read(&name, start..end)?,
        }));
    }
    Ok(None)
}

/// Bytes that a checksum takes in front of a piece.
pub(crate) const CHECKSUM_BYTES: u64 = 4;

/// Appends a piece that can be read alone, behind its checksum.
pub(crate) fn put_checked(out: &mut Vec<u8>, piece: &[u8]) {
    out.extend_from_slice(&crc32c::crc32c(piece).to_le_bytes());
    out.extend_from_slice(piece);
}

/// The piece behind a checksum.
pub(crate) fn checked(bytes: &Bytes) -> Result<Bytes> {
    let mut reader = Reader::new(bytes);
    let expected = u32::from_le_bytes(reader.array()?);
    let crc32c = crc32c::crc32c(reader.rest());
    if crc32c != expected {
        return Err(Error::corrupt(format!(
            "a piece of an index has crc32c {crc32c:08x}, expected {expected:08x}"
        )));
    }
    Ok(bytes.slice(CHECKSUM_BYTES as usize..))
}

/// Packs a section that can be read alone; `form` says how `bytes` are to be read.
pub(crate) fn seal(form: u8, bytes: &[u8]) -> Result<Vec<u8>> {
    let packed = zstd::bulk::compress(bytes, 1)
        .map_err(|err| Error::invalid(format!("could not compress a section: {err}")))?;
    let mut inner = vec![form];
    put_varint(&mut inner, bytes.len() as u64);
    inner.extend_from_slice(&packed);
    let mut out = crc32c::crc32c(&inner).to_le_bytes().to_vec();
    out.extend_from_slice(&inner);
    Ok(out)
}

/// Undoes [`seal`]; none if the section has another form.
pub(crate) fn unseal(form: u8, section: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut reader = Reader::new(section);
    let crc32c = u32::from_le_bytes(reader.array()?);
    if crc32c::crc32c(reader.rest()) != crc32c {
        return Err(Error::corrupt("a section of an index does not match its checksum"));
    }
    if reader.array()? != [form] {
        return Ok(None);
    }
    let len = reader.varint()?;
    if len > SECTION_BYTES_MAX {
        return Err(Error::corrupt(format!("a section of {len} bytes")));
    }
    crate::inflate::inflate(reader.rest(), len as usize)
        .map(Some)
        .map_err(|err| Error::corrupt(format!("a section does not decompress: {err}")))
}
