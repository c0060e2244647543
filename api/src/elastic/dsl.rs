//! Queries in JSON to conditions, and the range of time that all of them share.

use serde_json::{Map, Value};
use throughline_model::time::TimeRange;

use super::condition::Condition;
use super::dates::moment;
use super::error::{ElasticError, Result};
use super::lucene::{self, Options, between};
use super::names::Name;

/// Queries in queries at most.
const DEPTH_MAX: usize = 10;

/// What a query asks for.
#[derive(Clone, Debug)]
pub struct Asked {
    /// What holds for the records.
    pub condition: Condition,
    /// Their time.
    pub time: TimeRange,
}

/// Reads a query.
pub fn read(query: Option<&Value>, now_ns: i64) -> Result<Asked> {
    let mut reader = Reader { time: TimeRange::ALL, now_ns };
    let condition = match query {
        None | Some(Value::Null) => Condition::All,
        Some(query) => reader.query(query, true, 0)?,
    };
    Ok(Asked { condition, time: reader.time })
}

struct Reader {
    time: TimeRange,
    now_ns: i64,
}

impl Reader {
    // `narrows` says that the query has to hold whatever else is asked: then a range of time is the range of all.
    fn query(&mut self, query: &Value, narrows: bool, depth: usize) -> Result<Condition> {
        if depth > DEPTH_MAX {
            let detail = format!("query nests deeper than {DEPTH_MAX}");
            return Err(ElasticError::invalid("query", "", detail));
        }
        let (kind, body) = only(query, "query")?;
        match kind {
            "match_all" => Ok(Condition::All),
            "match_none" => Ok(Condition::none()),
            "bool" => self.bool(object(body, kind)?, narrows, depth),
            "constant_score" => match object(body, kind)?.get("filter") {
                Some(filter) => self.query(filter, narrows, depth + 1),
                None => Err(malformed(kind, "filter is missing")),
            },
            "query_string" | "simple_query_string" => self.query_string(kind, body),
            "range" => self.range(body, narrows),
            "term"
            | "match"
            | "match_phrase"
            | "prefix"
            | "match_phrase_prefix"
            | "wildcard"
            | "regexp" => self.of_field(kind, body),
            "terms" => self.terms(body),
            "multi_match" => self.multi_match(object(body, kind)?),
            "exists" => Ok(Condition::exists(&Name::of(text_of(body, kind, "field")?))),
            "ids" => {
                let values = body.get("values").and_then(Value::as_array).map(Vec::as_slice);
                let name = Name::of("_id");
                let ids = values.unwrap_or_default().iter();
                Ok(Condition::any(ids.map(|id| Condition::equals(&name, &scalar(id)))))
            }
            other => Err(ElasticError::unsupported(format!(
                "query [{other}] is none of bool, constant_score, exists, ids, match, match_all, match_none, \
                 match_phrase, match_phrase_prefix, multi_match, prefix, query_string, range, regexp, \
                 simple_query_string, term, terms, wildcard"
            ))),
        }
    }

