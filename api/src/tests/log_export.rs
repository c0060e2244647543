//! Exports: the records of a search in every form, and what is said when some are missing.

use arrow::array::AsArray;
use arrow::ipc::reader::StreamReader;

use super::*;

/// Characters that forms of text have trouble with.
const AWKWARD: [&str; 6] =
    ["a\r\nb,\"c\" \u{1b}[31m\t\u{0}\u{7f}", "", " edges ", "größe 🦀", "\"", "plain"];

async fn shop() -> Server {
    let server = Server::start().await;
    let records: Vec<_> = (0..2500).map(|i| (text(AWKWARD[i % 6]), 9, Some(1))).collect();
    server.append_as(Signal::Logs, log_batch("cart", &records), vec![1]).await;
    // The same times and the same texts: where a page ends, records say the same.
    server.append_as(Signal::Logs, log_batch("cart", &records), vec![2]).await;
    let nested = Value::Kvlist(attributes(&[("a", Value::Int(1)), ("b", text("x,y"))]));
    append_logs(&server, "shop", &[(nested, 17, None)]).await;
    server
}

/// All records of a search, page by page.
async fn searched(server: &Server, query: &str) -> Vec<Json> {
    let (mut logs, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.json(&format!("/api/v1/logs?limit=5000&cursor={cursor}{query}")).await;
        logs.extend(page["logs"].as_array().expect("logs").iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => return logs,
        }
    }
}

/// The cells of a CSV, by RFC 4180.
fn cells(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut is_quoted, mut chars) = (false, csv.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !is_quoted => assert_eq!(chars.peek(), Some(&'\n')),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!is_quoted && row.is_empty() && cell.is_empty(), "ends with a line");
    rows
}

/// A record as the row of a table says it.
fn row_of(log: &Json) -> [String; 5] {
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    ["id", "time", "body", "trace_id", "attributes"].map(|name| text(&log[name]))
}

#[tokio::test]
async fn every_form_has_the_records_of_a_search() {
    let server = shop().await;
    for query in ["", "&order=oldest", "&query=plain", "&service=shop", "&service=nobody"] {
        let logs = searched(&server, query).await;
        let path = |form: &str| format!("/api/v1/logs/export?format={form}{query}");
        let ndjson = server.get(&path("ndjson")).await;
        assert_eq!(ndjson.header("content-type"), "application/x-ndjson");
        let lines: Vec<Json> = ndjson
            .text()
            .lines()
            .map(|line| serde_json::from_str(line).expect("a document"))
            .collect();
        assert!(lines == logs, "{query}: {} of {}", lines.len(), logs.len());
        let csv = server.get(&path("csv")).await;
        assert_eq!(csv.header("content-disposition"), "attachment; filename=\"logs.csv\"");
        let rows = cells(&csv.text());
        let at = ["id", "time", "body", "trace_id", "attributes"]
            .map(|name| rows[0].iter().position(|other| other == name).expect("a column"));
        let found: Vec<_> = rows[1..].iter().map(|row| at.map(|i| row[i].clone())).collect();
        let expected: Vec<_> = logs.iter().map(row_of).collect();
        assert!(found == expected, "{query}: {} of {}", found.len(), expected.len());
        let arrow = server.get(&path("arrow")).await;
        let reader = StreamReader::try_new(&arrow.body[..], None).expect("a stream");
        let mut ids = Vec::new();
        for batch in reader {
            let batch = batch.expect("whole");
            let (id, body) =
                (batch.column(0).as_string::<i32>(), batch.column(6).as_string::<i32>());
            ids.extend(id.iter().zip(body).map(|(id, body)| format!("{id:?}{body:?}")));
        }
        let of = |row: &[String; 5]| format!("{:?}{:?}", Some(&row[0]), Some(&row[2]));
        assert!(ids == expected.iter().map(of).collect::<Vec<_>>(), "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn limits_and_wrong_parameters() {
    let server = shop().await;
    let first = server.get("/api/v1/logs/export?limit=2100").await.text();
    let logs = searched(&server, "").await;
    let lines: Vec<Json> =
        first.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    assert!(lines == logs[..2100]);
    for (query, field) in [
        ("limit=1000001", "limit"),
        ("limit=0", "limit"),
        ("format=xml", "format"),
        ("cursor=1.1", "cursor"),
        ("order=random", "order"),
    ] {
        let problem = server.problem(&format!("/api/v1/logs/export?{query}"), 400).await;
        assert_eq!(problem["field"], field, "{query}");
    }
    server.stop().await;
}

#[tokio::test]
async fn missing_segments_are_told() {
    let server = shop().await;
    server.store.flush().await.expect("flushes");
    let folder = server._folder.path().join("segments");
    for file in std::fs::read_dir(folder).expect("lists") {
        let path = file.expect("a file").path();
        let length = std::fs::metadata(&path).expect("is there").len() as usize;
        std::fs::write(&path, vec![0; length]).expect("is damaged");
    }
    append_logs(&server, "cart", &[(text("new"), 9, None)]).await;
    let answer = server.get("/api/v1/logs/export").await.text();
    let lines: Vec<Json> =
        answer.lines().map(|line| serde_json::from_str(line).expect("a document")).collect();
    assert_eq!(lines[0]["body"], "new");
    let last = lines.last().expect("a line");
    assert!(last["partial"].as_array().is_some_and(|names| !names.is_empty()), "{last}");
    assert_eq!(lines.len(), 2);
    for form in ["csv", "arrow"] {
        let path = format!("/api/v1/logs/export?format={form}");
        let response = server.send(Request::get(path).body(Body::empty()).expect("valid")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.into_body().collect().await.is_err(), "{form} breaks off");
    }
    server.stop().await;
}
