//! Random SQL over every table.

use rand::Rng;
use rand::rngs::StdRng;

use super::rows::{self, DOUBLES, KEYS, METRICS, UNITS};
use super::{hex, pick};
use crate::data::{self, NAMES, SERVICES, WORDS};

/// A question as SQL, and, where it has conditions, the same with conditions that no scan sees.
#[derive(Clone, Debug)]
pub struct Question {
    pub sql: String,
    pub opaque: String,
}

/// What to ask about a table: columns by what can be compared with them.
struct Table {
    name: &'static str,
    texts: &'static [&'static str],
    numbers: &'static [&'static str],
    floats: &'static [&'static str],
    times: &'static [&'static str],
    traces: &'static [&'static str],
    spans: &'static [&'static str],
    sets: &'static [&'static str],
}

const SETS: &[&str] = &["attributes", "resource_attributes", "scope_attributes"];

const TABLES: [Table; 10] = [
    Table {
        name: "spans",
        texts: &[
            "service_name",
            "name",
            "kind",
            "status_code",
            "status_message",
            "trace_state",
            "scope_name",
        ],
        numbers: &[
            "duration_ns",
            "kind_number",
            "status_code_number",
            "flags",
            "dropped_attributes_count",
        ],
        floats: &[],
        times: &["start_time", "end_time"],
        traces: &["trace_id"],
        spans: &["span_id", "parent_span_id"],
        sets: SETS,
    },
    Table {
        name: "logs",
        texts: &["service_name", "body", "severity_text", "event_name"],
        numbers: &["severity_number", "flags"],
        floats: &[],
        times: &["time", "observed_time"],
        traces: &["trace_id"],
        spans: &["span_id"],
        sets: SETS,
    },
    Table {
        name: "span_events",
        texts: &["service_name", "span_name", "name"],
        numbers: &["dropped_attributes_count"],
        floats: &[],
        times: &["time", "span_start_time"],
        traces: &["trace_id"],
        spans: &["span_id"],
        sets: &["attributes"],
    },
    Table {
        name: "span_links",
        texts: &["service_name", "span_name", "linked_trace_state"],
        numbers: &["linked_flags"],
        floats: &[],
        times: &["span_start_time"],
        traces: &["trace_id", "linked_trace_id"],
        spans: &["span_id", "linked_span_id"],
        sets: &["attributes"],
    },
    Table {
        name: "traces",
        texts: &["root_service", "root_name"],
        numbers: &["span_count", "error_count"],
        floats: &[],
        times: &["start_time", "end_time"],
        traces: &["trace_id"],
        spans: &[],
        sets: &[],
    },
    Table {
        name: "series",
        texts: &[
            "metric_name",
            "kind",
            "unit",
            "description",
            "temporality",
            "service_name",
            "scope_name",
        ],
        numbers: &["kind_number"],
        floats: &[],
        times: &[],
        traces: &[],
        spans: &[],
        sets: SETS,
    },
    Table {
        name: "samples",
        texts: &[],
        numbers: &["flags"],
        floats: &["value"],
        times: &["time", "start_time"],
        traces: &[],
        spans: &[],
        sets: &[],
    },
    Table {
        name: "metrics",
        texts: &["metric_name", "kind", "unit", "service_name"],
        numbers: &["flags"],
        floats: &["value"],
        times: &["time", "start_time"],
        traces: &[],
        spans: &[],
        sets: SETS,
    },
    Table {
        name: "histograms",
        texts: &["metric_name", "kind", "temporality", "service_name"],
        numbers: &["count", "zero_count", "scale", "flags"],
        floats: &["sum", "min"],
        times: &["time"],
        traces: &[],
        spans: &[],
        sets: SETS,
    },
    Table {
        name: "exemplars",
        texts: &["metric_name", "service_name"],
        numbers: &[],
        floats: &["value"],
        times: &["time", "point_time"],
        traces: &["trace_id"],
        spans: &["span_id"],
        sets: &["attributes"],
    },
];

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn some_text(rng: &mut StdRng) -> &str {
    let from: &[&str] = match rng.random_range(0..8) {
        0 | 1 => &SERVICES,
        2 => &NAMES,
        3 => &METRICS,
        4 => &UNITS,
        5 => &["ERROR", "SERVER", "UNSET", "GAUGE", "SUM", "DELTA", "INFO", "8", "true", "NaN"],
        _ => &WORDS,
    };
    pick(rng, from)
}

