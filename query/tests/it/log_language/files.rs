//! Files of cases: a query a line, and below it, indented, what is expected.

use std::fmt::Write;
use std::path::PathBuf;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/log_language").join(name)
}

/// The text of a file.
pub fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).expect("the file of cases")
}

/// The queries of a file that are no errors.
pub fn queries(name: &str) -> Vec<String> {
    let text = read(name);
    let mut lines = text.lines().peekable();
    let mut queries = Vec::new();
    while let Some(line) = lines.next() {
        let is_query = !line.is_empty() && !line.starts_with('#');
        let is_error = lines.peek().is_some_and(|below| below.starts_with("    error "));
        while lines.next_if(|line| line.starts_with("    ")).is_some() {}
        if is_query && !is_error {
            queries.push(line.to_owned());
        }
    }
    queries
}

/// Compares every query's answer with the lines below it.
pub fn check(name: &str, answer: impl Fn(&str) -> String) {
    let text = read(name);
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
