//! Who produced an item: its resource and its instrumentation scope, each kept as one byte string so
//! that a batch holds every distinct one once (an Arrow dictionary of `Binary`).
//!
//! ```text
//! resource := varint dropped | schema url | entity refs (encoded value) | attribute set to the end
//! scope    := name | version | varint dropped | schema url | attribute set to the end
//! ```

use crate::Result;
use crate::attrs;
use crate::codec::{Reader, put_bytes, put_nested, put_varint};
use crate::value::Value;

/// The attribute that names a service.
pub const SERVICE_NAME: &str = "service.name";
/// What the specification calls a service whose resource names none.
pub const SERVICE_UNKNOWN: &str = "unknown_service";

/// A resource (OTLP `ResourceSpans.resource` with its schema URL).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Resource {
    /// The attributes, in the order received.
    pub attributes: Vec<(String, Value)>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// The schema URL of the resource.
    pub schema_url: String,
    /// Entity references as an array of kvlists (`schema_url`, `type`, `id_keys`,
    /// `description_keys`); empty when there are none.
    pub entity_refs: Value,
}

/// An instrumentation scope (OTLP `ScopeSpans.scope` with its schema URL).
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Scope {
    /// Name of the instrumentation library.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The attributes, in the order received.
    pub attributes: Vec<(String, Value)>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
    /// The schema URL of the items in this scope.
    pub schema_url: String,
}

/// Encodes a resource whose attributes are an encoded set and whose entity references are an
/// encoded value.
pub fn put_resource(
    out: &mut Vec<u8>,
    dropped: u32,
    schema_url: &str,
    entity_refs: &[u8],
    set: &[u8],
) {
    put_varint(out, u64::from(dropped));
    put_bytes(out, schema_url.as_bytes());
    put_bytes(out, entity_refs);
    out.extend_from_slice(set);
}

/// Encodes a scope whose attributes are an encoded set.
pub fn put_scope(
    out: &mut Vec<u8>,
    name: &str,
    version: &str,
    dropped: u32,
    schema_url: &str,
    set: &[u8],
) {
    put_bytes(out, name.as_bytes());
    put_bytes(out, version.as_bytes());
    put_varint(out, u64::from(dropped));
    put_bytes(out, schema_url.as_bytes());
    out.extend_from_slice(set);
}

/// The attribute set inside an encoded resource.
pub fn resource_attrs(resource: &[u8]) -> Result<&[u8]> {
    let mut reader = Reader::new(resource);
    reader.varint()?;
    reader.bytes()?;
    reader.bytes()?;
    Ok(reader.rest())
}

/// Name, version, schema URL and attribute set inside an encoded scope.
pub fn scope_parts(scope: &[u8]) -> Result<(&str, &str, &str, &[u8])> {
    let mut reader = Reader::new(scope);
    let (name, version) = (reader.str()?, reader.str()?);
    reader.varint()?;
    let schema_url = reader.str()?;
    Ok((name, version, schema_url, reader.rest()))
}

/// The service that an attribute set names.
pub fn service_name(set: &[u8]) -> &str {
    attrs::get_str(set, SERVICE_NAME).filter(|name| !name.is_empty()).unwrap_or(SERVICE_UNKNOWN)
}

impl Resource {
    /// The encoded resource.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let set = attrs::encode(self.attributes.iter().map(|(k, v)| (k.as_str(), v)));
        let refs = self.entity_refs.to_bytes();
        put_resource(&mut out, self.dropped_attributes_count, &self.schema_url, &refs, &set);
        out
    }

    /// Reads an encoded resource.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            dropped_attributes_count: reader.varint()? as u32,
            schema_url: reader.str()?.to_owned(),
            entity_refs: match reader.bytes()? {
                [] => Value::Empty,
                refs => Value::decode(refs)?,
            },
            attributes: attrs::decode(reader.rest())?,
        })
    }
}

