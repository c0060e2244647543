//! The requests of Grafana's Loki source, of Logs Drilldown and of logcli, recorded, over a small shop.
//!
//! Each file in `loki/` has a request, with headers where they matter, and its whole answer but for the
//! statistics. Set `THROUGHLINE_UPDATE_GOLDEN` to write the answers anew, and read what changed.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use serde_json::{Value as Json, json};
use throughline_model::log_record::{LogBatchBuilder, LogFields};
use throughline_model::origin::Resource;
use tokio::net::TcpStream;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::log_tail::{serve, stop};
use super::*;

const UPDATE: &str = "THROUGHLINE_UPDATE_GOLDEN";
const MINUTE_NS: i64 = 60_000_000_000;

struct Entry {
    service: &'static str,
    minutes_ago: i64,
    severity: (i32, &'static str),
    body: Value,
    trace: Option<u8>,
    status: Option<i64>,
}

fn entries() -> Vec<Entry> {
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

fn batch(entries: &[Entry]) -> Batch {
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

async fn shop() -> Server {
    let server = Server::start().await;
    server.append(Signal::Logs, batch(&entries())).await;
    server
}

fn recorded() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/loki");
    let files = std::fs::read_dir(folder).expect("a folder");
    let mut files: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(files.len() >= 40, "{}", files.len());
    files
}

/// The file of a recorded request with the answer that the request has now.
async fn answered(server: &Server, recorded: &Json) -> Json {
    let mut request = Request::get(recorded["request"].as_str().expect("a request"));
    for (name, value) in recorded["headers"].as_object().into_iter().flatten() {
        request = request.header(name, value.as_str().expect("text"));
    }
    let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
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
    let mut found = recorded.clone();
    (found["status"], found["answer"]) = (json!(answer.status.as_u16()), body);
    found
}

async fn check(server: &Server, stage: &str) {
    for file in recorded() {
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

#[tokio::test]
async fn recorded_requests_have_their_answers() {
    let server = shop().await;
    check(&server, "heads").await;
    server.store.flush().await.expect("flushed");
    check(&server, "flushed").await;
    server.stop().await;
}

#[tokio::test]
async fn a_form_in_the_body_asks_the_same() {
    let server = shop().await;
    let form = "query=%7Bservice_name%3D%22cart%22%7D+%7C%3D+%22socks%22&limit=10";
    let address = "/loki/api/v1/query_range";
    let by_address = server.json(&format!("{address}?{form}")).await;
    let request = Request::post(address)
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("x-scope-orgid", "anyone");
    let by_form = server.ask(request.body(Body::from(form)).expect("valid")).await.json();
    assert_eq!(by_form["data"]["result"], by_address["data"]["result"]);
    assert_eq!(by_form["data"]["result"].as_array().map(Vec::len), Some(2), "{by_form}");
    server.stop().await;
}

#[tokio::test]
async fn a_tail_begins_with_the_past_and_goes_on() {
    let server = shop().await;
    let (address, serving) = serve(&server).await;
    let path =
        "/loki/api/v1/tail?query=%7Bservice_name%3D%22cart%22%7D%20%7C%3D%20%22stock%22&limit=50";
    let open = format!("ws://{address}{path}").into_client_request().expect("a request");
    let stream = TcpStream::connect(address).await.expect("connects");
    let (mut socket, _) = client_async(open, stream).await.expect("a WebSocket");
    let mut next = async || loop {
        let message = socket.next().await.expect("a message").expect("reads");
        if let Message::Text(text) = message {
            break serde_json::from_str::<Json>(text.as_str()).expect("JSON");
        }
    };
    let past = next().await;
    let lines = |message: &Json| -> Vec<String> {
        let streams = message["streams"].as_array().expect("streams").iter();
        let values = streams.flat_map(|stream| stream["values"].as_array().expect("values"));
        values.map(|value| value[1].as_str().expect("a line").to_owned()).collect()
    };
    let mut found = lines(&past);
    found.sort();
    assert_eq!(found, ["level=warn msg=\"low stock\" left=3", "no stock of socks"]);
    let mut more = entries();
    for entry in &mut more {
        entry.minutes_ago = 0;
    }
    more[2].body = text("no stock of hats");
    server.append(Signal::Logs, batch(&more[1..3])).await;
    let now = next().await;
    assert_eq!(lines(&now), ["no stock of hats"]);
    let labels = &now["streams"][0]["stream"];
    assert_eq!(labels["service_name"], "cart");
    assert_eq!(labels["trace_id"], "01010101010101010101010101010101");

    let plain = server.get(path).await;
    assert_eq!(plain.status, StatusCode::BAD_REQUEST);
    stop(server, serving).await;
}
