//! What shippers for Elasticsearch are answered.

use axum::body::Body;
use http::header::{CONTENT_ENCODING, RETRY_AFTER};
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value as Json, json};
use throughline_model::{Signal, Value};
use throughline_storage::{Encoding, Format};
use tower::ServiceExt;

use super::records;
use crate::decode::decode_inflated;
use crate::tests::fixture::{Fixture, NOW_NS, compress, limits};
use crate::{IngestLimits, Ingester, elasticsearch_routes};

struct Answer {
    status: StatusCode,
    retry_after: Option<String>,
    json: Json,
}

async fn ask(
    ingester: &Ingester,
    method: Method,
    path: &str,
    encoding: &str,
    body: impl Into<Body>,
) -> Answer {
    let mut request = http::Request::builder().method(method).uri(path);
    if !encoding.is_empty() {
        request = request.header(CONTENT_ENCODING, encoding);
    }
    let routes = elasticsearch_routes(ingester.clone(), &["", "/elasticsearch"]);
    let request = request.body(body.into()).expect("valid");
    let (head, body) = routes.oneshot(request).await.expect("infallible").into_parts();
    assert_eq!(head.headers["x-elastic-product"], "Elasticsearch", "{path}");
    let body = body.collect().await.expect("in memory").to_bytes();
    let json = serde_json::from_slice(&body).unwrap_or_default();
    let retry_after = head.headers.get(RETRY_AFTER);
    let retry_after = retry_after.map(|value| value.to_str().expect("text").to_owned());
    Answer { status: head.status, retry_after, json }
}

async fn post(ingester: &Ingester, path: &str, body: impl Into<Body>) -> Answer {
    ask(ingester, Method::POST, path, "", body).await
}

/// A bulk of one document for each text.
fn bulk(messages: &[&str]) -> String {
    let line = |message: &&str| format!("{{\"create\":{{}}}}\n{}\n", json!({ "message": message }));
    messages.iter().map(line).collect()
}

#[tokio::test]
async fn shippers_are_greeted() {
    let fixture = Fixture::new().await;
    let ingester = &fixture.ingester;
    let (get, head, put) = (Method::GET, Method::HEAD, Method::PUT);
    for path in ["/", "/elasticsearch", "/elasticsearch/"] {
        let answer = ask(ingester, get.clone(), path, "", "").await;
        assert_eq!(answer.json["version"]["number"], "8.17.0", "{path}");
        assert_eq!(answer.json["tagline"], "You Know, for Search", "{path}");
        let answer = ask(ingester, head.clone(), path, "", "").await;
        assert_eq!((answer.status, answer.json), (StatusCode::OK, Json::Null), "{path}");
    }
    let answer = ask(ingester, get.clone(), "/_license", "", "").await;
    assert_eq!(answer.json["license"]["status"], "active");
    assert_eq!(answer.json["license"]["type"], "basic");
    for path in [
        "/_ilm/policy/filebeat",
        "/_index_template/filebeat-8.17.0",
        "/_component_template/logs@custom",
        "/_template/x",
        "/_ingest/pipeline/y",
        "/_nodes/http",
        "/_logstash/pipeline",
        "/_data_stream/logs",
        "/elasticsearch/_ilm/policy/filebeat",
    ] {
        let answer = ask(ingester, get.clone(), path, "", "").await;
        assert_eq!((answer.status, answer.json), (StatusCode::OK, json!({})), "{path}");
        let answer = ask(ingester, put.clone(), path, "", "{}").await;
        assert_eq!(answer.json, json!({ "acknowledged": true }), "{path}");
    }
    for path in ["/_cluster/health", "/_cat/indices?format=json", "/_cat/health", "/logs-x"] {
        assert_eq!(ask(ingester, get.clone(), path, "", "").await.status, StatusCode::OK, "{path}");
    }
    let unknown = ask(ingester, get, "/x/_search", "", "").await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    assert_eq!(
        unknown.json["error"]["reason"],
        "no handler found for uri [/x/_search] and method [GET]"
    );
}

