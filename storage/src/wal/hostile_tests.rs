//! Log files with anything in them: they open, nothing panics, and no frame that is whole is lost,
//! unless something before it passes for frames that were written in its place.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use throughline_model::Signal;

use super::frame::{FRAMES_START, FileHeader, Found, FrameReader, frame_crc, put_frame_head};
use super::tests::{Log, record};
use super::{LogFileReader, Replay, WalRecord};

const EPOCH: u64 = 77;
const FIRST_SEQ: u64 = 5;

/// What stands in a file, one after the other.
#[derive(Clone, Debug)]
enum Piece {
    /// The next frame, with a body of so many bytes.
    Frame(usize),
    /// The next frame as the disk garbled it.
    Garbled(usize, u8),
    /// A frame of the file's earlier life, with any number.
    Earlier(u64, usize),
    /// Any bytes.
    Bytes(Vec<u8>),
    /// What was never written.
    Zeros(usize),
    /// Bytes with a length and a checksum that hold.
    Forged(Vec<u8>),
    /// A length that leads out of the file, or nearly.
    Length(u32),
}

fn honest() -> impl Strategy<Value = Piece> {
    prop_oneof![
        8 => (0usize..300).prop_map(Piece::Frame),
        2 => (0usize..300, any::<u8>()).prop_map(|(bytes, at)| Piece::Garbled(bytes, at)),
        2 => (0u64..40, 0usize..300).prop_map(|(seq, bytes)| Piece::Earlier(seq, bytes)),
        2 => vec(any::<u8>(), 0..200).prop_map(Piece::Bytes),
        1 => (0usize..9000).prop_map(Piece::Zeros),
        1 => any::<u32>().prop_map(Piece::Length),
    ]
}

fn forged() -> impl Strategy<Value = Piece> {
    let seq = prop_oneof![FIRST_SEQ..FIRST_SEQ + 30, any::<u64>()];
    // A version, a number, and a tenant's length that need not fit what follows.
    (seq, any::<u16>(), vec(any::<u8>(), 0..60)).prop_map(|(seq, tenant_len, rest)| {
        let head = [&[1][..], &seq.to_le_bytes(), &tenant_len.to_le_bytes()].concat();
        Piece::Forged([head, rest].concat())
    })
}

type Frames = Vec<(u64, WalRecord)>;

/// The file, and the frames that are whole in it.
fn file(pieces: &[Piece]) -> (Vec<u8>, Frames) {
    let (file, frames, _) = file_and_ends(pieces);
    (file, frames)
}

/// The same, and where these frames end.
fn file_and_ends(pieces: &[Piece]) -> (Vec<u8>, Frames, Vec<usize>) {
    let header = FileHeader { epoch: EPOCH, first_seq: FIRST_SEQ, signal: Signal::Traces };
    let (mut file, mut next_seq) = (header.encode(), FIRST_SEQ);
    let (mut frames, mut ends) = (Vec::new(), Vec::new());
    for piece in pieces {
        match piece {
            Piece::Frame(bytes) => {
                let record = record(next_seq, *bytes);
                put_frame(&mut file, &record, next_seq, EPOCH);
                frames.push((next_seq, record));
                ends.push(file.len());
                next_seq += 1;
            }
            Piece::Garbled(bytes, at) => {
                let start = file.len();
                put_frame(&mut file, &record(next_seq, *bytes), next_seq, EPOCH);
                // The checksum itself, or one of the bytes that it covers.
                file[start + 4 + usize::from(*at) % 42] ^= 0x10;
                next_seq += 1;
            }
            Piece::Earlier(seq, bytes) => {
                put_frame(&mut file, &record(*seq, *bytes), *seq, EPOCH - 1);
            }
            Piece::Bytes(bytes) => file.extend_from_slice(bytes),
            Piece::Zeros(bytes) => file.resize(file.len() + bytes, 0),
            Piece::Forged(content) => {
                let len = content.len() as u32;
                file.extend_from_slice(&len.to_le_bytes());
                file.extend_from_slice(&frame_crc(EPOCH, len, &[content]).to_le_bytes());
                file.extend_from_slice(content);
            }
            Piece::Length(len) => {
                file.extend_from_slice(&len.to_le_bytes());
                file.extend_from_slice(&[9, 9, 9, 9, 1]);
                file.extend_from_slice(&next_seq.to_le_bytes());
            }
        }
        file.resize(file.len().next_multiple_of(8), 0);
    }
    (file, frames, ends)
}

