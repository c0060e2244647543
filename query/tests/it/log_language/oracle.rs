//! What a filter means, worked out on one record straight from its tree, against the conditions that it
//! is lowered to.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use throughline_query::logs::language::ast::{Condition, Filter, Literal, Order, Part, Test};
use throughline_query::logs::language::{Level, lower, parse};

use super::{bounds, sql};

/// A record, as far as conditions look at it.
#[derive(Clone, Debug)]
pub struct Record {
    /// `2026-11-20T11:30:00`.
    pub time: String,
    pub severity_number: i32,
    pub severity_text: String,
    pub body: Option<String>,
    pub service: String,
    pub trace_id: Option<String>,
    pub attributes: BTreeMap<String, String>,
    pub resource: BTreeMap<String, String>,
}

pub const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const VALUES: &[&str] =
    &["5", "500", "-1", "1.5s", "200ms", "3KB", "api", "API", "ap", "a b", "", "true"];
const BODIES: &[&str] =
    &["connection", "Reset", "by", "peer", "api", "a-b", "5", "x_y", "登录", " ", ": "];

pub fn record() -> impl Strategy<Value = Record> {
    let set =
        || btree_map(select(&["a", "b", "size_ms"][..]).prop_map(str::to_owned), value(), 0..3);
    let times = [
        "2026-11-20T11:29:59",
        "2026-11-20T11:30:00",
        "2026-11-20T11:30:59.5",
        "2026-11-20T11:31:00",
    ];
    let body = vec(select(BODIES), 0..5).prop_map(|words| words.join(" "));
    (
        select(times.to_vec()).prop_map(str::to_owned),
        select(vec![0, 0, 1, 8, 9, 16, 17, 20, 21, 24]),
        select(vec!["", "error", " WARN", "Critical", "other"]).prop_map(str::to_owned),
        option::of(body),
        select(vec!["", "api", "web"]).prop_map(str::to_owned),
        option::of(Just(TRACE.to_owned())),
        set(),
        set(),
    )
        .prop_map(
            |(
                time,
                severity_number,
                severity_text,
                body,
                service,
                trace_id,
                attributes,
                resource,
            )| {
                Record {
                    time,
                    severity_number,
                    severity_text,
                    body,
                    service,
                    trace_id,
                    attributes,
                    resource,
                }
            },
        )
}

fn value() -> impl Strategy<Value = String> {
    select(VALUES).prop_map(str::to_owned)
}

// Conditions as they are written.
pub const BODY: &[&str] = &[
    "api",
    "connection",
    "\"connection reset\"",
    "\"reset by\"",
    "conn*",
    "*ction",
    "p*r",
    "x_y",
    "=\"Reset\"",
    "~\"R.s\"",
    "body:*",
    "a-b",
    "登",
    "\": \"",
    "\"by pe\"*",
    "5",
];
pub const TEXT: &[&str] = &[
    "service:api",
    "service:(api OR web)",
    "service:a*",
    "service:*",
    "service:~\"^a\"",
    "a:api",
    "attributes.a:500",
    "resource.a:500",
    "a:*",
    "a:ap*",
    "a:*i",
    "a:=API",
    "a:\"\"",
    "a:~\"^a\"",
    "a:(api OR 500)",
    "b:true",
];
pub const ORDERED: &[&str] = &[
    "a:>=5",
    "a:<500",
    "a:[5 TO 500]",
    "a:[5 TO 500}",
    "a:{* TO 5]",
    "a:>\"ap\"",
    "a:[ap TO b]",
    "size_ms:>1s",
    "size_ms:<=200ms",
    "a:>1KB",
    "a:>api",
    "b:[-1 TO *}",
];
pub const FIXED: &[&str] = &[
    "level:error",
    "level:>=warn",
    "level:(error OR info)",
    "level:<info",
    "level:*",
    "level:17",
    "level:{info TO fatal}",
    "severity_number:>8",
    "severity_text:other",
    "trace:0102030405060708090A0B0C0D0E0F10",
    "trace_id:*",
    "trace_id:01*",
    "time:2026-11-20T11:30Z",
    "time:>2026-11-20T11:30Z",
    "time:<=2026-11-20T11:30Z",
    "time:{2026-11-20T11:30Z TO *]",
    "*",
];

