//! Logs as Loki's and Splunk's senders push them to the real server: what comes back by SQL, fresh and after
//! `kill -9`, what is refused, and the ports and tokens in front of it.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::harness::Server;
use crate::harness::client::Row;

const TIME_NS: i64 = 1_795_176_000_000_000_000;
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A field of a protobuf message: bytes behind their length.
fn nested(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    out.extend(varint(content.len() as u64));
    out.extend(content);
    out
}

fn varint(mut number: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

/// An entry of Loki's with structured metadata.
fn entry(time_ns: i64, line: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    let seconds = [vec![8], varint((time_ns / 1_000_000_000) as u64)].concat();
    let nanos = [vec![16], varint((time_ns % 1_000_000_000) as u64)].concat();
    let mut out = [nested(1, &[seconds, nanos].concat()), nested(2, line.as_bytes())].concat();
    for (name, value) in metadata {
        out.extend(nested(3, &[nested(1, name.as_bytes()), nested(2, value.as_bytes())].concat()));
    }
    out
}

/// A `PushRequest` of one stream, in a block of snappy.
fn push(labels: &str, entries: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> = entries.iter().flat_map(|entry| nested(2, entry)).collect();
    let request = nested(1, &[nested(1, labels.as_bytes()), entries].concat());
    snap::raw::Encoder::new().compress_vec(&request).expect("in memory")
}

fn gzip(body: &str) -> Vec<u8> {
    let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    writer.write_all(body.as_bytes()).and_then(|()| writer.finish()).expect("in memory")
}

async fn post(
    url: impl reqwest::IntoUrl,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> (u16, String) {
    let mut request = reqwest::Client::new().post(url).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

const ROWS: &str = "SELECT time, severity_number, severity_text, body, trace_id, span_id, service_name, \
    attributes, resource_attributes FROM logs ORDER BY body";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_loki_is_sent_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [("THROUGHLINE_LOKI_ADDRESS", "127.0.0.1:0"), ("THROUGHLINE_FLUSH_AGE", "1h")];
    let server = Server::start_with(folder.path(), &settings).await;
    push_to_loki(&server).await;
    loki_is_refused(&server).await;
    let rows = server.client.sql(ROWS).await;
    assert_eq!(cells(&rows), loki_rows());
    for (row, nanos) in rows.iter().zip(0..) {
        assert_eq!(row["time"], format!("2026-11-20T12:00:00.{nanos:09}Z"), "{row:?}");
    }
    server.kill().await;
    let server = Server::start(folder.path()).await;
    assert_eq!(server.client.sql(ROWS).await, rows, "out of the log");
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    server.settle().await;
    assert_eq!(server.client.sql(ROWS).await, rows, "settled");
}

/// Five entries in every form, one of them twice, and one that cannot be kept.
async fn push_to_loki(server: &Server) {
    let own = format!("http://{}/loki/api/v1/push", server.address("loki"));
    let api = format!("http://{}/loki/api/v1/push", server.client.api);
    let old = format!("http://{}/api/prom/push", server.client.api);
    let protobuf = [("content-type", "application/x-protobuf"), ("x-scope-orgid", "team-a")];
    let json_gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let json = [("content-type", "application/json")];
    let taken = (204, String::new());

    let fields = [
        ("trace_id", TRACE),
        ("span_id", "b7ad6b7169203331"),
        ("detected_level", "warn"),
        ("user", "u1"),
    ];
    let body = push(
        r#"{app="shop", k8s_pod_name="p-1"}"#,
        &[entry(TIME_NS, "1 first", &fields), entry(TIME_NS + 1, "2 second", &[])],
    );
    assert_eq!(post(own.clone(), &protobuf, body.clone()).await, taken);
    assert_eq!(post(api.clone(), &protobuf, body).await, taken, "a retry counts once");
    let streams = json!({ "streams": [{
        "stream": { "service_name": "cart", "level": "error", "env": "prod" },
        "values": [[(TIME_NS + 2).to_string(), "3 third", { "code": "7" }]],
    }] });
    assert_eq!(post(api.clone(), &json_gzip, gzip(&streams.to_string())).await, taken);
    let streams = json!({ "streams": [{ "labels": "{job=\"old\"}", "entries": [
        { "ts": "2026-11-20T12:00:00.000000003Z", "line": "4 fourth" },
    ] }] });
    assert_eq!(post(old, &json, streams.to_string()).await, taken);
    let streams = json!({ "streams": [{ "stream": {}, "values": [
        [(TIME_NS + 4).to_string(), "5 fifth"], ["99999999999999999999", "never"],
    ] }] });
    let (status, told) = post(api.clone(), &json, streams.to_string()).await;
    assert_eq!(status, 400);
    assert!(told.contains("entries[1]: time 99999999999999999999 exceeds"), "{told}");
}

async fn loki_is_refused(server: &Server) {
    let url = format!("http://{}/loki/api/v1/push", server.client.api);
    let protobuf = [("content-type", "application/x-protobuf")];
    let json = [("content-type", "application/json")];
    for (headers, body, part) in [
        (&protobuf[..], b"\x04nothing".to_vec(), "malformed snappy body"),
        (
            &json[..],
            b"{\"streams\": [7".to_vec(),
            "malformed JSON: EOF while parsing a list at line 1 column 14",
        ),
        (&json[..], b"{\"streams\": [7]}".to_vec(), "streams[0]: invalid type: integer `7`"),
    ] {
        let (status, told) = post(url.clone(), headers, body).await;
        assert_eq!(status, 400, "{told}");
        assert!(told.contains(part), "{told}");
    }
}

/// The rows that these are, by the columns of [`cells`].
fn loki_rows() -> Vec<Value> {
    vec![
        json!(["1 first", 13, "warn", TRACE, "b7ad6b7169203331", "shop", { "user": "u1" },
               { "app": "shop", "k8s.pod.name": "p-1", "service.name": "shop" }]),
        json!(["2 second", 0, "", null, null, "shop", {},
               { "app": "shop", "k8s.pod.name": "p-1", "service.name": "shop" }]),
        json!(["3 third", 17, "error", null, null, "cart", { "code": "7" },
               { "env": "prod", "level": "error", "service.name": "cart" }]),
        json!(["4 fourth", 0, "", null, null, "old", {}, { "job": "old", "service.name": "old" }]),
        json!(["5 fifth", 0, "", null, null, "unknown_service", {}, {}]),
    ]
}

fn cells(rows: &[Row]) -> Vec<Value> {
    let cells = |row: &Row| {
        json!([
            row["body"],
            row["severity_number"],
            row["severity_text"],
            row["trace_id"],
            row["span_id"],
            row["service_name"],
            row["attributes"],
            row["resource_attributes"],
        ])
    };
    rows.iter().map(cells).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_splunk_is_sent_comes_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = [
        ("THROUGHLINE_SPLUNK_ADDRESS", "127.0.0.1:0"),
        ("THROUGHLINE_FLUSH_AGE", "1h"),
        ("THROUGHLINE_AUTH_TOKENS", "secret"),
    ];
    let server = Server::spawn(folder.path(), &settings);
    let own = format!("http://{}/services/collector", server.address("splunk"));
    let api = format!("http://{}/services/collector", server.client.api);
    let health = format!("{own}/health/1.0");
    crate::harness::server::wait_until("healthy", || async {
        let answer = reqwest::get(&health).await.expect("an answer");
        answer.status().as_u16() == 200 && answer.text().await.is_ok_and(|text| text.contains("17"))
    })
    .await;
    send_to_splunk(&own, &api).await;
    splunk_is_refused(&own, &api).await;
    server.kill().await;

    // Out of the log, and by a client that carries no token.
    let server = Server::start(folder.path()).await;
    let rows = server.client.sql(ROWS).await;
    let times: Vec<_> = rows.iter().map(|row| row["time"].clone()).collect();
    let seconds = ["01.000", "02.000", "03.000", "03.000", "03.500", "04.000", "00.250"];
    assert_eq!(times, seconds.map(|second| format!("2026-11-20T12:00:{second}000000Z")));
    assert_eq!(cells(&rows), splunk_rows());
    assert!(server.stop().await, "it stops well");
    let server = Server::start(folder.path()).await;
    server.settle().await;
    assert_eq!(server.client.sql(ROWS).await, rows, "settled");
}

const TOKEN: (&str, &str) = ("authorization", "Splunk secret");

fn answered((status, text): (u16, String)) -> (u16, Value) {
    (status, serde_json::from_str(&text).unwrap_or_else(|err| panic!("{err} in {text}")))
}

/// Seven events in every form, one request twice, and an event that cannot be kept.
async fn send_to_splunk(own: &str, api: &str) {
    let taken = (200, json!({ "text": "Success", "code": 0 }));
    let events = json!({ "time": 1_795_176_000.25, "host": "web-1", "source": "app.log", "sourcetype": "_json",
        "index": "main", "event": { "message": "1 first", "n": 3 }, "fields": { "region": "eu", "level": "error" } });
    let events = format!("{events}{}", json!({ "time": "1795176001", "event": "2 second" }));
    assert_eq!(answered(post(format!("{own}/event"), &[TOKEN], events.clone()).await), taken);
    assert_eq!(
        answered(post(format!("{own}/event"), &[TOKEN], events).await),
        taken,
        "a retry counts once"
    );
    let packed =
        gzip("{\"event\":\"3 third\",\"time\":1795176002,\"fields\":{\"service.name\":\"cart\"}}");
    let headers = [TOKEN, ("content-encoding", "gzip")];
    assert_eq!(answered(post(api, &headers, packed).await), taken);
    let raw = format!("{api}/raw?host=db-1&sourcetype=pg&time=1795176003");
    assert_eq!(answered(post(raw, &[TOKEN], "4 fourth\r\n\n5 fifth").await), taken);
    let raw = format!("{own}/raw?source=x&time=1795176003.5");
    assert_eq!(answered(post(raw, &headers, gzip("6 sixth")).await), taken);
    let mixed = r#"{"event":"7 seventh","time":1795176004}{"time":1}"#;
    let (status, told) = answered(post(own, &[TOKEN], mixed).await);
    assert_eq!(
        (status, &told["code"], &told["invalid-event-number"]),
        (400, &json!(12), &json!(1)),
        "{told}"
    );
}

async fn splunk_is_refused(own: &str, api: &str) {
    let (status, told) = answered(post(own, &[TOKEN], "{\"event\": ").await);
    assert_eq!(
        (status, &told["text"], &told["code"]),
        (400, &json!("Invalid data format"), &json!(6)),
        "{told}"
    );
    for url in [own, api] {
        let (status, told) = answered(post(url, &[("authorization", "Splunk wrong")], "{}").await);
        assert_eq!((status, &told["code"]), (401, &json!(3)), "{told}");
    }
}

/// The rows that these are, by the columns of [`cells`].
fn splunk_rows() -> Vec<Value> {
    let unknown = "unknown_service";
    let first = json!({
        "host.name": "web-1",
        "com.splunk.source": "app.log",
        "com.splunk.sourcetype": "_json",
        "com.splunk.index": "main",
    });
    let lines = json!({ "host.name": "db-1", "com.splunk.sourcetype": "pg" });
    let plain = |body: &str, service: &str, resource: Value| {
        json!([body, 0, "", null, null, service, {}, resource])
    };
    vec![
        plain("2 second", unknown, json!({})),
        plain("3 third", "cart", json!({ "service.name": "cart" })),
        plain("4 fourth", unknown, lines.clone()),
        plain("5 fifth", unknown, lines),
        plain("6 sixth", unknown, json!({ "com.splunk.source": "x" })),
        plain("7 seventh", unknown, json!({})),
        json!(["{\"message\":\"1 first\",\"n\":3}", 17, "error", null, null, unknown, { "level": "error", "region": "eu" }, first]),
    ]
}
