//! Recorded requests over a small shop, and their answers.
//!
//! Each file has a request, with headers and a body where they matter, and its whole answer but for what is
//! measured. Set `THROUGHLINE_UPDATE_GOLDEN` to write the answers anew, and read what changed.

use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::Resource;

use super::*;

const UPDATE: &str = "THROUGHLINE_UPDATE_GOLDEN";
const MINUTE_NS: i64 = 60_000_000_000;

/// A record of the shop.
pub struct Entry {
    pub service: &'static str,
    pub minutes_ago: i64,
    pub severity: (i32, &'static str),
    pub body: Value,
    pub trace: Option<u8>,
    pub status: Option<i64>,
}

pub fn entries() -> Vec<Entry> {
    let entry = |service, minutes_ago, severity, body, trace, status| Entry {
        service,
        minutes_ago,
        severity,
        body,
        trace,
        status,
    };
    let sold = |item: &str, took: i64| text(&format!(r#"{{"item":"{item}","took":{took}}}"#));
    vec![
        entry("cart", 50, (9, "INFO"), sold("socks", 12), None, Some(200)),
        entry("cart", 40, (9, "INFO"), sold("shoes", 7), Some(1), Some(200)),
        entry("cart", 30, (17, "ERROR"), text("no stock of socks"), Some(1), Some(500)),
        entry("cart", 20, (0, ""), text("level=warn msg=\"low stock\" left=3"), None, None),
        entry("payment", 10, (0, "warn"), text("card declined"), Some(2), Some(402)),
        entry(
            "payment",
            5,
            (0, ""),
            Value::Kvlist(attributes(&[("ok", Value::Bool(true))])),
            None,
            None,
        ),
        entry("worker", 1, (5, "DEBUG"), text("mail sent in 30ms"), None, None),
    ]
}

pub fn batch(entries: &[Entry]) -> Batch {
    let mut builder = LogBatchBuilder::default();
    for entry in entries {
        let mut of_resource = vec![
            ("service.name", text(entry.service)),
            ("k8s.pod.name", text(&format!("{}-1", entry.service))),
            ("host.name", text("h1")),
        ];
        if entry.service != "worker" {
            of_resource.push(("job", text("shop")));
        }
        let resource = Resource { attributes: attributes(&of_resource), ..Resource::default() };
        builder.set_resource(&resource.encode()).expect("a resource");
        builder.set_scope(&Scope::default().encode()).expect("a scope");
        if let Some(status) = entry.status {
            let status = Value::Int(status);
            builder.attributes.push("http.status_code", |out| status.encode(out)).expect("pushed");
        }
        let body = entry.body.to_bytes();
        let fields = LogFields {
            time_ns: NOW_NS - entry.minutes_ago * MINUTE_NS,
            severity_number: entry.severity.0,
            severity_text: entry.severity.1,
            body: Some(&body),
            trace_id: entry.trace.map(|n| [n; 16]),
            ..LogFields::default()
        };
        builder.push(&fields).expect("a record");
    }
    Batch::Logs(builder.finish().expect("a batch"))
}

pub async fn shop() -> Server {
    let server = Server::start().await;
    server.append(Signal::Logs, batch(&entries())).await;
    server
}

fn recorded(folder: &str, least: usize) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests").join(folder);
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= least, "{}", files.len());
    files
}

/// The file of a recorded request with the answer that the request has now.
async fn answered(server: &Server, recorded: &Json) -> Json {
    let line = recorded["request"].as_str().expect("a request");
    let mut request = match line.strip_prefix("POST ") {
        Some(path) => Request::post(path),
        None => Request::get(line),
    };
    for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().expect("text"));
    }
    // A list is one document a line; a form is a text.
    let body = match &recorded["body"] {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        Json::Array(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
        body => body.to_string(),
    };
    let answer = server.ask(request.body(Body::from(body)).expect("valid")).await;
    let mut body = match answer.header("content-type") {
        "application/json" => answer.json(),
        _ => json!(answer.text()),
    };
    let data = body.get_mut("data").and_then(Json::as_object_mut);
    if let Some(stats) = data.and_then(|data| data.remove("stats")) {
        assert!(stats["summary"]["execTime"].is_number(), "{stats}");
        assert!(stats["ingester"].is_object() && stats["querier"].is_object(), "{stats}");
    }
    // Records that are not flushed are in no chunk.
    if let Some(chunks) = body.get_mut("chunks") {
        assert!(chunks.take().is_u64());
    }
    forget_took(&mut body);
    let mut found = recorded.clone();
    (found["status"], found["answer"]) = (json!(answer.status.as_u16()), body);
    found
}

// Milliseconds that a search took.
fn forget_took(body: &mut Json) {
    let Some(body) = body.as_object_mut() else { return };
    if let Some(took) = body.remove("took") {
        assert!(took.is_u64());
    }
    let responses = body.get_mut("responses").and_then(Json::as_array_mut);
    responses.into_iter().flatten().for_each(forget_took);
}

/// Asks all requests of a folder, which has so many at least.
pub async fn check(folder: &str, least: usize, server: &Server, stage: &str) {
    for file in recorded(folder, least) {
        let expected = std::fs::read_to_string(&file).expect("readable");
        let expected: Json = serde_json::from_str(&expected).expect("JSON");
        let found = answered(server, &expected).await;
        if std::env::var_os(UPDATE).is_some() {
            let mut text = serde_json::to_string_pretty(&found).expect("serialises");
            text.push('\n');
            std::fs::write(&file, text).expect("written");
        } else {
            assert_eq!(found, expected, "{stage}: {}", file.display());
        }
    }
}
