//! `throughline query`: one statement to a running server, the answer as a table.

use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::Value;

use crate::client::Client;

#[derive(Deserialize)]
struct Answer {
    columns: Vec<Column>,
    rows: Vec<Vec<Value>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

/// Runs the command and returns what to print.
pub async fn run(sql: &str, url: &str, token: Option<String>) -> anyhow::Result<String> {
    let mut client = Client::connect(url, token).await?;
    let body = serde_json::json!({ "query": sql }).to_string();
    let (status, body) = client.post("/api/v1/sql", "application/json", body).await?;
    if !status.is_success() {
        bail!("{}", problem_text(status.as_u16(), &body));
    }
    let answer: Answer = serde_json::from_slice(&body).context("the answer is no table")?;
    Ok(table(&answer))
}

fn problem_text(status: u16, body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    match problem["detail"].as_str().or(problem["title"].as_str()) {
        Some(detail) => detail.to_owned(),
        None => format!("the server answered {status}: {}", String::from_utf8_lossy(body)),
    }
}

fn table(answer: &Answer) -> String {
    let mut lines: Vec<Vec<(String, bool)>> =
        vec![answer.columns.iter().map(|column| (column.name.clone(), false)).collect()];
    lines.extend(answer.rows.iter().map(|row| row.iter().map(cell).collect::<Vec<_>>()));
    let widths: Vec<usize> = (0..answer.columns.len())
        .map(|at| {
            let cells = lines.iter().filter_map(|line| line.get(at));
            cells.map(|(text, _)| text.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for (number, line) in lines.iter().enumerate() {
        let mut text = String::new();
        for ((cell, right), width) in line.iter().zip(&widths) {
            let _ = match right {
                true => write!(text, "{cell:>width$}  "),
                false => write!(text, "{cell:<width$}  "),
            };
        }
        out += text.trim_end();
        out.push('\n');
        if number == 0 {
            let rule: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
            out += &rule.join("  ");
            out.push('\n');
        }
    }
    let _ =
        write!(out, "{} row{}", answer.rows.len(), if answer.rows.len() == 1 { "" } else { "s" });
    out
}

// The text of a value, and whether it is set to the right.
fn cell(value: &Value) -> (String, bool) {
    match value {
        Value::Null => ("null".to_owned(), false),
        Value::String(text) => (text.replace('\n', "\\n").replace('\t', "\\t"), false),
        Value::Number(number) => (number.to_string(), true),
        other => (other.to_string(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let answer: Answer = serde_json::from_str(
            r#"{"columns":[{"name":"service"},{"name":"n"}],
                "rows":[["cart",12],["checkout\nservice",1234],[null,null]]}"#,
        )
        .expect("valid");
        let expected = "service            n\n─────────────────  ────\ncart                 12\n\
                        checkout\\nservice  1234\nnull               null\n3 rows";
        assert_eq!(table(&answer), expected);
    }

    #[test]
    fn problems_are_told() {
        assert_eq!(problem_text(400, br#"{"detail":"no table 'x'"}"#), "no table 'x'");
        assert_eq!(problem_text(502, b"oops"), "the server answered 502: oops");
    }
}
