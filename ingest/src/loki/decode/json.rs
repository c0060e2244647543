//! Loki's streams in JSON.
//!
//! ```text
//! {"streams": [{"stream": {name: text, …}, "values": [["<ns>", "line", {name: text, …}?], …]}, …]}
//! {"streams": [{"labels": "{name=\"text\", …}", "entries": [{"ts": RFC 3339, "line": "line"}, …]}, …]}   of old
//! ```
//! The text of an entry is checked with the body and then read by itself, so that one of the wrong shape is
//! refused alone.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use throughline_model::time::parse_rfc3339;
use throughline_model::{Error, Result};

use super::columns::{Columns, Entry, Pairs, check_pairs};
use super::labels::{self, Labels};
use crate::json_parts::{Loose, Text, field, refused};
use crate::otlp::decode::ITEMS_PER_REQUEST_MAX;
use crate::records::Read;

/// Reads a request into `columns`.
pub fn read(body: &[u8], columns: &mut Columns) -> Result<()> {
    let malformed = |err| Error::invalid(format!("malformed JSON: {err}"));
    let push: Push<'_> = serde_json::from_slice(body).map_err(malformed)?;
    for (at, text) in push.streams.0.iter().enumerate() {
        let stream: Stream<'_> = serde_json::from_str(text.get())
            .map_err(|err| Error::invalid(format!("streams[{at}]: {err}")))?;
        let labels = match (stream.stream, &stream.labels) {
            (Some(labels), _) => Ok(labels),
            (None, Some(Text(text))) => labels::parse(text),
            (None, None) => Ok(Labels::default()),
        };
        columns.stream(labels);
        for text in stream.values.iter().flat_map(|list| &list.0) {
            let tuple = serde_json::from_str::<Tuple<'_>>(text.get());
            columns.entry(tuple.map(|Tuple(entry)| entry).map_err(|err| err.to_string()))?;
        }
        for text in stream.entries.iter().flat_map(|list| &list.0) {
            let read = serde_json::from_str::<OldEntry<'_>>(text.get());
            columns.entry(read.map_err(|err| err.to_string()).and_then(OldEntry::entry))?;
        }
    }
    Ok(())
}

#[derive(Deserialize)]
#[serde(expecting = "an object with streams")]
struct Push<'a> {
    #[serde(borrow)]
    streams: Texts<'a>,
}

#[derive(Deserialize)]
#[serde(expecting = "a stream")]
struct Stream<'a> {
    #[serde(borrow)]
    stream: Option<Labels<'a>>,
    #[serde(borrow)]
    values: Option<Texts<'a>>,
    #[serde(borrow)]
    labels: Option<Text<'a>>,
    #[serde(borrow)]
    entries: Option<Texts<'a>>,
}

/// The entry of a stream of old.
#[derive(Deserialize)]
#[serde(expecting = "an entry")]
struct OldEntry<'a> {
    #[serde(borrow)]
    ts: Text<'a>,
    #[serde(borrow)]
    line: Text<'a>,
}

impl<'a> OldEntry<'a> {
    fn entry(self) -> Read<Entry<'a>> {
        let time_ns = parse_rfc3339(&self.ts.0).map_err(|err| format!("ts: {err}"))?;
        if time_ns < 0 {
            return Err(format!("ts '{}' is before 1970", self.ts.0));
        }
        Ok(Entry { time_ns, line: self.line.0, metadata: Vec::new() })
    }
}

/// The texts of a list's elements, of which there may be as many as items in a request.
struct Texts<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_seq(TextsVisitor).map(Texts)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element()? {
            if texts.len() as u64 == ITEMS_PER_REQUEST_MAX {
                return Err(A::Error::custom(format_args!(
                    "a list has more than {ITEMS_PER_REQUEST_MAX} elements: send smaller batches"
                )));
            }
            texts.push(text);
        }
        Ok(texts)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Labels<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor).map(Labels)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Pairs<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut map: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Text(name)) = map.next_key()? {
            if let Some(Loose(text)) = field(&mut map, &name)? {
                pairs.push((name, text));
                refused(check_pairs("an object", pairs.len()))?;
            }
        }
        Ok(pairs)
    }
}

/// An entry as a list: time, line, fields.
struct Tuple<'a>(Entry<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Tuple<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_seq(TupleVisitor).map(Tuple)
    }
}

struct TupleVisitor;

impl<'de> Visitor<'de> for TupleVisitor {
    type Value = Entry<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of time, line and fields")
    }

    fn visit_seq<A: SeqAccess<'de>>(
        self,
        mut seq: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let Some(Loose(time)) = seq.next_element()? else {
            return Err(A::Error::custom("the time is absent"));
        };
        let Some(Text(line)) = seq.next_element()? else {
            return Err(A::Error::custom("the line is absent"));
        };
        let metadata = seq.next_element::<Option<Metadata<'_>>>()?.flatten();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        let metadata = metadata.map(|Metadata(pairs)| pairs).unwrap_or_default();
        Ok(Entry { time_ns: refused(nanoseconds(time))?, line, metadata })
    }
}

struct Metadata<'a>(Pairs<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Metadata<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(PairsVisitor).map(Metadata)
    }
}

fn nanoseconds(digits: Cow<'_, str>) -> Read<i64> {
    let number = digits.parse::<i128>();
    let number = number.map_err(|_| format!("time '{digits}' is no number of nanoseconds"))?;
    if number < 0 {
        return Err(format!("time {number} is below 0"));
    }
    i64::try_from(number).map_err(|_| format!("time {number} exceeds {}", i64::MAX))
}
