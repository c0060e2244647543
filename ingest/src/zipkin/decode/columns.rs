//! Zipkin's spans to [`throughline_model::schema::spans`], by docs/translation.md.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use throughline_model::Result;
use throughline_model::attrs;
use throughline_model::batch::Decoded;
use throughline_model::origin::put_event;
use throughline_model::span::SpanFields;
use throughline_model::value::{self, Value};

use super::span::{Annotation, Endpoint, Read, Span};
use super::v1;
use crate::translate::{ErrorTag, Marks, Rows, kind, nanoseconds};

/// Marks a start that the span did not say.
const START_ABSENT: &str = "otel.zipkin.absentField.startTime";
const DEBUG: &str = "zipkin.debug";
const SHARED: &str = "zipkin.shared";

/// The attributes of an endpoint: address, second address, port.
const LOCAL: [&str; 3] = ["net.host.ip", "zipkin.local.ipv6", "net.host.port"];
const REMOTE: [&str; 3] = ["net.peer.ip", "zipkin.remote.ipv6", "net.peer.port"];

/// The columns of a request.
pub struct Columns {
    rows: Rows,
    received_at_ns: i64,
    set: Vec<u8>,
}

impl Columns {
    /// No span yet.
    pub fn new(received_at_ns: i64) -> Self {
        Self { rows: Rows::default(), received_at_ns, set: Vec::new() }
    }

    /// Adds a span, or counts it as refused.
    pub fn item(&mut self, read: Read<Span<'_>>) -> Result<()> {
        self.rows.begin()?;
        match read {
            Ok(span) => self.span(&span),
            Err(reason) => {
                self.rows.refuse(&reason);
                Ok(())
            }
        }
    }

    /// Adds what a span of the first model is in the second: one span or two.
    pub fn item_v1(&mut self, read: Read<v1::Span<'_>>) -> Result<()> {
        self.rows.begin()?;
        match read {
            Ok(span) => v1::convert(span).iter().try_for_each(|span| self.span(span)),
            Err(reason) => {
                self.rows.refuse(&reason);
                Ok(())
            }
        }
    }

    /// The batch.
    pub fn finish(self) -> Result<Decoded> {
        self.rows.finish()
    }

    fn span(&mut self, span: &Span<'_>) -> Result<()> {
        let (start_time_ns, duration_ns) = match self.times(span) {
            Ok(times) => times,
            Err(reason) => {
                self.rows.refuse(&reason);
                return Ok(());
            }
        };
        self.rows.set_resource(&span.local.service, [])?;
        self.endpoints(span)?;
        let mut marks = Marks::default();
        let attributes = &mut self.rows.builder.attributes;
        for tag in &span.tags {
            if !marks.take(tag) {
                attributes.push(&tag.key, |out| tag.value.put(out))?;
            }
        }
        for (key, flag) in
            [(START_ABSENT, span.timestamp_us == 0), (DEBUG, span.debug), (SHARED, span.shared)]
        {
            if flag {
                attributes.push(key, |out| value::put_bool(out, true))?;
            }
        }
        if let Err(reason) = self.events(&span.annotations) {
            self.rows.refuse(&reason);
            return Ok(());
        }
        let parent = Some(span.parent_id).filter(|id| *id != [0; 8] && *id != span.id);
        let mut fields = SpanFields {
            trace_id: span.trace_id,
            span_id: span.id,
            parent_span_id: parent,
            name: &span.name,
            kind: if span.kind == 0 { kind::INTERNAL } else { span.kind },
            start_time_ns,
            duration_ns,
            ..SpanFields::default()
        };
        marks.settle(ErrorTag::Present, &mut fields, &mut self.rows.builder)?;
        self.rows.push(&fields, &marks)
    }

