//! Expressions of dashboards and rules that people run: they parse, and what they are formatted as is the same
//! tree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::shared::{read_json, shared};
use super::*;

/// Different expressions in dashboards and in rules, at least.
const DASHBOARD_EXPRESSIONS_MIN: usize = 1_500;
const RULE_EXPRESSIONS_MIN: usize = 1_000;

/// The files below a folder with one of these endings.
fn files(folder: &Path, endings: &[&str], found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, endings, found);
        } else if endings.iter().any(|ending| path.extension().is_some_and(|own| own == *ending)) {
            found.push(path);
        }
    }
}

/// All `expr` of a dashboard, with values for its variables.
fn of_dashboard(json: &Json, found: &mut BTreeSet<String>) {
    match json {
        Json::Array(all) => all.iter().for_each(|one| of_dashboard(one, found)),
        Json::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("expr", Json::String(text)) => {
                        found.insert(text.replace("$__rate_interval", "5m"));
                    }
                    (_, value) => of_dashboard(value, found),
                }
            }
        }
        _ => {}
    }
}

/// All `expr` of a file of rules: in one line, plain or in quotes, or as a block of lines further in.
fn of_rules(text: &str, found: &mut BTreeSet<String>) {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(said) = line.trim_start().trim_start_matches("- ").strip_prefix("expr:") else {
            continue;
        };
        let said = said.trim();
        let mut parts = Vec::new();
        if !said.starts_with(['|', '>']) {
            parts.push(said);
        }
        let outer = line.find("expr:").unwrap_or_default();
        let is_inner = |line: &&str| line.trim().is_empty() || indent(line) > outer;
        while let Some(line) = lines.next_if(is_inner) {
            parts.push(line.trim());
        }
        let whole = parts.join("\n").trim().to_owned();
        let inner = |quote: char| whole.strip_prefix(quote)?.strip_suffix(quote);
        found.insert(match (inner('\''), inner('"')) {
            (Some(text), _) => text.replace("''", "'"),
            (_, Some(text)) => text.replace("\\\"", "\"").replace("\\\\", "\\"),
            _ => whole,
        });
    }
}

/// Conditions on labels hold in any order, and are printed in theirs.
fn sort_matchers(tree: &mut Json) {
    match tree {
        Json::Array(all) => all.iter_mut().for_each(sort_matchers),
        Json::Object(fields) => {
            fields.values_mut().for_each(sort_matchers);
            if let Some(Json::Array(matchers)) = fields.get_mut("matchers") {
                matchers.sort_by_key(Json::to_string);
            }
        }
        _ => {}
    }
}

async fn ask(server: &Server, path: &str, query: &str) -> Result<Json, String> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let request = Request::post(format!("/prometheus/api/v1/{path}"))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(format!("query={encoded}")));
    let answer = server.ask(request.expect("valid")).await;
    match answer.status {
        StatusCode::OK => {
            let mut data = answer.json()["data"].take();
            sort_matchers(&mut data);
            Ok(data)
        }
        _ => Err(answer.text()),
    }
}

/// Why an expression is not the same once it is formatted, if it is not.
async fn changed(server: &Server, expression: &str) -> Option<String> {
    let tree = match ask(server, "parse_query", expression).await {
        Ok(tree) => tree,
        Err(err) => return Some(err),
    };
    let formatted = ask(server, "format_query", expression).await.expect("it parses");
    let formatted = formatted.as_str().expect("text");
    match ask(server, "parse_query", formatted).await {
        Ok(again) if again == tree => None,
        Ok(_) => Some(format!("another tree: {formatted}")),
        Err(err) => Some(format!("{formatted}: {err}")),
    }
}

async fn check(expressions: &BTreeSet<String>, least: usize) {
    let server = Server::start().await;
    let mut wrong = Vec::new();
    for expression in expressions {
        let changed = changed(&server, expression).await;
        wrong.extend(changed.map(|how| format!("{expression}\n{how}")));
    }
    server.stop().await;
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), expressions.len());
    assert!(expressions.len() >= least, "{} expressions", expressions.len());
}

#[tokio::test]
async fn expressions_of_dashboards_are_the_same_tree_once_formatted() {
    let Some(folder) = shared("data/prometheus/dashboards") else { return };
    let (mut paths, mut found) = (Vec::new(), BTreeSet::new());
    files(&folder, &["json"], &mut paths);
    paths.iter().for_each(|path| of_dashboard(&read_json(path), &mut found));
    check(&found, DASHBOARD_EXPRESSIONS_MIN).await;
}

#[tokio::test]
async fn expressions_of_rules_are_the_same_tree_once_formatted() {
    let Some(folder) = shared("data/prometheus/rules") else { return };
    let (mut paths, mut found) = (Vec::new(), BTreeSet::new());
    files(&folder, &["yml", "yaml"], &mut paths);
    for path in paths {
        of_rules(&std::fs::read_to_string(path).expect("text"), &mut found);
    }
    check(&found, RULE_EXPRESSIONS_MIN).await;
}
