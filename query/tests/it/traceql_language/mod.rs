//! TraceQL as text: what parses and how it is printed, what is refused where and why, what completes
//! a query, and that no text at all is a danger.
//!
//! The cases are files in `tests/data/traceql`: a query a line, what is expected below it, indented.
//! `BLESS=1` writes the answers into them; read the difference.

mod random;
pub(crate) mod tree;

use std::fmt::Write;
use std::path::PathBuf;
use std::sync::LazyLock;

use throughline_query::traceql::ast::Query;
use throughline_query::traceql::{self, Expect, grammar};
use throughline_query::{Error, ErrorKind};

/// Marks the cursor in the cases of completion.
const CURSOR: char = '¦';

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/traceql").join(name)
}

// Every query of a file with its answer, which must be the lines below it.
fn check_file(name: &str, answer: impl Fn(&str) -> String) {
    let text = std::fs::read_to_string(path(name)).expect("the file of cases");
    let mut blessed = String::new();
    let mut wrong = Vec::new();
    let mut lines = text.lines().peekable();
    let mut cases = 0;
    while let Some(line) = lines.next() {
        _ = writeln!(blessed, "{line}");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut expected = Vec::new();
        while let Some(below) = lines.next_if(|line| line.starts_with("    ")) {
            expected.push(&below[4..]);
        }
        let got = answer(line);
        if got != expected.join("\n") {
            wrong.push(format!("{line}\n  expected {expected:?}\n  got      {got:?}"));
        }
        got.lines().for_each(|line| _ = writeln!(blessed, "    {line}"));
        cases += 1;
    }
    assert!(cases > 0, "{name} has cases");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path(name), blessed).expect("written");
    } else {
        assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    }
}

/// The tree as text without places.
pub(crate) fn shape(query: &Query) -> String {
    static PLACE: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r", place: Place \{ start: \d+, end: \d+ \}").expect("valid")
    });
    PLACE.replace_all(&format!("{query:?}"), "").into_owned()
}

fn describe(err: &Error) -> String {
    assert_eq!((err.kind(), err.field()), (ErrorKind::Invalid, Some("query")), "{err}");
    format!("{}: {err}", err.position().expect("a position"))
}

#[test]
fn parses_and_prints() {
    check_file("parse.txt", |text| {
        let query = match traceql::compile_text(text) {
            Ok(query) => query,
            Err(err) => return format!("error {}", describe(&err)),
        };
        let printed = query.to_string();
        let again = traceql::compile_text(&printed).expect("what is printed parses");
        assert_eq!(shape(&again), shape(&query), "{printed}");
        if printed == text { String::new() } else { printed }
    });
}

#[test]
fn errors_say_where_and_what() {
    check_file("errors.txt", |text| match traceql::compile_text(text) {
        Ok(query) => format!("no error: {query}"),
        Err(err) => describe(&err),
    });
}

#[test]
fn cases_cover_the_language() {
    let text = std::fs::read_to_string(path("parse.txt")).expect("the file of cases");
    let names = grammar::INTRINSICS.iter().flat_map(|(_, alone, scoped)| [*alone, *scoped]);
    let mut words = names.flatten().map(str::to_owned).collect::<Vec<_>>();
    words.extend(grammar::BINARY_OPS.iter().map(|op| format!(" {} ", op.text())));
    words.extend(grammar::RELATIONS.iter().map(|symbol| format!("}} {symbol} {{")));
    words.extend(grammar::SCOPES.iter().map(|(name, _)| format!(" {name}.")));
    words.extend(grammar::SCOPES.iter().map(|(name, _)| format!("parent.{name}.")));
    let aggregates = grammar::AGGREGATES.iter().map(|op| op.text());
    let calls = [grammar::STAGES, grammar::METRICS_FUNCTIONS, grammar::SECOND_STAGES].concat();
    words.extend(aggregates.chain(calls).map(|name| format!("{name}(")));
    words.extend(grammar::value_words().map(str::to_owned));
    words.extend(grammar::HINTS.iter().map(|name| format!("{name}=")));
    words.extend(grammar::COMPARISONS.iter().map(|symbol| format!("| {symbol} ")));
    let missing = words.iter().filter(|word| !text.contains(word.as_str())).collect::<Vec<_>>();
    assert!(missing.is_empty(), "parse.txt lacks {missing:?}");
}

#[test]
fn completes() {
    check_file("complete.txt", |text| {
        let cursor = text.chars().position(|c| c == CURSOR).expect("a cursor");
        let text = text.replace(CURSOR, "");
        let found = traceql::complete(&text, cursor);
        let mut lines = format!("{}", found.replace);
        for expect in found.expects {
            let line = match expect {
                Expect::Value { field, op } => format!("value of {field} {}", op.text()),
                Expect::Field { scope: None, parent: false } => "field".to_owned(),
                Expect::Field { scope, parent } => {
                    let scope = scope.map(|scope| format!("{scope:?}")).unwrap_or_default();
                    format!("field {scope}{}", if parent { " of the parent" } else { "" })
                }
                Expect::Number => "number".to_owned(),
                Expect::Keyword(words) => format!("keyword {}", words.join(" ")),
                Expect::Function(words) => format!("function {}", words.join(" ")),
                Expect::Operator(words) => format!("operator {}", words.join(" ")),
                Expect::Symbol(words) => format!("symbol {}", words.join(" ")),
            };
            _ = write!(lines, "\n{line}");
        }
        lines
    });
}

#[test]
fn keeps_the_whole_conditions_of_an_incomplete_query() {
    check_file("lenient.txt", |text| {
        traceql::lenient_filter(text).map_or_else(|| "nothing".to_owned(), |expr| expr.to_string())
    });
}

#[test]
fn size_and_depth_are_bounded() {
    let error = |text: &str| describe(&traceql::parse(text).expect_err("refused"));
    for (open, close) in [("(", ")"), ("{ !", " }"), ("{ (", ") }"), ("{ -", " }")] {
        let (brace, repeated) = open.split_once(' ').unwrap_or(("", open));
        let (closing, end) = close.split_once(' ').unwrap_or((close, ""));
        let nested = |levels: usize| {
            format!("{brace}{}{{}}{}{end}", repeated.repeat(levels), closing.repeat(levels))
        };
        let found = error(&nested(10_000));
        assert!(found.ends_with("query nests deeper than 100 levels"), "{open}: {found}");
    }
    let chain = |count: usize| format!("{{ .a = 1{} }}", " || .a = 1".repeat(count));
    let most = traceql::compile_text(&chain(499)).expect("999 operators");
    assert_eq!(most.to_string(), chain(499));
    let found = error(&chain(500));
    assert!(found.ends_with("query has more than 1000 operators"), "{found}");
    let long = format!("{{ .a = \"{}\" }}", "x".repeat(grammar::QUERY_CHARS_MAX));
    assert_eq!(error(&long), "65536: query is longer than 65536 characters");
}
