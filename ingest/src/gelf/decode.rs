//! GELF messages to log records, by docs/translation.md. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! A batch is framed like one of syslog's. A message that is no JSON object is refused alone.

use serde_json::{Map, Value as Json};
use throughline_model::Result;
use throughline_model::batch::Decoded;

use crate::records::document;
use crate::records::documents::{Documents, Given, Names};
use crate::syslog::each_frame;
use crate::times;

/// OpenTelemetry's severity numbers of syslog's eight severities, most severe first, and their names.
const SEVERITIES: [(i32, &str); 8] = [
    (21, "emerg"),
    (19, "alert"),
    (18, "crit"),
    (17, "err"),
    (13, "warning"),
    (10, "notice"),
    (9, "info"),
    (5, "debug"),
];
/// Additional fields that name the service, where none is called `_service.name`.
const SERVICES: [&str; 4] = ["_service_name", "_service", "_application_name", "_app"];

const NAMES: Names<'_> = Names {
    body: &["short_message", "full_message", "message"],
    severity: &["level"],
    time: &[],
    of_resource: &[],
    read_time: |_| None,
};

/// Decodes one message.
pub fn decode(body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let mut documents = Documents::new("messages")?;
    add(&mut documents, body, received_at_ns, "")?;
    documents.finish()
}

/// Decodes a batch of messages.
pub fn decode_batch(body: &[u8]) -> Result<Decoded> {
    let mut documents = Documents::new("messages")?;
    each_frame(body, |arrived| add(&mut documents, arrived.bytes, arrived.at_ns, arrived.peer))?;
    documents.finish()
}

fn add(documents: &mut Documents, text: &[u8], arrived_at_ns: i64, peer: &str) -> Result<()> {
    let text = text.trim_ascii();
    let read = serde_json::from_slice::<Map<String, Json>>(text)
        .map_err(|err| format!("the message is no JSON object: {err}"));
    let mut given = Given {
        text,
        arrived_at_ns,
        attributes: &[("network.peer.address", peer)],
        whole_bytes: "gelf.whole_bytes",
        ..Given::default()
    };
    let entries = read.map(|mut object| {
        given.time_ns = object.remove("timestamp").and_then(|time| seconds(&time));
        given.severity = object.get("level").and_then(level);
        if given.severity.is_some() {
            object.remove("level");
        }
        document::flat(named(object), text.len())
    });
    documents.add(entries, &NAMES, &given)
}

// Additional fields lose their underscore; the host, and who says what service it is, are the resource's.
fn named(object: Map<String, Json>) -> Map<String, Json> {
    let mut named = Map::new();
    let service = SERVICES.iter().find_map(|name| object.get(*name).filter(|v| v.is_string()));
    if let Some(service) = service.filter(|_| !object.contains_key("_service.name")) {
        named.insert("service.name".to_owned(), service.clone());
    }
    for (key, value) in object {
        let key = match key.as_str() {
            "version" => continue,
            "host" => "host.name".to_owned(),
            "file" => "code.file.path".to_owned(),
            "line" => "code.line.number".to_owned(),
            _ => key.strip_prefix('_').map(str::to_owned).unwrap_or(key),
        };
        named.entry(key).or_insert(value);
    }
    named
}

fn level(json: &Json) -> Option<(i32, &'static str)> {
    let number = match json {
        Json::Number(number) => number.as_u64()?,
        Json::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    SEVERITIES.get(usize::try_from(number).ok()?).copied()
}

// Seconds since the epoch, with decimals; not more than 2262.
fn seconds(json: &Json) -> Option<i64> {
    let time_ns = match json {
        Json::Number(number) => match number.as_i64() {
            Some(whole) => whole.checked_mul(1_000_000_000),
            None => times::from_seconds(number.as_f64()?),
        },
        Json::String(text) => times::from_seconds(text.trim().parse().ok()?),
        _ => None,
    };
    time_ns.filter(|time_ns| *time_ns > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_times_are_read() {
        assert_eq!(level(&Json::from(3)), Some((17, "err")));
        assert_eq!(level(&Json::from("7")), Some((5, "debug")));
        assert_eq!(level(&Json::from(8)), None);
        assert_eq!(level(&Json::from("info")), None);
        assert_eq!(seconds(&Json::from(1_795_176_000)), Some(1_795_176_000_000_000_000));
        assert_eq!(seconds(&Json::from(1_795_176_000.5)), Some(1_795_176_000_500_000_000));
        assert_eq!(seconds(&Json::from(0)), None);
    }
}
