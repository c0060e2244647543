//! Records as hits.
//!
//! A hit's sort values are the milliseconds of its time and, for `_doc`, what is left of it:
//! ```text
//! nanoseconds within the millisecond << 20 | number among the records of that nanosecond
//! ```
//! so `search_after` goes on behind exactly this record. Both fit into what JavaScript holds exactly.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde_json::{Map, Value, json};
use throughline_model::time::{TimeRange, format_rfc3339, parse_rfc3339};

use super::dates::moment;
use super::dsl::{Asked, listed, malformed, only, scalar};
use super::error::{ElasticError, Result};
use super::names::{self, Name};
use super::table::{self, Table};
use crate::error::ApiError;
use crate::state::ApiState;

const MILLI_NS: i64 = 1_000_000;
/// Bits of the number among records of one nanosecond.
const NUMBER_BITS: u32 = 20;
/// The index of records that were sent to none.
const INDEX: &str = "logs";
const SENT_TO: &str = "elasticsearch.index";
const SENT_AS: &str = "elasticsearch.id";

/// What hits are sorted by.
#[derive(Clone, Debug, PartialEq)]
pub enum SortKey {
    /// Their time; whether the newest come first.
    Time(bool),
    /// Their place among those of the same time.
    Doc,
    /// A field; whether the greatest comes first.
    Field(String, bool),
}

/// Where a page goes on.
#[derive(Clone, Copy, Debug)]
pub struct After {
    time_ns: i64,
    /// Records of this nanosecond that were shown; none if all of the millisecond were.
    shown: Option<usize>,
}

/// What of a record is shown.
#[derive(Debug)]
pub struct Shown {
    source: Option<Vec<String>>,
    excluded: Vec<String>,
    fields: Vec<(String, String)>,
}

/// What to ask for hits.
#[derive(Debug)]
pub struct Window {
    /// In the log language.
    pub query: String,
    /// The range.
    pub time: TimeRange,
    /// Records at most.
    pub limit: usize,
    /// Which come first.
    pub newest_first: bool,
    after: Option<After>,
}

/// Reads what to sort by.
pub fn sort_keys(sort: Option<&Value>) -> Result<Vec<SortKey>> {
    let mut keys = Vec::new();
    for key in listed(sort) {
        let (name, how) = match key {
            Value::String(name) => (name.as_str(), &Value::Null),
            key => only(key, "sort")?,
        };
        let order = how.as_str().or_else(|| how.get("order").and_then(Value::as_str));
        let is_desc = match order {
            None => name == "_score",
            Some("desc") => true,
            Some("asc") => false,
            Some(other) => {
                return Err(malformed("sort", &format!("order [{other}] is none of asc, desc")));
            }
        };
        keys.push(match (name, Name::of(name)) {
            // Nothing is scored: the newest are the best.
            ("_score", _) => SortKey::Time(true),
            ("_doc" | "_shard_doc", _) => SortKey::Doc,
            (_, Name::Time) => SortKey::Time(is_desc),
            (_, field) => SortKey::Field(field.text().to_owned(), is_desc),
        });
    }
    Ok(keys)
}

/// Reads where to go on.
pub fn after(value: Option<&Value>, sort: &[SortKey]) -> Result<Option<After>> {
    let Some(values) = value.and_then(Value::as_array) else { return Ok(None) };
    let Some(SortKey::Time(_)) = sort.first() else {
        let detail = "search_after is not supported but for sort by @timestamp first";
        return Err(ElasticError::unsupported(detail));
    };
    let time = values.first().map(scalar).unwrap_or_default();
    let time_ns = moment("search_after", &time, "epoch_millis", 0)?.start_ns;
    let is_doc = sort.get(1) == Some(&SortKey::Doc);
    let rest = values.get(1).map(scalar).and_then(|text| text.parse::<i64>().ok());
    Ok(Some(match rest.filter(|rest| is_doc && *rest >= 0) {
        None => After { time_ns, shown: None },
        Some(rest) => {
            let number = rest & ((1 << NUMBER_BITS) - 1);
            let time_ns = time_ns.saturating_add((rest >> NUMBER_BITS).min(MILLI_NS - 1));
            After { time_ns, shown: Some(number as usize + 1) }
        }
    }))
}