fn time(rng: &mut StdRng) -> String {
    let time_ns = match rows::time(rng) {
        // What RFC 3339 can spell and SQL can read.
        odd if odd < 0 => 0,
        odd => odd,
    };
    quoted(&throughline_model::time::format_rfc3339(time_ns))
}

fn number(rng: &mut StdRng) -> String {
    match rng.random_range(0..6) {
        0 => rng.random_range(-1..20i64).saturating_mul(30_000_000_000).to_string(),
        1 => "1.5".to_owned(),
        _ => rng.random_range(-2..26).to_string(),
    }
}

fn float(rng: &mut StdRng) -> String {
    match rng.random_range(0..4) {
        0 => {
            let double = DOUBLES[rng.random_range(0..DOUBLES.len())];
            format!("CAST('{double:?}' AS DOUBLE)")
        }
        1 => rng.random_range(-5..50).to_string(),
        _ => format!("{:?}", f64::from(rng.random_range(-40..400)) / 4.0),
    }
}

fn order(rng: &mut StdRng) -> &'static str {
    ["=", "<>", "<", "<=", ">", ">="][rng.random_range(0..6)]
}

// A condition on what a text is, or on a set's text of a key.
fn text_condition(rng: &mut StdRng, subject: &str) -> String {
    let (one, two) = (some_text(rng).to_owned(), some_text(rng).to_owned());
    match rng.random_range(0..12) {
        0 | 1 => format!("{subject} = {}", quoted(&one)),
        2 => format!("{subject} <> {}", quoted(&one)),
        3 => format!("{subject} IN ({}, {}, {})", quoted(&one), quoted(&two), quoted(&one)),
        4 => format!("{subject} NOT IN ({}, {})", quoted(&one), quoted(&two)),
        5 => format!("{subject} IS NULL"),
        6 => format!("{subject} IS NOT NULL"),
        7 => format!(
            "{subject} {} '{}'",
            pick(rng, &["LIKE", "NOT LIKE", "ILIKE"]),
            pick(rng, &["%a%", "a_b%", "_lpha%", "100\\%", "%", "", "%\u{fc}%"])
        ),
        8 => format!(
            "{subject} {} '{}'",
            pick(rng, &["~", "!~", "~*"]),
            pick(rng, &["^[aA]", "a|b", "^$", "ü", "."])
        ),
        9 => format!("{subject} {} {}", pick(rng, &["<", ">="]), quoted(&one)),
        10 => {
            let function = pick(rng, &["has_word", "has_phrase", "has_prefix"]);
            format!("{} {function}({subject}, {})", pick(rng, &["", "NOT"]), quoted(&one))
        }
        _ => format!("length({subject}) > {}", rng.random_range(0..9)),
    }
}

fn set_condition(rng: &mut StdRng, set: &str) -> String {
    let key = quoted(pick(rng, &KEYS));
    match rng.random_range(0..8) {
        0 => format!("attr_int({set}, {key}) {} {}", order(rng), rng.random_range(-3..8)),
        1 => format!("attr_float({set}, {key}) {} {}", order(rng), float(rng)),
        2 => format!("attr_bool({set}, {key}) = {}", rng.random::<bool>()),
        3 => {
            let function = pick(rng, &["attr_int", "attr_float", "attr_bool"]);
            format!("{function}({set}, {key}) IS {}NULL", pick(rng, &["", "NOT "]))
        }
        _ => text_condition(rng, &format!("{set}[{key}]")),
    }
}

