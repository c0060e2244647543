//! No bytes are too strange: documents and messages are stored or refused, and what is stored reads back.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use throughline_model::Signal;
use throughline_storage::Format;

use super::cases::batch;
use super::records;
use crate::decode::decode_inflated;
use crate::syslog::framing::{Frame, Framer};
use crate::tests::fixture::NOW_NS;

const FORMATS: [Format; 8] = [
    Format::ElasticsearchBulk,
    Format::ElasticsearchBulkOf,
    Format::ElasticsearchDocument,
    Format::Syslog,
    Format::JsonLines,
    Format::Gelf,
    Format::GelfBatch,
    Format::FluentForward,
];

/// Pieces of which messages and documents are made, in any order.
const SYSLOG: [&str; 20] = [
    "<13>",
    "<191>",
    "<",
    ">",
    "1 ",
    "2026-11-20T12:00:00Z",
    "Nov 20 11:59:59",
    " ",
    " - ",
    "host",
    "app",
    "[",
    "]",
    "=\"",
    "\"",
    "\\",
    ":",
    "\u{feff}",
    "é",
    "\0",
];
const BULK: [&str; 22] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\n",
    "\"create\"",
    "\"index\"",
    "\"delete\"",
    "\"_id\"",
    "\"x\"",
    "\"@timestamp\"",
    "\"message\"",
    "\"host\"",
    "\"log.level\"",
    "null",
    "-1",
    "1e308",
    "true",
    "{\"create\":{}}\n",
    "\"kubernetes\":{\"pod\":",
];

/// The seeds of the fuzz target `shippers`: the first byte is the format's place among [`FORMATS`], or says that
/// a stream follows.
#[test]
fn shippers_seeds_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/shippers");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a folder of seeds") {
        let path = entry.expect("an entry").path();
        let seed = std::fs::read(&path).expect("a file");
        let (first, body) = seed.split_first().expect("a format");
        match FORMATS.get(usize::from(first % 5)) {
            Some(format) => drop(rows(*format, body)),
            None => assert!(!frames(body, usize::from(first / 5) + 1, 64).is_empty()),
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen} seeds");
}

fn rows(format: Format, body: &[u8]) -> Option<usize> {
    let decoded = decode_inflated(Signal::Logs, format, body, NOW_NS).ok()?;
    Some(records(&decoded).len())
}

fn pieces(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    vec(proptest::sample::select(of), 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read(body in vec(any::<u8>(), 0..64)) {
        for format in FORMATS {
            rows(format, &body);
        }
    }

    #[test]
    fn any_message_is_stored(
        messages in vec(prop_oneof![pieces(&SYSLOG).prop_map(String::into_bytes), vec(any::<u8>(), 0..64)], 0..8),
    ) {
        let body = batch(messages.iter().cloned());
        prop_assert_eq!(rows(Format::Syslog, &body), Some(messages.len()));
        // A batch that breaks off is an error, or fewer messages.
        let kept = rows(Format::Syslog, &body[..body.len() / 2]);
        prop_assert!(kept.unwrap_or_default() <= messages.len());
    }

    #[test]
    fn any_bulk_is_refused_or_read(body in pieces(&BULK)) {
        rows(Format::ElasticsearchBulk, body.as_bytes());
        let documents = [b"{\"create\":{\"_index\":\"x\"}}\n", body.as_bytes()].concat();
        rows(Format::ElasticsearchBulk, &documents);
        rows(Format::ElasticsearchDocument, &documents);
    }

    #[test]
    fn a_stream_is_taken_apart_the_same_however_it_is_cut(
        messages in vec(("<[a-z0-9 <]{0,20}", any::<bool>()), 0..8),
        noise in vec(any::<u8>(), 0..16),
        step in 1usize..20,
        bytes_max in 1usize..30,
    ) {
        let mut stream = Vec::new();
        for (message, counted) in &messages {
            if *counted {
                stream.extend_from_slice(format!("{} {message}", message.len()).as_bytes());
            } else {
                stream.extend_from_slice(format!("{message}\n").as_bytes());
            }
        }
        let frames = frames(&stream, step, bytes_max);
        let expected = messages.iter().map(|(message, _)| Frame::of(message.as_bytes(), bytes_max));
        prop_assert_eq!(&frames, &expected.collect::<Vec<_>>());
        stream.extend_from_slice(&noise);
        let whole = self::frames(&stream, stream.len().max(1), bytes_max);
        prop_assert_eq!(self::frames(&stream, step, bytes_max), whole);
    }
}

/// The messages of a stream that arrives in pieces.
pub fn frames(stream: &[u8], step: usize, bytes_max: usize) -> Vec<Frame> {
    let mut framer = Framer::new(bytes_max);
    let mut frames = Vec::new();
    for piece in stream.chunks(step) {
        framer.buffer.extend_from_slice(piece);
        frames.extend(std::iter::from_fn(|| framer.next_frame()));
    }
    frames.extend(framer.last_frame());
    frames
}