    fn bool(
        &mut self,
        body: &Map<String, Value>,
        narrows: bool,
        depth: usize,
    ) -> Result<Condition> {
        const KNOWN: [&str; 6] =
            ["filter", "must", "must_not", "should", "minimum_should_match", "boost"];
        if let Some(other) = body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            return Err(malformed("bool", &format!("[{other}] is none of {}", KNOWN.join(", "))));
        }
        let mut all = Vec::new();
        let mut asks = false;
        for name in ["filter", "must"] {
            for query in listed(body.get(name)) {
                asks = true;
                all.push(self.query(query, narrows, depth + 1)?);
            }
        }
        for query in listed(body.get("must_not")) {
            all.push(self.query(query, false, depth + 1)?.negated());
        }
        let should = listed(body.get("should"));
        let least = match body.get("minimum_should_match") {
            None => u64::from(!asks),
            Some(number) => match (number.as_u64(), number.as_str().and_then(|t| t.parse().ok())) {
                (Some(number), _) | (None, Some(number)) => number,
                (None, None) => {
                    let detail = format!("minimum_should_match {number} is no number");
                    return Err(malformed("bool", &detail));
                }
            },
        };
        if !should.is_empty() {
            let read = should.iter().map(|query| self.query(query, false, depth + 1));
            let read = read.collect::<Result<Vec<_>>>()?;
            match least {
                0 => {}
                1 => all.push(Condition::any(read)),
                least if least == read.len() as u64 => all.extend(read),
                least => {
                    let detail =
                        format!("minimum_should_match {least} is not supported: 0, 1 or all");
                    return Err(ElasticError::unsupported(detail));
                }
            }
        }
        Ok(Condition::all(all))
    }

    fn query_string(&self, kind: &str, body: &Value) -> Result<Condition> {
        let query = text_of(body, kind, "query")?;
        let is_and = body
            .get("default_operator")
            .and_then(Value::as_str)
            .is_some_and(|word| word.eq_ignore_ascii_case("and"));
        let mut names: Vec<Name> = listed(body.get("fields"))
            .into_iter()
            .chain(body.get("default_field"))
            .filter_map(Value::as_str)
            .map(|name| name.split('^').next().unwrap_or_default())
            .filter(|name| !name.is_empty() && *name != "*")
            .map(Name::of)
            .collect();
        if names.is_empty() {
            names.push(Name::Body);
        }
        let of =
            |field: Name| lucene::parse(query, &Options { field, is_and, now_ns: self.now_ns });
        Ok(Condition::any(names.into_iter().map(of).collect::<Result<Vec<_>>>()?))
    }

    fn range(&mut self, body: &Value, narrows: bool) -> Result<Condition> {
        let (name, bounds) = only(body, "range")?;
        let bounds = object(bounds, "range")?;
        let field = Name::of(name);
        let format = bounds.get("format").and_then(Value::as_str).unwrap_or_default();
        if bounds.get("time_zone").and_then(Value::as_str).is_some_and(|zone| !is_utc(zone)) {
            return Err(ElasticError::unsupported("range: time_zone is not supported but for UTC"));
        }
        let mut range = TimeRange::ALL;
        let mut conditions = Vec::new();
        for (key, value) in bounds {
            let symbol = match key.as_str() {
                "gte" | "from" => ">=",
                "gt" => ">",
                "lte" | "to" => "<=",
                "lt" => "<",
                "format" | "time_zone" | "boost" | "relation" | "include_lower"
                | "include_upper" => continue,
                other => return Err(malformed("range", &format!("[{other}] is unknown"))),
            };
            if value.is_null() {
                continue;
            }
            let text = scalar(value);
            if field != Name::Time {
                conditions.push(Condition::compares(&field, symbol, &text));
                continue;
            }
            let at = moment(key, &text, format, self.now_ns)?;
            match symbol {
                ">=" => range.start_ns = range.start_ns.max(at.start_ns),
                ">" => range.start_ns = range.start_ns.max(at.end_ns),
                "<=" => range.end_ns = range.end_ns.min(at.end_ns),
                _ => range.end_ns = range.end_ns.min(at.start_ns),
            }
        }
        if field != Name::Time {
            return Ok(Condition::all(conditions));
        }
        if narrows {
            self.time.start_ns = self.time.start_ns.max(range.start_ns);
            self.time.end_ns = self.time.end_ns.min(range.end_ns);
            return Ok(Condition::All);
        }
        if range.start_ns != TimeRange::ALL.start_ns {
            conditions.push(between(">=", range.start_ns));
        }
        if range.end_ns != TimeRange::ALL.end_ns {
            conditions.push(between("<", range.end_ns));
        }
        Ok(Condition::all(conditions))
    }

    // `{kind: {field: value}}`, or `{kind: {field: {value or query: …}}}`.
    fn of_field(&self, kind: &str, body: &Value) -> Result<Condition> {
        let (name, value) = only(body, kind)?;
        let field = Name::of(name);
        let member = |name: &str| value.as_object().and_then(|object| object.get(name));
        let ignores_case = member("case_insensitive").and_then(Value::as_bool).unwrap_or(false);
        let given = match value {
            Value::Object(_) => member("value").or(member("query")).or(member(kind)),
            other => Some(other),
        };
        let Some(given) = given.filter(|given| !given.is_object() && !given.is_array()) else {
            return Err(malformed(kind, &format!("[{name}] has no value")));
        };
        let text = scalar(given);
        let word = member("operator").and_then(Value::as_str).unwrap_or_default();
        Ok(match (kind, &field) {
            ("range", _) => Condition::All,
            (_, Name::Time) => {
                let at = moment(name, &text, "", self.now_ns)?;
                Condition::all([between(">=", at.start_ns), between("<", at.end_ns)])
            }
            ("match", Name::Body) => {
                let words = text.split_whitespace().map(|word| Condition::equals(&field, word));
                match word.eq_ignore_ascii_case("and") {
                    true => Condition::all(words),
                    false => Condition::any(words),
                }
            }
            ("prefix" | "match_phrase_prefix", _) if ignores_case && field != Name::Body => {
                Condition::wildcard(&field, &format!("{}*", escaped(&text)), true)
            }
            ("prefix" | "match_phrase_prefix", _) => Condition::begins(&field, &text),
            ("wildcard", _) => Condition::wildcard(&field, &text, ignores_case),
            ("regexp", _) => Condition::matches(&field, &text, ignores_case),
            ("term", _) if ignores_case && field != Name::Body => {
                Condition::wildcard(&field, &escaped(&text), true)
            }
            _ => Condition::equals(&field, &text),
        })
    }

    fn terms(&self, body: &Value) -> Result<Condition> {
        let mut fields = object(body, "terms")?.iter().filter(|(key, _)| *key != "boost");
        let (Some((name, Value::Array(values))), None) = (fields.next(), fields.next()) else {
            return Err(malformed("terms", "one field with a list of values was expected"));
        };
        let field = Name::of(name);
        Ok(Condition::any(values.iter().map(|value| Condition::equals(&field, &scalar(value)))))
    }

    fn multi_match(&self, body: &Map<String, Value>) -> Result<Condition> {
        let query = body.get("query").map(scalar).unwrap_or_default();
        let phrase = body.get("type").and_then(Value::as_str).unwrap_or("best_fields");
        let kind = match phrase {
            "phrase" => "match_phrase",
            "phrase_prefix" => "match_phrase_prefix",
            _ => "match",
        };
        let fields: Vec<_> =
            listed(body.get("fields")).into_iter().filter_map(Value::as_str).collect();
        let fields = if fields.is_empty() { vec!["message"] } else { fields };
        let one = |field: &str| {
            let name = field.split('^').next().unwrap_or_default();
            let name = if name == "*" { "message" } else { name };
            self.of_field(kind, &serde_json::json!({ name: query }))
        };
        Ok(Condition::any(fields.into_iter().map(one).collect::<Result<Vec<_>>>()?))
    }
}