fn id_condition(rng: &mut StdRng, column: &str, ids: [String; 3]) -> String {
    let [one, two, three] = ids;
    match rng.random_range(0..7) {
        0 | 1 => format!("{column} = '{one}'"),
        2 => format!("{column} <> x'{one}'"),
        3 => format!("{column} IN ('{one}', '{two}', '{one}', '{three}')"),
        4 => format!("{column} IS NULL"),
        5 => format!("{column} NOT IN ('{one}', '{two}')"),
        _ => format!("{column} LIKE '%{}'", &one[one.len() - 1..]),
    }
}

fn condition(rng: &mut StdRng, table: &Table) -> String {
    let some = |rng: &mut StdRng, from: &[&'static str]| from[rng.random_range(0..from.len())];
    loop {
        let from = match rng.random_range(0..9) {
            0 | 1 => table.texts,
            2 => table.numbers,
            3 => table.floats,
            4 => table.times,
            5 => table.traces,
            6 => table.spans,
            _ => table.sets,
        };
        if from.is_empty() {
            continue;
        }
        let column = some(rng, from);
        return if from == table.texts {
            text_condition(rng, column)
        } else if from == table.numbers {
            match rng.random_range(0..4) {
                0 => format!("{column} IN ({}, 2, 0)", rng.random_range(0..9)),
                1 => format!("{column} + 1 {} {}", order(rng), rng.random_range(0..9)),
                _ => format!("{column} {} {}", order(rng), number(rng)),
            }
        } else if from == table.floats {
            match rng.random_range(0..5) {
                0 => format!("{column} IS NULL"),
                _ => format!("{column} {} {}", order(rng), float(rng)),
            }
        } else if from == table.times {
            match rng.random_range(0..6) {
                0 => format!("{column} BETWEEN {} AND {}", time(rng), time(rng)),
                1 => format!("{column} IS NOT NULL"),
                _ => format!("{column} {} {}", order(rng), time(rng)),
            }
        } else if from == table.traces {
            let ids = [(); 3].map(|()| hex(&data::trace_id(rng.random_range(0..14))));
            id_condition(rng, column, ids)
        } else if from == table.spans {
            let ids = [(); 3].map(|()| hex(&data::span_id(rng.random_range(0..70))));
            id_condition(rng, column, ids)
        } else {
            set_condition(rng, column)
        };
    }
}

fn conditions(rng: &mut StdRng, table: &Table) -> String {
    let mut all = condition(rng, table);
    for _ in 0..rng.random_range(0..3) {
        let next = condition(rng, table);
        all = match rng.random_range(0..5) {
            0 => format!("({all} OR {next})"),
            1 => format!("{all} AND NOT ({next})"),
            _ => format!("{all} AND {next}"),
        };
    }
    all
}

// Something to group by.
fn key(rng: &mut StdRng, table: &Table) -> String {
    let all = [table.texts, table.numbers, table.times, table.traces, table.sets].concat();
    let column = all[rng.random_range(0..all.len())];
    if table.sets.contains(&column) {
        return format!("{column}[{}]", quoted(pick(rng, &KEYS)));
    }
    column.to_owned()
}

// An aggregate that does not depend on the order of rows.
fn aggregate(rng: &mut StdRng, table: &Table) -> String {
    let ordered = [table.numbers, table.times, table.texts].concat();
    let column = ordered[rng.random_range(0..ordered.len())];
    match rng.random_range(0..6) {
        0 => format!("min({column}), max({column})"),
        1 => format!("count(DISTINCT {column})"),
        2 => format!("count({column})"),
        3 if !table.numbers.is_empty() => {
            let number = table.numbers[rng.random_range(0..table.numbers.len())];
            format!("sum({number} % 1000)")
        }
        4 if !table.sets.is_empty() => {
            let set = table.sets[rng.random_range(0..table.sets.len())];
            format!("count(attr_int({set}, {}))", quoted(pick(rng, &KEYS)))
        }
        5 if !table.floats.is_empty() => {
            let float = table.floats[rng.random_range(0..table.floats.len())];
            // Quarters add up exactly in any order.
            format!(
                "sum({float}) FILTER (WHERE {float} BETWEEN -100 AND 100 AND {float} * 4 = floor({float} * 4))"
            )
        }
        _ => "count(*)".to_owned(),
    }
}

/// A question about one table.
pub fn question(rng: &mut StdRng) -> Question {
    let weighted = rng.random_range(0..TABLES.len() + 6);
    let table = &TABLES[if weighted < TABLES.len() { weighted } else { weighted % 2 }];
    let name = table.name;
    let (start, end) = match rng.random_range(0..8) {
        0 => (format!("SELECT {} FROM {name}", aggregate(rng, table)), String::new()),
        1 | 2 => {
            let (one, two) = (key(rng, table), key(rng, table));
            let what = aggregate(rng, table);
            (
                format!("SELECT {one} AS one, {two} AS two, {what} FROM {name}"),
                "GROUP BY 1, 2".to_owned(),
            )
        }
        3 => (format!("SELECT DISTINCT {} FROM {name}", key(rng, table)), String::new()),
        4 => {
            let by = key(rng, table);
            let way = pick(rng, &["ASC", "DESC NULLS LAST", "DESC"]);
            let limit = rng.random_range(1..30);
            (format!("SELECT {by} FROM {name}"), format!("ORDER BY {by} {way} LIMIT {limit}"))
        }
        5 => {
            let [one, two, three] = [(); 3].map(|()| key(rng, table));
            let columns = format!("{one} AS one, {two} AS two, {three} AS three");
            (format!("SELECT {columns} FROM {name}"), String::new())
        }
        // Templates may change when segments merge.
        _ if name == "logs" => {
            ("SELECT * EXCEPT (template, template_id) FROM logs".to_owned(), String::new())
        }
        _ => (format!("SELECT * FROM {name}"), String::new()),
    };
    let condition =
        if rng.random_range(0..10) == 0 { "true".to_owned() } else { conditions(rng, table) };
    // A text of the condition's value is nothing that a scan understands.
    let opaque = format!("concat(CAST(({condition}) AS VARCHAR), '') = 'true'");
    Question {
        sql: format!("{start} WHERE {condition} {end}"),
        opaque: format!("{start} WHERE {opaque} {end}"),
    }
}

/// A question about two tables.
pub fn join(rng: &mut StdRng) -> Question {
    let spans = conditions(rng, &TABLES[0]);
    let logs = conditions(rng, &TABLES[1]);
    let series = conditions(rng, &TABLES[5]);
    let kind = pick(rng, &["JOIN", "LEFT JOIN", "FULL JOIN"]);
    let by_span = if rng.random() { " AND s.span_id = l.span_id" } else { "" };
    let sql = match rng.random_range(0..4) {
        0 => format!(
            "SELECT s.service_name, l.severity_number, count(*), count(l.time) \
             FROM (SELECT * FROM spans WHERE {spans}) s {kind} (SELECT * FROM logs WHERE {logs}) l \
             ON s.trace_id = l.trace_id{by_span} GROUP BY 1, 2"
        ),
        1 => format!(
            "SELECT c.name, p.name, count(*) FROM spans c {kind} (SELECT * FROM spans WHERE {spans}) p \
             ON c.parent_span_id = p.span_id AND c.trace_id = p.trace_id GROUP BY 1, 2"
        ),
        2 => format!(
            "SELECT r.metric_name, r.service_name, count(*), count(s.value), min(s.time) \
             FROM samples s JOIN (SELECT * FROM series WHERE {series}) r \
             ON s.series_id = r.series_id GROUP BY 1, 2"
        ),
        _ => format!(
            "SELECT service_name, count(*) FROM logs WHERE {logs} AND trace_id IN \
             (SELECT trace_id FROM spans WHERE {spans}) GROUP BY 1"
        ),
    };
    Question { opaque: sql.clone(), sql }
}