    /// Start and duration; the reason if they, or an id, cannot be kept.
    fn times(&self, span: &Span<'_>) -> Read<(i64, i64)> {
        if span.trace_id == [0; 16] {
            return Err("traceId is absent or all zero".to_owned());
        }
        if span.id == [0; 8] {
            return Err("id is absent or all zero".to_owned());
        }
        let duration_ns = nanoseconds("duration", span.duration_us)?;
        let first = span.annotations.iter().map(|annotation| annotation.timestamp_us);
        let start_ns = match (span.timestamp_us, first.filter(|time_us| *time_us > 0).min()) {
            (0, None) => self.received_at_ns,
            (0, Some(first_us)) => nanoseconds("annotations.timestamp", first_us)?,
            (timestamp_us, _) => nanoseconds("timestamp", timestamp_us)?,
        };
        match start_ns.checked_add(duration_ns) {
            Some(_) => Ok((start_ns, duration_ns)),
            None => Err(format!("timestamp and duration {duration_ns} ns exceed {} ns", i64::MAX)),
        }
    }

    fn endpoints(&mut self, span: &Span<'_>) -> Result<()> {
        self.endpoint(&span.local, LOCAL)?;
        if !span.remote.service.is_empty() {
            let attributes = &mut self.rows.builder.attributes;
            attributes.push("peer.service", |out| value::put_string(out, &span.remote.service))?;
        }
        self.endpoint(&span.remote, REMOTE)
    }

    fn endpoint(&mut self, endpoint: &Endpoint<'_>, [ip, second, port]: [&str; 3]) -> Result<()> {
        let attributes = &mut self.rows.builder.attributes;
        let addresses = match (&*endpoint.ipv4, &*endpoint.ipv6) {
            ("", ipv6) => [(ip, ipv6), (second, "")],
            (ipv4, ipv6) => [(ip, ipv4), (second, ipv6)],
        };
        for (key, text) in addresses {
            if !text.is_empty() {
                attributes.push(key, |out| value::put_string(out, text))?;
            }
        }
        if endpoint.port != 0 {
            attributes.push(port, |out| value::put_int(out, i64::from(endpoint.port)))?;
        }
        Ok(())
    }

    fn events(&mut self, annotations: &[Annotation<'_>]) -> Read<()> {
        for annotation in annotations {
            let time_ns = nanoseconds("annotations.timestamp", annotation.timestamp_us)?;
            let events = &mut self.rows.builder.events.bytes;
            match otel_event(&annotation.value) {
                Some((name, attributes)) => {
                    self.set.clear();
                    for (key, value) in &attributes {
                        attrs::put_attr(&mut self.set, key, value);
                    }
                    put_event(events, time_ns, &name, 0, &self.set);
                }
                None => put_event(events, time_ns, &annotation.value, 0, &[]),
            }
        }
        Ok(())
    }
}

/// An event as OpenTelemetry's exporters write it: `{"name": {"key": value, …}}`, the values scalars or
/// lists of scalars. Anything else is text like any other.
fn otel_event(text: &str) -> Option<(String, Vec<(String, Value)>)> {
    if !text.starts_with('{') || !text.ends_with('}') {
        return None;
    }
    let Entries(events) = serde_json::from_str::<Entries<Entries<Plain>>>(text).ok()?;
    let [(name, Entries(attributes))] = <[_; 1]>::try_from(events).ok()?;
    Some((name, attributes.into_iter().map(|(key, Plain(value))| (key, value)).collect()))
}

/// The entries of an object in their order.
struct Entries<T>(Vec<(String, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Object<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Entries<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// A scalar, or a list of such.
struct Plain(Value);

impl<'de> Deserialize<'de> for Plain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(PlainVisitor { list: true }).map(Plain)
    }
}

struct PlainVisitor {
    list: bool,
}

impl<'de> Visitor<'de> for PlainVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a scalar or a list of scalars")
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> std::result::Result<Value, E> {
        Ok(Value::Int(number))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<Value, E> {
        i64::try_from(number).map(Value::Int).map_err(E::custom)
    }

    fn visit_f64<E>(self, number: f64) -> std::result::Result<Value, E> {
        Ok(Value::Double(number))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Value, A::Error> {
        if !self.list {
            return Err(serde::de::Error::custom("a list in a list"));
        }
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(PlainSeed)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
}

/// A scalar inside a list.
struct PlainSeed;

impl<'de> serde::de::DeserializeSeed<'de> for PlainSeed {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> std::result::Result<Value, D::Error> {
        deserializer.deserialize_any(PlainVisitor { list: false })
    }
}
