//! Questions: one `stats` for each kind of bucket, grouped by it and by all buckets around it.

use std::collections::HashMap;

use futures::future::BoxFuture;
use serde_json::Value;
use throughline_model::time::SECOND_NS;

use super::super::condition::Condition;
use super::super::dsl::Asked;
use super::super::error::Result;
use super::super::names::Name;
use super::super::table;
use super::answer::{chosen, key_text};
use super::metric::Metric;
use super::{Kind, Level, Node};
use crate::state::ApiState;

/// Outer buckets that the questions for inner ones are narrowed to; more would make long queries.
const NARROWED_MAX: usize = 40;
const MILLI_NS: i64 = 1_000_000;

/// What was found for a level.
#[derive(Debug, Default)]
pub struct Found {
    /// Buckets of each node, by the keys of the buckets around them.
    pub nodes: Vec<NodeFound>,
    /// Numbers that stand in no bucket.
    pub own: Option<Bucket>,
}

/// What was found for a kind of bucket.
#[derive(Debug, Default)]
pub struct NodeFound {
    /// Its buckets, by the keys of those around them.
    pub buckets: HashMap<String, Vec<Bucket>>,
    /// What was found in them.
    pub inner: Found,
}

/// A bucket.
#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// What its records have in common.
    pub key: Value,
    /// How many there are.
    pub count: u64,
    /// The cells of its numbers, in order.
    pub cells: Vec<Value>,
}

/// Where a question is asked.
#[derive(Clone)]
struct Place {
    condition: Condition,
    /// What is grouped by, from the outermost on.
    groups: Vec<Group>,
}

#[derive(Clone)]
enum Group {
    /// As `stats` writes it.
    By(String),
    /// A filter: not grouped by, and the same in every row.
    Fixed(Value),
}

/// Asks all questions of the aggregations of a search.
pub async fn ask(state: &ApiState, level: &Level, asked: &Asked) -> Result<Found> {
    let place = Place { condition: asked.condition.clone(), groups: Vec::new() };
    let mut found = inner(state, level, asked, place.clone()).await?;
    if !level.metrics.is_empty() {
        let rows = rows(state, &level.metrics, asked, &place).await?;
        found.own = rows.into_iter().next().map(|(_, bucket)| bucket);
    }
    Ok(found)
}

fn inner<'a>(
    state: &'a ApiState,
    level: &'a Level,
    asked: &'a Asked,
    place: Place,
) -> BoxFuture<'a, Result<Found>> {
    Box::pin(async move {
        let mut found = Found::default();
        for node in &level.nodes {
            found.nodes.push(of_node(state, node, asked, &place).await?);
        }
        Ok(found)
    })
}

async fn of_node(state: &ApiState, node: &Node, asked: &Asked, place: &Place) -> Result<NodeFound> {
    let filters = match &node.kind {
        Kind::Filters(filters) => filters.clone(),
        Kind::Filter(condition) => vec![(String::new(), condition.clone())],
        _ => return of_values(state, node, asked, place).await,
    };
    let mut all = NodeFound::default();
    for (name, condition) in filters {
        let mut place = place.clone();
        place.condition = Condition::all([place.condition, condition]);
        place.groups.push(Group::Fixed(Value::String(name)));
        add(&mut all, at(state, node, asked, &place).await?);
    }
    Ok(all)
}

async fn of_values(
    state: &ApiState,
    node: &Node,
    asked: &Asked,
    place: &Place,
) -> Result<NodeFound> {
    let group = match &node.kind {
        Kind::Terms(terms) => terms.field.text().to_owned(),
        Kind::Numbers { field, size, .. } => format!("bucket({}, {size:?})", field.text()),
        Kind::Times(steps) if steps.step_ns % SECOND_NS == 0 => {
            format!("{}s", steps.step_ns / SECOND_NS)
        }
        Kind::Times(steps) => format!("{}ms", steps.step_ns / MILLI_NS),
        Kind::Filters(_) | Kind::Filter(_) => String::new(),
    };
    let mut place = place.clone();
    // Nothing is there without the field, unless the request has a key for that.
    match &node.kind {
        Kind::Terms(terms) if terms.missing.is_none() => {
            place.condition = Condition::all([place.condition, Condition::exists(&terms.field)]);
        }
        Kind::Numbers { field, .. } => {
            place.condition = Condition::all([place.condition, Condition::exists(field)]);
        }
        _ => {}
    }
    place.groups.push(Group::By(group));
    at(state, node, asked, &place).await
}

