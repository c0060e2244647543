//! Jaeger's APIs: the project's own fixtures, and what its UI and Grafana ask.

use std::collections::BTreeSet;

use serde_json::json;
use throughline_model::time::parse_rfc3339;

use super::shared::{converse, encoded, read_json, shared, shop, spans_of};
use super::*;

const STORAGE: &str = "data/jaeger/internal/storage/integration/fixtures";

// What a query of Jaeger's storage tests asks, as parameters of both APIs.
fn addresses(query: &Json) -> Vec<String> {
    let text = |name: &str| query[name].as_str().unwrap_or_default().to_owned();
    let (min, max) = (text("StartTimeMin"), text("StartTimeMax"));
    let micros = |time: &str| parse_rfc3339(time).expect("a time") / 1000;
    let mut v1 = vec![
        ("start", micros(&min).to_string()),
        ("end", micros(&max).to_string()),
        ("limit", query["NumTraces"].to_string()),
        ("service", text("ServiceName")),
        ("operation", text("OperationName")),
    ];
    let mut v3 = vec![
        ("query.startTimeMin", min),
        ("query.startTimeMax", max),
        ("query.searchDepth", query["NumTraces"].to_string()),
        ("query.serviceName", text("ServiceName")),
        ("query.operationName", text("OperationName")),
    ];
    for (field, of_v1, of_v3) in [
        ("DurationMin", "minDuration", "query.duration_min"),
        ("DurationMax", "maxDuration", "query.durationMax"),
    ] {
        let duration = format!("{}ns", query[field]);
        v1.push((of_v1, duration.clone()));
        v3.push((of_v3, duration));
    }
    if !query["Tags"].is_null() {
        v1.push(("tags", query["Tags"].to_string()));
        v3.push(("query.attributes", query["Tags"].to_string()));
    }
    let pairs = |pairs: &[(&str, String)]| {
        let pair = |(name, value): &(&str, String)| format!("{name}={}", encoded(value));
        pairs.iter().map(pair).collect::<Vec<_>>().join("&")
    };
    vec![
        format!("/jaeger/api/traces?{}", pairs(&v1)),
        format!("/jaeger/api/v3/traces?{}", pairs(&v3)),
        format!("/jaeger/api/v3/trace-summaries?{}", pairs(&v3)),
    ]
}

// The ids of the traces in an answer of any of the three, of 32 digits.
fn ids(answer: &Json) -> BTreeSet<String> {
    let list = |json: &Json| json.as_array().cloned().unwrap_or_default();
    let of = |items: Vec<Json>, key: &str| -> Vec<String> {
        items.iter().map(|item| item[key].as_str().expect("an id").to_owned()).collect()
    };
    let mut found = of(list(&answer["data"]), "traceID");
    found.extend(of(list(&answer["summaries"]), "traceId"));
    for resource in list(&answer["result"]["resourceSpans"]) {
        for scope in list(&resource["scopeSpans"]) {
            found.extend(of(list(&scope["spans"]), "traceId"));
        }
    }
    found.into_iter().map(|id| format!("{id:0>32}")).collect()
}

#[tokio::test]
async fn every_query_of_the_storage_tests_finds_exactly_its_traces() {
    let Some(folder) = shared(STORAGE) else { return };
    let trace = |name: &str| spans_of(&read_json(&folder.join(format!("traces/{name}.json"))));
    let server = Server::start().await;
    for entry in std::fs::read_dir(folder.join("traces")).expect("a folder") {
        server.append_spans(&spans_of(&read_json(&entry.expect("an entry").path()))).await;
    }
    let mut asked = 0;
    for stage in ["head", "segment"] {
        if stage == "segment" {
            server.store.flush().await.expect("flushes");
        }
        for file in ["queries.json", "queries_es.json"] {
            for case in read_json(&folder.join(file)).as_array().expect("queries") {
                let names = case["ExpectedFixtures"].as_array().expect("names").iter();
                let expected: BTreeSet<String> = names
                    .flat_map(|name| trace(name.as_str().expect("a name")))
                    .map(|span| span.trace_id.to_string())
                    .collect();
                for address in addresses(&case["Query"]) {
                    let found = ids(&server.json(&address).await);
                    assert_eq!(found, expected, "{stage}: {}: {address}", case["Caption"]);
                    asked += 1;
                }
            }
        }
    }
    assert_eq!(asked, 2 * 3 * 27, "queries asked");
    server.stop().await;
}

