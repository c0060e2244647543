//! The log's frame reader on any bytes behind one good frame. Its files are compiled here once more,
//! as the decoders' are.

#[path = "../../../storage/src/wal/frame.rs"]
pub mod frame;
#[path = "../../../storage/src/wal/record.rs"]
pub mod record;

use std::sync::Arc;

use bytes::Bytes;
use throughline_model::Signal;

use frame::{FRAMES_START, FileHeader, Found, FrameReader, frame_bytes, frame_crc, put_frame_head};
use record::{Encoding, Format, WalRecord};

const EPOCH: u64 = 9;
const FIRST_SEQ: u64 = 1;
/// Where a frame has its checksum and its content.
const CHECKSUM_AT: usize = 4;
const CONTENT_AT: usize = 8;
const ALIGN: usize = 8;

/// Reads a file of one good frame and `rest`: no panic, the good frame comes back, and everything
/// that is told lies in the file, in order.
pub fn check_log(rest: &[u8]) {
    let header = FileHeader { epoch: EPOCH, first_seq: FIRST_SEQ, signal: Signal::Logs };
    let mut file = header.encode();
    assert_eq!(FileHeader::decode(&file), Some(header));
    let good = good_record();
    let zeros = put_frame_head(&good, FIRST_SEQ, EPOCH, &mut file);
    file.extend_from_slice(&good.body);
    file.resize(file.len() + zeros, 0);
    let rest_at = file.len();
    assert_eq!(rest_at - FRAMES_START, frame_bytes(&good) as usize);
    file.extend_from_slice(rest);
    fill_in_checksums(&mut file[rest_at..]);
    let len = file.len();
    let mut found = FrameReader::new(Bytes::from(file), header);
    assert_eq!(found.next(), Some(Found::Frame { seq: FIRST_SEQ, record: good }));
    let (mut seq_before, mut bad_until, mut bytes) = (FIRST_SEQ, rest_at, 0);
    for found in found.by_ref() {
        match found {
            Found::Frame { seq, record } => {
                assert!(seq > seq_before, "{seq} after {seq_before}");
                seq_before = seq;
                bytes += frame_bytes(&record) as usize;
            }
            Found::Bad { range, .. } => {
                assert!(bad_until <= range.start && range.start < range.end && range.end <= len);
                bad_until = range.end;
                bytes += range.len();
            }
        }
    }
    assert_eq!(found.next_seq(), seq_before + 1);
    assert!(bytes <= len.next_multiple_of(ALIGN) - rest_at, "{bytes} bytes told of {len}");
}

fn good_record() -> WalRecord {
    WalRecord {
        signal: Signal::Logs,
        tenant: Arc::from("default"),
        format: Format::OtlpProtobuf,
        encoding: Encoding::Identity,
        received_at_ns: 5,
        body_hash: 7,
        body: Bytes::from_static(b"good"),
    }
}

/// Gives whatever may be a frame and has no checksum the right one: chance would not.
fn fill_in_checksums(rest: &mut [u8]) {
    let mut at = 0;
    while let Some(head) = rest.get(at..at + CONTENT_AT) {
        let len = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let end = at + CONTENT_AT + len as usize;
        let has_none = head[CHECKSUM_AT..] == [0; 4] && len > 0;
        match rest.get(at + CONTENT_AT..end).filter(|_| has_none) {
            Some(content) => {
                let checksum = frame_crc(EPOCH, len, &[content]).to_le_bytes();
                rest[at + CHECKSUM_AT..at + CONTENT_AT].copy_from_slice(&checksum);
                at = end.next_multiple_of(ALIGN);
            }
            None => at += ALIGN,
        }
    }
}
