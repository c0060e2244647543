//! Texts, and how their trees are printed: `tests/data/logql/print.txt`, and refusals with line and
//! column.

use super::language::{ErrorKind, compile, parse, parse_log};

#[test]
fn trees_are_printed_in_one_spelling() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/logql/print.txt");
    let text = std::fs::read_to_string(path).expect("text");
    let mut wrong = Vec::new();
    // A query, or two with ` => ` between: how it is written and how it is printed.
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (query, expected) = line.split_once(" => ").unwrap_or((line, line));
        match parse(query) {
            Ok(expr) => {
                let printed = expr.to_string();
                if printed != expected || parse(&printed).as_ref() != Ok(&expr) {
                    wrong.push(format!("{query}\n  expected {expected}\n  found    {printed}"));
                }
            }
            Err(err) => wrong.push(format!("{query}\n  {err} at {:?}", err.offset())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn errors_say_where_they_are() {
    let err = compile("{app=\"ä\"}\n  | json\n  | line_format \"{{.x\"").expect_err("an error");
    let place = err.place().expect("a place");
    assert_eq!((place.line, place.column, place.offset), (3, 17, 36), "{err}");
    assert_eq!(err.kind(), ErrorKind::Meaning);
    let err = parse("{app=\"ä\"} | json |").expect_err("an error");
    assert_eq!(err.place().map(|place| (place.line, place.column)), Some((1, 19)), "{err}");
    assert_eq!(
        err.to_string(),
        "found the end of the query where a stage or a condition on labels was expected"
    );
}

#[test]
fn selectors_are_no_metrics() {
    assert!(parse_log("{a=\"b\"} |= \"c\"").is_ok());
    assert!(parse_log("vector(1)").is_err());
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [("(", ")"), ("sum(", ")")] {
        let deep = format!("{}vector(1){}", open.repeat(5000), close.repeat(5000));
        let err = parse(&deep).expect_err("too deep");
        assert!(err.to_string().contains("nests deeper"), "{err}");
    }
    let filters = format!("{{}} | {}a=1", "(".repeat(5000));
    assert!(parse(&filters).expect_err("too deep").to_string().contains("nests deeper"));
    let long = format!("vector(1){}", " + vector(1)".repeat(5000));
    assert!(parse(&long).expect_err("too long").to_string().contains("operators"));
    let huge = " ".repeat(1 << 20);
    assert!(parse(&huge).expect_err("too long").to_string().contains("longer than"));
}