async fn transform(server: &Server, document: &Json) -> Json {
    let request = Request::post("/jaeger/api/transform").header("content-type", "application/json");
    let body = Body::from(document.to_string());
    let answer = server.ask(request.body(body).expect("valid")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

// What the UI adds to an answer when it has read it, and what older versions called things.
fn as_sent(answer: &Json) -> Json {
    const OF_THE_UI: [&str; 6] =
        ["span", "process", "relativeStartTime", "depth", "hasChildren", "childSpanIds"];
    match answer {
        Json::Object(entries) => {
            let kept = entries.iter().filter(|(key, _)| !OF_THE_UI.contains(&key.as_str()));
            let value = |(key, value): (&String, &Json)| match value {
                Json::Array(list) if key == "warnings" && list.is_empty() => {
                    (key.clone(), Json::Null)
                }
                value => (key.clone(), as_sent(value)),
            };
            Json::Object(kept.map(value).collect())
        }
        Json::Array(items) => items.iter().map(as_sent).collect(),
        Json::String(text) => Json::String(text.replace("otel.library.", "otel.scope.")),
        other => other.clone(),
    }
}

#[tokio::test]
async fn otlp_files_become_the_traces_that_jaeger_makes_of_them() {
    let query = "data/jaeger/cmd/jaeger/internal/extension/jaegerquery/internal/fixture";
    let ui = "data/jaeger/ui/packages/jaeger-ui/src/utils/fixtures";
    let server = Server::start().await;
    for (folder, sent, expected) in [
        (query, "otlp2jaeger-in.json", "otlp2jaeger-out.json"),
        (ui, "otlp2jaeger-in.json", "otlp2jaeger-out.json"),
        (ui, "otlp2jaeger-multi-in-combined.json", "oltp2jaeger-multi-out.json"),
    ] {
        let Some(folder) = shared(folder) else { continue };
        let found = transform(&server, &read_json(&folder.join(sent))).await;
        assert_eq!(found, as_sent(&read_json(&folder.join(expected))), "{sent}");
    }
    if let Some(folder) = shared(ui) {
        // A resource without a service.
        let found = transform(&server, &read_json(&folder.join("otlp2jaeger-in-error.json"))).await;
        assert_eq!(found["data"][0]["processes"]["p1"]["serviceName"], "unknown_service");
    }
    server.stop().await;
}

#[tokio::test]
async fn files_that_are_no_otlp_are_refused() {
    let server = Server::start().await;
    for body in
        ["", "{", "[]", r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"12"}]}]}]}"#]
    {
        let request = Request::post("/jaeger/api/transform");
        let answer = server.ask(request.body(Body::from(body)).expect("valid")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{body}: {}", answer.text());
        assert_eq!(answer.json()["errors"][0]["code"], 400);
    }
    server.stop().await;
}

fn snapshot(name: &str) -> Option<Json> {
    let folder = "data/jaeger/cmd/jaeger/internal/extension/jaegerquery/internal/apiv3/snapshots";
    Some(read_json(&shared(&format!("{folder}/{name}.json"))?))
}

// A span with little more than a name.
fn bare(span_id: u8, service: Option<&str>) -> Span {
    let attributes = service.map(|name| attributes(&[("service.name", text(name))]));
    Span {
        trace_id: TraceId::parse("1").expect("an id"),
        span_id: SpanId([0, 0, 0, 0, 0, 0, 0, span_id]),
        kind: 2,
        name: "foobar".to_owned(),
        status_code: 2,
        start_time_ns: NOW_NS,
        resource: Arc::new(Resource {
            attributes: attributes.unwrap_or_default(),
            ..Resource::default()
        }),
        ..Span::default()
    }
}

