//! The translation of docs/translation.md, case by case: `ingest/src/tests/translation/*.txt` hold bodies
//! and the spans that they become. `BLESS=1 cargo test -p throughline-ingest translation` writes the
//! latter anew, to be read before they are believed.
//!
//! ```text
//! # what the case shows
//! FORMAT                    v2, v1 (JSON as sent), jaeger (prost's fields as JSON)
//! body
//! ----
//! spans
//! ```

use std::fmt::Write;
use std::path::Path;

use prost::Message;
use serde_json::Value as Json;
use throughline_model::attrs;
use throughline_model::span::Span;
use throughline_model::{Signal, Value};
use throughline_storage::Format;

use super::spans;
use super::wire::jaeger;
use crate::decode::decode_inflated;
use crate::tests::fixture::NOW_NS;

#[test]
fn translation_cases_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/translation");
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
    assert!(seen >= 20, "{seen} cases");
}

fn shown(format: &str, body: &str) -> String {
    let (format, body) = match format {
        "v2" => (Format::ZipkinJson, body.as_bytes().to_vec()),
        "v1" => (Format::ZipkinV1Json, body.as_bytes().to_vec()),
        "jaeger" => (Format::JaegerProtobuf, jaeger_body(body)),
        other => panic!("format '{other}' is unknown"),
    };
    let decoded = match decode_inflated(Signal::Traces, format, &body, NOW_NS) {
        Ok(decoded) => decoded,
        Err(err) => return format!("refused: {err}\n"),
    };
    let mut out = String::new();
    spans(&decoded).iter().for_each(|span| show(&mut out, span));
    if decoded.rejected > 0 {
        writeln!(out, "{} refused: {}", decoded.rejected, decoded.message).expect("text");
    }
    out
}

fn show(out: &mut String, span: &Span) {
    let parent = span.parent_span_id.map_or(String::new(), |id| format!(" parent {id}"));
    let mut line = |text: String| writeln!(out, "{text}").expect("text");
    line(format!("span {} {}{parent}", span.trace_id, span.span_id));
    line(format!("  name '{}' kind {} flags {}", span.name, span.kind, span.flags));
    let since = span.start_time_ns - NOW_NS;
    line(format!("  start {since} duration {} (ns, since now)", span.duration_ns));
    if span.status_code != 0 || !span.status_message.is_empty() {
        line(format!("  status {} '{}'", span.status_code, span.status_message));
    }
    if !span.trace_state.is_empty() {
        line(format!("  trace state {}", span.trace_state));
    }
    if !span.scope.name.is_empty() || !span.scope.version.is_empty() {
        line(format!("  scope '{}' '{}'", span.scope.name, span.scope.version));
    }
    let dropped =
        [span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count];
    if dropped != [0; 3] {
        line(format!("  dropped {dropped:?}"));
    }
    line(format!("  service '{}'{}", span.service_name, set(&span.resource.attributes)));
    span.attributes.iter().for_each(|(key, value)| line(format!("  {key} = {value:?}")));
    for event in &span.events {
        let since = event.time_ns - NOW_NS;
        line(format!("  event {since} '{}'{}", event.name, set(&event.attributes)));
    }
    for link in &span.links {
        line(format!("  link {} {}{}", link.trace_id, link.span_id, set(&link.attributes)));
    }
}

fn set(attributes: &[(String, Value)]) -> String {
    let set = attrs::encode(attributes.iter().map(|(key, value)| (key.as_str(), value)));
    assert_eq!(attrs::decode(&set).expect("its own encoding"), attributes);
    attributes.iter().map(|(key, value)| format!(" {key} = {value:?};")).collect()
}

/// A batch in JSON, with ids in hex and times in microseconds, as protobuf.
fn jaeger_body(text: &str) -> Vec<u8> {
    let json: Json = serde_json::from_str(text).expect("JSON");
    let spans = list(&json["spans"]).map(jaeger_span).collect();
    let batch = jaeger::Batch { spans, process: Some(process(&json["process"])) };
    jaeger::PostSpansRequest { batch: Some(batch) }.encode_to_vec()
}

fn list(json: &Json) -> impl Iterator<Item = &Json> {
    json.as_array().into_iter().flatten()
}

fn string(json: &Json) -> String {
    json.as_str().unwrap_or_default().to_owned()
}

fn hex(json: &Json) -> Vec<u8> {
    let digits = string(json);
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex");
    (0..digits.len()).step_by(2).map(byte).collect()
}

fn time(json: &Json) -> Option<jaeger::Time> {
    let micros = json.as_i64()?;
    Some(jaeger::Time {
        seconds: micros.div_euclid(1_000_000),
        nanos: micros.rem_euclid(1_000_000) as i32 * 1_000,
    })
}

fn process(json: &Json) -> jaeger::Process {
    jaeger::Process { service_name: string(&json["service"]), tags: tags(&json["tags"]) }
}

/// An object; its values have the types that JSON tells, bytes stand in a list.
fn tags(json: &Json) -> Vec<jaeger::KeyValue> {
    let entries = json.as_object().into_iter().flatten();
    let tag = |(key, value): (&String, &Json)| {
        let mut tag = jaeger::KeyValue { key: key.clone(), ..Default::default() };
        match value {
            Json::String(text) => tag.v_str = text.clone(),
            Json::Bool(flag) => (tag.v_type, tag.v_bool) = (1, *flag),
            Json::Number(number) => match number.as_i64() {
                Some(int) => (tag.v_type, tag.v_int64) = (2, int),
                None => (tag.v_type, tag.v_float64) = (3, number.as_f64().expect("a double")),
            },
            bytes => {
                let bytes = list(bytes).map(|byte| byte.as_u64().expect("a byte") as u8);
                (tag.v_type, tag.v_binary) = (4, bytes.collect());
            }
        }
        tag
    };
    entries.map(tag).collect()
}

fn jaeger_span(json: &Json) -> jaeger::Span {
    let reference = |json: &Json| jaeger::SpanRef {
        trace_id: hex(&json["trace"]),
        span_id: hex(&json["span"]),
        ref_type: i32::from(json["type"] == "FOLLOWS_FROM"),
    };
    let log =
        |json: &Json| jaeger::Log { timestamp: time(&json["at"]), fields: tags(&json["fields"]) };
    jaeger::Span {
        trace_id: hex(&json["trace"]),
        span_id: hex(&json["span"]),
        operation_name: string(&json["name"]),
        references: list(&json["references"]).map(reference).collect(),
        flags: json["flags"].as_u64().unwrap_or_default() as u32,
        start_time: time(&json["start"]),
        duration: time(&json["duration"]),
        tags: tags(&json["tags"]),
        logs: list(&json["logs"]).map(log).collect(),
        process: json.get("process").map(process),
        warnings: list(&json["warnings"]).map(string).collect(),
    }
}
