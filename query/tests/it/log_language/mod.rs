//! The log query language: what parses and how it is printed, what is refused where and why, which SQL
//! it means, what completes it, and that no text at all is a danger.
//!
//! The cases are files in `tests/data/log_language`: a query a line, what is expected below it, indented by four.
//! `BLESS=1` writes the answers into them; read the difference.

mod engine;
mod files;
mod oracle;
mod patterns;
mod pushed;
mod random;
mod sql;

use std::fmt::Write;

use throughline_query::logs::language::{
    self, Bounds, Error, Wanted, check, complete, lower, parse,
};

/// Marks the cursor in the cases of completion.
const CURSOR: char = '¦';
/// 2026-11-20T12:00:00Z.
const NOON_NS: i64 = 1_795_176_000_000_000_000;
const HOUR_NS: i64 = 3_600_000_000_000;

fn bounds() -> Bounds {
    Bounds {
        start_ns: NOON_NS - HOUR_NS,
        end_ns: NOON_NS,
        now_ns: NOON_NS,
        limit: 100,
        newest_first: true,
    }
}

fn describe(err: &Error, text: &str) -> String {
    let (line, column) = err.line_column(text);
    assert!(err.place().start <= text.len() && !err.message().is_empty());
    format!("{line}:{column}: {err}")
}

#[test]
fn parses_and_prints() {
    files::check("parse.test", |text| {
        let query = match parse(text) {
            Ok(query) => query,
            Err(err) => return format!("error {}", describe(&err, text)),
        };
        let printed = query.to_string();
        let again = parse(&printed).unwrap_or_else(|err| panic!("{printed}: {err}"));
        assert_eq!(again, query, "{printed}");
        assert_eq!(again.to_string(), printed);
        if printed == text { String::new() } else { printed }
    });
}

#[test]
fn errors_say_where_and_what() {
    files::check("errors.test", |text| match parse(text).and_then(|query| check(&query)) {
        Ok(()) => "no error".to_owned(),
        Err(err) => describe(&err, text),
    });
}

fn lowered(text: &str) -> String {
    match parse(text).and_then(|query| lower(&query, &bounds())) {
        Err(err) => format!("error {}", describe(&err, text)),
        Ok(lowered) => {
            let columns = lowered.columns.iter().map(|c| format!("{}:{:?}", c.name, c.kind));
            let columns = columns.collect::<Vec<_>>().join(" ");
            format!("{}\n-- {:?} {columns}", lowered.sql, lowered.kind).trim_end().to_owned()
        }
    }
}

// The range is the same everywhere: a filter's cases show the conditions alone.
#[test]
fn filters_mean_conditions() {
    files::check("filters.test", |text| match parse(text) {
        Err(err) => format!("error {}", describe(&err, text)),
        Ok(query) => match lower(&query, &bounds()) {
            Err(err) => format!("error {}", describe(&err, text)),
            Ok(lowered) => sql::conditions(&lowered.sql).join("\n"),
        },
    });
}

#[test]
fn queries_mean_sql() {
    files::check("lower.test", lowered);
}

#[test]
fn completes() {
    files::check("complete.test", |text| {
        let cursor = text.find(CURSOR).expect("a cursor");
        let text = text.replace(CURSOR, "");
        let found = complete(&text, cursor);
        let mut lines = format!("{}..{} '{}'", found.replace.start, found.replace.end, found.typed);
        for wanted in &found.wanted {
            _ = match wanted {
                Wanted::FieldNames { in_filter } => write!(lines, "\nfield names {in_filter}"),
                Wanted::ValuesOf(field) => write!(lines, "\nvalues of {field}"),
            };
        }
        let mut kind = None;
        for item in &found.items {
            if kind != Some(item.kind) {
                _ = write!(lines, "\n{:?}:", item.kind);
                kind = Some(item.kind);
            }
            _ = write!(lines, " {}", item.insert.trim_end());
        }
        lines
    });
}

#[test]
fn cases_cover_the_language() {
    let text = files::read("parse.test") + &files::read("lower.test");
    let pipes = language::grammar::PIPES.iter().flat_map(|pipe| pipe.names.iter());
    let functions = language::grammar::FUNCTIONS.iter().flat_map(|(_, names, _)| names.iter());
    let mut words = pipes.map(|name| format!("| {name}")).collect::<Vec<_>>();
    words.extend(functions.map(|name| format!("{name}(")));
    words.extend(language::grammar::MATH_FUNCTIONS.iter().map(|(_, name, ..)| format!("{name}(")));
    let fixed = language::grammar::FIXED.iter().flat_map(|known| known.names.iter());
    words.extend(fixed.map(|name| (*name).to_owned()));
    let missing = words.iter().filter(|word| !text.contains(word.as_str())).collect::<Vec<_>>();
    assert!(missing.is_empty(), "the cases lack {missing:?}");
}

#[test]
fn every_function_of_the_sql_is_listed() {
    let text = files::read("lower.test") + &files::read("filters.test");
    for function in language::functions::ALL {
        assert!(text.contains(&format!("{}(", function.name)), "{} is never used", function.name);
    }
}

// The page for users names all there is, and what it shows can be asked.
#[test]
fn the_page_is_true() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/log-language.md");
    let page = std::fs::read_to_string(path).expect("the page");
    let pipes = language::grammar::PIPES.iter().flat_map(|pipe| pipe.names.iter());
    let math = language::grammar::MATH_FUNCTIONS.iter().map(|(_, name, ..)| name);
    let fixed = language::grammar::FIXED.iter().flat_map(|known| known.names.iter());
    let sql = language::functions::ALL.iter().map(|function| &function.name);
    let mut names =
        pipes.chain(math).chain(fixed).chain(sql).map(|n| format!("`{n}")).collect::<Vec<_>>();
    let functions = language::grammar::FUNCTIONS.iter().filter_map(|(_, names, _)| names.first());
    names.extend(functions.map(|name| format!(" {name}(")));
    let missing = names.iter().filter(|name| !page.contains(name.as_str())).collect::<Vec<_>>();
    assert!(missing.is_empty(), "the page lacks {missing:?}");
    let mut shown = 0;
    for block in page.split("```log\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            let outcome = parse(line).and_then(|query| check(&query));
            outcome.unwrap_or_else(|err| panic!("{line}: {}", describe(&err, line)));
            shown += 1;
        }
    }
    assert!(shown > 40);
}