#[tokio::test]
async fn v3_answers_have_the_shape_of_the_snapshots() {
    let range = "query.startTimeMin=2026-11-20T00:00:00Z&query.startTimeMax=2026-11-21T00:00:00Z";

    let server = Server::start().await;
    server.append_spans(&[bare(2, None)]).await;
    for (name, path) in [
        ("FindTraces", format!("/jaeger/api/v3/traces?{range}")),
        ("GetTrace", "/jaeger/api/v3/traces/1".to_owned()),
    ] {
        let mut found = server.json(&path).await;
        let span = &mut found["result"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        let fields = span.as_object_mut().expect("a span");
        // The snapshot's span has no times, and so no place in a store.
        assert_eq!(fields.remove("startTimeUnixNano"), Some(json!(NOW_NS.to_string())));
        assert_eq!(fields.remove("endTimeUnixNano"), Some(json!(NOW_NS.to_string())));
        let Some(expected) = snapshot(name) else { continue };
        assert_eq!(found, expected, "{name}");
    }
    server.stop().await;

    let server = Server::start().await;
    let start_ns = 1_000_000_000_000; // of the snapshot
    let root = Span {
        name: "HTTP GET /".to_owned(),
        start_time_ns: start_ns,
        duration_ns: 1_000_000_000,
        status_code: 0,
        ..bare(1, Some("frontend"))
    };
    let child = Span {
        parent_span_id: Some(root.span_id),
        start_time_ns: start_ns,
        ..bare(2, Some("frontend"))
    };
    let other = Span {
        trace_id: TraceId([7; 16]),
        name: "get_users".to_owned(),
        start_time_ns: start_ns,
        ..bare(3, Some("foo"))
    };
    server.append_spans(&[root, child, other]).await;
    let range =
        "query.start_time_min=1970-01-01T00:00:00Z&query.start_time_max=1970-01-02T00:00:00Z";
    for (name, path) in [
        (
            "FindTraceSummaries",
            format!("/jaeger/api/v3/trace-summaries?{range}&query.service_name=frontend"),
        ),
        ("GetOperations", "/jaeger/api/v3/operations?service=foo&span_kind=server".to_owned()),
    ] {
        let Some(expected) = snapshot(name) else { continue };
        assert_eq!(server.json(&path).await, expected, "{name}");
    }
    let services = server.json("/jaeger/api/v3/services").await;
    assert_eq!(services, json!({"services": ["foo", "frontend"]}));
    server.stop().await;
}

#[tokio::test]
async fn what_grafana_asks() {
    let server = shop().await;
    converse(&server, "jaeger_grafana.json").await;
    server.stop().await;
}

#[tokio::test]
async fn what_the_jaeger_ui_asks() {
    let server = shop().await;
    converse(&server, "jaeger_ui.json").await;
    server.stop().await;
}

#[tokio::test]
async fn what_the_monitor_tab_asks() {
    let server = shop().await;
    converse(&server, "jaeger_monitor.json").await;
    server.stop().await;
}

#[tokio::test]
async fn wrong_questions_are_said_in_jaegers_envelopes() {
    let server = shop().await;
    converse(&server, "jaeger_errors.json").await;
    for (method, path) in [("POST", "/jaeger/api/traces"), ("GET", "/jaeger/api/archive/1")] {
        let request = Request::builder().method(method).uri(path);
        let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.json()["errors"][0]["code"], 405);
    }
    for (id, status) in [("01010101010101010101010101010101", 400), ("77", 404)] {
        let request = Request::post(format!("/jaeger/api/archive/{id}"));
        let answer = server.ask(request.body(Body::empty()).expect("valid")).await;
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
        assert_eq!(answer.json()["errors"][0]["code"], status);
    }
    server.stop().await;
}

async fn found(server: &Server, query: &str) -> Vec<String> {
    let answer = server.json(&format!("/jaeger/api/traces?{query}")).await;
    let traces = answer["data"].as_array().expect("a list").iter();
    traces.map(|trace| trace["traceID"].as_str().expect("an id")[..2].to_owned()).collect()
}

