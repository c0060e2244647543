//! Names of fields and their types, as mappings and capabilities tell them.
//!
//! Attributes have no declared type: the newest records tell it, and what none of them has is a keyword.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use throughline_model::Signal;
use throughline_model::time::{DAY_NS, TimeRange};
use throughline_query::complete::AttributePlace;

use super::error::Result;
use super::names;
use super::table;
use crate::state::{ApiState, asker};

/// Records whose attributes are looked at.
const SAMPLED: usize = 500;
/// How far back they are looked for at first.
const LOOK_NS: i64 = DAY_NS;
/// Fields that every record may have, and their types.
const FIXED: [(&str, &str); 7] = [
    ("@timestamp", "date"),
    ("message", "text"),
    ("level", "keyword"),
    ("log.level", "keyword"),
    ("service.name", "keyword"),
    ("trace.id", "keyword"),
    ("span.id", "keyword"),
];

/// The fields whose names match one of the patterns, with their types.
async fn types(state: &ApiState, patterns: &[&str]) -> Result<BTreeMap<String, &'static str>> {
    let mut types = BTreeMap::new();
    for place in [AttributePlace::Item, AttributePlace::Resource] {
        let (ctx, _guard) = asker();
        let names = state.engine.attribute_names(Signal::Logs, place, "", None, &ctx).await?;
        types.extend(names.names.into_iter().map(|name| (name.name, "keyword")));
    }
    let end_ns = state.clock.now_ns().saturating_add(DAY_NS);
    let recent = TimeRange { start_ns: end_ns.saturating_sub(2 * LOOK_NS), end_ns };
    let mut sample = table::ask(state, "*", recent, SAMPLED, true).await?;
    if sample.rows.is_empty() {
        sample = table::ask(state, "*", TimeRange::ALL, SAMPLED, true).await?;
    }
    for column in ["attributes", "resource_attributes"] {
        let Some(at) = sample.columns.iter().position(|name| name == column) else { continue };
        let sets = sample.rows.iter().rev().filter_map(|row| row.get(at)?.as_object());
        for (name, value) in sets.flatten() {
            types.insert(name.clone(), type_of(value));
        }
    }
    types.extend(FIXED.iter().map(|(name, kind)| ((*name).to_owned(), *kind)));
    types.retain(|name, _| patterns.iter().any(|pattern| names::matches(pattern, name)));
    Ok(types)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "double",
        Value::Number(_) => "long",
        Value::Object(_) => "flattened",
        Value::Array(items) => items.first().map_or("keyword", type_of),
        _ => "keyword",
    }
}

/// The mapping of an index. Names are flat, as where objects in documents are no objects.
pub async fn mapping(state: &ApiState, index: &str) -> Result<Value> {
    let types = types(state, &["*"]).await?;
    let property = |(name, kind): (String, &str)| {
        let mut property = json!({ "type": kind });
        if kind == "text" {
            property["fields"] = json!({ "keyword": { "type": "keyword" } });
        }
        (name, property)
    };
    let properties: Map<String, Value> = types.into_iter().map(property).collect();
    let index = if index.is_empty() { "logs" } else { index };
    Ok(json!({ index: { "mappings": { "subobjects": false, "properties": properties } } }))
}

/// The mapping of one field, or of those that match a pattern.
pub async fn field_mapping(state: &ApiState, index: &str, patterns: &str) -> Result<Value> {
    let patterns: Vec<_> = patterns.split(',').collect();
    let field = |(name, kind): (String, &str)| {
        let last = name.rsplit('.').next().unwrap_or_default();
        let mapping = json!({ "full_name": name, "mapping": { last: { "type": kind } } });
        (name, mapping)
    };
    let fields: Map<String, Value> =
        types(state, &patterns).await?.into_iter().map(field).collect();
    let index = if index.is_empty() { "logs" } else { index };
    Ok(json!({ index: { "mappings": fields } }))
}

/// What can be done with the fields that match the patterns.
pub async fn capabilities(state: &ApiState, patterns: &str) -> Result<Value> {
    let patterns: Vec<_> = patterns.split(',').collect();
    let field = |(name, kind): (String, &str)| {
        let can = json!({
            "type": kind,
            "metadata_field": false,
            "searchable": true,
            "aggregatable": kind != "text",
        });
        (name, json!({ kind: can }))
    };
    let fields: Map<String, Value> =
        types(state, &patterns).await?.into_iter().map(field).collect();
    Ok(json!({ "indices": ["logs"], "fields": fields }))
}
