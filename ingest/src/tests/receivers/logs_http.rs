//! What Loki's and Splunk's senders over HTTP are answered.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use throughline_model::Signal;
use throughline_storage::Encoding;
use tower::ServiceExt;

use super::logs::loki;
use crate::tests::fixture::{Fixture, NOW_NS, compress, limits};
use crate::{IngestLimits, Ingester, loki_routes, own_port, splunk_routes};

const PUSH: &str = "/loki/api/v1/push";
const EVENTS: &str = "/services/collector/event";
const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

async fn post(
    ingester: &Ingester,
    path: &str,
    content_type: &str,
    encoding: &str,
    body: impl Into<Bytes>,
) -> (u16, String, HeaderMap) {
    let mut request = http::Request::post(path);
    for (name, value) in [(CONTENT_TYPE, content_type), (CONTENT_ENCODING, encoding)] {
        if !value.is_empty() {
            request = request.header(name, value);
        }
    }
    let request = request.body(Body::from(body.into())).expect("valid");
    let router = own_port(loki_routes(ingester.clone()).merge(splunk_routes(ingester.clone())));
    let (head, body) = router.oneshot(request).await.expect("infallible").into_parts();
    let body = body.collect().await.expect("in memory").to_bytes();
    (head.status.as_u16(), String::from_utf8(body.to_vec()).expect("text"), head.headers)
}

fn push(line: &str) -> Vec<u8> {
    loki::push(r#"{app="x"}"#, vec![loki::entry(NOW_NS, line)])
}

fn push_json(line: &str) -> Vec<u8> {
    let values = json!([[NOW_NS.to_string(), line]]);
    json!({ "streams": [{ "stream": { "app": "x" }, "values": values }] }).to_string().into()
}

#[tokio::test]
async fn loki_takes_every_encoding() {
    let fixture = Fixture::new().await;
    let snappy = |body: &[u8]| compress(Encoding::Snappy, body);
    let cases: Vec<(&str, &str, &str, Bytes)> = vec![
        (PUSH, PROTOBUF, "", snappy(&push("1"))),
        (PUSH, PROTOBUF, "snappy", snappy(&push("2"))),
        (PUSH, "", "", snappy(&push("3"))),
        ("/api/prom/push", PROTOBUF, "", snappy(&push("4"))),
        (PUSH, JSON, "", push_json("5").into()),
        (
            PUSH,
            "application/json; charset=utf-8",
            "gzip",
            compress(Encoding::Gzip, &push_json("6")),
        ),
        (PUSH, JSON, "deflate", compress(Encoding::Deflate, &push_json("7"))),
        (PUSH, JSON, "snappy", snappy(&push_json("8"))),
    ];
    for (path, content_type, encoding, body) in &cases {
        for _ in 0..2 {
            let (status, text, _) =
                post(&fixture.ingester, path, content_type, encoding, body.clone()).await;
            assert_eq!((status, text.as_str()), (204, ""), "{path} {content_type} {encoding}");
        }
    }
    assert_eq!(fixture.rows(Signal::Logs), cases.len());
    assert_eq!(fixture.ingester.room().bytes_taken(), 0);
}

#[tokio::test]
async fn loki_says_what_is_wrong() {
    let fixture = Fixture::new().await;
    let large = compress(Encoding::Snappy, &vec![b' '; limits().body_bytes_max + 1]);
    let labels = loki::push("{a}", vec![loki::entry(1, "a")]);
    let cases: Vec<(&str, &str, Bytes, u16, &str)> = vec![
        (PROTOBUF, "", push("a").into(), 400, "malformed snappy body"),
        (PROTOBUF, "", compress(Encoding::Snappy, b"\xff\xff"), 400, "malformed protobuf"),
        (
            PROTOBUF,
            "",
            compress(Encoding::Snappy, &labels),
            400,
            "entries[0]: labels: '=' expected at byte 2",
        ),
        (PROTOBUF, "", large, 413, "the limit is 3145728"),
        (PROTOBUF, "gzip", Bytes::from_static(b"x"), 415, "'gzip' is not supported with protobuf"),
        (JSON, "br", Bytes::from_static(b"{}"), 415, "content-encoding 'br' is not supported"),
        (JSON, "", Bytes::from_static(b"[{"), 400, "malformed JSON"),
        ("text/plain", "", Bytes::from_static(b"x"), 415, "'text/plain' is not supported"),
    ];
    for (content_type, encoding, body, status, part) in cases {
        let (got, text, _) = post(&fixture.ingester, PUSH, content_type, encoding, body).await;
        assert_eq!(got, status, "{part}: {text}");
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(fixture.rows(Signal::Logs), 0);
    // Of an accepted body, the same is told each time.
    let mixed = r#"{"streams":[{"stream":{},"values":[["1","a"],["-1","b"]]}]}"#;
    for _ in 0..2 {
        let (status, text, _) = post(&fixture.ingester, PUSH, JSON, "", mixed).await;
        assert_eq!(status, 400);
        let told = "1 entries refused, the others kept: entries[1]: time -1 is below 0";
        assert!(text.starts_with(told), "{text}");
    }
    assert_eq!(fixture.rows(Signal::Logs), 1);
}

async fn answers(fixture: &Fixture, cases: Vec<(&str, &str, Bytes, u16, Value)>) {
    for (path, encoding, body, status, expected) in cases {
        let path = format!("/services/collector{path}");
        let (got, text, _) = post(&fixture.ingester, &path, "", encoding, body.clone()).await;
        assert_eq!(got, status, "{path} {body:?}: {text}");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&answer[key], value, "{path} {body:?}: {text}");
        }
    }
}

