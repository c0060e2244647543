//! Messages of the forward protocol to log records, by docs/translation.md. Like OTLP's decoder, this is
//! compiled by `fuzz/` too.
//!
//! ```text
//! message := [tag, time, record, option?]                      Message
//!          | [tag, [entry, …], option?]                        Forward
//!          | [tag, bytes of entries, option?]                  PackedForward; "compressed": gzip, zstd
//! entry   := [time, record] | [[time, metadata], record]       the latter of Fluent Bit
//! time    := seconds | EventTime: type 0, seconds u32 BE, nanoseconds u32 BE
//! option  := {"chunk": text, "size": number, "compressed": text}
//! ```
//! A message that does not follow this fails as a whole; an entry whose record is no map is refused alone.

use std::borrow::Cow;
use std::io::Read as _;

use serde_json::Value as Json;
use throughline_model::batch::Decoded;
use throughline_model::{Error, Result};

use super::msgpack::{Fault, Head, Reader};
use crate::records::document;
use crate::records::documents::{Documents, Given, Names};
use crate::times;

/// Bytes that packed entries may inflate to.
const PACKED_BYTES_MAX: u64 = 64 << 20;
const EVENT_TIME: i8 = 0;

const NAMES: Names<'_> = Names {
    body: &["log", "message", "msg", "MESSAGE"],
    severity: &["level", "severity", "log.level", "loglevel"],
    time: &[],
    of_resource: &[],
    read_time: |_| None,
};

/// Decodes a message. `received_at_ns` dates entries that say nothing of when they were.
pub fn decode(body: &[u8], received_at_ns: i64) -> Result<Decoded> {
    let fault = |fault: Fault| Error::invalid(format!("malformed forward message: {fault}"));
    let message = Message::read(body).map_err(fault)?;
    let mut entries = Entries { documents: Documents::new("entries")?, message, received_at_ns };
    match message.entries {
        Carried::One(bytes) => {
            let mut reader = Reader::new(bytes);
            let time_ns = time(&mut reader).map_err(fault)?;
            entries.record(time_ns, &mut reader)?;
        }
        Carried::Listed(count, bytes) => {
            let mut reader = Reader::new(bytes);
            for _ in 0..count {
                entries.entry(&mut reader)?;
            }
        }
        Carried::Packed(bytes) => {
            let bytes = inflated(bytes, &message.option)?;
            let mut reader = Reader::new(&bytes);
            while !reader.is_empty() {
                entries.entry(&mut reader)?;
            }
        }
    }
    entries.documents.finish()
}

/// The chunk that a message wants to hear of when it is stored.
pub fn chunk(body: &[u8]) -> Option<String> {
    let message = Message::read(body).ok()?;
    Some(message.option.chunk?.to_owned())
}

/// A message, its entries as they stand.
#[derive(Clone, Copy, Debug)]
struct Message<'a> {
    tag: &'a [u8],
    entries: Carried<'a>,
    option: Options<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Carried<'a> {
    /// A time and a record.
    One(&'a [u8]),
    /// So many entries.
    Listed(usize, &'a [u8]),
    /// Entries one after the other, compressed or not.
    Packed(&'a [u8]),
}

#[derive(Clone, Copy, Debug, Default)]
struct Options<'a> {
    chunk: Option<&'a str>,
    compressed: Option<&'a str>,
}

impl<'a> Message<'a> {
    fn read(body: &'a [u8]) -> std::result::Result<Self, Fault> {
        let mut reader = Reader::new(body);
        let first = body.first().copied().unwrap_or_default();
        let Head::Array(len @ 2..=4) = reader.head()? else { return Err(Fault::Unknown(first)) };
        let tag = text(&mut reader)?;
        let here = reader;
        let (entries, used) = match reader.head()? {
            Head::Array(count) => {
                let rest = reader;
                for _ in 0..count {
                    reader.value()?;
                }
                (Carried::Listed(count, taken(rest, &reader)?), 2)
            }
            Head::Str(len) | Head::Bin(len) => (Carried::Packed(reader.take(len)?), 2),
            _ => {
                reader = here;
                reader.value()?;
                reader.value()?;
                (Carried::One(taken(here, &reader)?), 3)
            }
        };
        let option = match len > used {
            true => options(&mut reader)?,
            false => Options::default(),
        };
        Ok(Self { tag, entries, option })
    }
}

// What one reader has left and another behind it has not.
fn taken<'a>(mut from: Reader<'a>, to: &Reader<'a>) -> std::result::Result<&'a [u8], Fault> {
    from.take(from.len() - to.len())
}

fn text<'a>(reader: &mut Reader<'a>) -> std::result::Result<&'a [u8], Fault> {
    match reader.head()? {
        Head::Str(len) | Head::Bin(len) => reader.take(len),
        _ => Ok(&[]),
    }
}

