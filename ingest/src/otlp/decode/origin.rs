//! Resources and scopes: encoded once a request, into the byte strings of [`throughline_model::origin`].

use throughline_model::codec::{put_bytes, put_nested};
use throughline_model::value::{self, tag};
use throughline_model::{Result, origin};

use super::common::{Verdict, put_attribute};
use super::wire::{Field, Fields};

/// Encodes resources and scopes into buffers that it keeps.
#[derive(Default)]
pub struct OriginReader {
    /// The encoded resource that was read last.
    pub resource: Vec<u8>,
    /// The encoded scope that was read last.
    pub scope: Vec<u8>,
    set: Vec<u8>,
    entity_refs: Vec<u8>,
}

impl OriginReader {
    /// From `ResourceSpans`, `ResourceLogs` or `ResourceMetrics`.
    pub fn read_resource(&mut self, message: &[u8], verdict: &mut Verdict) -> Result<()> {
        self.set.clear();
        self.entity_refs.clear();
        let (mut schema_url, mut dropped) = ("", 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => {
                    let resource = field.bytes("resource")?;
                    let mut inner = Fields::new(resource);
                    while let Some(field) = inner.next_field()? {
                        self.resource_field(field, &mut dropped, verdict)?;
                    }
                }
                3 => schema_url = field.str("schema_url of a resource")?,
                _ => {}
            }
        }
        if self.entity_refs.is_empty() {
            self.entity_refs.push(tag::EMPTY);
        }
        self.resource.clear();
        let (out, refs) = (&mut self.resource, &self.entity_refs);
        origin::put_resource(out, dropped, schema_url, refs, &self.set);
        Ok(())
    }

    fn resource_field(
        &mut self,
        field: Field<'_>,
        dropped: &mut u32,
        verdict: &mut Verdict,
    ) -> Result<()> {
        match field.number {
            1 => put_attribute(&mut self.set, field.bytes("Resource.attributes")?, verdict)?,
            2 => *dropped = field.varint("Resource.dropped_attributes_count")? as u32,
            3 => {
                if self.entity_refs.is_empty() {
                    self.entity_refs.push(tag::ARRAY);
                }
                put_entity_ref(&mut self.entity_refs, field.bytes("Resource.entity_refs")?)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// From `ScopeSpans`, `ScopeLogs` or `ScopeMetrics`; returns how many items follow.
    pub fn read_scope(&mut self, message: &[u8], verdict: &mut Verdict) -> Result<usize> {
        let mut items = 0;
        self.set.clear();
        let (mut name, mut version, mut schema_url, mut dropped) = ("", "", "", 0);
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next_field()? {
            match field.number {
                1 => {
                    let mut inner = Fields::new(field.bytes("scope")?);
                    while let Some(field) = inner.next_field()? {
                        match field.number {
                            1 => name = field.str("InstrumentationScope.name")?,
                            2 => version = field.str("InstrumentationScope.version")?,
                            3 => {
                                let attribute = field.bytes("InstrumentationScope.attributes")?;
                                put_attribute(&mut self.set, attribute, verdict)?;
                            }
                            4 => dropped = field.varint("InstrumentationScope.dropped_…")? as u32,
                            _ => {}
                        }
                    }
                }
                2 => items += 1,
                3 => schema_url = field.str("schema_url of a scope")?,
                _ => {}
            }
        }
        self.scope.clear();
        origin::put_scope(&mut self.scope, name, version, dropped, schema_url, &self.set);
        Ok(items)
    }
}

/// Appends an `EntityRef` as a kvlist (see [`origin::Resource::entity_refs`]).
fn put_entity_ref(out: &mut Vec<u8>, message: &[u8]) -> Result<()> {
    let (mut schema_url, mut kind) = ("", "");
    let (mut id_keys, mut description_keys) = (vec![tag::ARRAY], vec![tag::ARRAY]);
    let mut fields = Fields::new(message);
    while let Some(field) = fields.next_field()? {
        let (keys, name) = match field.number {
            1 => {
                schema_url = field.str("EntityRef.schema_url")?;
                continue;
            }
            2 => {
                kind = field.str("EntityRef.type")?;
                continue;
            }
            3 => (&mut id_keys, "EntityRef.id_keys"),
            4 => (&mut description_keys, "EntityRef.description_keys"),
            _ => continue,
        };
        let key = field.str(name)?;
        put_nested(keys, |out| value::put_string(out, key));
    }
    put_nested(out, |out| {
        out.push(tag::KVLIST);
        for (key, text) in [("schema_url", schema_url), ("type", kind)] {
            put_bytes(out, key.as_bytes());
            put_nested(out, |out| value::put_string(out, text));
        }
        for (key, keys) in [("id_keys", &id_keys), ("description_keys", &description_keys)] {
            put_bytes(out, key.as_bytes());
            put_bytes(out, keys);
        }
    });
    Ok(())
}
