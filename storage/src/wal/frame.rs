//! Bytes of the log: the header of a file, the frames in it, and finding frames among damage.
//!
//! ```text
//! file    header, twice (at 0 and at 2048; padded to 4096) | frame* | zeros, or frames of an earlier life
//! header  magic "TLWAL\r\n\x01" | epoch u64 | first seq u64 | signal u8 | crc32c u32 of all before
//! frame   len u32           bytes after the crc32c field
//!         crc32c u32        of epoch, len and the len bytes
//!         version u8
//!         seq u64           one more than that of the frame before
//!         tenant            u16 length, UTF-8
//!         signal u8 | format u8 | encoding u8
//!         received_at i64   nanoseconds since the epoch
//!         body hash u128
//!         body              as received
//!         zeros             to the next multiple of 8 from the start of the file
//! ```
//!
//! Integers are little-endian. The epoch differs in every life of a file, so that the frames of an
//! earlier life in a recycled file do not pass for frames.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use throughline_model::Signal;

use super::record::{Encoding, Format, WalRecord};

const MAGIC: [u8; 8] = *b"TLWAL\r\n\x01";
const HEADER_LEN: usize = 8 + 8 + 8 + 1 + 4;
const HEADER_COPY_AT: usize = 2048;
/// Where the first frame of a file starts.
pub(super) const FRAMES_START: usize = 4096;
const FRAME_VERSION: u8 = 1;
const ALIGN: usize = 8;
const PREFIX_LEN: usize = 8;
const FIXED_LEN: usize = 1 + 8 + 2 + 3 + 8 + 16;
const FRAME_BYTES_MIN: usize = (PREFIX_LEN + FIXED_LEN).next_multiple_of(ALIGN);
/// Numbers of frames are below: the catalog keeps checkpoints as `i64`.
const SEQ_END: u64 = i64::MAX as u64;
const ZERO_PAGE: [u8; 4096] = [0; 4096];

/// The header of a log file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub epoch: u64,
    pub first_seq: u64,
    pub signal: Signal,
}