#[tokio::test]
async fn every_item_gets_its_result() {
    let fixture = Fixture::new().await;
    let body = concat!(
        "{\"create\":{\"_index\":\"a\"}}\n{\"message\":\"good\"}\n",
        "{\"index\":{\"_id\":\"7\"}}\n\"no object\"\n",
        "{\"delete\":{\"_id\":\"8\"}}\n",
        "{\"update\":{\"_id\":\"9\"}}\n{\"doc\":{}}\n",
        "{\"index\":{\"_id\":\"10\"}}\n{}\n",
    );
    let answer = post(&fixture.ingester, "/of-path/_bulk", body).await;
    assert_eq!((answer.status, &answer.json["errors"]), (StatusCode::OK, &json!(true)));
    let expected = [
        ("create", "a", 201),
        ("index", "of-path", 400),
        ("delete", "of-path", 400),
        ("update", "of-path", 400),
        ("index", "of-path", 201),
    ];
    let items = answer.json["items"].as_array().expect("items");
    assert_eq!(items.len(), expected.len());
    for (item, (verb, index, status)) in items.iter().zip(expected) {
        let result = &item[verb];
        assert_eq!((&result["_index"], &result["status"]), (&json!(index), &json!(status)));
        assert_eq!(result["error"].is_object(), status != 201, "{result}");
    }
    assert_eq!(items[0]["create"]["_id"].as_str().expect("an id").len(), 20);
    assert_eq!(items[4]["index"]["_id"], "10");
    let reason = items[1]["index"]["error"]["reason"].as_str().expect("a reason");
    assert!(reason.starts_with("the document is no JSON object"), "{reason}");
    assert_eq!(fixture.rows(Signal::Logs), 2);
    // Sent again, the answer is the same and nothing is stored twice.
    let again = post(&fixture.ingester, "/of-path/_bulk", body).await;
    assert_eq!(again.json["items"], answer.json["items"]);
    assert_eq!(fixture.rows(Signal::Logs), 2);
    // All refused is an answer too, and the same body elsewhere is another.
    let refused = post(&fixture.ingester, "/_bulk", "{\"create\":{}}\n1\n").await;
    assert_eq!((refused.status, &refused.json["errors"]), (StatusCode::OK, &json!(true)));
    let elsewhere = post(&fixture.ingester, "/other/_bulk", body).await;
    assert_eq!(elsewhere.json["errors"], true);
    assert_eq!(fixture.rows(Signal::Logs), 4);
}

#[tokio::test]
async fn bodies_come_compressed_and_with_an_index_in_the_path() {
    let fixture = Fixture::new().await;
    let encodings = [
        ("", Encoding::Identity),
        ("gzip", Encoding::Gzip),
        ("zstd", Encoding::Zstd),
        ("deflate", Encoding::Deflate),
    ];
    for (place, (name, encoding)) in encodings.into_iter().enumerate() {
        for (path, deflate_works) in
            [("/_bulk", true), ("/logs/_bulk", false), ("/logs/doc/_bulk", false)]
        {
            let before = fixture.rows(Signal::Logs);
            let text = format!("{name} {path}");
            let body = compress(encoding, bulk(&[&text, "second"]).as_bytes());
            let put = if place % 2 == 0 { Method::POST } else { Method::PUT };
            let answer = ask(&fixture.ingester, put, path, name, body).await;
            if name == "deflate" && !deflate_works {
                assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
                continue;
            }
            assert_eq!((answer.status, &answer.json["errors"]), (StatusCode::OK, &json!(false)));
            assert_eq!(answer.json["items"].as_array().expect("items").len(), 2, "{text}");
            assert_eq!(fixture.rows(Signal::Logs), before + 2, "{text}");
        }
    }
}