fn condition() -> impl Strategy<Value = String> {
    select([BODY, TEXT, ORDERED, FIXED].concat()).prop_map(str::to_owned)
}

pub fn filter() -> impl Strategy<Value = String> {
    condition().prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" "))),
            vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" OR "))),
            inner.prop_map(|inner| format!("NOT {inner}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn conditions_mean_what_the_filter_means(text in filter(), records in vec(record(), 4)) {
        let query = parse(&text).expect("parses");
        let lowered = lower(&query, &bounds()).expect("has a meaning");
        let conditions = sql::conditions(&lowered.sql);
        for record in &records {
            let by_sql = conditions.iter().all(|condition| sql::holds(condition, record));
            prop_assert_eq!(by_sql, meets(&query.filter, record), "{}\n{:?}\n{:?}", text, conditions, record);
        }
    }
}

pub fn meets(filter: &Filter, record: &Record) -> bool {
    match filter {
        Filter::All => true,
        Filter::And(parts) => parts.iter().all(|part| meets(part, record)),
        Filter::Or(parts) => parts.iter().any(|part| meets(part, record)),
        Filter::Not(inner) => !meets(inner, record),
        Filter::Is(condition) => is(condition, record),
        Filter::Compare(_) => panic!("not in a filter bar"),
    }
}

fn is(condition: &Condition, record: &Record) -> bool {
    let name = condition.field.as_ref().map_or("body", |field| field.text.as_str());
    let test = &condition.test;
    let attribute = |set: &BTreeMap<String, String>, key: &str| set.get(key).cloned();
    let text = match name {
        "body" => return record.body.as_ref().is_some_and(|body| body_is(body, test)),
        "level" => return level_is(record, test),
        "time" => return time_is(&record.time, test),
        "severity_number" => Some(record.severity_number.to_string()),
        // Text that is always there counts as missing where it is empty.
        "service" if *test == Test::Exists => return !record.service.is_empty(),
        "service" => Some(record.service.clone()),
        "severity_text" => Some(record.severity_text.clone()),
        "trace" | "trace_id" => record.trace_id.clone(),
        _ => match name.split_once('.') {
            Some(("attributes", key)) => attribute(&record.attributes, key),
            Some((_, key)) => attribute(&record.resource, key),
            None => {
                attribute(&record.attributes, name).or_else(|| attribute(&record.resource, name))
            }
        },
    };
    text.is_some_and(|text| text_is(name, &text, test))
}

fn text_is(name: &str, text: &str, test: &Test) -> bool {
    match test {
        Test::Exists => true,
        Test::Words(wanted) if name == "trace" => *wanted.to_lowercase() == *text,
        Test::Words(wanted) | Test::Exact(wanted) => text == wanted,
        Test::Pattern(parts) => {
            let part = |part: &Part| match part {
                Part::Text(text) => regex::escape(text),
                Part::Any => ".*".to_owned(),
            };
            let regex = format!("^{}$", parts.iter().map(part).collect::<String>());
            regex::Regex::new(&regex).expect("valid").is_match(text)
        }
        Test::Matches(regex) => regex::Regex::new(regex).expect("valid").is_match(text),
        Test::Compare(order, literal) => ordered(name, text, *order, literal),
        Test::Range { low, high } => {
            let above = if low.inclusive { Order::GreaterOrEqual } else { Order::Greater };
            let below = if high.inclusive { Order::LessOrEqual } else { Order::Less };
            low.value.as_ref().is_none_or(|low| ordered(name, text, above, low))
                && high.value.as_ref().is_none_or(|high| ordered(name, text, below, high))
        }
    }
}

fn by<T: PartialOrd>(left: T, order: Order, right: T) -> bool {
    match order {
        Order::Less => left < right,
        Order::LessOrEqual => left <= right,
        Order::Greater => left > right,
        Order::GreaterOrEqual => left >= right,
    }
}

