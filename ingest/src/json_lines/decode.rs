//! Lines of JSON to log records, by docs/translation.md. Like OTLP's decoder, this is compiled by `fuzz/` too.
//!
//! ```text
//! body := what the request said, as a line of JSON (`Said`)  LF  (object LF)*
//! ```
//! A line that is no JSON object is refused alone; empty lines are none.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

use crate::records::document;
use crate::records::documents::{Documents, Given, Names};
use crate::times;

/// Names in each list at most.
pub const NAMES_MAX: usize = 64;

const BODY: [&str; 4] = ["_msg", "message", "msg", "log"];
pub(super) const TIME: [&str; 4] = ["_time", "@timestamp", "timestamp", "time"];
const SEVERITY: [&str; 4] = ["level", "severity", "log.level", "lvl"];

/// What a request says of its lines.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Fields that may be the body; the usual ones if there are none.
    #[serde(default)]
    pub message: Vec<String>,
    /// Fields that may be the time; the usual ones if there are none.
    #[serde(default)]
    pub time: Vec<String>,
    /// Fields that are their resource's.
    #[serde(default)]
    pub stream: Vec<String>,
    /// Fields that are left out.
    #[serde(default)]
    pub ignored: Vec<String>,
    /// Attributes of every line.
    #[serde(default)]
    pub extra: Vec<(String, String)>,
}

/// Decodes a body. `received_at_ns` dates lines that say nothing of when they were.
pub fn decode(body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let end = body.iter().position(|byte| *byte == b'\n').unwrap_or(body.len());
    let said: Said = serde_json::from_slice(&body[..end])
        .map_err(|err| Error::invalid(format!("malformed line of the request: {err}")))?;
    let texts = |all: &'static [&'static str], own: &'_ [String]| -> Vec<String> {
        match own {
            [] => all.iter().map(|name| (*name).to_owned()).collect(),
            own => own.to_vec(),
        }
    };
    let (message, time) = (texts(&BODY, &said.message), texts(&TIME, &said.time));
    let (message, time, stream) = (borrowed(&message), borrowed(&time), borrowed(&said.stream));
    let names =
        Names { body: &message, severity: &SEVERITY, time: &time, of_resource: &stream, read_time };
    let extra: Vec<_> =
        said.extra.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut documents = Documents::new("lines")?;
    for line in body.get(end + 1..).unwrap_or_default().split(|byte| *byte == b'\n') {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let given = Given {
            text: line,
            arrived_at_ns: received_at_ns,
            attributes: &extra,
            whole_bytes: "json_lines.whole_bytes",
            ..Given::default()
        };
        let mut read = document::read(line);
        if let Ok(entries) = &mut read {
            entries.retain(|(name, _)| !said.ignored.contains(name));
        }
        documents.add(read, &names, &given)?;
    }
    documents.finish()
}

fn borrowed(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

// ISO 8601, or a number (or its digits) since the epoch; zero is the time of arrival.
fn read_time(json: &Json) -> Option<i64> {
    let read = match json {
        Json::String(text) => match text.trim().parse::<i64>() {
            Ok(number) => times::from_unix(number),
            Err(_) => match text.trim().parse::<f64>() {
                Ok(seconds) => times::from_seconds(seconds),
                Err(_) => times::iso8601(text),
            },
        },
        Json::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(number), _) => times::from_unix(number),
            (None, Some(seconds)) => times::from_seconds(seconds),
            _ => None,
        },
        _ => None,
    };
    read.filter(|time_ns| *time_ns > 0)
}