fn raw(text: &str) -> Bytes {
    text.to_owned().into()
}

#[tokio::test]
async fn splunk_takes_events_and_lines() {
    let fixture = Fixture::new().await;
    let taken = || json!({ "text": "Success", "code": 0 });
    let gzip = |text: &[u8]| compress(Encoding::Gzip, text);
    let cases: Vec<(&str, &str, Bytes, u16, Value)> = vec![
        ("/event", "", raw(r#"{"event":"1"}"#), 200, taken()),
        ("", "gzip", gzip(br#"{"event":"2"}"#), 200, taken()),
        ("/event/1.0", "", raw(r#"{"event":"3"}"#), 200, taken()),
        ("/raw?host=a&source=b", "", raw("4\n5"), 200, taken()),
        ("/raw?host=b", "", raw("4\n5"), 200, taken()),
        ("/raw/1.0?host=c%20d", "gzip", gzip(b"6"), 200, taken()),
        ("/raw", "zstd", compress(Encoding::Zstd, b"7"), 200, taken()),
    ];
    answers(&fixture, cases).await;
    assert_eq!(fixture.rows(Signal::Logs), 9);
}

#[tokio::test]
async fn splunk_is_refused_in_its_words() {
    let fixture = Fixture::new().await;
    let says = |code: u32, text: &str| json!({ "text": text, "code": code });
    let of = |number: u32, code: u32| json!({ "code": code, "invalid-event-number": number });
    let large = vec![b' '; limits().body_bytes_max + 1];
    let no_event = r#"{"event":"a"}{"event":"#;
    let kept = r#"{"event":"kept"}{"event":"b","time":-1}"#;
    let cases: Vec<(&str, &str, Bytes, u16, Value)> = vec![
        ("/raw", "deflate", compress(Encoding::Deflate, b"8"), 415, json!({ "code": 6 })),
        ("/raw", "", raw(""), 400, says(5, "No data")),
        ("/raw", "", raw("\n \n"), 400, says(5, "No data")),
        ("/raw?time=x", "", raw("9"), 400, says(6, "Invalid data format")),
        ("/event", "", raw(""), 400, says(5, "No data")),
        ("/event", "", raw("{"), 400, of(0, 6)),
        ("/event", "", raw(no_event), 400, of(1, 6)),
        ("/event", "", raw(r#"{"host":"a"}"#), 400, says(12, "Event field is required")),
        ("/event", "", raw(r#"{"event":""}"#), 400, says(13, "Event field cannot be blank")),
        ("/event", "", raw(r#"{"event":"a","fields":1}"#), 400, of(0, 15)),
        ("/event", "", raw(kept), 400, of(1, 6)),
        ("/event", "", large.into(), 413, json!({ "code": 27 })),
        ("/ack", "", raw("{}"), 400, says(14, "ACK is disabled")),
    ];
    answers(&fixture, cases).await;
    assert_eq!(fixture.rows(Signal::Logs), 1);
}

#[tokio::test]
async fn what_says_no_time_is_no_repetition_later() {
    let fixture = Fixture::new().await;
    let bodies = [
        ("/services/collector/raw", "beat", 2),
        ("/services/collector/raw?time=5", "beat", 1),
        (EVENTS, r#"{"event":"beat"}"#, 2),
        (EVENTS, r#"{"event":"beat","time":5}"#, 1),
    ];
    let mut rows = 0;
    for (path, body, more) in bodies {
        for _ in 0..2 {
            let (status, text, _) = post(&fixture.ingester, path, "", "", body).await;
            assert_eq!(status, 200, "{text}");
            fixture.clock.advance_ns(1_000);
        }
        rows += more;
        assert_eq!(fixture.rows(Signal::Logs), rows, "{path} {body}");
    }
}

#[tokio::test]
async fn splunk_is_told_when_to_come_back_and_that_all_is_well() {
    let small = IngestLimits { tenant_bytes_per_second: 1, tenant_burst_bytes: 1, ..limits() };
    let fixture = Fixture::with(small).await;
    let (status, _, _) = post(&fixture.ingester, EVENTS, "", "", r#"{"event":"1"}"#).await;
    assert_eq!(status, 200);
    let (status, text, headers) = post(&fixture.ingester, EVENTS, "", "", r#"{"event":"2"}"#).await;
    assert_eq!((status, headers.contains_key(RETRY_AFTER)), (429, true), "{text}");
    for path in ["/services/collector/health", "/services/collector/health/1.0"] {
        let request = http::Request::get(path).body(Body::empty()).expect("valid");
        let answer = splunk_routes(fixture.ingester.clone()).oneshot(request).await;
        let body = answer.expect("infallible").into_body().collect().await.expect("in memory");
        let answer: Value = serde_json::from_slice(&body.to_bytes()).expect("JSON");
        assert_eq!(answer, json!({ "text": "HEC is healthy", "code": 17 }));
    }
}