/// What to ask for so many hits.
pub fn window(asked: &Asked, sort: &[SortKey], after: Option<After>, count: usize) -> Window {
    let newest_first = !matches!(sort.first(), Some(SortKey::Time(false)));
    let mut query = asked.condition.text();
    let mut time = asked.time;
    let mut limit = count;
    if let Some(SortKey::Field(..)) = sort.first() {
        let keys = sort.iter().filter_map(|key| match key {
            SortKey::Field(name, is_desc) => Some((name.as_str(), *is_desc)),
            SortKey::Time(is_desc) => Some(("time", *is_desc)),
            SortKey::Doc => None,
        });
        let keys =
            keys.map(|(name, is_desc)| format!("{name}{}", if is_desc { " desc" } else { "" }));
        let keys = keys.collect::<Vec<_>>().join(", ");
        query = format!("{query} | sort by ({keys}) limit {count}");
    }
    if let Some(After { time_ns, shown }) = after {
        limit += shown.unwrap_or_default();
        // Without a number all of the millisecond was shown.
        let (end_ns, start_ns) = match shown {
            Some(_) => (time_ns.saturating_add(1), time_ns),
            None => (time_ns, time_ns.saturating_add(MILLI_NS)),
        };
        match newest_first {
            true => time.end_ns = time.end_ns.min(end_ns),
            false => time.start_ns = time.start_ns.max(start_ns),
        }
    }
    Window { query, time, limit, newest_first, after }
}

/// The hits of a window. Records of one nanosecond have an order of their own, by what they say, whatever segment
/// they lie in: so those of the last nanosecond are asked for once more, all of them.
pub async fn find(
    state: &ApiState,
    window: &Window,
    sort: &[SortKey],
    shown: &Shown,
) -> Result<Found> {
    let Window { query, time, limit, newest_first, after } = window;
    let mut records = read(table::ask(state, query, *time, *limit, *newest_first).await?)?;
    let is_all = records.len() < *limit;
    let by_time = !matches!(sort.first(), Some(SortKey::Field(..)));
    if by_time {
        if let Some(last_ns) = records.last().map(|record| record.time_ns).filter(|_| !is_all) {
            records.retain(|record| record.time_ns != last_ns);
            let time = TimeRange { start_ns: last_ns, end_ns: last_ns.saturating_add(1) };
            records.extend(read(table::ask(state, query, time, table::ROWS_MAX, true).await?)?);
        }
        // Stable: the order of times stays.
        for same in records.chunk_by_mut(|a, b| a.time_ns == b.time_ns) {
            same.sort_by_key(|record| record.hash);
        }
    }
    let mut hits = Vec::new();
    let mut last = (i64::MIN, 0);
    for record in records {
        let time_ns = record.time_ns;
        last = if last.0 == time_ns { (time_ns, last.1 + 1) } else { (time_ns, 0) };
        let was_shown = after.is_some_and(|after| {
            after.time_ns == time_ns && after.shown.is_some_and(|shown| last.1 < shown)
        });
        if !was_shown {
            hits.push(hit(record, last.1, sort, shown));
        }
    }
    Ok(Found { hits, is_all: is_all && after.is_none() })
}

/// Hits, and whether there are no others.
#[derive(Debug)]
pub struct Found {
    /// The hits.
    pub hits: Vec<Value>,
    /// Whether all that match are among them.
    pub is_all: bool,
}

/// A record as the receiver would take it.
struct Record {
    time_ns: i64,
    hash: u64,
    source: Map<String, Value>,
}

fn read(table: Table) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    for cells in table.rows {
        let row: Map<String, Value> = table.columns.iter().cloned().zip(cells).collect();
        let time = row.get("time").and_then(Value::as_str).unwrap_or_default();
        let time_ns = parse_rfc3339(time)
            .map_err(|err| ApiError::internal(format!("the time of a hit: {err}")))?;
        let source = source(&row);
        let mut hasher = DefaultHasher::new();
        serde_json::to_string(&source).unwrap_or_default().hash(&mut hasher);
        records.push(Record { time_ns, hash: hasher.finish(), source });
    }
    Ok(records)
}

fn hit(record: Record, number: usize, sort: &[SortKey], shown: &Shown) -> Value {
    let Record { time_ns, hash, mut source } = record;
    let own = |source: &mut Map<String, Value>, name: &str| {
        source.remove(name).and_then(|value| value.as_str().map(str::to_owned))
    };
    let index = own(&mut source, SENT_TO).unwrap_or_else(|| INDEX.to_owned());
    let id = own(&mut source, SENT_AS);
    let id = id.unwrap_or_else(|| format!("{time_ns}.{hash:016x}.{number}"));
    let mut hit = json!({ "_index": index, "_id": id, "_score": null });
    if !shown.fields.is_empty() {
        hit["fields"] = shown.of(&source, time_ns);
    }
    if !sort.is_empty() {
        let value = |key: &SortKey| match key {
            SortKey::Time(_) => json!(time_ns.div_euclid(MILLI_NS)),
            SortKey::Doc => {
                let most = (1 << NUMBER_BITS) - 1;
                let rest_ns = time_ns.rem_euclid(MILLI_NS);
                json!(rest_ns << NUMBER_BITS | (number as i64).min(most))
            }
            SortKey::Field(name, _) => {
                source.get(name.trim_matches('"')).cloned().unwrap_or(Value::Null)
            }
        };
        hit["sort"] = sort.iter().map(value).collect();
    }
    if let Some(source) = shown.source_of(source) {
        hit["_source"] = Value::Object(source);
    }
    hit
}