/// Whether a name of a time zone is that of UTC.
pub fn is_utc(zone: &str) -> bool {
    ["utc", "z", "+00:00", "etc/utc", "gmt"].contains(&zone.to_lowercase().as_str())
}

/// The only member of an object.
pub fn only<'v>(value: &'v Value, what: &str) -> Result<(&'v str, &'v Value)> {
    let mut members = object(value, what)?.iter();
    match (members.next(), members.next()) {
        (Some((key, value)), None) => Ok((key, value)),
        _ => Err(malformed(what, "an object with one member was expected")),
    }
}

/// An object.
pub fn object<'v>(value: &'v Value, what: &str) -> Result<&'v Map<String, Value>> {
    value.as_object().ok_or_else(|| malformed(what, "an object was expected"))
}

/// A list, or one alone.
pub fn listed(value: Option<&Value>) -> Vec<&Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(values)) => values.iter().collect(),
        Some(value) => vec![value],
    }
}

/// A text that a member has.
pub fn text_of<'v>(value: &'v Value, what: &str, member: &str) -> Result<&'v str> {
    let text = value.get(member).and_then(Value::as_str);
    text.ok_or_else(|| malformed(what, &format!("[{member}] is no text")))
}

/// A text, or a number or truth as one.
pub fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A member that is not as it should be.
pub fn malformed(what: &str, why: &str) -> ElasticError {
    ElasticError::invalid(what, "", format!("[{what}] is malformed: {why}"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', r"\\").replace('*', r"\*").replace('?', r"\?")
}