#[tokio::test]
async fn tags_mean_what_jaeger_shows() {
    let server = shop().await;
    for stage in ["head", "segment"] {
        if stage == "segment" {
            server.store.flush().await.expect("flushes");
        }
        for (query, expected) in [
            ("", vec!["01", "02"]),
            ("limit=1", vec!["01"]),
            ("service=cart&operation=SELECT", vec!["01", "02"]),
            ("tag=error:true", vec!["02"]),
            ("tags=%7B%22error%22:%22true%22%7D", vec!["02"]),
            ("tags=%7B%22error%22:true%7D&service=frontend", vec![]),
            ("tag=error:false&service=cart&operation=SELECT", vec!["01"]),
            ("tag=span.kind:server", vec!["01", "02"]),
            ("tag=span.kind:consumer", vec![]),
            ("tag=otel.status_code:ERROR", vec!["02"]),
            ("tag=otel.status_description:connection%20lost", vec!["02"]),
            ("tag=w3c.tracestate:vendor%3D1", vec!["01", "02"]),
            ("tag=otel.scope.name:tests", vec!["01", "02"]),
            ("tag=otel.scope.name:other", vec![]),
            ("tag=host.name:h1", vec!["01", "02"]),
            ("tag=resource.host.name:h1", vec!["01", "02"]),
            ("tag=http.status_code:500", vec!["02"]),
            ("tag=http.status_code:500&tag=http.route:/cart", vec!["02"]),
            ("tag=http.status_code:500&tag=peer.service:postgres", vec![]),
            ("tag=exception.type:IoError", vec!["02"]),
            ("tag=event:exception", vec!["02"]),
            ("tag=big:9007199254740993", vec!["01", "02"]),
            ("tag=ratio:0.5", vec!["01", "02"]),
            ("tag=sizes:%5B1,%22x%22%5D", vec!["01", "02"]),
            ("tag=http.route:/c.*", vec!["01", "02"]),
            ("tag=http.route:.c.rt", vec![]),
            ("minDuration=4ms", vec!["01", "02"]),
            ("minDuration=4ms&maxDuration=4ms&operation=SELECT", vec!["01", "02"]),
            ("minDuration=5ms", vec![]),
            ("traceID=01010101010101010101010101010101", vec!["01"]),
        ] {
            assert_eq!(found(&server, query).await, expected, "{stage}: {query}");
        }
    }
    let range = "query.startTimeMin=2026-11-20T00:00:00Z&query.startTimeMax=2026-11-21T00:00:00Z";
    let filter =
        r#"{"op":"gte","args":[{"attr":{"key":"http.status_code"}},{"scalar":{"value":"500"}}]}"#;
    let path = format!("/jaeger/api/v3/trace-summaries?{range}&query.filter={}", encoded(filter));
    let summaries = server.json(&path).await;
    assert_eq!(ids(&summaries), BTreeSet::from(["02".repeat(16)]));
    server.stop().await;
}

#[tokio::test]
async fn a_shared_id_is_told_apart_unless_raw() {
    let server = Server::start().await;
    let mut client = span(1, 2, "a", "call");
    client.kind = 3;
    let half = span(1, 2, "b", "call");
    let mut work = span(1, 5, "b", "work");
    work.kind = 1;
    work.parent_span_id = Some(SpanId([2; 8]));
    server.append_spans(&[span(1, 1, "a", "root"), client, half, work]).await;
    let path = "/jaeger/api/traces/01010101010101010101010101010101";
    let parents = |answer: &Json| -> Vec<(String, String)> {
        let spans = answer["data"][0]["spans"].as_array().expect("spans").iter();
        let text = |json: &Json| json.as_str().unwrap_or_default().to_owned();
        spans.map(|s| (text(&s["spanID"]), text(&s["references"][0]["spanID"]))).collect()
    };
    let (one, two, five) = ("01".repeat(8), "02".repeat(8), "05".repeat(8));
    let own = "0202020202020203".to_owned();
    let raw = parents(&server.json(&format!("{path}?raw=true")).await);
    assert!(raw.contains(&(five.clone(), two.clone())), "{raw:?}");
    assert_eq!(raw.iter().filter(|(id, _)| *id == two).count(), 2);
    let adjusted = parents(&server.json(path).await);
    for expected in [(two.clone(), one), (own.clone(), two), (five, own)] {
        assert!(adjusted.contains(&expected), "{adjusted:?} has no {expected:?}");
    }
    server.stop().await;
}