// The record as the receiver would take it: flat names, as in the mapping.
fn source(row: &Map<String, Value>) -> Map<String, Value> {
    let mut source = Map::new();
    let cell = |name: &str| row.get(name).filter(|cell| !cell.is_null() && *cell != &json!(""));
    source.insert("@timestamp".to_owned(), row.get("time").cloned().unwrap_or_default());
    for (column, name) in [
        ("body", "message"),
        ("severity_text", "log.level"),
        ("trace_id", "trace.id"),
        ("span_id", "span.id"),
        ("event_name", "event.name"),
        ("scope_name", "scope.name"),
    ] {
        if let Some(cell) = cell(column) {
            source.insert(name.to_owned(), cell.clone());
        }
    }
    let number = cell("severity_number").and_then(Value::as_i64).unwrap_or_default();
    let text = cell("severity_text").and_then(Value::as_str);
    let level = match usize::try_from(number - 1).ok().and_then(|at| LEVELS.get(at / 4)) {
        Some(level) => Some(*level),
        None => text.and_then(names::level),
    };
    if let Some(level) = level {
        source.insert("level".to_owned(), json!(level));
        source.entry("log.level").or_insert_with(|| json!(level));
    }
    for column in ["attributes", "resource_attributes"] {
        for (name, value) in cell(column).and_then(Value::as_object).into_iter().flatten() {
            source.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    source
}

/// Levels, four numbers of severity each.
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "fatal"];

impl Shown {
    /// Reads `_source`, `fields` and `docvalue_fields`.
    pub fn read(body: &Map<String, Value>) -> Result<Self> {
        let texts = |value: Option<&Value>| -> Vec<String> {
            listed(value).into_iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        let (source, excluded) = match body.get("_source") {
            None | Some(Value::Null | Value::Bool(true)) => {
                (Some(vec!["*".to_owned()]), Vec::new())
            }
            Some(Value::Bool(false)) => (None, Vec::new()),
            Some(Value::Object(object)) => {
                let included = texts(object.get("includes").or(object.get("include")));
                let all = if included.is_empty() { vec!["*".to_owned()] } else { included };
                (Some(all), texts(object.get("excludes").or(object.get("exclude"))))
            }
            list => (Some(texts(list)), Vec::new()),
        };
        let mut fields = Vec::new();
        for name in ["fields", "docvalue_fields"] {
            for field in listed(body.get(name)) {
                let format = field.get("format").and_then(Value::as_str).unwrap_or_default();
                match field.as_str().or_else(|| field.get("field").and_then(Value::as_str)) {
                    Some(field) => fields.push((field.to_owned(), format.to_owned())),
                    None => return Err(malformed(name, &format!("{field} names no field"))),
                }
            }
        }
        Ok(Self { source, excluded, fields })
    }

    fn source_of(&self, mut source: Map<String, Value>) -> Option<Map<String, Value>> {
        let included = self.source.as_ref()?;
        let is = |patterns: &[String], name: &str| {
            patterns.iter().any(|pattern| {
                names::matches(pattern, name) || names::matches(&format!("{pattern}.*"), name)
            })
        };
        source.retain(|name, _| is(included, name) && !is(&self.excluded, name));
        Some(source)
    }

    // Each field as the list of its values.
    fn of(&self, source: &Map<String, Value>, time_ns: i64) -> Value {
        let mut fields = Map::new();
        for (pattern, format) in &self.fields {
            for (name, value) in source.iter().filter(|(name, _)| names::matches(pattern, name)) {
                let value = match Name::of(name) {
                    Name::Time => time_in(format, time_ns),
                    _ => value.clone(),
                };
                let values = if value.is_array() { value } else { json!([value]) };
                fields.insert(name.clone(), values);
            }
        }
        Value::Object(fields)
    }
}

fn time_in(format: &str, time_ns: i64) -> Value {
    match format {
        "epoch_millis" => json!(time_ns.div_euclid(MILLI_NS).to_string()),
        "epoch_second" => json!(time_ns.div_euclid(1000 * MILLI_NS).to_string()),
        _ => json!(format_rfc3339(time_ns)),
    }
}