// The buckets of a node at a place, and what is in them.
async fn at(state: &ApiState, node: &Node, asked: &Asked, place: &Place) -> Result<NodeFound> {
    let mut found = NodeFound::default();
    for (outer, mut bucket) in rows(state, &node.inner.metrics, asked, place).await? {
        if let (Kind::Terms(terms), Value::Null) = (&node.kind, &bucket.key) {
            bucket.key = terms.missing.clone().unwrap_or_default();
        }
        found.buckets.entry(outer).or_default().push(bucket);
    }
    let mut narrowed = place.clone();
    if let Kind::Terms(terms) = &node.kind
        && terms.missing.is_none()
        && place.groups.len() == 1
        && let Some(buckets) = found.buckets.get("")
    {
        // Buckets that are not shown need nothing in them.
        let keys = chosen(terms, &node.inner.metrics, buckets);
        let texts: Vec<_> = keys.iter().filter_map(|bucket| bucket.key.as_str()).collect();
        let are_few = keys.len() < buckets.len() && keys.len() <= NARROWED_MAX;
        // A body is asked for by its words, not as a whole.
        if are_few && texts.len() == keys.len() && terms.field != Name::Body {
            let keys = texts.into_iter().map(|key| Condition::equals(&terms.field, key));
            narrowed.condition = Condition::all([narrowed.condition, Condition::any(keys)]);
        }
    }
    found.inner = inner(state, &node.inner, asked, narrowed).await?;
    Ok(found)
}

/// Buckets with the keys of those around them.
async fn rows(
    state: &ApiState,
    metrics: &[Metric],
    asked: &Asked,
    place: &Place,
) -> Result<Vec<(String, Bucket)>> {
    let groups = place.groups.iter().filter_map(|group| match group {
        Group::By(text) => Some(text.as_str()),
        Group::Fixed(_) => None,
    });
    let groups: Vec<_> = groups.collect();
    let mut functions = vec!["count() as n".to_owned()];
    for function in metrics.iter().flat_map(Metric::functions) {
        functions.push(format!("{function} as n{}", functions.len()));
    }
    let by = if groups.is_empty() { String::new() } else { format!(" by ({})", groups.join(", ")) };
    let query = format!("{} | stats{by} {}", place.condition.text(), functions.join(", "));
    let table = table::ask(state, &query, asked.time, table::ROWS_MAX, true).await?;
    let mut rows = Vec::new();
    for row in table.rows {
        let mut cells = row.into_iter();
        let mut keys = Vec::new();
        for group in &place.groups {
            keys.push(match group {
                Group::By(_) => cells.next().unwrap_or_default(),
                Group::Fixed(key) => key.clone(),
            });
        }
        let key = keys.pop().unwrap_or_default();
        let count = cells.next().and_then(|cell| cell.as_u64()).unwrap_or_default();
        let outer = keys.iter().map(key_text).collect();
        rows.push((outer, Bucket { key, count, cells: cells.collect() }));
    }
    Ok(rows)
}

// Buckets of one filter beside those of others.
fn add(all: &mut NodeFound, one: NodeFound) {
    for (outer, buckets) in one.buckets {
        all.buckets.entry(outer).or_default().extend(buckets);
    }
    if all.inner.nodes.is_empty() {
        all.inner = one.inner;
        return;
    }
    for (all, one) in all.inner.nodes.iter_mut().zip(one.inner.nodes) {
        add(all, one);
    }
}