fn options<'a>(reader: &mut Reader<'a>) -> std::result::Result<Options<'a>, Fault> {
    let mut options = Options::default();
    let Head::Map(count) = reader.head()? else { return Ok(options) };
    for _ in 0..count {
        let slot = match text(reader)? {
            b"chunk" => &mut options.chunk,
            b"compressed" => &mut options.compressed,
            _ => {
                reader.value()?;
                continue;
            }
        };
        *slot = std::str::from_utf8(text(reader)?).ok();
    }
    Ok(options)
}

fn inflated<'a>(bytes: &'a [u8], option: &Options<'_>) -> Result<Cow<'a, [u8]>> {
    let mut out = Vec::new();
    let read = match option.compressed {
        None | Some("text" | "") => return Ok(Cow::Borrowed(bytes)),
        // One member after the other: chunks are appended to.
        Some("gzip") => flate2::read::MultiGzDecoder::new(bytes)
            .take(PACKED_BYTES_MAX + 1)
            .read_to_end(&mut out),
        Some("zstd") => zstd::Decoder::new(bytes)
            .and_then(|decoder| decoder.take(PACKED_BYTES_MAX + 1).read_to_end(&mut out)),
        Some(other) => {
            return Err(Error::invalid(format!(
                "compressed '{other}' is none of gzip, zstd, text"
            )));
        }
    };
    read.map_err(|err| Error::invalid(format!("compressed entries cannot be read: {err}")))?;
    if out.len() as u64 > PACKED_BYTES_MAX {
        let message = format!("entries inflate to more than {PACKED_BYTES_MAX} bytes");
        return Err(Error::invalid(message));
    }
    Ok(Cow::Owned(out))
}

// Nanoseconds; none for zero, and for what is no time.
fn time(reader: &mut Reader<'_>) -> std::result::Result<Option<i64>, Fault> {
    let time_ns = match reader.head()? {
        Head::Int(seconds) => seconds.checked_mul(1_000_000_000),
        Head::Float(seconds) => times::from_seconds(seconds),
        Head::Ext(kind, len) => match (kind, reader.take(len)?) {
            (EVENT_TIME, [a, b, c, d, e, f, g, h]) => {
                let seconds = i64::from(u32::from_be_bytes([*a, *b, *c, *d]));
                let nanoseconds = i64::from(u32::from_be_bytes([*e, *f, *g, *h]));
                Some(seconds * 1_000_000_000 + nanoseconds)
            }
            _ => None,
        },
        Head::Str(len) | Head::Bin(len) => {
            reader.take(len)?;
            None
        }
        // With the metadata of an entry, which is read as a value of no meaning.
        Head::Array(count) => {
            let time_ns = if count > 0 { time(reader)? } else { None };
            for _ in 1..count {
                reader.value()?;
            }
            time_ns
        }
        _ => None,
    };
    Ok(time_ns.filter(|time_ns| *time_ns > 0))
}

struct Entries<'a> {
    documents: Documents,
    message: Message<'a>,
    received_at_ns: i64,
}

impl Entries<'_> {
    fn entry(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let fault = |fault: Fault| Error::invalid(format!("malformed entry: {fault}"));
        match reader.head().map_err(fault)? {
            Head::Array(count @ 2..) => {
                let time_ns = time(reader).map_err(fault)?;
                self.record(time_ns, reader)?;
                for _ in 2..count {
                    reader.value().map_err(fault)?;
                }
                Ok(())
            }
            other => Err(Error::invalid(format!("malformed entry: it begins as {other:?}"))),
        }
    }

    fn record(&mut self, time_ns: Option<i64>, reader: &mut Reader<'_>) -> Result<()> {
        let before = *reader;
        let record =
            reader.value().map_err(|fault| Error::invalid(format!("malformed record: {fault}")))?;
        let bytes = before.len() - reader.len();
        let text = Json::to_string(&record);
        let read = match record {
            Json::Object(mut map) => {
                // Lines of containers come with their ends.
                if let Some(Json::String(line)) = map.get_mut("log") {
                    line.truncate(line.trim_end_matches(['\n', '\r']).len());
                }
                Ok(document::flat(map, bytes))
            }
            other => Err(format!("the record is no map but {}", shortened(&other))),
        };
        let tag = String::from_utf8_lossy(self.message.tag);
        let given = Given {
            text: text.as_bytes(),
            time_ns,
            arrived_at_ns: self.received_at_ns,
            attributes: &[("fluent.tag", &tag)],
            whole_bytes: "fluent.whole_bytes",
            ..Given::default()
        };
        self.documents.add(read, &NAMES, &given)
    }
}

fn shortened(json: &Json) -> String {
    json.to_string().chars().take(40).collect()
}

/// The bytes of a message in which `map` is the only record, for tests.
#[cfg(test)]
pub fn message_of(tag: &str, map: &serde_json::Map<String, Json>) -> Vec<u8> {
    use super::msgpack::put_str;
    let mut out = vec![0x93];
    put_str(&mut out, tag);
    out.extend([0xce, 0x6a, 0xff, 0x00, 0x00]);
    out.push(0x80 | map.len() as u8);
    for (key, value) in map {
        put_str(&mut out, key);
        put_str(&mut out, value.as_str().unwrap_or_default());
    }
    out
}