impl FileHeader {
    /// The header block, [`FRAMES_START`] bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut one = Vec::with_capacity(HEADER_LEN);
        one.extend_from_slice(&MAGIC);
        one.extend_from_slice(&self.epoch.to_le_bytes());
        one.extend_from_slice(&self.first_seq.to_le_bytes());
        one.push(self.signal as u8);
        one.extend_from_slice(&crc32c::crc32c(&one).to_le_bytes());
        let mut block = vec![0; FRAMES_START];
        block[..HEADER_LEN].copy_from_slice(&one);
        block[HEADER_COPY_AT..HEADER_COPY_AT + HEADER_LEN].copy_from_slice(&one);
        block
    }

    /// Reads whichever copy is whole.
    pub fn decode(file: &[u8]) -> Option<Self> {
        [0, HEADER_COPY_AT].into_iter().find_map(|at| {
            let one = file.get(at..at + HEADER_LEN)?;
            let (content, crc) = one.split_at(HEADER_LEN - 4);
            let whole = content.starts_with(&MAGIC) && u32_at(crc, 0) == crc32c::crc32c(content);
            let first_seq = u64_at(content, 16);
            (whole && first_seq < SEQ_END).then_some(())?;
            Some(Self {
                epoch: u64_at(content, 8),
                first_seq,
                signal: Signal::from_u8(content[24])?,
            })
        })
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

fn padded(len: usize) -> usize {
    len.next_multiple_of(ALIGN)
}

/// Bytes that a record takes in a file.
pub(super) fn frame_bytes(record: &WalRecord) -> u64 {
    padded(PREFIX_LEN + FIXED_LEN + record.tenant.len() + record.body.len()) as u64
}

/// Appends everything of a frame but its body to `out`; returns how many zeros follow the body.
pub(super) fn put_frame_head(record: &WalRecord, seq: u64, epoch: u64, out: &mut Vec<u8>) -> usize {
    let len = FIXED_LEN + record.tenant.len() + record.body.len();
    let start = out.len();
    out.extend_from_slice(&(len as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(FRAME_VERSION);
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&(record.tenant.len() as u16).to_le_bytes());
    out.extend_from_slice(record.tenant.as_bytes());
    out.extend_from_slice(&[record.signal as u8, record.format as u8, record.encoding as u8]);
    out.extend_from_slice(&record.received_at_ns.to_le_bytes());
    out.extend_from_slice(&record.body_hash.to_le_bytes());
    let crc = frame_crc(epoch, len as u32, &[&out[start + PREFIX_LEN..], &record.body]);
    out[start + 4..start + PREFIX_LEN].copy_from_slice(&crc.to_le_bytes());
    padded(PREFIX_LEN + len) - PREFIX_LEN - len
}

/// The checksum of a frame whose `len` bytes are these parts.
pub(super) fn frame_crc(epoch: u64, len: u32, parts: &[&[u8]]) -> u32 {
    let seed = crc32c::crc32c_append(crc32c::crc32c(&epoch.to_le_bytes()), &len.to_le_bytes());
    parts.iter().fold(seed, |crc, part| crc32c::crc32c_append(crc, part))
}

/// What stands at a place of a file.
#[derive(Debug, PartialEq)]
pub(super) enum Found {
    /// A whole frame.
    Frame { seq: u64, record: WalRecord },
    /// Damage, with whole frames behind it.
    Bad { range: Range<usize>, frames_lost: u64 },
}

/// Walks the frames of a file: whole frames in the order of their numbers, damage between them, and
/// nothing of a torn tail.
#[derive(Debug)]
pub(super) struct FrameReader {
    file: Bytes,
    header: FileHeader,
    offset: usize,
    next_seq: u64,
    /// No frame starts here or later: all is zero.
    starts_end: usize,
}

impl FrameReader {
    /// Reads the content of a file whose header is known.
    pub fn new(file: Bytes, header: FileHeader) -> Self {
        let mut starts_end = file.len();
        while starts_end >= ZERO_PAGE.len()
            && file[starts_end - ZERO_PAGE.len()..starts_end] == ZERO_PAGE
        {
            starts_end -= ZERO_PAGE.len();
        }
        Self { next_seq: header.first_seq, file, header, offset: FRAMES_START, starts_end }
    }

    /// The number that the next frame must have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The frame at `at`, with its number and where it ends. No sum here overflows: `at` lies in the
    /// file, and a length has 32 bits.
    fn parse(&self, at: usize) -> Option<(u64, WalRecord, usize)> {
        let head = self.file.get(at..)?.get(..PREFIX_LEN + FIXED_LEN)?;
        let len = u32_at(head, 0);
        let seq = u64_at(head, 9);
        // Frames stand side by side: no more can be missing than fit between. Checked before the
        // checksum, so that a search among damage does not sum up the file again and again.
        let missing_max = ((at - self.offset) / FRAME_BYTES_MIN) as u64;
        let missing = seq.checked_sub(self.next_seq).filter(|missing| *missing <= missing_max);
        (head[8] == FRAME_VERSION && missing.is_some() && seq < SEQ_END).then_some(())?;
        let content = self.file.get(at + PREFIX_LEN..)?.get(..len as usize)?;
        let is_whole = content.len() >= FIXED_LEN
            && u32_at(head, 4) == frame_crc(self.header.epoch, len, &[content]);
        is_whole.then_some(())?;
        let tenant_len = usize::from(u16::from_le_bytes([content[9], content[10]]));
        let tenant = std::str::from_utf8(content.get(11..11 + tenant_len)?).ok()?;
        let rest = content.get(11 + tenant_len..)?;
        (rest.len() >= 27).then_some(())?;
        let end = at + PREFIX_LEN + content.len();
        let record = WalRecord {
            signal: Signal::from_u8(rest[0])?,
            tenant: Arc::from(tenant),
            format: Format::from_u8(rest[1])?,
            encoding: Encoding::from_u8(rest[2])?,
            received_at_ns: u64_at(rest, 3) as i64,
            body_hash: u128::from(u64_at(rest, 11)) | u128::from(u64_at(rest, 19)) << 64,
            body: self.file.slice(end - (rest.len() - 27)..end),
        };
        Some((seq, record, padded(end)))
    }
}

impl Iterator for FrameReader {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        match self.parse(self.offset) {
            Some((seq, record, end)) if seq == self.next_seq => {
                self.offset = end;
                self.next_seq += 1;
                Some(Found::Frame { seq, record })
            }
            _ => {
                let from = self.offset;
                let mut places = (from..self.starts_end).step_by(ALIGN);
                let (at, seq) = places.find_map(|at| Some((at, self.parse(at)?.0)))?;
                let frames_lost = seq.saturating_sub(self.next_seq);
                self.offset = at;
                self.next_seq = seq;
                Some(Found::Bad { range: from..at, frames_lost })
            }
        }
    }
}
