//! Streams and entries to [`throughline_model::schema::logs`], by docs/translation.md.

use std::borrow::Cow;

use throughline_model::Result;
use throughline_model::batch::Decoded;
use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::value;

use super::labels::{Labels, Stream};
use crate::records::{Read, Record, Rows};

/// Names with values, in the order of the wire.
pub type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Labels of a stream, and fields of an entry, at most.
pub const PAIRS_MAX: usize = 1024;

/// One entry of a stream.
#[derive(Clone, Debug, Default)]
pub struct Entry<'a> {
    /// Nanoseconds since 1970; 0 is absent.
    pub time_ns: i64,
    pub line: Cow<'a, str>,
    pub metadata: Pairs<'a>,
}

/// The columns of a request.
pub struct Columns {
    rows: Rows,
    /// The open stream, or why its entries cannot be kept.
    stream: Read<Stream>,
    fields: Vec<u8>,
    body: Vec<u8>,
}

impl Columns {
    /// No stream yet.
    pub fn new(received_at_ns: i64) -> Result<Self> {
        Ok(Self {
            rows: Rows::new("entries", received_at_ns)?,
            stream: Ok(Stream::default()),
            fields: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Begins a stream: the entries that follow are its.
    pub fn stream(&mut self, labels: Read<Labels<'_>>) {
        self.stream = labels.map(Stream::of);
        if let Ok(stream) = &self.stream {
            self.rows.set_resource(&stream.resource);
        }
    }

    /// Adds an entry, or counts it as refused.
    pub fn entry(&mut self, read: Read<Entry<'_>>) -> Result<()> {
        self.rows.begin()?;
        let (stream, entry) = match (&self.stream, read) {
            (Ok(stream), Ok(entry)) => (stream, entry),
            (Err(reason), _) => {
                self.rows.refuse(reason);
                return Ok(());
            }
            (_, Err(reason)) => {
                self.rows.refuse(&reason);
                return Ok(());
            }
        };
        self.body.clear();
        value::put_string(&mut self.body, &entry.line);
        self.fields.clear();
        for (name, text) in &entry.metadata {
            put_bytes(&mut self.fields, name.as_bytes());
            put_nested(&mut self.fields, |out| value::put_string(out, text));
        }
        self.rows.push(&Record {
            time_ns: Some(entry.time_ns).filter(|time_ns| *time_ns != 0),
            body: &self.body,
            fields: &self.fields,
            in_resource: "",
            level: stream.level.as_deref(),
        })
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }
}

/// Refuses more labels or fields than there may be.
pub fn check_pairs(what: &str, pairs: usize) -> Read<()> {
    if pairs > PAIRS_MAX {
        return Err(format!("{what} has more than {PAIRS_MAX} names"));
    }
    Ok(())
}