#[tokio::test]
async fn documents_come_alone() {
    let fixture = Fixture::new().await;
    let ingester = &fixture.ingester;
    let document = "{\n  \"message\": \"over lines\"\n}\n";
    let created = post(ingester, "/logs/_doc", document).await;
    assert_eq!((created.status, &created.json["result"]), (StatusCode::CREATED, &json!("created")));
    for (method, path) in [
        (Method::PUT, "/logs/_doc/1"),
        (Method::POST, "/logs/_create/2"),
        (Method::PUT, "/elasticsearch/logs/_create/3"),
    ] {
        let answer = ask(ingester, method, path, "", document).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{path}");
        assert!(path.ends_with(answer.json["_id"].as_str().expect("an id")), "{path}");
    }
    assert_eq!(fixture.rows(Signal::Logs), 4);
    let refused = post(ingester, "/logs/_doc", "[1]").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert_eq!(refused.json["error"]["type"], "document_parsing_exception");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let limits = IngestLimits { tenant_bytes_per_second: 100, tenant_burst_bytes: 100, ..limits() };
    let fixture = Fixture::with(limits).await;
    let ingester = &fixture.ingester;
    for body in ["", "no json\n{}\n", "{\"create\":{}}\n{}\n{}\n{}\n"] {
        let refused = post(ingester, "/_bulk", body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(refused.json["status"], 400, "{body}");
        assert_eq!(refused.json["error"]["type"], "illegal_argument_exception", "{body}");
    }
    let long_index = format!("/{}/_bulk", "x".repeat(256));
    let refused = post(ingester, &long_index, "{\"create\":{}}\n{}\n").await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let large = " ".repeat(4 << 20);
    assert_eq!(post(ingester, "/_bulk", large).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let long = "x".repeat(200);
    post(ingester, "/_bulk", bulk(&[&long])).await;
    let refused = post(ingester, "/_bulk", bulk(&["more"])).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.json["error"]["type"], "es_rejected_execution_exception");
    assert!(refused.retry_after.is_some());
    assert_eq!(fixture.rows(Signal::Logs), 1);
}

#[tokio::test]
async fn items_are_bounded() {
    let fixture = Fixture::new().await;
    let body = "{\"index\":{}}\n1\n".repeat((1 << 17) + 1);
    let body = compress(Encoding::Gzip, body.as_bytes());
    let refused = ask(&fixture.ingester, Method::POST, "/_bulk", "gzip", body).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    let reason = refused.json["error"]["reason"].as_str().expect("a reason");
    assert!(reason.contains("more than 131072 items"), "{reason}");
}

#[tokio::test]
async fn what_large_documents_become_is_bounded() {
    let decode = |document: &str| {
        let body = format!("{{\"create\":{{}}}}\n{document}\n");
        let format = Format::ElasticsearchBulk;
        let decoded = decode_inflated(Signal::Logs, format, body.as_bytes(), NOW_NS);
        records(&decoded.expect("well-formed")).pop()
    };
    let list = vec!["0"; 1 << 20].join(",");
    let large = decode(&format!("{{\"message\":\"m\",\"list\":[{list}]}}")).expect("stored");
    let whole_bytes = Value::Int(2_097_176);
    assert_eq!(large.attributes, [("elasticsearch.whole_bytes".to_owned(), whole_bytes)]);
    assert_eq!(large.text.expect("a body").len(), 2_097_176);
    assert!(decode(&format!("[{list}]")).is_none(), "no object");
    // Many short names below a long one are not joined to it.
    let short: String = (0..1000).map(|n| format!("\"{n}\":1,")).collect();
    let nested = format!("{{\"{}\":{{{}\"x\":1}}}}", "n".repeat(200), short);
    let nested = decode(&nested).expect("stored");
    assert_eq!(nested.attributes.len(), 1);
    assert!(matches!(&nested.attributes[0].1, Value::Kvlist(entries) if entries.len() == 1001));
}
