//! Items in the JSON mapping of OTLP: hex ids, camelCase, 64-bit integers as strings, enums as
//! numbers, bytes in base64, defaults left out.

mod logs;
mod metrics;
mod traces;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use throughline_model::Value;
use throughline_model::origin::{Resource, Scope};

use super::{ResourceGroup, ScopeGroup};

pub use logs::write_logs;
pub use metrics::write_metrics;
pub use traces::{write_batches, write_resource_spans, write_spans};

/// What the levels of a signal's document are called.
struct Names {
    resources: &'static str,
    scopes: &'static str,
    items: &'static str,
}

/// The document of grouped items; `write` makes the items of a scope.
fn document<'a, T, J: Serialize>(
    names: &Names,
    groups: &'a [ResourceGroup<'a, T>],
    write: impl Fn(&[&'a T]) -> Vec<J>,
) -> serde_json::Result<Vec<u8>> {
    let of_scope = |group: &'a ScopeGroup<'a, T>| Holder {
        owner: ("scope", ScopeJson::of(group.scope)),
        held: (names.items, write(&group.items)),
        schema_url: &group.scope.schema_url,
    };
    let of_resource = |group: &'a ResourceGroup<'a, T>| Holder {
        owner: ("resource", ResourceJson::of(group.resource)),
        held: (names.scopes, group.scopes.iter().map(of_scope).collect()),
        schema_url: &group.resource.schema_url,
    };
    let resources: Vec<_> = groups.iter().map(of_resource).collect();
    serde_json::to_vec(&Entry(names.resources, resources))
}

/// An object with one entry.
struct Entry<V>(&'static str, V);

impl<V: Serialize> Serialize for Entry<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(self.0, &self.1)?;
        map.end()
    }
}

/// A resource or scope with what it produced, both under their names.
struct Holder<'a, O, H> {
    owner: (&'static str, O),
    held: (&'static str, Vec<H>),
    schema_url: &'a str,
}

impl<O: Serialize, H: Serialize> Serialize for Holder<'_, O, H> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(self.owner.0, &self.owner.1)?;
        map.serialize_entry(self.held.0, &self.held.1)?;
        if !self.schema_url.is_empty() {
            map.serialize_entry("schemaUrl", self.schema_url)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceJson<'a> {
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
    #[serde(skip_serializing_if = "EntityRefs::is_empty")]
    entity_refs: EntityRefs<'a>,
}

impl<'a> ResourceJson<'a> {
    fn of(resource: &'a Resource) -> Self {
        Self {
            attributes: Attributes(&resource.attributes),
            dropped_attributes_count: resource.dropped_attributes_count,
            entity_refs: EntityRefs(&resource.entity_refs),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ScopeJson<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    version: &'a str,
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    attributes: Attributes<'a>,
    #[serde(skip_serializing_if = "is_zero")]
    dropped_attributes_count: u32,
}

impl<'a> ScopeJson<'a> {
    fn of(scope: &'a Scope) -> Self {
        Self {
            name: &scope.name,
            version: &scope.version,
            attributes: Attributes(&scope.attributes),
            dropped_attributes_count: scope.dropped_attributes_count,
        }
    }
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

fn is_unset(number: &i32) -> bool {
    *number == 0
}

struct Hex<'a>(&'a [u8]);

impl Serialize for Hex<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&crate::render::hex(self.0))
    }
}

// OTLP's times are unsigned; ours have the same 64 bits.
struct Nanos(i64);

impl Nanos {
    /// None where the time is unset.
    fn unless_zero(time_ns: i64) -> Option<Self> {
        (time_ns != 0).then_some(Self(time_ns))
    }
}

impl Serialize for Nanos {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&(self.0 as u64))
    }
}

struct Attributes<'a>(&'a [(String, Value)]);

impl Attributes<'_> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for (key, value) in self.0 {
            list.serialize_element(&KeyValue { key, value: AnyValue(value) })?;
        }
        list.end()
    }
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

struct AnyValue<'a>(&'a Value);

impl Serialize for AnyValue<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self.0 {
            Value::Empty => {}
            Value::String(text) => map.serialize_entry("stringValue", text)?,
            Value::Bool(flag) => map.serialize_entry("boolValue", flag)?,
            Value::Int(number) => map.serialize_entry("intValue", &number.to_string())?,
            Value::Double(number) => map.serialize_entry("doubleValue", &Double(*number))?,
            Value::Bytes(bytes) => map.serialize_entry("bytesValue", &STANDARD.encode(bytes))?,
            Value::Array(items) => map.serialize_entry("arrayValue", &Array(items))?,
            Value::Kvlist(entries) => map.serialize_entry("kvlistValue", &Kvlist(entries))?,
        }
        map.end()
    }
}

struct Double(f64);

impl Serialize for Double {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            number if number.is_finite() => serializer.serialize_f64(number),
            number => serializer.serialize_str(crate::render::non_finite(number)),
        }
    }
}

struct Array<'a>(&'a [Value]);

impl Serialize for Array<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("values", &self.0.iter().map(AnyValue).collect::<Vec<_>>())?;
        map.end()
    }
}

struct Kvlist<'a>(&'a [(String, Value)]);

impl Serialize for Kvlist<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("values", &Attributes(self.0))?;
        map.end()
    }
}

// An array of kvlists with the names of the protobuf fields; see `origin::Resource`.
struct EntityRefs<'a>(&'a Value);

impl EntityRefs<'_> {
    fn is_empty(&self) -> bool {
        !matches!(self.0, Value::Array(refs) if !refs.is_empty())
    }
}

impl Serialize for EntityRefs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let refs = super::proto::entity_refs(self.0);
        let mut list = serializer.serialize_seq(Some(refs.len()))?;
        for one in &refs {
            list.serialize_element(one)?;
        }
        list.end()
    }
}