impl Scope {
    /// The encoded scope.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let set = attrs::encode(self.attributes.iter().map(|(k, v)| (k.as_str(), v)));
        put_scope(
            &mut out,
            &self.name,
            &self.version,
            self.dropped_attributes_count,
            &self.schema_url,
            &set,
        );
        out
    }

    /// Reads an encoded scope.
    pub fn decode(bytes: &[u8]) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        Ok(Self {
            name: reader.str()?.to_owned(),
            version: reader.str()?.to_owned(),
            dropped_attributes_count: reader.varint()? as u32,
            schema_url: reader.str()?.to_owned(),
            attributes: attrs::decode(reader.rest())?,
        })
    }
}

/// An event of a span. A span's events are kept as one byte string:
/// `(varint len, time i64 LE | name | varint dropped | attribute set)*`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Event {
    /// When it happened, nanoseconds since the epoch.
    pub time_ns: i64,
    /// What happened.
    pub name: String,
    /// The attributes, in the order received.
    pub attributes: Vec<(String, Value)>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// A link of a span. A span's links are kept as one byte string:
/// `(varint len, trace id 16 B | span id 8 B | varint flags | trace state | varint dropped | attribute set)*`.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Link {
    /// The linked trace; may be all zero.
    pub trace_id: crate::TraceId,
    /// The linked span; may be all zero.
    pub span_id: crate::SpanId,
    /// W3C trace state of the linked span.
    pub trace_state: String,
    /// Trace flags of the linked span.
    pub flags: u32,
    /// The attributes, in the order received.
    pub attributes: Vec<(String, Value)>,
    /// How many attributes the sender dropped.
    pub dropped_attributes_count: u32,
}

/// Appends an event to a span's encoded events; its attributes are an encoded set.
pub fn put_event(out: &mut Vec<u8>, time_ns: i64, name: &str, dropped: u32, set: &[u8]) {
    put_nested(out, |out| {
        out.extend_from_slice(&time_ns.to_le_bytes());
        put_bytes(out, name.as_bytes());
        put_varint(out, u64::from(dropped));
        out.extend_from_slice(set);
    });
}

/// Appends a link to a span's encoded links; its attributes are an encoded set.
pub fn put_link(
    out: &mut Vec<u8>,
    trace_id: &[u8; 16],
    span_id: &[u8; 8],
    trace_state: &str,
    flags: u32,
    dropped: u32,
    set: &[u8],
) {
    put_nested(out, |out| {
        out.extend_from_slice(trace_id);
        out.extend_from_slice(span_id);
        put_varint(out, u64::from(flags));
        put_bytes(out, trace_state.as_bytes());
        put_varint(out, u64::from(dropped));
        out.extend_from_slice(set);
    });
}

/// Reads a span's encoded events.
pub fn decode_events(bytes: &[u8]) -> Result<Vec<Event>> {
    let mut outer = Reader::new(bytes);
    let mut events = Vec::new();
    while !outer.is_empty() {
        let mut reader = Reader::new(outer.bytes()?);
        events.push(Event {
            time_ns: i64::from_le_bytes(reader.array()?),
            name: reader.str()?.to_owned(),
            dropped_attributes_count: reader.varint()? as u32,
            attributes: attrs::decode(reader.rest())?,
        });
    }
    Ok(events)
}

/// Reads a span's encoded links.
pub fn decode_links(bytes: &[u8]) -> Result<Vec<Link>> {
    let mut outer = Reader::new(bytes);
    let mut links = Vec::new();
    while !outer.is_empty() {
        let mut reader = Reader::new(outer.bytes()?);
        links.push(Link {
            trace_id: crate::TraceId(reader.array()?),
            span_id: crate::SpanId(reader.array()?),
            flags: reader.varint()? as u32,
            trace_state: reader.str()?.to_owned(),
            dropped_attributes_count: reader.varint()? as u32,
            attributes: attrs::decode(reader.rest())?,
        });
    }
    Ok(links)
}