fn put_frame(file: &mut Vec<u8>, record: &WalRecord, seq: u64, epoch: u64) {
    let zeros = put_frame_head(record, seq, epoch, file);
    file.extend_from_slice(&record.body);
    file.resize(file.len() + zeros, 0);
}

/// Frames that a reader finds, after checking that damage is told in order and within the file.
fn read(file: &[u8]) -> Frames {
    let Some(header) = FileHeader::decode(file) else { return Vec::new() };
    let (mut frames, mut bad_until) = (Vec::new(), FRAMES_START);
    for found in FrameReader::new(Bytes::copy_from_slice(file), header) {
        match found {
            Found::Frame { seq, record } => frames.push((seq, record)),
            Found::Bad { range, .. } => {
                assert!(bad_until <= range.start && range.start < range.end, "{range:?}");
                assert!(range.end <= file.len(), "{range:?} of {}", file.len());
                bad_until = range.end;
            }
        }
    }
    frames
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_whole_frame_comes_back_from_among_damage(pieces in vec(honest(), 0..20)) {
        let (file, frames) = file(&pieces);
        prop_assert_eq!(read(&file), frames);
    }

    #[test]
    fn frames_before_a_cut_come_back(pieces in vec(honest(), 0..20), cut in 0.0..1.0) {
        let (mut file, frames, ends) = file_and_ends(&pieces);
        file.truncate((file.len() as f64 * cut) as usize);
        let whole = ends.iter().filter(|end| **end <= file.len()).count();
        let found = read(&file);
        // Of the next one only zeros may be missing.
        prop_assert!(found.starts_with(&frames[..whole]) && frames.starts_with(&found), "{:?}", found);
    }

    #[test]
    fn forged_frames_cost_none_before_them(
        before in vec(honest(), 0..8),
        forgeries in vec(prop_oneof![forged(), honest()], 1..12),
    ) {
        let (_, whole) = file(&before);
        let (file, _) = file(&[before, forgeries].concat());
        let found = read(&file);
        prop_assert!(found.starts_with(&whole), "{:?}", found);
        prop_assert!(found.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn a_folder_of_anything_is_read(
        contents in vec(prop_oneof![
            vec(honest(), 0..6).prop_map(|pieces| file(&pieces).0),
            vec(prop_oneof![forged(), honest()], 0..6).prop_map(|pieces| file(&pieces).0),
            vec(any::<u8>(), 0..5000),
        ], 1..4),
        flips in vec((0.0..1.0, any::<u8>()), 0..8),
    ) {
        let log = Log::new();
        let mut expected_seq = 0;
        for (number, mut content) in contents.into_iter().enumerate() {
            for (part, mask) in &flips {
                let at = (content.len() as f64 * part) as usize;
                if let Some(byte) = content.get_mut(at) {
                    *byte ^= mask;
                }
            }
            std::fs::write(log.path(number), content).expect("writes");
            let path = log.path(number);
            let reader = LogFileReader::open(log.files(), &path, Signal::Traces, expected_seq);
            let mut reader = reader.expect("reads");
            let mut last = expected_seq;
            for found in reader.by_ref() {
                if let Replay::Frame { seq, .. } = found {
                    last = seq + 1;
                }
            }
            expected_seq = reader.close();
            prop_assert!(expected_seq >= last);
        }
    }
}

#[test]
fn numbers_at_their_end_are_no_frames() {
    for first_seq in [i64::MAX as u64 - 1, i64::MAX as u64, u64::MAX] {
        let header = FileHeader { epoch: EPOCH, first_seq, signal: Signal::Traces };
        let mut file = header.encode();
        for seq in [first_seq, first_seq.saturating_add(1)] {
            put_frame(&mut file, &record(3, 10), seq, EPOCH);
        }
        let seqs: Vec<u64> = read(&file).into_iter().map(|(seq, _)| seq).collect();
        let expected = [first_seq].into_iter().filter(|seq| *seq < i64::MAX as u64);
        assert_eq!(seqs, expected.collect::<Vec<_>>(), "{first_seq}");
    }
}

#[test]
fn a_stray_file_does_not_use_up_the_numbers() {
    let log = Log::new();
    std::fs::write(log.path(usize::MAX), b"").expect("writes");
    let error = log.try_files().expect_err("refused");
    assert!(error.to_string().contains("18446744073709551615"), "{error}");
    let log = Log::new();
    std::fs::write(log.path(usize::MAX).with_extension("spare"), [0; 16 * 1024]).expect("writes");
    log.files().prepare_spare().expect("prepares");
}
