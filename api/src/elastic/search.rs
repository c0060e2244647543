//! A search: what it asks for, and its answer.

use std::time::Instant;

use serde_json::{Map, Value, json};

use super::aggs::{self, Level};
use super::condition::Condition;
use super::dsl::{self, Asked, malformed, scalar};
use super::error::{ElasticError, Result};
use super::hits::{self, After, Shown, SortKey};
use super::names::Name;
use super::table;
use crate::state::ApiState;

/// Hits, unless the request says how many.
const SIZE_DEFAULT: usize = 10;
/// `from` and `size` together at most, as in Elasticsearch.
const WINDOW_MAX: usize = 10_000;
/// Names of indexes that hold every record.
const EVERYTHING: [&str; 5] = ["*", "_all", "logs", "logs-*", ""];
/// What the request may say without any effect here.
const WITHOUT_EFFECT: [&str; 14] = [
    "timeout",
    "version",
    "explain",
    "stored_fields",
    "script_fields",
    "highlight",
    "track_scores",
    "profile",
    "stats",
    "preference",
    "seq_no_primary_term",
    "terminate_after",
    "runtime_mappings",
    "ext",
];

/// What is asked for.
#[derive(Debug)]
pub struct Search {
    asked: Asked,
    size: usize,
    from: usize,
    sort: Vec<SortKey>,
    after: Option<After>,
    shown: Shown,
    aggs: Level,
    counts: bool,
}

impl Search {
    /// Reads a request to indexes, which are names and patterns with commas between.
    pub fn read(body: &Value, index: &str, now_ns: i64) -> Result<Self> {
        let body = dsl::object(body, "search")?;
        let mut asked = dsl::read(body.get("query"), now_ns)?;
        asked.condition = Condition::all([of_index(index), asked.condition]);
        let number = |name: &str, default: usize| match body.get(name) {
            None | Some(Value::Null) => Ok(default),
            Some(value) => scalar(value).parse::<usize>().map_err(|_| {
                ElasticError::invalid(
                    name,
                    &value.to_string(),
                    format!("[{name}] {value} is no number"),
                )
            }),
        };
        let sort = hits::sort_keys(body.get("sort"))?;
        let search = Self {
            asked,
            size: number("size", SIZE_DEFAULT)?,
            from: number("from", 0)?,
            after: hits::after(body.get("search_after"), &sort)?,
            sort,
            shown: Shown::read(body)?,
            aggs: aggs::read(body.get("aggs").or(body.get("aggregations")), now_ns)?,
            counts: body.get("track_total_hits") != Some(&Value::Bool(false)),
        };
        known(body)?;
        let window = search.from.saturating_add(search.size);
        if window > WINDOW_MAX {
            let detail = format!(
                "result window is too large: from + size is {window}, the limit is {WINDOW_MAX}; \
                 page with search_after"
            );
            return Err(ElasticError::invalid("size", &window.to_string(), detail));
        }
        Ok(search)
    }

    /// The answer.
    pub async fn answer(&self, state: &ApiState) -> Result<Value> {
        let began = Instant::now();
        let mut found = Vec::new();
        let mut is_all = false;
        if self.size > 0 {
            let window = hits::window(&self.asked, &self.sort, self.after, self.from + self.size);
            let answer = hits::find(state, &window, &self.sort, &self.shown).await?;
            (found, is_all) = (answer.hits, answer.is_all);
        }
        let total = match (self.counts, is_all) {
            (false, _) => None,
            (true, true) => Some(found.len() as u64),
            (true, false) => Some(count(state, &self.asked).await?),
        };
        let hits: Vec<_> = found.into_iter().skip(self.from).take(self.size).collect();
        let mut answer = json!({
            "timed_out": false,
            "_shards": { "total": 1, "successful": 1, "skipped": 0, "failed": 0 },
            "hits": { "max_score": null, "hits": hits },
            "status": 200,
        });
        if let Some(total) = total {
            answer["hits"]["total"] = json!({ "value": total, "relation": "eq" });
        }
        if !self.aggs.is_empty() {
            answer["aggregations"] = aggs::answer(state, &self.aggs, &self.asked).await?;
        }
        answer["took"] = json!(began.elapsed().as_millis() as u64);
        Ok(answer)
    }

    /// How many records match.
    pub async fn count(&self, state: &ApiState) -> Result<u64> {
        count(state, &self.asked).await
    }
}

async fn count(state: &ApiState, asked: &Asked) -> Result<u64> {
    let query = format!("{} | stats count() as n", asked.condition.text());
    let table = table::ask(state, &query, asked.time, 1, true).await?;
    let cell = table.rows.first().and_then(|row| row.first());
    Ok(cell.and_then(Value::as_u64).unwrap_or_default())
}

// Records have the index they were sent to; those that were sent to none are everywhere that holds everything.
fn of_index(index: &str) -> Condition {
    let patterns: Vec<_> = index.split(',').map(str::trim).collect();
    if patterns.iter().any(|pattern| EVERYTHING.contains(pattern)) {
        return Condition::All;
    }
    let name = Name::of("_index");
    Condition::any(patterns.iter().map(|pattern| match pattern.contains('*') {
        true => Condition::wildcard(&name, pattern, false),
        false => Condition::equals(&name, pattern),
    }))
}

fn known(body: &Map<String, Value>) -> Result<()> {
    const KNOWN: [&str; 13] = [
        "query",
        "size",
        "from",
        "sort",
        "search_after",
        "aggs",
        "aggregations",
        "track_total_hits",
        "_source",
        "fields",
        "docvalue_fields",
        "index",
        "ignore_unavailable",
    ];
    for (key, value) in body {
        let key = key.as_str();
        let is_empty = value.as_object().is_some_and(Map::is_empty) || value.is_null();
        let would_add = matches!(key, "script_fields" | "runtime_mappings") && !is_empty;
        let is_known = KNOWN.contains(&key) || WITHOUT_EFFECT.contains(&key);
        if would_add || !is_known {
            return Err(ElasticError::unsupported(format!("[{key}] of a search is not supported")));
        }
    }
    Ok(())
}

/// The parameters of an address as the body of a search.
pub fn of_address(pairs: &[(String, String)], body: &mut Value) -> Result<()> {
    let Some(object) = body.as_object_mut() else {
        return Err(malformed("search", "an object was expected"));
    };
    for (name, text) in pairs {
        match name.as_str() {
            "q" => {
                object.insert("query".to_owned(), json!({ "query_string": { "query": text } }));
            }
            "size" | "from" => {
                object.insert(name.clone(), json!(text));
            }
            "sort" => {
                let keys = text.split(',').map(|key| match key.split_once(':') {
                    Some((field, order)) => json!({ field: order }),
                    None => json!(key),
                });
                object.insert("sort".to_owned(), keys.collect());
            }
            "track_total_hits" if text == "false" => {
                object.insert(name.clone(), json!(false));
            }
            "_source" => {
                object.insert(
                    name.clone(),
                    match text.as_str() {
                        "false" => json!(false),
                        "true" => json!(true),
                        names => names.split(',').collect(),
                    },
                );
            }
            _ => {}
        }
    }
    Ok(())
}