// Amounts of the values that occur, in milliseconds and bytes.
fn ordered(name: &str, text: &str, order: Order, literal: &Literal) -> bool {
    let number = |text: &str| text.parse::<f64>().ok();
    let milliseconds = |text: &str| match text {
        "1.5s" => Some(1500.0),
        "1s" => Some(1000.0),
        "200ms" => Some(200.0),
        other => number(other),
    };
    let bytes = |text: &str| match text {
        "3KB" => Some(3000.0),
        "1KB" => Some(1000.0),
        other => number(other),
    };
    let read: &dyn Fn(&str) -> Option<f64> = match literal.text.as_str() {
        _ if literal.quoted => return by(text, order, &literal.text),
        "1s" | "200ms" if name == "size_ms" => &milliseconds,
        "1KB" => &bytes,
        other if number(other).is_some() => &number,
        _ => return by(text, order, &literal.text),
    };
    let (left, right) = (read(text), read(&literal.text).expect("an amount"));
    left.is_some_and(|left| by(left, order, right))
}

// Words in a row, told apart by hand.
fn body_is(body: &str, test: &Test) -> bool {
    let split = |text: &str| {
        let mut words = vec![String::new()];
        for char in text.chars() {
            if ('一'..='鿿').contains(&char) {
                words.extend([char.to_string(), String::new()]);
            } else if char.is_alphanumeric() || char == '_' || char == '*' {
                words.last_mut().expect("one").extend(char.to_lowercase());
            } else {
                words.push(String::new());
            }
        }
        words.retain(|word| !word.is_empty());
        words
    };
    let wanted = match test {
        Test::Exists => return true,
        Test::Exact(text) => return body.contains(text.as_str()),
        Test::Matches(regex) => return regex::Regex::new(regex).expect("valid").is_match(body),
        Test::Words(text) => text.clone(),
        Test::Pattern(parts) => {
            let part = |part: &Part| match part {
                Part::Text(text) => text.clone(),
                Part::Any => "*".to_owned(),
            };
            parts.iter().map(part).collect()
        }
        other => panic!("{other:?}"),
    };
    let wanted_words = split(&wanted);
    if wanted_words.is_empty() {
        return body.contains(&wanted);
    }
    let met = |(word, wanted): (&String, &String)| {
        let regex = format!("^{}$", regex::escape(wanted).replace(r"\*", ".*"));
        regex::Regex::new(&regex).expect("valid").is_match(word)
    };
    let words = split(body);
    words.windows(wanted_words.len()).any(|row| row.iter().zip(&wanted_words).all(met))
}

fn level_is(record: &Record, test: &Test) -> bool {
    let names = ["trace", "debug", "info", "warn", "error", "fatal"];
    let rank = |word: &str| names.iter().position(|name| *name == word);
    let own = match record.severity_number {
        0 => rank(match record.severity_text.as_str() {
            "error" | "Critical" => "error",
            " WARN" => "warn",
            _ => return false,
        }),
        number => Some((number as usize - 1) / 4),
    };
    let known = Level::of_record(record.severity_number, &record.severity_text).map(Level::name);
    assert_eq!(own.map(|own| names[own]), known);
    match test {
        Test::Exists => own.is_some(),
        Test::Words(word) if word == "17" => record.severity_number == 17,
        Test::Words(word) => own == rank(word),
        Test::Compare(order, literal) => by(own, *order, rank(&literal.text)),
        Test::Range { .. } => own > rank("info") && own < rank("fatal"),
        other => panic!("{other:?}"),
    }
}

// The only time that conditions name is the minute from 11:30.
fn time_is(time: &str, test: &Test) -> bool {
    let (start, end) = ("2026-11-20T11:30:00", "2026-11-20T11:31:00");
    match test {
        Test::Words(_) => time >= start && time < end,
        Test::Compare(Order::Greater, _) | Test::Range { .. } => time >= end,
        Test::Compare(Order::LessOrEqual, _) => time < end,
        other => panic!("{other:?}"),
    }
}
