//! The translation of docs/translation.md, case by case: `ingest/src/tests/translation_logs/*.txt` hold
//! bodies and the log records that they become. `BLESS=1 cargo test -p throughline-ingest log_cases` writes
//! the latter anew, to be read before they are believed.
//!
//! ```text
//! # what the case shows
//! FORMAT                    bulk, bulk-of INDEX, document ACTION; syslog, gelf (a message a line, \xNN for bytes);
//!                           json-lines SAID; fluent (\xNN for bytes, line ends are none)
//! body
//! ----
//! records
//! ```

use std::fmt::Write;
use std::path::Path;

use throughline_model::time::format_rfc3339;
use throughline_model::{Signal, Value};
use throughline_storage::Format;

use super::records;
use crate::decode::decode_inflated;
use crate::syslog::decode::{put_frame, put_header};
use crate::tests::fixture::NOW_NS;
use crate::tests::rows::LogRow;

#[test]
fn log_cases_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/translation_logs");
    let mut seen = 0;
    for entry in std::fs::read_dir(&folder).expect("a folder of cases") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("text");
        let (head, expected) = text.split_once("\n----\n").expect("two parts");
        let (what, rest) = head.split_once('\n').expect("a line that says what it shows");
        assert!(what.starts_with("# "), "{}: {what}", path.display());
        let (format, body) = rest.split_once('\n').expect("a format and a body");
        let got = shown(format, body);
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&path, format!("{head}\n----\n{got}")).expect("writes");
        } else {
            assert_eq!(got, expected, "{}: {what}", path.display());
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen} cases");
}

fn shown(format: &str, body: &str) -> String {
    let (name, header) = format.split_once(' ').unwrap_or((format, ""));
    let after_header = || format!("{header}\n{body}").into_bytes();
    let (format, body) = match name {
        "bulk" => (Format::ElasticsearchBulk, body.as_bytes().to_vec()),
        "bulk-of" => (Format::ElasticsearchBulkOf, after_header()),
        "document" => (Format::ElasticsearchDocument, after_header()),
        "syslog" => (Format::Syslog, batch(body.lines().map(bytes))),
        "json-lines" => (Format::JsonLines, after_header()),
        "gelf" => (Format::GelfBatch, batch(body.lines().map(bytes))),
        "fluent" => (Format::FluentForward, bytes(&body.replace('\n', ""))),
        other => panic!("format '{other}' is unknown"),
    };
    let decoded = match decode_inflated(Signal::Logs, format, &body, NOW_NS) {
        Ok(decoded) => decoded,
        Err(err) => return format!("refused: {err}\n"),
    };
    let mut out = String::new();
    records(&decoded).iter().for_each(|record| show(&mut out, record));
    if decoded.rejected > 0 {
        writeln!(out, "{} refused: {}", decoded.rejected, decoded.message).expect("a String");
    }
    out
}

/// A batch of messages that arrived now.
pub fn batch(messages: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    let mut body = Vec::new();
    put_header(&mut body, NOW_NS, 1);
    for message in messages {
        put_frame(&mut body, NOW_NS, None, message.len(), &message);
    }
    body
}

fn bytes(line: &str) -> Vec<u8> {
    let mut parts = line.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).expect("two hex digits"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

fn show(out: &mut String, record: &LogRow) {
    let source = ["event", "observed", "received"][record.time_source as usize];
    let time = format_rfc3339(record.time_ns);
    let severity = (record.severity_number, &record.severity_text);
    writeln!(out, "{time} ({source}) {} {:?}", severity.0, severity.1).expect("a String");
    writeln!(out, "  body {:?}", record.text.as_deref().unwrap_or_default()).expect("a String");
    let hex = |id: &Option<Vec<u8>>| {
        let bytes = id.iter().flatten();
        bytes.map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    if record.trace_id.is_some() || record.span_id.is_some() {
        let (trace, span) = (hex(&record.trace_id), hex(&record.span_id));
        writeln!(out, "  trace {trace} span {span}").expect("a String");
    }
    show_set(out, "resource", &record.resource.attributes);
    show_set(out, "attribute", &record.attributes);
}

fn show_set(out: &mut String, what: &str, set: &[(String, Value)]) {
    let mut sorted: Vec<_> = set.iter().collect();
    sorted.sort_by(|a, b| a.0.cmp(&b.0));
    for (key, value) in sorted {
        writeln!(out, "  {what} {key} = {value:?}").expect("a String");
    }
}
